"""`fieldfare archive`: stream the database's log into FIELDFARE_ARCHIVE, for as long as it runs."""

import typer

from fieldfare.cli.context import database_url, get_archive
from fieldfare.cli.steps import complain, note
from fieldfare.settings import SettingsRefused, read_settings


def archive_command() -> None:
    """Stream the database's log into FIELDFARE_ARCHIVE until SIGTERM or Ctrl-C.

    With it and a base backup (`fieldfare backup`) a restore comes to any instant. The user of
    DATABASE_URL needs the right REPLICATION. A server that goes away is waited for.

    Example: FIELDFARE_ARCHIVE=/var/backups/fieldfare-log fieldfare archive
    """
    from fieldfare.db.backup.base import follow_log
    from fieldfare.db.errors import BackupRefused

    try:
        settings = read_settings()
        follow_log(database_url(settings), get_archive(settings), note)
    except (SettingsRefused, BackupRefused) as refusal:
        complain(str(refusal))
        raise typer.Exit(1) from refusal
