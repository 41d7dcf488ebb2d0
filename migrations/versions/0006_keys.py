"""A key whose answer is kept gives it to all who ask at once."""

from alembic import op

from fieldfare.db.migrate import run_plain_sql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Run the plain SQL beside this file."""
    run_plain_sql(op.get_bind(), __file__)
