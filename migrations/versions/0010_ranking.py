"""The ranking in pages: ten million accounts are ranked anew in seconds."""

from alembic import op

from fieldfare.db.migrate import run_plain_sql

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Run the plain SQL beside this file."""
    run_plain_sql(op.get_bind(), __file__)
