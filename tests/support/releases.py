"""The next release: a copy of this program with revisions of its own, to run beside this one."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from fieldfare.db.revision import known_revisions
from tests.tidy.house import ROOT

ADDS = """
alter table orders.purchase add column channel text;
alter table ledger.wallet add column colour text not null default 'green';
create table orders.channel (name text primary key);
create function orders.channels_v1() returns bigint language sql
as 'select count(*) from orders.channel';
"""
INDEX = """
    with op.get_context().autocommit_block():
        op.execute("create index concurrently account_created_at on accounts.account (created_at)")
"""
REVISION = '''"""{about}"""

from alembic import op

from fieldfare.db.migrate import run_plain_sql

revision = "{number}"
down_revision = "{after}"


def upgrade() -> None:
    {does}
'''


class NextRelease:
    """A checkout in a folder of its own, two revisions ahead, that is ready only on its schema."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {"PYTHONPATH": str(folder / "src")}
        ignore = shutil.ignore_patterns("__pycache__")
        for name in ("src", "migrations"):
            shutil.copytree(ROOT / name, folder / name, ignore=ignore)
        head = known_revisions()[-1]
        self.revisions = [f"{int(head) + more:04}" for more in (1, 2)]
        run_sql = "run_plain_sql(op.get_bind(), __file__)"
        self._write("The schema grows.", self.revisions[0], head, run_sql, ADDS)
        self._write("An index.", self.revisions[1], self.revisions[0], INDEX.strip(), "")
        self._use_the_column()

    def _write(self, about: str, number: str, after: str, does: str, sql: str) -> None:
        path = self.folder / "migrations" / "versions" / f"{number}_next"
        text = REVISION.format(about=about, number=number, after=after, does=does)
        path.with_suffix(".py").write_text(text, encoding="utf-8")
        path.with_suffix(".sql").write_text(sql, encoding="utf-8")

    def _use_the_column(self) -> None:
        health = self.folder / "src" / "fieldfare" / "http" / "health.py"
        text = health.read_text(encoding="utf-8")
        looks, times = re.subn('"select 1"', '"select channel from orders.purchase limit 1"', text)
        assert times == 1
        health.write_text(looks, encoding="utf-8")

    def run(self, database_url: str, *words: str) -> "subprocess.CompletedProcess[str]":
        """A command of the next release."""
        return subprocess.run(
            [sys.executable, "-m", "fieldfare.cli.main", *words],
            env={**os.environ, **self.environment, "DATABASE_URL": database_url},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
