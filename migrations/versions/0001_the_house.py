"""The house: a schema for each feature, and everything an order paid from credits needs."""

from alembic import op

from fieldfare.db.migrate import run_plain_sql

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Run the plain SQL beside this file."""
    run_plain_sql(op.get_bind(), __file__)
