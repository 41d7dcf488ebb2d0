"""`fieldfare account refill` as an operator uses it."""

from pathlib import Path

import psycopg
import pytest
import typer
from typer.testing import CliRunner

from fieldfare.cli.account import account_app
from fieldfare.cli.dollars import parse_dollars, show_dollars

app = typer.Typer(pretty_exceptions_enable=False)
app.add_typer(account_app, name="account")


class Operator:
    """Runs the command for one account."""

    def __init__(self, database_url: str, home: Path) -> None:
        self.env = {
            "DATABASE_URL": database_url, "DATABASE_URL_FILE": None, "FIELDFARE_HOME": str(home)
        }  # fmt: skip
        opened = self._invoke("open-user", "--name", "Ada", "--email", "ada@shop.org")
        self.account = opened[1].strip()

    def _invoke(self, *words: str) -> tuple[int, str, str]:
        result = CliRunner().invoke(app, ["account", *words], env=self.env)
        return result.exit_code, result.stdout, result.stderr

    def refill(self, *words: str) -> str:
        """What the command prints."""
        code, printed, errors = self._invoke("refill", "--account", self.account, *words)
        assert code == 0, errors
        return printed.rstrip("\n")

    def refused(self, *words: str, account: str | None = None) -> tuple[int, str]:
        """The exit code and what stands on stderr, of a command that prints nothing else."""
        code, printed, errors = self._invoke("refill", "--account", account or self.account, *words)
        assert printed == ""
        return code, errors


@pytest.fixture
def operator(database_url: str, tmp_path: Path) -> Operator:
    """Somebody at the command line, with an account on a fresh database."""
    return Operator(database_url, tmp_path)


def test_a_refill_is_set_shown_and_switched_off(operator: Operator, database_url: str) -> None:
    assert operator.refill() == "off: no refill was ever set."
    on = "on: below $50.00, by $200.00."
    assert operator.refill("--below", "50", "--amount", "200.00") == on
    assert operator.refill() == on
    with psycopg.connect(database_url) as conn:
        conn.execute("update accounts.refill set failures = 2")
    assert operator.refill() == "on: below $50.00, by $200.00, 2 failed in a row."
    off = "off (it was below $50.00, by $200.00, 2 failed in a row)."
    assert operator.refill("--off") == off
    assert operator.refill() == off
    assert operator.refill("--below", "0.01", "--amount", "1") == "on: below $0.01, by $1.00."


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--below", "0", "--amount", "200"), "below must be from $0.01"),
        (("--below", "-5", "--amount", "200"), "below must be from $0.01"),
        (("--below", "50", "--amount", "0.99"), "amount must be from $1.00"),
        (("--below", "50", "--amount", "1000000"), "amount must be from $1.00"),
        (("--off",), "has no refill"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    operator: Operator, words: tuple[str, ...], said: str
) -> None:
    code, errors = operator.refused(*words)
    assert (code, len(errors.splitlines())) == (1, 1)
    assert errors.startswith("fieldfare: ")
    assert said in errors
    assert operator.refill() == "off: no refill was ever set."


@pytest.mark.parametrize("words", [(), ("--off",), ("--below", "50", "--amount", "200")])
def test_an_account_that_is_not_there_is_named(operator: Operator, words: tuple[str, ...]) -> None:
    code, errors = operator.refused(*words, account="4711")
    assert (code, len(errors.splitlines())) == (1, 1)
    assert "There is no account 4711" in errors


@pytest.mark.parametrize(
    "words",
    [
        ("--below", "50"),
        ("--amount", "200"),
        ("--off", "--below", "50", "--amount", "200"),
        ("--below", "50", "--amount", "2e2"),
        ("--below", "49.999", "--amount", "200"),
    ],
)
def test_what_does_not_go_together_is_refused(operator: Operator, words: tuple[str, ...]) -> None:
    code, _ = operator.refused(*words)
    assert code == 2
    assert operator.refill() == "off: no refill was ever set."


@pytest.mark.parametrize(
    ("text", "cents"), [("500", 50_000), ("-12.50", -1_250), ("+0.05", 5), (" 1 ", 100)]
)
def test_dollars_are_read_to_the_cent(text: str, cents: int) -> None:
    assert parse_dollars(text) == cents


@pytest.mark.parametrize("text", ["", "1.5", "1.005", "1,00", "1e3", "٣", "$5", "12345678901"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_dollars(text)


def test_dollars_are_shown_with_two_decimals() -> None:
    assert [show_dollars(cents) for cents in (0, 5, 1_250)] == ["$0.00", "$0.05", "$12.50"]
