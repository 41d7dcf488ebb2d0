"""Reads of an account: one statement for its rank, plans that no account's size misleads."""

from alembic import op

from fieldfare.db.migrate import run_plain_sql

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Run the plain SQL beside this file."""
    run_plain_sql(op.get_bind(), __file__)
