"""Top-ups, refunds, disputes, what the processor's balance says, and erasure."""

from alembic import op

from fieldfare.db.migrate import run_plain_sql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Run the plain SQL beside this file."""
    run_plain_sql(op.get_bind(), __file__)
