"""Adjustments of credits: one operator up to a set amount, two above it, by the real commands."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import psycopg
import pytest
from typer.testing import CliRunner

from fieldfare.accounts import service as accounts
from fieldfare.accounts.model import OperatorRole
from fieldfare.cli.checks import CHECKS
from fieldfare.cli.main import app
from fieldfare.db.pool import Connection, connection, open_database, transaction
from tests.support.world import World, build_world

T = TypeVar("T")

PASSWORD = "four words do well"
ADA, BOB = "ada@operators.example", "bob@operators.example"
REASON = "Goodwill, ticket 4711"
UUID_TEXT = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class House:
    """A database with the test world, two operators, and the commands that they give."""

    def __init__(self, database_url: str, home: Path) -> None:
        self.database_url = database_url
        self.env: dict[str, str | None] = {
            "DATABASE_URL": database_url,
            "DATABASE_URL_FILE": None,
            "FIELDFARE_HOME": str(home),
            "FIELDFARE_ADJUST_ALONE_UP_TO": None,
            "FIELDFARE_OPERATOR_PASSWORD": None,
            "FIELDFARE_OPERATOR_PASSWORD_FILE": None,
        }
        self.world: World = self._build()
        self.ada = self.operator(ADA, "admin")
        self.bob = self.operator(BOB, "bookkeeper")

    def _build(self) -> World:
        async def build() -> World:
            db = await open_database(self.database_url, pool_size=2, application="tests")
            try:
                return await build_world(db)
            finally:
                await db.close()

        return asyncio.run(build())

    def write(self, work: Callable[[Connection], Coroutine[Any, Any, T]]) -> T:
        """Run something in one transaction."""

        async def run() -> T:
            db = await open_database(self.database_url, pool_size=2, application="tests")
            try:
                async with transaction(db) as conn:
                    return await work(conn)
            finally:
                await db.close()

        return asyncio.run(run())

    def operator(self, email: str, role: OperatorRole | None) -> int:
        """A user who signs in with the password, maybe an operator; gives the number."""

        async def build(conn: Connection) -> int:
            now = datetime.now(UTC)
            user = await accounts.open_user(conn, name="Op", billing_email=email, now=now)
            await accounts.add_password(conn, user, email, PASSWORD, now)
            if role is not None:
                await accounts.make_operator(conn, user, role, now)
            return user

        return self.write(build)

    def run(self, *words: object, given: str = PASSWORD) -> str:
        """What `fieldfare credits` prints when it succeeds."""
        result = self._invoke(words, given)
        assert result.exit_code == 0, result.output
        return str(result.stdout)

    def refused(self, *words: object, given: str = PASSWORD) -> str:
        """The line on stderr of a command that is refused."""
        result = self._invoke(words, given)
        assert result.exit_code == 1, result.output
        assert result.stdout == ""
        (line,) = result.stderr.splitlines()
        assert line.startswith("fieldfare: ")
        return str(line)

    def _invoke(self, words: tuple[object, ...], given: str) -> Any:
        arguments = ["credits", *map(str, words)]
        return CliRunner().invoke(app, arguments, input=f"{given}\n", env=self.env)

    def ask(self, by: str = "500", *, operator: str = ADA) -> str:
        """An adjustment of the team's credits that takes two; gives the request's id."""
        account = self.world.team_id
        said = self.run(
            "adjust", "--account", account, "--by", by, "--reason", REASON, "--operator", operator
        )
        found = UUID_TEXT.search(said)
        assert found is not None
        assert f"fieldfare credits approve {found[0]}" in said
        return found[0]

    def sql(self, query: str, *parameters: object) -> list[Any]:
        """The rows of a query."""
        with psycopg.connect(self.database_url) as conn:
            return conn.execute(query, parameters).fetchall()

    def balance(self) -> int:
        """The team's credits in US cents."""
        rows = self.sql(
            "select balance_cents from ledger.wallet where account_id = %s", self.world.team_id
        )
        return int(rows[0][0])

    def request(self, request_id: str) -> Any:
        """Who asked, who decided, whether there is an entry, why it was refused."""
        (row,) = self.sql(
            "select asked_by, decided_by, entry_id is not null, refusal_reason"
            " from ledger.adjustment_request where id = %s",
            request_id,
        )
        return row

    def agree(self) -> None:
        """The books agree."""

        async def verify() -> list[str]:
            db = await open_database(self.database_url, pool_size=2, application="tests")
            try:
                async with connection(db) as conn, conn.transaction(isolation="repeatable_read"):
                    return [str(found) for _, check in CHECKS async for found in check(conn)]
            finally:
                await db.close()

        assert asyncio.run(verify()) == []


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> House:
    """Commands on a fresh database."""
    return House(database_url, tmp_path)


