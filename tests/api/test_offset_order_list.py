"""`GET /api/offset-orders`: an account's totals and lines, as one whole or page by page."""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest

from fieldfare.kernel.ids import floor_id
from fieldfare.orders.service.history import TEXT_BYTES
from tests.support.client import Api, assert_refused, certified_and_not
from tests.support.refunded import give_back

PATH = "/api/offset-orders"
ORDERS = 60
PROJECTS = 7
COPIES = 700
UNCERTIFIED = 1
STATS = [
    "totalTons", "approximateTreesSavedPerYearEquivalent", "approximateMilesDrivenEquivalent",
    "approximateFlightsTakenEquivalent", "rank", "percentile",
]  # fmt: skip
ROW = [
    "id", "order_group_id", "created_at", "tons", "amount_paid_by_customer", "charge_currency",
    "note", "portfolio_id", "project_id", "project_name", "certification_status", "standing",
    "source", "payment_method", "on_behalf_of_name", "on_behalf_of_email", "metadata",
    "refunded_at", "certificate_url", "refunded_tons",
]  # fmt: skip


def listed(api: Api, token: str | None = None, **parameters: Any) -> dict[str, Any]:
    """The list, with numbers as they are written."""
    answer = api.get(PATH, token, **parameters)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = json.loads(answer.text, parse_float=Decimal)
    return body


def ids(rows: Iterable[dict[str, Any]]) -> list[str]:
    """The ids of rows."""
    return [row["id"] for row in rows]


@pytest.fixture(scope="module")
def history(calm_api: Api) -> tuple[Api, list[Any]]:
    """A team with sixty orders, and their answers: of every fourth one the shop is 7."""

    def place(number: int) -> Any:
        metadata = {"number": str(number), "shop": "7" if number % 4 == 0 else "8"}
        return calm_api.order(tons=0.01 + number / 1000, metadata=metadata)

    with ThreadPoolExecutor(4) as pool:
        return calm_api, list(pool.map(place, range(ORDERS)))


def test_a_row_says_everything_of_its_part_of_an_order(api: Api) -> None:
    answer = api.order(
        portfolioId=12,
        tons=1.5,
        note="For the flight",
        onBehalfOfName="Grace Hopper",
        onBehalfOfEmail="grace@tests.example",
        metadata={"flight": "LH 400"},
    )
    body = listed(api)
    assert list(body) == ["stats", "offsetOrders", "uncertifiedOffsetOrders"]
    rows = {row["project_id"]: row for row in certified_and_not(body)}
    parts = {part["id"]: part for part in answer["portfolio"]["projects"]}
    assert set(rows) == set(parts)
    for project_id, row in rows.items():
        assert list(row) == ROW
        assert UUID(row["id"]).version == 7
        assert float(row["tons"]) == parts[project_id]["tons"]
        assert row["amount_paid_by_customer"] == parts[project_id]["amountInUsdCents"]
        assert row["project_name"] == parts[project_id]["name"]
        same = {name: row[name] for name in ROW[1:3] + ROW[5:8] + ROW[12:]}
        assert same == {
            "order_group_id": answer["id"],
            "created_at": row["created_at"],
            "charge_currency": "USD",
            "note": "For the flight",
            "portfolio_id": 12,
            "source": "public-api",
            "payment_method": "credits",
            "on_behalf_of_name": "Grace Hopper",
            "on_behalf_of_email": "grace@tests.example",
            "metadata": {"flight": "LH 400"},
            "refunded_at": None,
            "certificate_url": answer["certificateUrl"],
            "refunded_tons": 0,
        }
        age = datetime.now(UTC) - datetime.fromisoformat(row["created_at"])
        assert timedelta(0) <= age < timedelta(minutes=1)
        assert row["created_at"].endswith("Z")
        assert len(row["created_at"]) == len("2026-01-31T09:30:00.125Z")
    statuses = {row["certification_status"] for row in rows.values()}
    assert all(isinstance(status, str) and status for status in statuses)


def test_what_was_left_out_of_an_order_is_null(api: Api) -> None:
    api.order()
    for row in certified_and_not(listed(api)):
        assert (row["note"], row["on_behalf_of_name"], row["on_behalf_of_email"]) == (None,) * 3
        assert row["metadata"] == {}


