"""Bringing a database to the schema of this program, safely twice and from many hosts.

Alembic runs plain SQL on one direct connection that holds a session advisory lock: a second host
waits, then finds nothing to do. Each revision is one transaction with a lock time-out, so a
migration that cannot get its locks gives up instead of stopping the orders that queue behind it.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy.exc import OperationalError

from fieldfare.db.errors import MigrationRefused
from fieldfare.db.partitions import MONTHS_AHEAD
from fieldfare.db.revision import (
    OLDEST_PROGRAM,
    known_revisions,
    migrations_folder,
    refuse_newer,
)

LOCK_TIMEOUT = "4s"
_LOCK_ID = 0x0F1E_1DFA_0E


def migrate(database_url: str) -> str:
    """Bring the database to the newest revision and lay out its partitions; gives the revision.

    Raises `MigrationRefused` if it cannot be reached, is newer than this program, or is locked.
    """
    with _connection(database_url) as conn:
        _wait_for_other_hosts(conn)
        found = _found(conn)
        refuse_newer(found)
        config = _config()
        config.attributes["connection"] = conn
        try:
            if found is not None:
                # Before anything goes: from here on no program starts that would need it.
                _say_oldest_program(conn)
            command.upgrade(config, "head")
            _say_oldest_program(conn)
            conn.exec_driver_sql(f"select db.make_partitions_v1({MONTHS_AHEAD})")
            conn.commit()
        except (OperationalError, psycopg.OperationalError) as error:
            raise MigrationRefused(
                f"the migration from revision {found or 'none'} was undone "
                f"({_first_line(error)}); run `fieldfare migrate` again at a quieter hour"
            ) from error
        return known_revisions()[-1]


def _say_oldest_program(conn: sqlalchemy.Connection) -> None:
    said = f"Programs from revision {OLDEST_PROGRAM} on work on this schema."
    conn.exec_driver_sql(f"comment on table alembic_version is '{said}'")
    conn.commit()


def run_plain_sql(conn: sqlalchemy.Connection, revision_file: str) -> None:
    """For a revision: run the `.sql` file that stands beside `revision_file`.

    It goes to psycopg as it is: SQLAlchemy would take a `%` in it for a parameter.
    """
    raw = conn.connection.driver_connection
    assert raw is not None
    raw.execute(Path(revision_file).with_suffix(".sql").read_text(encoding="utf-8"))


def _config() -> Config:
    # Alembic prints to a stream of its own, not among ours.
    config = Config(stdout=io.StringIO(), output_buffer=io.StringIO())
    config.set_main_option("script_location", str(migrations_folder()))
    config.set_main_option("path_separator", "os")
    return config


@contextmanager
def _connection(database_url: str) -> Iterator[sqlalchemy.Connection]:
    url = sqlalchemy.make_url(database_url).set(drivername="postgresql+psycopg")
    options = f"-c lock_timeout={LOCK_TIMEOUT} -c timezone=UTC"
    engine = sqlalchemy.create_engine(
        url,
        poolclass=sqlalchemy.NullPool,
        connect_args={"options": options, "connect_timeout": 10, "prepare_threshold": None},
    )
    try:
        with engine.connect() as conn:
            yield conn
    except OperationalError as error:
        raise MigrationRefused(
            f"the database at {_shown(url)} cannot be reached "
            f"({_first_line(error)}); start it, or correct DATABASE_URL"
        ) from error
    finally:
        engine.dispose()


def _wait_for_other_hosts(conn: sqlalchemy.Connection) -> None:
    # The lock belongs to the session, so it outlives the revisions' transactions and goes with us.
    conn.exec_driver_sql("set lock_timeout = '10min'")
    conn.exec_driver_sql(f"select pg_advisory_lock({_LOCK_ID})")
    conn.exec_driver_sql(f"set lock_timeout = '{LOCK_TIMEOUT}'")
    conn.commit()


def _found(conn: sqlalchemy.Connection) -> str | None:
    found = MigrationContext.configure(conn).get_current_revision()
    conn.rollback()
    return found


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", error)).strip().splitlines()[0]


def _shown(url: sqlalchemy.URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=True)
