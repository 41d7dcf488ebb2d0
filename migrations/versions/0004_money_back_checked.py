"""The constraints that 0003 added to tables with rows, held against every row."""

from alembic import op

from fieldfare.db.migrate import run_plain_sql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Run the plain SQL beside this file."""
    run_plain_sql(op.get_bind(), __file__)
