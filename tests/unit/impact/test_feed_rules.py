"""What decides about the public feed: ids, addresses, entity tags, how long it may be kept."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import msgspec
import pytest

from fieldfare.accounts.model import Profile
from fieldfare.catalog.service import preset_catalogue
from fieldfare.impact.rules import (
    etag_of,
    feed_entry,
    feed_id,
    has_already,
    seconds_left,
    web_address,
)
from fieldfare.orders.model import RecentPurchase

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
PURCHASE = RecentPurchase(
    id=UUID("01a22ee6-b000-7000-8000-000000000001"),
    account_id=1001,
    portfolio_id=12,
    charge_id=None,
    certificate_slug=UUID("6f1f4a8e-51e5-4c43-9a56-0d6c3f7f0a11"),
    mass_mg=450_000_000,
    created_at=NOON,
)


def changed(**fields: object) -> RecentPurchase:
    """The purchase with other fields."""
    facts = {name: getattr(PURCHASE, name) for name in PURCHASE.__struct_fields__}
    return RecentPurchase(**facts | fields)


def test_an_id_depends_on_the_order_and_on_the_secret_of_its_certificate() -> None:
    own = feed_id(PURCHASE)
    assert len(own) == 32
    assert own == feed_id(changed(charge_id="ch_1", mass_mg=1))
    assert own != feed_id(changed(certificate_slug=UUID(int=1)))
    assert own != feed_id(changed(id=UUID(int=1)))


def test_a_portfolio_that_is_no_more_is_not_named() -> None:
    public = Profile(account_id=1001, name="Ada", image_url=None, profile_url=None)
    entry = feed_entry(changed(portfolio_id=999_999), public, preset_catalogue())
    assert (entry.portfolio_id, entry.portfolio_name) == (None, "Custom portfolio")
    assert entry.name == "Ada"


def test_a_portfolio_of_one_account_s_own_is_named_only_of_who_is_public() -> None:
    catalogue = preset_catalogue()
    own = msgspec.structs.replace(catalogue.portfolios[12], account_id=1001)
    catalogue = msgspec.structs.replace(catalogue, portfolios={12: own})
    public = Profile(account_id=1001, name="Ada", image_url=None, profile_url=None)
    assert feed_entry(PURCHASE, public, catalogue).portfolio_id == 12
    entry = feed_entry(PURCHASE, None, catalogue)
    assert (entry.portfolio_id, entry.portfolio_name) == (None, "Custom portfolio")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ada.example/", True),
        ("HTTP://ada.example/", True),
        (None, False),
        ("", False),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("//ada.example", False),
        (" https://ada.example", False),
    ],
)
def test_only_addresses_of_pages_are_shown(url: str | None, shown: bool) -> None:
    assert web_address(url) == (url if shown else None)


@pytest.mark.parametrize(
    ("sent", "has"),
    [
        (None, False),
        ("", False),
        ("{}", True),
        ("W/{}", True),
        ('"other", {}', True),
        ('"other",W/{}', True),
        ("*", True),
        ('"other"', False),
        ('"*"', False),
    ],
)
def test_a_client_that_has_the_body_is_known_by_its_tag(sent: str | None, has: bool) -> None:
    etag = etag_of(b"[]")
    assert has_already(etag, sent and sent.replace("{}", etag)) is has
    assert etag != etag_of(b"[1]")
    assert etag[0] == etag[-1] == '"'


@pytest.mark.parametrize(
    ("built_after_s", "asked_after_s", "left_s"),
    [
        (0, 0, 3600),
        (0, 1, 3599),
        (0, 3599.5, 0),
        (0, 3600, 0),
        (0, 86_400, 0),
        (1800, 1800, 1800),
        (3599, 3599, 1),
        # A worker's clock that is ahead promises no more than an hour.
        (0, -60, 3600),
    ],
)
def test_a_feed_may_be_kept_to_the_end_of_its_hour(
    built_after_s: float, asked_after_s: float, left_s: int
) -> None:
    built_at, now = NOON + timedelta(seconds=built_after_s), NOON + timedelta(seconds=asked_after_s)
    assert seconds_left(built_at, now) == left_s
    tokyo = timezone(timedelta(hours=9))
    assert seconds_left(built_at, now.astimezone(tokyo)) == left_s
