"""Certificates that were issued, the keys that they are signed with, and whom none may name."""

from alembic import op

from fieldfare.db.migrate import run_plain_sql

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Run the plain SQL beside this file."""
    run_plain_sql(op.get_bind(), __file__)
