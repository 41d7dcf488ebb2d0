"""The generated history: its size, its patterns from the product's rules, its statements."""

import re
from datetime import UTC, datetime

import pytest

from benchmarks import history
from benchmarks.refusal import BenchmarkRefused
from fieldfare.catalog.rules import build_catalogue
from tests.support.catalog_rows import small_rows

NOW = datetime(2026, 6, 1, tzinfo=UTC)
MASSES_MG = (450_000_000, 123_456_789)
PATTERNS = history.offset_patterns(build_catalogue(small_rows(), 1, NOW), MASSES_MG)


def columns_of(table: str) -> list[str]:
    """The columns of one of the temporary tables, as its statement lists them."""
    made = history.read_statements()["make_patterns"].decode()
    found = re.search(rf"create temp table {table} \((.*?)\);", made, re.DOTALL)
    assert found is not None
    return [column.split()[0] for column in found.group(1).split(",")]


def test_a_million_are_stored_unless_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(history.SIZE_VARIABLE, raising=False)
    assert history.stored_size() == 1_000_000
    monkeypatch.setenv(history.SIZE_VARIABLE, "10000000")
    assert history.stored_size() == 10_000_000


@pytest.mark.parametrize("text", ["0", "-1", "1e6", "ten", "٣"])
def test_a_size_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(history.SIZE_VARIABLE, text)
    with pytest.raises(BenchmarkRefused):
        history.stored_size()


def test_a_pattern_is_an_order_as_the_product_prices_it() -> None:
    quotes = [pattern.quote for pattern in PATTERNS]
    assert [quote.mass_mg for quote in quotes] == list(MASSES_MG)
    for quote in quotes:
        assert sum(share.amount_micro for share in quote.shares) == quote.amount_cents * 1_000_000


def test_a_pattern_s_rows_fit_its_tables() -> None:
    for number, pattern in enumerate(PATTERNS):
        row = dict(zip(columns_of("pattern"), history.pattern_row(number, pattern), strict=True))
        lines = [
            dict(zip(columns_of("pattern_line"), line, strict=True))
            for line in history.line_rows(number, pattern.quote)
        ]
        assert row["number"] == number
        assert row["mass_mg"] == sum(line["mass_mg"] for line in lines)
        assert row["certified_mg"] == sum(
            line["mass_mg"] for line in lines if line["standing"] != "uncertified"
        )
        for line in lines:
            assert line["amount_micro"] == line["partner_micro"] + line["margin_micro"]


def test_every_statement_has_its_place() -> None:
    assert set(history.read_statements()) == {
        "make_patterns",
        "index_patterns",
        "clear_batch",
        "draw_batch",
        *history.WRITES,
    }
