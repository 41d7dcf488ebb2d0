"""Writes `migrations/schema.sql`: the schema as the migrations leave it, for reading and reviewing.

`make schema` runs it. The dump is cut down to what the migrations say: no settings, versions or
tokens that differ from run to run, and no monthly partitions, which depend on the day.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from fieldfare.db import embedded
from fieldfare.db.embedded.install import ServerUser, find_install
from fieldfare.db.migrate import migrate
from tests.tidy.house import ROOT

SCHEMA_FILE = ROOT / "migrations" / "schema.sql"
HEAD = """\
-- The schema as the migrations leave it, written by `make schema` and held equal by a test.
-- Not a migration: read it, review its changes, never run it. Monthly partitions are left out.

"""
MONTHLY = "*.*_[0-9][0-9][0-9][0-9]_[0-9][0-9]"
_DIFFERS = re.compile(
    r"^(?:SET |SELECT pg_catalog\.set_config|\\(?:un)?restrict |--).*$", re.MULTILINE
)


def dump_schema(database_url: str) -> str:
    """A database's schema by the `pg_dump` of our wheel, in a form fit to be compared."""
    ourselves = ServerUser("ourselves", os.geteuid(), os.getegid(), switch=False)
    install = find_install(ourselves)
    dumped = subprocess.run(
        [
            install.bin_dir / "pg_dump",
            "--schema-only",
            "--no-owner",
            "--no-privileges",
            f"--exclude-table={MONTHLY}",
            "--dbname",
            database_url,
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    text = _DIFFERS.sub("", dumped.stdout)
    return HEAD + re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def main() -> None:
    """Migrate a database of a throw-away server and write its schema down."""
    with tempfile.TemporaryDirectory() as folder:
        server = embedded.start(Path(folder), embedded.free_port(), options={"fsync": "off"})
        try:
            migrate(server.url)
            SCHEMA_FILE.write_text(dump_schema(server.url), encoding="utf-8")
        finally:
            embedded.stop(server)
    sys.stdout.write(f"wrote {SCHEMA_FILE.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
