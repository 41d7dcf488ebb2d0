"""`fieldfare erase` as tests run it, and the books that it must leave as they are."""

import os
import subprocess
import sys
from typing import Any

from typer.testing import CliRunner

from fieldfare.cli.main import app
from tests.support.cards import CardShop, environment_of


def environment(shop: CardShop) -> dict[str, str | None]:
    """What a command is started with."""
    return {
        "DATABASE_URL": shop.database_url,
        "DATABASE_URL_FILE": None,
        "FIELDFARE_ADJUST_ALONE_UP_TO": None,
        **environment_of(shop),
    }


def erase(shop: CardShop, *words: object, given: str = "") -> Any:
    """How `fieldfare erase` ends."""
    arguments = ["erase", *map(str, words)]
    return CliRunner().invoke(app, arguments, input=given, env=environment(shop))


def erased(shop: CardShop, *words: object) -> str:
    """What it says when nothing is left to do."""
    result = erase(shop, *words, "--yes")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return str(result.stdout)


def refused(shop: CardShop, *words: object) -> str:
    """The line on stderr of one that was refused."""
    result = erase(shop, *words, "--yes")
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return str(line)


def books(shop: CardShop, account_id: int) -> list[Any]:
    """All that stands in the books of an account."""
    return [
        shop.sql(query, account_id)
        for query in (
            "select certified_mg, trees, owed_cents from ledger.wallet where account_id = %s",
            "select id, state, amount_cents, charge_minor, mass_mg, charge_id, certificate_slug"
            " from orders.purchase where account_id = %s order by id",
            "select id, amount_micro, mass_mg from orders.line where account_id = %s order by id",
            "select id, amount_minor, state, charge_id, customer from payments.payment"
            " where account_id = %s order by id",
            "select id, number, amount_cents, description from ledger.entry"
            " where account_id = %s order by number",
        )
    ]


class Running:
    """The command in a process of its own, to be killed."""

    def __init__(self, shop: CardShop, account_id: int) -> None:
        env = {name: value for name, value in environment(shop).items() if value is not None}
        words = ("erase", "--account", str(account_id), "--yes")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fieldfare.cli.main", *words],
            env={**os.environ, "FIELDFARE_STRIPE_TIMEOUT": "25", **env},
            stdout=subprocess.PIPE,
            text=True,
        )

    def kill_after(self, line: str) -> None:
        """`kill -9` as soon as it has said this."""
        said = ""
        with self.process:
            assert self.process.stdout is not None
            while line not in said and (read := self.process.stdout.readline()):
                said += read
            self.process.kill()
        assert line in said
