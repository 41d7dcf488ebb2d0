"""What the lists of trees, donations and purchases share: order, pages, filters, walls."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest

from tests.support.client import Api, assert_refused
from tests.support.lists import DONATIONS, PURCHASES, TREES, OrderList, give, plant

OF_A_KIND = 21
NOBODYS = "0f0e1d2c-3b4a-4958-8776-655443322110"
LOWEST = "00000000-0000-7000-8000-000000000000"
LISTS = (TREES, DONATIONS, PURCHASES)


def each(lists: tuple[OrderList, ...] = LISTS) -> pytest.MarkDecorator:
    """Run a test for each of the lists."""
    return pytest.mark.parametrize("listing", lists, ids=lambda one: one.path)


class History(msgspec.Struct, frozen=True):
    """A team's orders, of which every third one's shop is 7."""

    api: Api
    answers: list[Any]
    """Of trees, of donations, of offsets, each as many."""

    def placed(self, listing: OrderList) -> list[Any]:
        """The answers to what a list is to show."""
        begin = LISTS.index(listing) * OF_A_KIND
        return self.answers if listing is PURCHASES else self.answers[begin : begin + OF_A_KIND]


@pytest.fixture(scope="module")
def history(calm_api: Api) -> History:
    """As many orders of trees as donations and offsets."""

    def place(number: int) -> Any:
        metadata = {"number": str(number), "shop": "7" if number % 3 == 0 else "8"}
        by_kind: tuple[Callable[..., Any], ...] = (plant, give, place_offset)
        return by_kind[number // OF_A_KIND](calm_api, metadata=metadata)

    with ThreadPoolExecutor(4) as pool:
        return History(calm_api, list(pool.map(place, range(3 * OF_A_KIND))))


def place_offset(api: Api, **fields: Any) -> Any:
    return api.order(tons=0.01, **fields)


@pytest.fixture(autouse=True)
def nothing_is_placed_in_the_calm(history: History) -> Iterator[None]:
    """The tests share one history, so none may add to it."""
    before = len(PURCHASES.rows(history.api))
    yield
    assert len(PURCHASES.rows(history.api)) == before


@each()
def test_the_whole_list_is_streamed_newest_first(history: History, listing: OrderList) -> None:
    answer = listing.get(history.api)
    assert answer.headers["transfer-encoding"] == "chunked"
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert isinstance(answer.json(), list) == (listing.name is None)
    if listing.name is not None:
        assert list(answer.json()) == [listing.name]
    rows = listing.rows_of(answer)
    placed = history.placed(listing)
    assert len(rows) == len(placed) == (3 if listing is PURCHASES else 1) * OF_A_KIND
    assert {row[listing.group] for row in rows} == {one["id"] for one in placed}
    ids = [row[listing.id] for row in rows]
    assert ids == sorted(ids, reverse=True)


@each()
@pytest.mark.parametrize("limit", [5, 20, 21, 22, 62, 63, 1000, 5000, 10**12, 10**40])
def test_pages_cover_the_list_exactly_once(
    history: History, listing: OrderList, limit: int
) -> None:
    pages = listing.pages(history.api, limit=limit)
    whole = listing.rows(history.api)
    assert [row for page in pages for row in page] == whole
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    assert len(pages) == -(-len(whole) // limit)


@each()
def test_without_a_limit_a_cursor_gives_all_the_rest(history: History, listing: OrderList) -> None:
    first = listing.get(history.api, limit=8)
    rest = listing.rows(history.api, cursor=listing.cursor_of(first))
    assert listing.rows_of(first) + rest == listing.rows(history.api)


def test_a_bare_array_links_to_its_next_page(history: History) -> None:
    asked = {"limit": "3", "metadata[shop]": "7", "created_after": "2020-01-01T00:00:00+00:00"}
    answer = DONATIONS.get(history.api, **asked)
    assert isinstance(answer.json(), list)
    url = httpx.URL(answer.links["next"]["url"])
    assert url.path == DONATIONS.path
    assert {name: value for name, value in url.params.items() if name != "cursor"} == asked
    followed = history.api.http.get(url.raw_path.decode(), headers=history.api.auth())
    assert len(followed.json()) == 3
    assert (
        DONATIONS.rows_of(followed)[0] == DONATIONS.rows(history.api, **{"metadata[shop]": "7"})[3]
    )
    last = DONATIONS.get(history.api, limit=1000)
    assert "link" not in last.headers
    assert "link" not in DONATIONS.get(history.api).headers


@each()
def test_rows_are_found_by_their_instant(history: History, listing: OrderList) -> None:
    whole = listing.rows(history.api)
    middle = sorted(row["createdAt"] for row in whole)[len(whole) // 2]
    from_then = [row for row in whole if row["createdAt"] >= middle]
    before = [row for row in whole if row["createdAt"] < middle]
    assert from_then
    assert before
    for limit in ("", "1000"):
        assert listing.rows(history.api, created_after=middle, limit=limit) == from_then
        assert listing.rows(history.api, created_before=middle, limit=limit) == before
    assert listing.rows(history.api, created_after=middle, created_before=middle) == []
    tomorrow = datetime.fromisoformat(whole[0]["createdAt"]) + timedelta(days=1)
    day = tomorrow.date().isoformat()
    assert listing.rows(history.api, created_after=day) == []
    assert listing.rows(history.api, created_before=day) == whole
    assert listing.rows(history.api, created_before="0001-01-01") == []
    assert listing.rows(history.api, created_after="9999-12-31T23:59:59-14:00") == []


@each()
def test_rows_are_found_by_their_metadata(history: History, listing: OrderList) -> None:
    whole = listing.rows(history.api)
    ours = {answer["id"] for answer in history.answers[::3]}
    wanted = [row for row in whole if row[listing.group] in ours]
    assert 0 < len(wanted) < len(whole)
    assert listing.rows(history.api, **{"metadata[shop]": "7"}) == wanted
    pages = listing.pages(history.api, limit=4, **{"metadata[shop]": "7"})
    assert [row for page in pages for row in page] == wanted
    both = {"metadata[shop]": "7", "metadata[number]": "9"}
    assert {row[listing.group] for row in listing.rows(history.api, **both)} <= ours
    for nothing in (
        {"metadata[shop]": "9"},
        {"metadata[shop]": ""},
        {"metadata[chop]": "7"},
        {"metadata[shop]": "8", "metadata[number]": "9"},
        {"metadata[shop]": "7", "created_before": "2000-01-01"},
        {"metadata[shop]": "7", "cursor": LOWEST},
    ):
        assert listing.rows(history.api, **nothing) == []


@each()
def test_an_order_group_is_found_by_its_id(history: History, listing: OrderList) -> None:
    whole = listing.rows(history.api)
    row = whole[10]
    group_id = row[listing.group]
    for name in (group_id, group_id.upper()):
        assert listing.rows(history.api, order_group_id=name) == [row]
    paged = listing.get(history.api, order_group_id=group_id, limit=1)
    assert (listing.rows_of(paged), listing.cursor_of(paged)) == ([row], None)
    # A cursor says that this row was shown already, or not yet.
    newer = listing.cursor_of(listing.get(history.api, limit=10))
    older = listing.cursor_of(listing.get(history.api, limit=11))
    assert listing.rows(history.api, order_group_id=group_id, cursor=newer) == [row]
    assert listing.rows(history.api, order_group_id=group_id, cursor=older) == []
    for nothing in ({"created_before": "2000-01-01"}, {"metadata[shop]": "9"}):
        assert listing.rows(history.api, order_group_id=group_id, **nothing) == []


@each()
@pytest.mark.parametrize(
    "name", ["x", "\x00", "a" * 3_000, "ch_1", "é", NOBODYS, "f" * 8 + "-ffff" * 3 + "-" + "f" * 12]
)
def test_an_order_group_that_is_not_there_is_empty(
    history: History, listing: OrderList, name: str
) -> None:
    assert listing.rows(history.api, order_group_id=name) == []


@each()
@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("limit", value) for value in ("0", "-1", "abc", "1.5")),
        *(("cursor", value) for value in ("x", "1", "%00", "test_to_" + "0" * 32)),
        ("created_after", "yesterday"),
        ("created_before", "2026-13-01"),
        ("metadata[shop]", "a\x00"),
        ("metadata[a\x00]", "7"),
    ],
)
def test_a_bad_parameter_is_named(
    history: History, listing: OrderList, name: str, value: str
) -> None:
    for token in (history.api.world.live_token, history.api.world.test_token):
        answer = history.api.get(listing.path, token, **{name: value})
        assert_refused(answer, 400, "invalid_parameter", name.partition("[")[0])


@each()
def test_an_empty_parameter_is_none(history: History, listing: OrderList) -> None:
    names = ("limit", "cursor", "created_after", "created_before", "order_group_id")
    empty = dict.fromkeys(names, "")
    assert listing.rows(history.api, **empty) == listing.rows(history.api)


@each()
def test_accounts_see_their_own_rows_only(history: History, listing: OrderList) -> None:
    api, world = history.api, history.api.world
    whole = listing.rows(api)
    cursor = listing.cursor_of(listing.get(api, limit=1))
    for token in (world.second_token, world.personal_token, world.bare_token, world.poor_token):
        for query in (
            {},
            {"limit": 1000},
            {"limit": 1000, "cursor": cursor},
            {"metadata[shop]": "7"},
            {"order_group_id": whole[0][listing.group]},
        ):
            assert listing.rows(api, token, **query) == []
    for token in ("", world.revoked_token, str(uuid4())):
        assert api.get(listing.path, token).status_code == 403


@each()
def test_head_and_options(history: History, listing: OrderList) -> None:
    api = history.api
    for query in ("", "?limit=10"):
        answer = api.http.head(f"{listing.path}{query}", headers=api.auth())
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert api.http.head(listing.path).status_code == 403
    options = api.http.options(listing.path)
    assert {"GET", "HEAD"} <= {name.strip() for name in options.headers["allow"].split(",")}
    assert "access-control-allow-origin" not in options.headers
    refused = assert_refused(api.http.delete(listing.path), 405, "method_not_allowed")
    assert refused


def test_before_there_is_any_order_every_list_is_empty_and_then_it_has_the_first(
    own_api: Api,
) -> None:
    offsets = "/api/offset-orders"
    asked: tuple[dict[str, Any], ...] = (
        {}, {"limit": 5}, {"created_after": "9998-01-01"}, {"cursor": LOWEST},
    )  # fmt: skip
    for query in asked:
        for listing in LISTS:
            assert listing.rows(own_api, **query) == []
        body = own_api.get(offsets, **query).json()
        assert body["offsetOrders"] == body["uncertifiedOffsetOrders"] == []
    plant(own_api)
    own_api.order()
    give(own_api)
    for query in asked[:1]:
        for listing in LISTS:
            assert listing.rows(own_api, **query)
        assert own_api.get(offsets, **query).json()["offsetOrders"]
