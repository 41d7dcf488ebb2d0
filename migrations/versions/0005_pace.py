"""The pace of calls to the card processor."""

from alembic import op

from fieldfare.db.migrate import run_plain_sql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Run the plain SQL beside this file."""
    run_plain_sql(op.get_bind(), __file__)