def test_uncertified_lines_stand_apart_and_count_for_nothing(api: Api) -> None:
    answer = api.order(tons=2)
    body = listed(api)
    standings = {row["standing"] for row in body["offsetOrders"]}
    assert standings == {"certified", "external_standard"}
    (apart,) = body["uncertifiedOffsetOrders"]
    assert (apart["standing"], apart["project_id"]) == ("uncertified", UNCERTIFIED)
    total = sum(Decimal(row["tons"]) for row in body["offsetOrders"])
    assert body["stats"]["totalTons"] == total
    assert total + apart["tons"] == answer["tons"]


def test_a_part_below_a_dollar_is_in_fractions_of_a_cent(api: Api) -> None:
    answer = api.order(tons=0.001)
    amounts = [Decimal(row["amount_paid_by_customer"]) for row in certified_and_not(listed(api))]
    assert sum(amounts) == answer["amountCharged"] == 3
    assert any(amount % 1 for amount in amounts)


def test_totals_have_a_rank_only_with_a_mass(api: Api) -> None:
    assert listed(api)["stats"] == dict.fromkeys(STATS[:4], 0)
    assert list(listed(api, api.world.poor_token)["stats"]) == STATS[:4]
    api.order(portfolioId=1, tons=1)
    assert list(listed(api)["stats"]) == STATS[:4]

    api.order(portfolioId=2, tons=1)
    stats = listed(api)["stats"]
    assert list(stats) == STATS
    assert stats["totalTons"] == 1
    # 1 t over 0.006 t a tree and year, 0.000393 t a mile, 1.11161105 t a flight.
    assert stats["approximateTreesSavedPerYearEquivalent"] == Decimal("166.67")
    assert stats["approximateMilesDrivenEquivalent"] == Decimal("2544.53")
    assert stats["approximateFlightsTakenEquivalent"] == Decimal("0.9")
    assert stats["rank"] >= 1
    assert 0 < stats["percentile"] <= 100


def test_the_whole_history_is_streamed_newest_first(history: tuple[Api, list[Any]]) -> None:
    api, answers = history
    answer = api.get(PATH)
    assert answer.headers["transfer-encoding"] == "chunked"
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    body = answer.json()
    assert list(body) == ["stats", "offsetOrders", "uncertifiedOffsetOrders"]
    assert len(body["offsetOrders"]) == ORDERS * (PROJECTS - 1)
    assert len(body["uncertifiedOffsetOrders"]) == ORDERS
    rows = certified_and_not(body)
    assert {row["order_group_id"] for row in rows} == {answer["id"] for answer in answers}
    assert sum(Decimal(str(row["amount_paid_by_customer"])) for row in rows) == sum(
        answer["amountCharged"] for answer in answers
    )
    for name in ("offsetOrders", "uncertifiedOffsetOrders"):
        found = ids(body[name])
        assert found == sorted(found, reverse=True)
    placed_last = max(row["created_at"] for row in rows)
    assert body["offsetOrders"][0]["created_at"] == placed_last


@pytest.mark.parametrize("limit", [41, 100, 419, 420, 421, 1000, 5000, 10**12, 10**40])
def test_pages_cover_the_history_exactly_once(history: tuple[Api, list[Any]], limit: int) -> None:
    api, _ = history
    pages = [listed(api, limit=limit)]
    assert list(pages[0]) == ["stats", "offsetOrders", "uncertifiedOffsetOrders", "nextCursor"]
    while cursor := pages[-1]["nextCursor"]:
        assert len(certified_and_not(pages[-1])) == limit
        pages.append(listed(api, limit=limit, cursor=cursor))

    assert len(pages) == -(-ORDERS * PROJECTS // limit)
    whole = listed(api)
    for name in ("offsetOrders", "uncertifiedOffsetOrders"):
        assert [row for page in pages for row in page[name]] == whole[name]
    assert all(page["stats"] == whole["stats"] for page in pages)


def test_without_a_limit_a_cursor_gives_all_the_rest(history: tuple[Api, list[Any]]) -> None:
    api, _ = history
    first = listed(api, limit=100)
    rest = listed(api, cursor=first["nextCursor"])
    assert "nextCursor" not in rest
    whole = listed(api)
    for name in ("offsetOrders", "uncertifiedOffsetOrders"):
        assert first[name] + rest[name] == whole[name]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("limit", value) for value in ("0", "-1", "abc", "1.5", "１", "0x5")),
        *(("cursor", value) for value in ("x", "1", "019a0000", "%00", "a" * 3_000)),
        *((name, value) for name in ("created_after", "created_before") for value in (
            "yesterday", "1700000000", "2026-13-01", "2026-02-30", "2026-01-01T00:00:00",
            "2026-01-01T25:00:00Z", "2026-01-01T00:00:00+99:00", "0000-01-01", "26-01-01",
            "2026-W01-1", "20260101",
        )),
        ("metadata[shop]", "a\x00"),
        ("metadata[shop]", "a\u202e"),
        ("metadata[a\x00]", "7"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["live", "test"])
