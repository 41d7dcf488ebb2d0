"""`fieldfare migrate`: bring the database to this program's schema."""

import typer

from fieldfare.cli.context import database_url
from fieldfare.cli.steps import complain, say
from fieldfare.db.errors import MigrationRefused
from fieldfare.settings import SettingsRefused, read_settings


def migrate_command() -> None:
    """Bring the database at DATABASE_URL to this program's schema; safe to repeat.

    Example: DATABASE_URL=postgresql://fieldfare@db/fieldfare fieldfare migrate
    """
    # Loaded here: what migrates is large, and no process that serves should carry it.
    from fieldfare.db.migrate import migrate

    try:
        revision = migrate(database_url(read_settings()))
    except (SettingsRefused, MigrationRefused) as refusal:
        complain(str(refusal))
        raise typer.Exit(1) from refusal
    say(f"The database is at revision {revision}.")
