"""The dump: one snapshot of the database in PostgreSQL's custom format, and the way back.

What must hold: the rows that the manifest counts are those of the dump, because both see the same
exported snapshot; a dump is loaded whole or not at all, and with its rows comes the mark that the
shop is closed.
"""

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from fieldfare.db.backup.tools import Tools, address_of, run_program
from fieldfare.db.closing import CLOSE_SQL
from fieldfare.db.embedded.progress import Log

DUMP = "database.dump"
DUMP_PROGRAMS = ("pg_dump", "pg_restore")
LOAD_PROGRAMS = ("pg_restore", "psql")
LOCK_PATIENCE = "30s"
"""Only a migration holds what a dump waits for; who waits for it longer holds up nobody."""
_SETTING_SINCE_17 = b"SET transaction_timeout = 0;\n"
_HEAD_LINES = 60
FURTHER_NUMBERS_SQL = """
select setval(
    format('%I.%I', schemaname, sequencename)::regclass,
    least(
        coalesce(last_value, 0) + case data_type::text when 'bigint' then 1000000 else 1000 end,
        max_value
    )
)
from pg_sequences
where schemaname not in ('pgqueuer', 'pg_catalog', 'information_schema');
"""
"""Numbers of receipts and accounts that were given out after the backup are known to people: none
of them may be given to somebody else."""
_UNREADABLE_SQL = """
do $$ begin raise exception 'the dump cannot be read to its end'; end $$;
"""
AFTER_RESTORE_SQL = f"{CLOSE_SQL}\n{FURTHER_NUMBERS_SQL}"


def write_dump(tools: Tools, url: str, snapshot: str, folder: Path, log: Log) -> None:
    """Dump what `snapshot` sees, which must stay exported meanwhile, and read it back once."""
    address = address_of(url)
    path = folder / DUMP
    run_program(
        [
            *(tools.path("pg_dump"), "--format=custom", f"--snapshot={snapshot}"),
            *("--no-owner", "--no-privileges", f"--lock-wait-timeout={LOCK_PATIENCE}"),
            *("--no-password", f"--file={path}", f"--dbname={address.conninfo}"),
        ],
        address.environment,
        doing="dumping the database",
        log=log,
    )
    # Every block is unpacked: a dump that was cut off, or a full disk, shows here.
    run_program(
        [tools.path("pg_restore"), "--file=/dev/null", str(path)],
        address.environment,
        doing="reading the dump back",
        log=log,
    )


def load_dump(tools: Tools, url: str, folder: Path, log: Log) -> None:
    """Bring a dump into the empty database at `url`, closed, in one transaction."""
    address = address_of(url)
    with _script_of(tools, folder / DUMP) as script:
        run_program(
            [
                *(tools.path("psql"), "--no-psqlrc", "--quiet", "--single-transaction"),
                *("--set=ON_ERROR_STOP=1", "--no-password", "--file=-"),
                f"--dbname={address.conninfo}",
            ],
            # Only what goes wrong is told.
            {**address.environment, "PGOPTIONS": "-c client_min_messages=warning"},
            doing="loading the dump",
            log=log,
            stdin=script,
        )


@contextmanager
def _script_of(tools: Tools, dump: Path) -> Iterator[IO[bytes]]:
    """The dump as SQL, and what is due after it, to be read from a pipe."""
    read_end, write_end = os.pipe()
    with subprocess.Popen(
        [tools.path("pg_restore"), "--no-owner", "--no-privileges", "--file=-", str(dump)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as restore:
        copying = threading.Thread(target=_copy, args=(restore, write_end))
        copying.start()
        try:
            with os.fdopen(read_end, "rb") as script:
                yield script
        finally:
            restore.kill()
            copying.join()


def _copy(restore: "subprocess.Popen[bytes]", write_end: int) -> None:
    assert restore.stdout is not None
    # Whoever reads may have failed and gone away by then.
    with suppress(BrokenPipeError), os.fdopen(write_end, "wb") as into:
        for _ in range(_HEAD_LINES):
            line = restore.stdout.readline()
            # An older server does not know it, and its default is the same.
            if line != _SETTING_SINCE_17:
                into.write(line)
        shutil.copyfileobj(restore.stdout, into)
        into.write((AFTER_RESTORE_SQL if restore.wait() == 0 else _UNREADABLE_SQL).encode())
