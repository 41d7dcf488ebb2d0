"""`fieldfare books` and `fieldfare verify --processor` as an operator uses them."""

import json
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fieldfare.cli.checks import CHECKS
from fieldfare.cli.main import app
from tests.support.cards import CardShop, environment_of

NOWHERE = "postgresql://nobody@127.0.0.1:9/none"


@pytest.fixture(scope="module")
def open_shop(open_shop: CardShop) -> CardShop:
    """A shop that has sold to two cards."""
    open_shop.begin()
    open_shop.set_rate("EUR", "0.9137", date(2026, 11, 20))
    open_shop.stripe.post("settings", settle_delay_s=0)
    assert open_shop.order(open_shop.team()).status_code == 200
    assert open_shop.order(open_shop.team(currency="EUR")).status_code == 200
    return open_shop


@pytest.fixture
def shop(open_shop: CardShop) -> CardShop:
    """The shop before the processor's record was read."""
    open_shop.sql(
        "set session_replication_role = replica; delete from ledger.journal;"
        " delete from payments.balance_transaction; delete from payments.balance_import"
    )
    return open_shop


def fieldfare(shop: CardShop, *words: str, **environment: str | None) -> Result:
    """A command on the shop's database, with its processor unless that is said otherwise."""
    cleared = {"DATABASE_URL_FILE": None, "FIELDFARE_STRIPE_KEY_FILE": None}
    env = cleared | environment_of(shop) | {"DATABASE_URL": shop.database_url} | environment
    return CliRunner().invoke(app, words, env=env)


def test_the_table_shows_every_book_exactly_and_sums_to_zero(shop: CardShop) -> None:
    assert fieldfare(shop, "verify", "--processor").exit_code == 0
    shown = fieldfare(shop, "books")
    assert shown.exit_code == 0, shown.output
    lines = shown.output.splitlines()
    assert lines[0].split() == ["EUR", "USD"]
    table = {line.split()[0]: line.split()[1:3] for line in lines[1:7]}
    assert table["processor"] == ["-5.95", "-6.54"]
    assert table["fees"] == ["-0.49", "-0.50"]
    assert table["exchange"] == ["6.44", "-7.04"]
    assert table["sum"] == ["0.00", "0.00"]
    # Two orders of $7.04; points stand one below the other.
    partners, margin = float(table["partners"][0]), float(table["margin"][0])
    assert round(partners + margin, 8) == 14.08
    assert len({line.rindex(".") for line in lines[1:7] if "." in line}) == 1
    assert lines[-1] == "  5.95 EUR, 6.54 USD"


def test_before_the_first_import_the_table_says_so(shop: CardShop) -> None:
    shown = fieldfare(shop, "books")
    assert shown.exit_code == 0
    assert "record was not read yet; `fieldfare verify --processor` does." in shown.output
    assert "fees" not in shown.output


def test_books_that_do_not_sum_to_zero_end_with_an_error(shop: CardShop) -> None:
    shop.sql(
        "set session_replication_role = replica; insert into ledger.journal"
        " select db.uuid_floor_v1(now()), gen_random_uuid(), 'tax', 'tax', null, 'USD', 5, '',"
        " now()"
    )
    shown = fieldfare(shop, "books")
    assert shown.exit_code == 1
    assert "0.00000005" in shown.output
    assert shown.output.splitlines()[-1].startswith("A currency does not sum to 0")


def test_the_processor_is_read_first_and_everything_held_against_it(shop: CardShop) -> None:
    plain = fieldfare(shop, "verify")
    assert plain.exit_code == 0, plain.output
    assert shop.sql("select count(*) from payments.balance_transaction") == [(0,)]
    done = fieldfare(shop, "verify", "--processor")
    assert done.exit_code == 0, done.output
    ticked = [line for line in done.output.splitlines() if line.startswith("  ✓")]
    assert ticked[0].startswith("  ✓ processor: what it says we have there")
    assert len(ticked) == 1 + len(CHECKS)
    assert done.output.splitlines()[-1] == "The books agree."
    assert shop.sql("select count(*) from payments.balance_transaction") == [(2,)]


def test_what_the_processor_has_and_we_do_not_is_named(shop: CardShop) -> None:
    fieldfare(shop, "verify", "--processor")
    # What is older than any list that is read again, and was lost.
    shop.sql(
        "set session_replication_role = replica; delete from ledger.journal where currency = 'EUR';"
        " delete from payments.balance_transaction where currency = 'EUR';"
        " update payments.balance_import set complete_to = now() + interval '9 days'"
    )
    done = fieldfare(shop, "verify", "--processor")
    assert done.exit_code == 1
    assert "currency=EUR: what is on record comes to 0 in the smallest unit" in done.output
    assert "payments.payment id=" in done.output


def test_a_processor_that_is_away_is_one_line(shop: CardShop) -> None:
    done = fieldfare(shop, "verify", "--processor", FIELDFARE_STRIPE_URL="http://127.0.0.1:9")
    assert done.exit_code == 1
    assert done.stderr.startswith("fieldfare: The card processor's list of movements cannot be")
    assert len(done.stderr.splitlines()) == 1


def test_the_demos_processor_goes_with_the_demos_books_only(shop: CardShop, tmp_path: Path) -> None:
    without: dict[str, str | None] = {
        "FIELDFARE_STRIPE_KEY": None, "FIELDFARE_STRIPE_URL": None,
        "FIELDFARE_HOME": str(tmp_path),
    }  # fmt: skip
    demo = {
        "database_url": shop.database_url, "stripe_url": shop.stripe.url,
        "stripe_key": shop.stripe.secret_key,
    }  # fmt: skip
    nothing = fieldfare(shop, "verify", "--processor", **without)
    assert "no card processor is known: set FIELDFARE_STRIPE_KEY" in nothing.stderr
    (tmp_path / "demo.json").write_text(json.dumps(demo))
    assert fieldfare(shop, "verify", "--processor", **without).exit_code == 0
    (tmp_path / "demo.json").write_text(json.dumps(demo | {"database_url": NOWHERE}))
    others = fieldfare(shop, "verify", "--processor", **without)
    assert others.exit_code == 1
    assert "no card processor is known" in others.stderr


@pytest.mark.parametrize(
    ("command", "example"),
    [("books", "Example: fieldfare books"), ("verify", "Example: fieldfare verify --processor")],
)
def test_the_help_has_an_example_of_each(command: str, example: str) -> None:
    assert example in CliRunner().invoke(app, [command, "--help"]).output