def by(house: House, amount: str, *more: object) -> tuple[object, ...]:
    """The words of an adjustment of the team."""
    return ("adjust", "--account", house.world.team_id, "--by", amount, "--reason", REASON, *more)


def test_up_to_the_set_amount_one_is_enough(house: House) -> None:
    assert house.run(*by(house, "100")) == "The balance is now $600.00.\n"
    assert house.run(*by(house, "-100.00")) == "The balance is now $500.00.\n"
    assert house.run(*by(house, "0.01", "--operator", BOB)) == "The balance is now $500.01.\n"
    said = house.sql(
        "select e.description, j.memo from ledger.entry e join ledger.journal j"
        " on j.movement_id = e.id where e.account_id = %s and j.book = 'adjustments'"
        " order by e.number desc limit 2",
        house.world.team_id,
    )
    # The customer reads the reason; our own book also says who it was.
    assert said == [(REASON, f"{REASON} (operator {house.bob})"), (REASON, REASON)]
    assert house.sql("select * from ledger.adjustment_request") == []
    house.agree()


@pytest.mark.parametrize("amount", ["100.01", "-100.01", "999999999.99"])
def test_above_it_nothing_is_changed_by_nobody(house: House, amount: str) -> None:
    assert "$100.00" in house.refused(*by(house, amount))
    assert "--operator" in house.refused(*by(house, amount))
    assert house.balance() == 50_000


def test_what_one_asks_for_another_lets_through_once(house: House) -> None:
    request_id = house.ask("500")
    assert house.balance() == 50_000
    listed = house.run("requests")
    for word in (request_id, f"operator {house.ada}", "$500.00", REASON):
        assert word in listed
    assert house.run("approve", request_id, "--operator", BOB) == "The balance is now $1000.00.\n"
    again = house.run("approve", request_id, "--operator", BOB)
    assert "nothing was changed" in again
    assert house.balance() == 100_000
    assert house.request(request_id) == (house.ada, house.bob, True, None)
    memos = house.sql(
        "select j.book, j.amount_micro, j.memo from ledger.adjustment_request r"
        " join ledger.journal j on j.movement_id = r.entry_id where r.id = %s order by j.book",
        request_id,
    )
    who = f"asked by operator {house.ada}, approved by operator {house.bob}"
    assert memos == [
        ("adjustments", -50_000_000_000, f"{REASON} ({who})"),
        ("credits", 50_000_000_000, REASON),
    ]
    assert house.run("requests") == "No adjustment waits for a second operator.\n"
    house.agree()


def test_nobody_is_two_people(house: House) -> None:
    request_id = house.ask()
    assert "Another operator" in house.refused("approve", request_id, "--operator", ADA)
    assert "Another operator" in house.refused("approve", request_id, "--operator", ADA.upper())
    assert house.balance() == 50_000
    with (
        psycopg.connect(house.database_url) as conn,
        pytest.raises(psycopg.errors.CheckViolation, match="adjustment_two_people"),
    ):
        conn.execute(
            "update ledger.adjustment_request set decided_by = asked_by, decided_at = now(),"
            " entry_id = gen_random_uuid()"
        )


def test_who_may_ask_and_decide_is_checked(house: House) -> None:
    request_id = house.ask()
    support, nobody = "support@operators.example", "nobody@operators.example"
    house.operator(support, "support")
    house.operator(nobody, None)
    for command in (("approve", request_id), ("refuse", request_id, "--reason", "No")):
        assert "as support" in house.refused(*command, "--operator", support)
        assert "no operator" in house.refused(*command, "--operator", nobody)
        wrong = house.refused(*command, "--operator", BOB, given="five words do not either")
        assert "do not go together" in wrong
        unknown = house.refused(*command, "--operator", "who@operators.example")
        assert unknown == wrong
        assert "FIELDFARE_OPERATOR_PASSWORD" in house.refused(*command, "--operator", BOB, given="")
    assert "as support" in house.refused(*by(house, "500", "--operator", support))
    assert "no operator" in house.refused(*by(house, "5", "--operator", nobody))
    assert house.request(request_id) == (house.ada, None, False, None)
    assert house.balance() == 50_000


