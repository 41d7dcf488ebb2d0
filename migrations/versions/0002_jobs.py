"""The jobs: the tables of PgQueuer, which keeps queued jobs and the times of the schedules."""

from alembic import op

from fieldfare.db.migrate import run_plain_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Run the plain SQL beside this file."""
    run_plain_sql(op.get_bind(), __file__)
