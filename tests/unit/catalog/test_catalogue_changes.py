"""What a change of the catalogue may be, and what it does to the rows."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from fieldfare.catalog import rules
from fieldfare.catalog.errors import CatalogueRefused, PriceRefused, PriceTooSoon
from fieldfare.catalog.model import MAX_UNIT_PRICE_MICRO, MIN_UNIT_PRICE_MICRO, Rows
from fieldfare.catalog.service import load_preset
from tests.support.catalog_rows import (
    BEGINNING,
    PARTNER,
    portfolio_row,
    price_row,
    project_row,
    small_rows,
)

NOW = BEGINNING + timedelta(days=30)


def changed(rows: Rows, **fields: Any) -> Rows:
    """The rows with some kinds of them replaced."""
    return msgspec.structs.replace(rows, **fields)


def test_from_nothing_everything_is_written_and_prices_hold_from_now() -> None:
    change = rules.change_to(Rows(), small_rows(), NOW)
    assert change.projects == small_rows().projects
    assert {price.effective_at for price in change.prices} == {NOW}


@pytest.mark.parametrize("wanted", [small_rows(), load_preset()], ids=["small", "demo"])
def test_a_change_brings_the_rows_there_and_is_empty_the_second_time(wanted: Rows) -> None:
    after = rules.apply_change(Rows(), rules.change_to(Rows(), wanted, NOW))
    assert after.projects == wanted.projects
    assert after.portfolios == wanted.portfolios
    assert rules.change_to(after, wanted, NOW + timedelta(days=1)) == Rows()


def test_only_what_differs_is_written() -> None:
    renamed = project_row(2, name="Another name")
    change = rules.change_to(small_rows(), Rows(projects=(project_row(1), renamed)), NOW)
    assert change == Rows(projects=(renamed,))
    after = rules.apply_change(small_rows(), change)
    assert [row.name for row in after.projects] == [
        "Project 1",
        "Another name",
        "Project 3",
        "Project 4",
    ]


def test_new_weights_replace_all_the_old_ones() -> None:
    other = portfolio_row(12, {2: 1_000_000}, is_default=True)
    change = rules.change_to(small_rows(), Rows(portfolios=(other,)), NOW)
    after = rules.apply_change(small_rows(), change)
    assert next(row for row in after.portfolios if row.id == 12) == other


def test_a_price_that_is_there_stays_and_is_told_of() -> None:
    wanted = Rows(prices=(price_row(1, 9_000_000_000), price_row(2, 4_000_000_000)))
    assert rules.change_to(small_rows(), wanted, NOW) == Rows()
    assert rules.refused_prices(small_rows(), wanted, NOW) == (price_row(1, 9_000_000_000),)
    assert rules.refused_prices(Rows(), wanted, NOW) == ()


def test_a_new_default_relieves_the_old_one() -> None:
    wanted = Rows(portfolios=(portfolio_row(7, {2: 1_000_000}, is_default=True),))
    after = rules.apply_change(small_rows(), rules.change_to(small_rows(), wanted, NOW))
    rules.check_rows(after)
    assert [row.id for row in after.portfolios if row.is_default] == [7]


def test_a_new_tree_provider_relieves_the_old_one() -> None:
    rows = rules.apply_change(
        small_rows(),
        Rows(projects=(project_row(5, "tree"),), prices=(price_row(5, 130_000_000),)),
    )
    wanted = Rows(projects=(project_row(5, "tree", is_tree_provider=True, provider_name="Five"),))
    after = rules.apply_change(rows, rules.change_to(rows, wanted, NOW))
    rules.check_rows(after)
    assert [row.id for row in after.projects if row.is_tree_provider] == [5]


def test_a_project_keeps_its_unit() -> None:
    with pytest.raises(CatalogueRefused, match="Project 1 is priced by another unit"):
        rules.change_to(small_rows(), Rows(projects=(project_row(1, "tree"),)), NOW)


def test_a_custom_portfolio_is_not_overwritten() -> None:
    rows = changed(small_rows(), portfolios=(portfolio_row(7, {2: 1_000_000}, account_id=50),))
    with pytest.raises(CatalogueRefused, match="custom portfolio of account 50"):
        rules.change_to(rows, small_rows(), NOW)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (Rows(projects=(project_row(1, partner_id=9),)), "Project 1: There is no partner 9"),
        (Rows(projects=(project_row(5),)), "Project 5: It has no price for one tonne"),
        (Rows(projects=(project_row(6, "tree"),)), "Project 6: It has no price for one tree"),
        (Rows(prices=(price_row(4, 2_000_000_000),)), "Project 4: It takes donations"),
        (Rows(portfolios=(portfolio_row(7, {2: 999_999}),)), "Portfolio 7: The weights sum"),
        (Rows(portfolios=(portfolio_row(7, {3: 1_000_000}),)), "Portfolio 7: Project 3"),
        (
            Rows(portfolios=(portfolio_row(7, {2: 1_000_000}, is_default=True),)),
            r"2 of one default portfolio: \[7, 12\]",
        ),
        (
            Rows(
                projects=(project_row(5, "tree", is_tree_provider=True, provider_name="Five"),),
                prices=(price_row(5, 130_000_000),),
            ),
            r"2 of one tree provider: \[3, 5\]",
        ),
        (
            Rows(projects=(project_row(3, "tree", is_tree_provider=True),)),
            "Project 3: A tree provider",
        ),
        (
            Rows(projects=(project_row(1, is_tree_provider=True, provider_name="One"),)),
            "Project 1: A tree provider",
        ),
    ],
)
def test_rows_that_do_not_fit_together_are_refused(change: Rows, reason: str) -> None:
    rules.check_rows(small_rows())
    with pytest.raises(CatalogueRefused, match=reason):
        rules.check_rows(rules.apply_change(small_rows(), change))


def test_a_price_is_set_five_seconds_ahead_or_more() -> None:
    project = project_row(1)
    in_time = price_row(1, 2_000_000_000, NOW + timedelta(seconds=5))
    rules.check_new_price(in_time, project, (), NOW)
    for soon in (timedelta(seconds=5) - timedelta(microseconds=1), timedelta(0), -timedelta(1)):
        with pytest.raises(PriceTooSoon, match="at least 5 seconds ahead"):
            rules.check_new_price(price_row(1, 2_000_000_000, NOW + soon), project, (), NOW)


@pytest.mark.parametrize(
    "unit_price_micro", [MIN_UNIT_PRICE_MICRO - 1, MAX_UNIT_PRICE_MICRO + 1, 0, -1]
)
def test_a_price_out_of_bounds_is_refused(unit_price_micro: int) -> None:
    price = price_row(1, unit_price_micro, NOW + timedelta(days=1))
    with pytest.raises(PriceRefused, match=r"from 0\.01 to 10000 US dollars"):
        rules.check_new_price(price, project_row(1), (), NOW)


def test_a_project_without_a_unit_gets_no_price() -> None:
    price = price_row(4, 2_000_000_000, NOW + timedelta(days=1))
    with pytest.raises(PriceRefused, match="has no unit"):
        rules.check_new_price(price, project_row(4, "none"), (), NOW)


def test_an_instant_has_one_price() -> None:
    price = price_row(1, 2_000_000_000, NOW + timedelta(days=1))
    earlier = price_row(1, 1_900_000_000, NOW + timedelta(hours=1))
    rules.check_new_price(price, project_row(1), (earlier,), NOW)
    with pytest.raises(PriceRefused, match="already"):
        rules.check_new_price(price, project_row(1), (earlier, price), NOW)


def test_partners_are_rows_like_the_others() -> None:
    moved = msgspec.structs.replace(PARTNER, country="KE")
    change = rules.change_to(small_rows(), Rows(partners=(moved,)), NOW)
    assert rules.apply_change(small_rows(), change).partners == (moved,)