def test_what_is_turned_down_stays_so(house: House) -> None:
    request_id = house.ask()
    why = ("--reason", "Paid twice")
    assert "turned down" in house.run("refuse", request_id, "--operator", BOB, *why)
    assert "before" in house.run("refuse", request_id, "--operator", BOB, *why)
    assert "Paid twice" in house.refused("approve", request_id, "--operator", BOB)
    assert house.request(request_id) == (house.ada, house.bob, False, "Paid twice")
    assert house.balance() == 50_000


def test_who_asked_may_take_it_back(house: House) -> None:
    request_id = house.ask("-400")
    house.run("refuse", request_id, "--operator", ADA, "--reason", "A slip")
    assert house.request(request_id) == (house.ada, house.ada, False, "A slip")


def test_what_took_effect_cannot_be_turned_down(house: House) -> None:
    request_id = house.ask()
    house.run("approve", request_id, "--operator", BOB)
    no = house.refused("refuse", request_id, "--operator", BOB, "--reason", "No")
    assert "Adjust it back" in no
    assert house.balance() == 100_000


def test_a_balance_never_falls_below_zero_and_the_request_stays_open(house: House) -> None:
    request_id = house.ask("-500.01")
    assert "below zero" in house.refused("approve", request_id, "--operator", BOB)
    assert request_id in house.run("requests")
    house.run(*by(house, "0.01"))
    assert house.run("approve", request_id, "--operator", BOB) == "The balance is now $0.00.\n"
    house.agree()


def test_two_who_decide_at_once_decide_once(house: House) -> None:
    operators = [BOB]
    for number in range(3):
        operators.append(f"op{number}@operators.example")
        house.operator(operators[-1], "admin")
    request_id = house.ask()

    def approve(email: str) -> subprocess.CompletedProcess[str]:
        words = ("credits", "approve", request_id, "--operator", email)
        return subprocess.run(
            [sys.executable, "-m", "fieldfare.cli.main", *words],
            env={
                **os.environ,
                "DATABASE_URL": house.database_url,
                "FIELDFARE_OPERATOR_PASSWORD": PASSWORD,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    with ThreadPoolExecutor(len(operators)) as rivals:
        ended = list(rivals.map(approve, operators))
    assert [one.returncode for one in ended] == [0] * len(operators), ended
    assert sum("nothing was changed" not in one.stdout for one in ended) == 1
    assert house.balance() == 100_000
    house.agree()


def test_the_amount_is_a_setting(house: House) -> None:
    house.env["FIELDFARE_ADJUST_ALONE_UP_TO"] = "0"
    assert "two operators" in house.refused(*by(house, "0.01"))
    house.env["FIELDFARE_ADJUST_ALONE_UP_TO"] = "500"
    assert house.run(*by(house, "500")) == "The balance is now $1000.00.\n"
    house.env["FIELDFARE_ADJUST_ALONE_UP_TO"] = "1.50"
    assert "FIELDFARE_ADJUST_ALONE_UP_TO must be a whole number" in house.refused(*by(house, "1"))


def test_the_password_can_be_a_file(house: House, tmp_path: Path) -> None:
    request_id = house.ask()
    (tmp_path / "password").write_text(f"{PASSWORD}\n", encoding="utf-8")
    house.env["FIELDFARE_OPERATOR_PASSWORD_FILE"] = str(tmp_path / "password")
    assert "now $1000.00" in house.run("approve", request_id, "--operator", BOB, given="")
    house.env["FIELDFARE_OPERATOR_PASSWORD_FILE"] = str(tmp_path / "none")
    assert "cannot be read" in house.refused("approve", request_id, "--operator", BOB)


@pytest.mark.parametrize("reason", ["", " \n ", "x" * 501, "‮gnorw"])
@pytest.mark.parametrize("amount", ["1", "500"])
def test_a_reason_is_given_in_words_that_can_be_kept(
    house: House, reason: str, amount: str
) -> None:
    line = house.refused(
        "adjust", "--account", house.world.team_id, "--by", amount, "--operator", ADA,
        "--reason", reason,
    )  # fmt: skip
    assert "reason" in line.lower()
    assert house.balance() == 50_000
    assert house.sql("select * from ledger.adjustment_request") == []


def test_what_is_not_there_is_named(house: House) -> None:
    nowhere = ("--account", 987_654, "--reason", REASON)
    assert "no account 987654" in house.refused("adjust", "--by", "1", *nowhere)
    assert "no account 987654" in house.refused(
        "adjust", "--by", "500", *nowhere, "--operator", ADA
    )
    assert "no request" in house.refused("approve", uuid4(), "--operator", BOB)
    assert "of nothing" in house.refused(*by(house, "0"))
