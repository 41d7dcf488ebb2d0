"""Rows that are not what the revisions tell of are named, each column of each table."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from fieldfare.catalog import rules
from fieldfare.catalog.model import Rows
from tests.support.catalog_rows import BEGINNING, PARTNER, portfolio_row, price_row, small_rows

replace = msgspec.structs.replace


def lines(kept: Rows, told: Rows) -> list[str]:
    """The findings as they are printed."""
    return [str(finding) for finding in rules.list_disagreements(kept, told)]


def with_first(rows: Rows, kind: str, **fields: Any) -> Rows:
    """The rows with the first of a kind altered."""
    first, *rest = getattr(rows, kind)
    return replace(rows, **{kind: (replace(first, **fields), *rest)})


def test_rows_that_agree_give_no_finding() -> None:
    assert lines(small_rows(), small_rows()) == []


@pytest.mark.parametrize(
    ("kind", "fields", "line"),
    [
        (
            "prices",
            {"unit_price_micro": 2_000_000_001},
            "catalog.price project_id=1 effective_at=2026-01-01T00:00:00+00:00: unit_price_micro "
            "is 2000000001, catalog.revision says 2000000000",
        ),
        (
            "projects",
            {"partner_share_ppm": 950_000},
            "catalog.project id=1: partner_share_ppm is 950000, catalog.revision says 800000",
        ),
        (
            "projects",
            {"sdgs": (13,)},
            "catalog.project id=1: sdgs is (13,), catalog.revision says (13, 15)",
        ),
        (
            "portfolios",
            {"account_id": 9},
            "catalog.portfolio id=12: account_id is 9, catalog.revision says None",
        ),
        (
            "partners",
            {"payout_currency": "EUR"},
            "catalog.partner id=1: payout_currency is 'EUR', catalog.revision says 'USD'",
        ),
    ],
)
def test_an_altered_column_is_named(kind: str, fields: dict[str, Any], line: str) -> None:
    assert lines(with_first(small_rows(), kind, **fields), small_rows()) == [line]


def test_altered_and_missing_weights_are_rows_of_their_own() -> None:
    weights = portfolio_row(12, {1: 500_001}, is_default=True)
    kept = rules.apply_change(small_rows(), Rows(portfolios=(weights,)))
    assert lines(kept, small_rows()) == [
        "catalog.weight portfolio_id=12 project_id=1: weight_ppm is 500001, "
        "catalog.revision says 500000",
        "catalog.weight portfolio_id=12 project_id=2: the row is missing, "
        "catalog.revision tells of it",
    ]


def test_a_price_that_was_moved_in_time_is_missing_and_one_too_many() -> None:
    later = BEGINNING + timedelta(microseconds=1)
    kept = with_first(small_rows(), "prices", effective_at=later)
    assert [
        line.removeprefix("catalog.price project_id=1 ") for line in lines(kept, small_rows())
    ] == [
        "effective_at=2026-01-01T00:00:00+00:00: the row is missing, catalog.revision tells of it",
        "effective_at=2026-01-01T00:00:00.000001+00:00: the row is there, "
        "catalog.revision does not tell of it",
    ]


def test_rows_that_nobody_asked_for_are_named() -> None:
    kept = replace(Rows(), partners=(PARTNER,), prices=(price_row(1, 5_000_000),))
    assert [line.split(":")[0] for line in lines(kept, Rows())] == [
        "catalog.partner id=1",
        "catalog.price project_id=1 effective_at=2026-01-01T00",
    ]