def test_a_bad_parameter_is_named(calm_api: Api, name: str, value: str, kind: str) -> None:
    token = calm_api.world.live_token if kind == "live" else calm_api.world.test_token
    answer = calm_api.get(PATH, token, **{name: value})
    assert_refused(answer, 400, "invalid_parameter", name.partition("[")[0])


@pytest.mark.parametrize("empty", ["limit", "cursor", "created_after", "order_group_id"])
def test_an_empty_parameter_is_none(history: tuple[Api, list[Any]], empty: str) -> None:
    assert listed(history[0], **{empty: ""}) == listed(history[0])


def test_rows_are_found_by_their_instant(history: tuple[Api, list[Any]]) -> None:
    api, _ = history
    whole = certified_and_not(listed(api))
    middle = sorted(row["created_at"] for row in whole)[len(whole) // 2]
    shifted = datetime.fromisoformat(middle) + timedelta(hours=2)
    spellings = [
        middle,
        middle.lower(),
        middle.replace("T", " "),
        middle.replace("Z", "000000Z"),
        shifted.isoformat(timespec="milliseconds").replace("+00:00", "+02:00"),
    ]
    for text in spellings:
        from_then = certified_and_not(listed(api, created_after=text))
        before = certified_and_not(listed(api, created_before=text, limit=1000))
        assert ids(from_then) == ids(row for row in whole if row["created_at"] >= middle)
        assert ids(before) == ids(row for row in whole if row["created_at"] < middle)
    assert certified_and_not(listed(api, created_after=middle, created_before=middle)) == []


def test_a_plus_that_was_not_escaped_is_understood(history: tuple[Api, list[Any]]) -> None:
    api, _ = history
    answer = api.http.get(f"{PATH}?created_after=2026-01-01T00:00:00+02:00", headers=api.auth())
    assert ids(certified_and_not(answer.json())) == ids(certified_and_not(listed(api)))


@pytest.mark.parametrize(
    ("name", "text", "finds_all"),
    [
        ("created_after", "2000-01-01", True),
        ("created_after", "0001-01-01", True),
        ("created_after", "0001-01-01T00:00:00+14:00", True),
        ("created_after", "9999-12-31T23:59:59-14:00", False),
        ("created_before", "0001-01-01T00:00:00+14:00", False),
        ("created_before", "9999-12-31T23:59:59-14:00", True),
        ("created_before", "2000-01-01", False),
    ],
)
@pytest.mark.parametrize("limit", ["", "1000"])
def test_any_instant_of_the_calendar_may_be_asked_for(
    history: tuple[Api, list[Any]], name: str, text: str, limit: str, *, finds_all: bool
) -> None:
    found = certified_and_not(listed(history[0], **{name: text, "limit": limit}))
    assert len(found) == (ORDERS * PROJECTS if finds_all else 0)


def test_a_date_stands_for_its_first_instant(history: tuple[Api, list[Any]]) -> None:
    api, _ = history
    newest = datetime.fromisoformat(listed(api, limit=1)["offsetOrders"][0]["created_at"])
    tomorrow = (newest + timedelta(days=1)).date().isoformat()
    assert certified_and_not(listed(api, created_after=tomorrow)) == []
    assert len(certified_and_not(listed(api, created_before=tomorrow))) == ORDERS * PROJECTS


def test_an_order_group_is_found_by_its_id(history: tuple[Api, list[Any]]) -> None:
    api, answers = history
    group_id = answers[17]["id"]
    whole = certified_and_not(listed(api))
    wanted = [row for row in whole if row["order_group_id"] == group_id]
    assert len(wanted) == PROJECTS
    body = listed(api, order_group_id=group_id)
    assert list(body) == ["stats", "offsetOrders", "uncertifiedOffsetOrders"]
    assert certified_and_not(body) == wanted
    assert certified_and_not(listed(api, order_group_id=group_id.upper())) == wanted


def test_an_order_group_is_paged_and_filtered_like_the_rest(
    history: tuple[Api, list[Any]],
) -> None:
    api, answers = history
    group_id = answers[8]["id"]
    first = listed(api, order_group_id=group_id, limit=4)
    rest = listed(api, order_group_id=group_id, limit=4, cursor=first["nextCursor"])
    assert rest["nextCursor"] is None
    sizes = [len(certified_and_not(page)) for page in (first, rest)]
    assert sizes == [4, PROJECTS - 4]
    both = ids(certified_and_not(first)) + ids(certified_and_not(rest))
    assert set(both) == set(ids(certified_and_not(listed(api, order_group_id=group_id))))
    for nothing in (
        {"created_before": "2000-01-01"},
        {"created_after": "9998-01-01"},
        {"metadata[shop]": "8"},
    ):
        assert certified_and_not(listed(api, order_group_id=group_id, **nothing)) == []
    assert len(certified_and_not(listed(api, order_group_id=group_id, **{"metadata[shop]": "7"})))


NOBODYS = "0f0e1d2c-3b4a-4958-8776-655443322110"


@pytest.mark.parametrize("name", ["x", "\x00", "a" * 3_000, "ch_1", "é", NOBODYS])
def test_an_order_group_that_is_not_there_is_empty(
    history: tuple[Api, list[Any]], name: str
) -> None:
    assert certified_and_not(listed(history[0], order_group_id=name)) == []


def test_rows_are_found_by_their_metadata(history: tuple[Api, list[Any]]) -> None:
    api, answers = history
    found = certified_and_not(listed(api, **{"metadata[shop]": "7"}))
    assert {row["order_group_id"] for row in found} == {one["id"] for one in answers[::4]}
    assert len(found) == len(answers[::4]) * PROJECTS
    both = certified_and_not(listed(api, **{"metadata[shop]": "7", "metadata[number]": "8"}))
    assert {row["order_group_id"] for row in both} == {answers[8]["id"]}
    for nothing in ({"metadata[shop]": "9"}, {"metadata[shop]": ""}, {"metadata[chop]": "7"}):
        assert certified_and_not(listed(api, **nothing)) == []
    none = {"metadata[shop]": "7", "metadata[number]": "9"}
    assert certified_and_not(listed(api, **none, limit=10)) == []


def test_metadata_is_sought_as_it_is_kept(api: Api) -> None:
    api.order(metadata={"caf\u00e9": "se\u00f1or", "k": ""})
    for query in ({"metadata[cafe\u0301]": "sen\u0303or"}, {"metadata[k]": ""}):
        assert len(certified_and_not(listed(api, **query))) == PROJECTS


def test_accounts_see_their_own_orders_only(history: tuple[Api, list[Any]]) -> None:
    api, answers = history
    theirs = api.order(api.world.second_token)
    for token in (api.world.second_token, api.world.personal_token, api.world.bare_token):
        for query in ({}, {"limit": 1000}, {"metadata[shop]": "7"}):
            rows = certified_and_not(listed(api, token, **query))
            assert {row["order_group_id"] for row in rows} <= {theirs["id"]}
        group = listed(api, token, order_group_id=answers[0]["id"])
        assert certified_and_not(group) == []
        cursor = listed(api, limit=1)["nextCursor"]
        own = certified_and_not(listed(api, token, limit=1000, cursor=cursor))
        assert {row["order_group_id"] for row in own} <= {theirs["id"]}
    mine = certified_and_not(listed(api))
    assert theirs["id"] not in {row["order_group_id"] for row in mine}


COPY_LINES = """
create temporary table copy as
select l.* from orders.line l cross join generate_series(1, %(copies)s);

update copy c
set id = (
    substring(replace(c.id::text, '-', '') for 12) || '70008' || lpad(to_hex(n.number), 15, '0')
)::uuid
from (select ctid, row_number() over (order by md5(ctid::text)) as number from copy) n
where c.ctid = n.ctid;

insert into orders.line select * from copy
"""


def test_a_history_of_many_pages_is_whole_however_it_is_read(own_api: Api) -> None:
    # So many that not all uncertified lines are kept while the certified ones go out.
    own_api.order()
    with psycopg.connect(own_api.database_url) as conn:
        for statement in COPY_LINES.split(";"):
            conn.execute(statement, {"copies": COPIES} if "%" in statement else None)

    whole = listed(own_api)
    assert len(whole["offsetOrders"]) == (COPIES + 1) * (PROJECTS - 1)
    assert len(whole["uncertifiedOffsetOrders"]) == COPIES + 1
    pages = [listed(own_api, limit=1000)]
    while cursor := pages[-1]["nextCursor"]:
        pages.append(listed(own_api, limit=1000, cursor=cursor))
    for name in ("offsetOrders", "uncertifiedOffsetOrders"):
        assert [row for page in pages for row in page[name]] == whole[name]
        assert len(set(ids(whole[name]))) == len(whole[name])


def test_a_part_that_went_back_is_told_and_all_of_it_has_its_instant(api: Api) -> None:
    # $15.63 and $31.26, of which a third goes back.
    whole, part = (api.order(portfolioId=2, tons=tons) for tons in (1, 2))
    assert listed(api)["stats"]["totalTons"] == 3
    give_back(api.database_url, whole["purchaseId"])
    give_back(api.database_url, part["purchaseId"], 1042)
    body = listed(api)
    newer, older = body["offsetOrders"]
    assert (newer["tons"], newer["refunded_tons"]) == (2, Decimal("0.666666666"))
    assert newer["refunded_at"] is None
    assert (older["tons"], older["refunded_tons"]) == (1, 1)
    instant = datetime.fromisoformat(older["refunded_at"])
    assert timedelta(0) <= datetime.now(UTC) - instant < timedelta(minutes=1)
    assert older["refunded_at"].endswith("Z")
    assert body["stats"]["totalTons"] == Decimal("1.333333334")


def test_rows_that_are_long_come_in_short_pages(own_api: Api) -> None:
    """A hundred times as long as others, and as many as make a page of these."""
    long = {f"k{number}": "é" * 500 for number in range(40)}
    answers = [own_api.order(tons=0.001, note="n" * 9_000, metadata=long) for _ in range(30)]
    whole = listed(own_api)
    rows = certified_and_not(whole)
    assert len(rows) == len(answers) * PROJECTS
    assert len(str(rows)) > TEXT_BYTES
    paged = listed(own_api, limit=1000)
    del paged["nextCursor"]
    assert whole == paged


def test_the_whole_and_its_pages_say_the_same_of_every_kind_of_row(own_api: Api) -> None:
    """The database writes the one, Python the other."""
    nasty = '"\\/ \n\t </script> =1+1 {{7*7}} \u05d0 \U0001f600 1e5'
    behalf = {"onBehalfOfName": 'O"Neill \\', "onBehalfOfEmail": "a@b.example"}
    own_api.order(tons=0.000000001, note=nasty)
    own_api.order(tons=9.999999999, metadata={'k"\\': 'v\\"', "é": "\U0001f600"})
    back, part, late = (
        own_api.order(portfolioId=2, tons=tons, **behalf)["purchaseId"] for tons in (1, 2, 3)
    )
    give_back(own_api.database_url, back)
    give_back(own_api.database_url, part, 1042)
    long_ago = floor_id(datetime.now(UTC) - timedelta(days=60))
    with psycopg.connect(own_api.database_url) as conn:
        conn.execute("set session_replication_role = replica")
        # Paid for long after it was ordered, by a charge and for a project that need care.
        conn.execute(
            "update orders.purchase set id = %s, charge_id = %s where id = %s",
            (long_ago, 'ch_"\\', late),
        )
        conn.execute(
            "update orders.line set purchase_id = %s, project_id = 999, certification_status = %s"
            " where purchase_id = %s",
            (long_ago, 'A "new" \\ standard', late),
        )
    whole, paged = listed(own_api), listed(own_api, limit=1000)
    del paged["nextCursor"]
    assert whole == paged
    assert len(whole["offsetOrders"]) == 2 * (PROJECTS - 1) + 3
    (newest, *_) = whole["offsetOrders"]
    assert (newest["order_group_id"], newest["project_name"]) == ('ch_"\\', "Project 999")


def test_head_has_no_body(history: tuple[Api, list[Any]]) -> None:
    api, _ = history
    for query in ("", "?limit=10"):
        answer = api.http.head(f"{PATH}{query}", headers=api.auth())
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert api.http.head(PATH).status_code == 403
