"""What `POST /api/offset-orders` refuses, and that live and test mode refuse it alike.

None of it may cost anything.
"""

import asyncio
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from fieldfare.catalog.service import create_custom_portfolio
from fieldfare.db.pool import open_database, transaction
from fieldfare.kernel import limits
from tests.api.bad_fields import CASES, PRICE_CENTS, Bad
from tests.support.client import Api, assert_refused, certified_and_not
from tests.support.world import LIVE_CENTS

PATH = "/api/offset-orders"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
SMALLEST = re.compile(r"tons (\d+\.\d+) or more")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_a_bad_field_is_named_alike_everywhere(frugal_api: Api, case: Bad) -> None:
    api = frugal_api
    as_json = [
        api.post(PATH, content=case.as_json(), content_type=JSON, token=token)
        for token in (api.world.live_token, api.world.test_token)
    ]
    forms = () if case.only_json else (api.world.live_token, api.world.test_token)
    as_form = [api.post(PATH, form=case.as_form(), token=token) for token in forms]

    for answer in (*as_json, *as_form):
        assert_refused(answer, 400, case.code, case.param)
    assert len({answer.content for answer in as_json}) == 1
    assert len({answer.content for answer in as_form}) <= 1


@dataclass(frozen=True)
class Unreadable:
    """A body that is refused as a whole."""

    label: str
    content: bytes
    content_type: str
    status: int
    code: str
    param: str | None = None


ORDER = b'{"tons": 0.45, "paymentMethod": "credits"}'
UNREADABLE = [
    *(
        Unreadable(f"json {number}", content, JSON, 400, "invalid_json")
        for number, content in enumerate(
            (
                b"{", b"tons=1", b"[]", b'"tons"', b"5", b"null", b"{'tons': 1}", b'{"tons": 01}',
                b'{"tons": 1,}', b'{"tons": 1} x', b"\xff", ORDER.decode().encode("utf-16"),
                b"[" * 60_000, b'{"x":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
                b'{"x":' + b'{"x":' * 9_000 + b"1" + b"}" * 9_001,
                b"\xef\xbb\xbf" + ORDER, ORDER.decode().encode("utf-32"), ORDER + b"\x00",
                b'{"x": "\xff:"}', b'{"x": "\x00"}', b'{"\xed\xa0\x80": 1}',
            )
        )
    ),
    *(
        Unreadable(f"json twice {number}", content, JSON, 400, "duplicate_field", "tons")
        for number, content in enumerate(
            (
                b'{"tons": 1, "tons": 1}', b'{"tons": 1, "\\u0074ons": 2}',
                b'{"tons":1,"tons":null}',
                b'{"tons": 1, "metadata": {"tons": "a", "tons": "b"}}',
                b'{"tons": 1, "x": [[{"y": {"tons": 1, "tons": 2}}]]}',
            )
        )
    ),
    Unreadable(
        "json surrogate", b'{"tons": 1, "x": "\\ud800:"}', JSON, 400, "invalid_text", "x"
    ),
    Unreadable("form twice", b"tons=1&tons=1", FORM, 400, "duplicate_field", "tons"),
    Unreadable("form twice unknown", b"tons=1&a=1&a=2", FORM, 400, "duplicate_field", "a"),
    Unreadable("form latin-1", b"tons=1&note=caf%E9", FORM, 400, "invalid_form"),
    Unreadable("form surrogate", b"tons=1&note=%ED%A0%80", FORM, 400, "invalid_form"),
    Unreadable(
        "form of many", b"&".join(b"f%d=" % n for n in range(201)), FORM, 400, "invalid_request"
    ),
    Unreadable("nothing", b"", JSON, 400, "invalid_tons", "tons"),
    Unreadable("empty form", b"", FORM, 400, "invalid_tons", "tons"),
    *(
        Unreadable(content_type, ORDER, content_type, 415, "unsupported_media_type")
        for content_type in (
            "text/plain", "application/xml", "multipart/form-data; boundary=x", "json", "*/*",
            "application/vnd.api+json", "application/jsonp", "application/json; charset=latin-1",
            'application/json; charset="UTF-16"',
            "application/x-www-form-urlencoded; charset=ISO-8859-1",
        )
    ),
    Unreadable(
        "too large json", ORDER + b" " * (limits.BODY_BYTES + 1 - len(ORDER)), JSON, 413,
        "body_too_large",
    ),
    Unreadable(
        "too large form", b"tons=1&note=".ljust(limits.BODY_BYTES + 1, b"a"), FORM, 413,
        "body_too_large",
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", UNREADABLE, ids=lambda case: case.label)
def test_a_body_that_cannot_be_read_is_refused(frugal_api: Api, case: Unreadable) -> None:
    api = frugal_api
    answers = [
        api.post(PATH, content=case.content, content_type=case.content_type, token=token)
        for token in (api.world.live_token, api.world.test_token)
    ]
    for answer in answers:
        assert_refused(answer, case.status, case.code, case.param)
    assert answers[0].content == answers[1].content


def test_a_body_of_unknown_length_is_bounded_too(frugal_api: Api) -> None:
    answer = frugal_api.http.post(
        PATH,
        content=(b" " * 1024 for _ in range(65)),
        headers={**frugal_api.auth(), "Content-Type": JSON},
    )
    assert_refused(answer, 413, "body_too_large")


@pytest.mark.parametrize(
    "content_type",
    [
        JSON, "Application/JSON", "application/json;charset=utf-8", "application/json; odata=full",
        'application/json; charset="UTF-8"; x=y', "application/json;", None,
    ],
)  # fmt: skip
def test_json_is_read_however_its_type_is_spelt(frugal_api: Api, content_type: str | None) -> None:
    body = ORDER[:-1] + b', "dryRun": true}'
    padded = body.ljust(limits.BODY_BYTES)
    answer = frugal_api.post(PATH, content=padded, content_type=content_type)
    assert (answer.status_code, answer.json()["amountCharged"]) == (200, PRICE_CENTS)


@pytest.mark.parametrize(
    "fields",
    [
        *({field: absent} for absent in (None, "") for field in (
            "portfolioId", "note", "sendReceiptEmail", "onBehalfOfName", "onBehalfOfEmail",
            "maxAmountCharged", "metadata",
        )),
        {"metadata": {}},
        {"metadata": {f"{number:040}": "v" * 500 for number in range(50)}},
        {"metadata": {"k": ""}},
        {"note": "n" * 10_000},
        {"note": "e\u0301" * 10_000},
        {"note": "one\ntwo\tthree\r\nfour"},
        {"onBehalfOfName": "n" * 200, "onBehalfOfEmail": "n" * 320},
        {"onBehalfOfName": "שלום and 山田 🌍"},
        {"maxAmountCharged": PRICE_CENTS},
        {"portfolioId": 12, "sendReceiptEmail": False},
        {"portfolioId": 12.0},
        {"tons": 0.44 + 0.01},
        {"note": 'a: "b": c', "x": {"tons": 1, "y": [{"tons": 2}, {"tons": 3}]}},
        {"x": 10**4_000},
        {"account_id": 1, "amountInUsdCents": 1, "userId": 7, "state": "refunded", "x": [1, {}]},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_not_refused(frugal_api: Api, fields: dict[str, Any]) -> None:
    answer = frugal_api.order(dryRun=True, **fields)
    assert answer["amountCharged"] == PRICE_CENTS


@pytest.mark.parametrize("word", ["true", "TRUE", "True", "tRuE", "1"])
def test_a_form_says_true_in_any_case(frugal_api: Api, word: str) -> None:
    form = {"tons": "0.45", "paymentMethod": "credits", "dryRun": word, "note": ""}
    answer = frugal_api.post(PATH, form=form)
    assert (answer.status_code, answer.json()["dryRun"]) == (200, True)


@pytest.mark.parametrize("word", ["false", "FALSE", "False", "0", ""])
def test_a_form_says_false_in_any_case(api: Api, word: str) -> None:
    form = {"tons": "0.45", "paymentMethod": "credits", "dryRun": word}
    answer = api.post(PATH, form=form)
    assert (answer.status_code, answer.json()["dryRun"]) == (200, False)
    assert api.balance() == LIVE_CENTS - PRICE_CENTS


def test_fields_that_nobody_may_set_are_not_assigned(api: Api) -> None:
    plain = api.order()
    dressed = api.order(
        account_id=api.world.second_id,
        accountId=api.world.second_id,
        userId=api.world.second_id,
        amountInUsdCents=1,
        amountCharged=1,
        amount_cents=1,
        creditsRemaining=9_999_999,
        state="refunded",
        currency="JPY",
        id="mine",
        purchaseId="mine",
        certificateUrl="https://elsewhere.example",
        source="dashboard",
        portfolio={"id": 2, "costPerTon": 0.01},
        created_at="2020-01-01T00:00:00Z",
    )
    same = ("amountCharged", "amountInUsdCents", "currency", "tons", "portfolio", "paymentMethod")
    assert {name: dressed[name] for name in same} == {name: plain[name] for name in same}
    assert dressed["creditsRemaining"] == api.balance() == LIVE_CENTS - 2 * PRICE_CENTS
    assert api.balance(api.world.second_token) == 10_000
    shown = api.get(f"/api/orders/{dressed['purchaseId']}").json()
    assert (shown["state"], shown["amountInUsdCents"]) == ("paid", PRICE_CENTS)
    rows = certified_and_not(api.get(PATH, order_group_id=dressed["id"]).json())
    assert {row["source"] for row in rows} == {"public-api"}


def test_texts_are_normalised_and_then_kept(api: Api) -> None:
    answer = api.order(
        note="one\r\ntwo\tcafe\u0301 ", onBehalfOfName="Zoe\u0308", metadata={"e\u0301": "n\u0303"}
    )
    rows = certified_and_not(api.get(PATH, order_group_id=answer["id"]).json())
    assert {row["note"] for row in rows} == {"one\ntwo\tcaf\u00e9 "}
    assert {row["on_behalf_of_name"] for row in rows} == {"Zo\u00eb"}
    assert all(row["metadata"] == {"\u00e9": "\u00f1"} for row in rows)


def test_a_mass_is_rounded_half_up_to_a_milligram(calm_api: Api) -> None:
    body = b'{"tons": 0.0000000005, "paymentMethod": "credits", "dryRun": true}'
    answer = calm_api.post(PATH, content=body, content_type=JSON)
    assert (answer.json()["tons"], answer.json()["amountCharged"]) == (1e-9, 1)


@pytest.mark.parametrize("dry_run", [False, True])
def test_an_order_beyond_the_balance_deducts_nothing(frugal_api: Api, *, dry_run: bool) -> None:
    api = frugal_api
    body = {"tons": 100, "paymentMethod": "credits", "dryRun": dry_run}
    live = assert_refused(api.post(PATH, body), 400, "insufficient_credits", "paymentMethod")
    assert "$2311.00" in live["message"]
    assert "$500.00" in live["message"]
    poor = api.post(PATH, body, token=api.world.poor_token)
    assert "$0.00" in assert_refused(poor, 400, "insufficient_credits", "paymentMethod")["message"]
    test = api.post(PATH, body, token=api.world.test_token)
    assert "$1000.00" in assert_refused(test, 400, live["code"], live["param"])["message"]
    assert certified_and_not(api.get(PATH).json()) == []


def test_the_last_cent_can_be_spent_and_no_more(api: Api) -> None:
    # Portfolio 2 costs $15.63 a tonne: this comes to $499.9999998, rounded up $500.00.
    answer = api.order(portfolioId=2, tons=31.98976326)
    assert (answer["amountCharged"], answer["creditsRemaining"]) == (LIVE_CENTS, 0)
    refused = api.post(PATH, {"tons": 0.000000001, "paymentMethod": "credits"})
    assert_refused(refused, 400, "insufficient_credits", "paymentMethod")


@pytest.mark.parametrize("portfolio_id", [12, 1, 2, 20, 21])
@pytest.mark.parametrize("kind", ["live", "test"])
def test_the_smallest_order_by_card_is_named_exactly(
    frugal_api: Api, portfolio_id: int, kind: str
) -> None:
    api = frugal_api
    token = api.world.live_token if kind == "live" else api.world.test_token

    def try_tons(mass_mg: int) -> httpx.Response:
        body = f'{{"tons": {mass_mg}e-9, "portfolioId": {portfolio_id}, "dryRun": true}}'
        return api.post(PATH, content=body.encode(), content_type=JSON, token=token)

    told = assert_refused(try_tons(1), 400, "below_minimum", "tons")["message"]
    named = SMALLEST.search(told)
    assert named, told
    assert "credits" in told
    smallest_mg = round(float(named.group(1)) * 10**9)
    passing = try_tons(smallest_mg)
    assert (passing.status_code, passing.json()["amountCharged"]) == (200, 100)
    assert_refused(try_tons(smallest_mg - 1), 400, "below_minimum", "tons")


@pytest.mark.parametrize("body", [{"tons": 1}, {"tons": 1, "paymentMethod": "stripe"}])
def test_without_a_card_on_file_a_card_order_is_403(frugal_api: Api, body: dict[str, Any]) -> None:
    answer = frugal_api.post(PATH, body)
    assert "credits" in assert_refused(answer, 403, "no_payment_method", "paymentMethod")["message"]
    preview = frugal_api.post(PATH, body | {"dryRun": True})
    assert (preview.status_code, preview.json()["amountCharged"]) == (200, 2311)
    assert "creditsRemaining" not in preview.json()


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"])
def test_another_method_is_405_and_told_which_are_taken(calm_api: Api, method: str) -> None:
    answer = calm_api.http.request(method, PATH, headers=calm_api.auth())
    assert_refused(answer, 405, "method_not_allowed")
    allowed = {name.strip() for name in answer.headers["allow"].split(",")}
    assert allowed == {"GET", "HEAD", "OPTIONS", "POST"}


async def _custom_portfolio(api: Api) -> int:
    db = await open_database(api.database_url, pool_size=2, application="tests")
    try:
        async with transaction(db) as conn:
            return await create_custom_portfolio(
                conn,
                api.world.second_id,
                name="Theirs",
                description="Nobody else's.",
                weights_ppm={2: 1_000_000},
                now=datetime.now(UTC),
                made_by="tests",
            )
    finally:
        await db.close()


def test_a_portfolio_of_another_account_is_as_if_there_were_none(api: Api) -> None:
    theirs = asyncio.run(_custom_portfolio(api))
    body = {"tons": 1, "paymentMethod": "credits", "portfolioId": theirs, "dryRun": True}
    deadline = time.monotonic() + 2
    while (seen := api.post(PATH, body, token=api.world.second_token)).status_code != 200:
        assert time.monotonic() < deadline, seen.text
        time.sleep(0.05)

    missing = body | {"portfolioId": theirs + 1_000}
    for token in (api.world.live_token, api.world.personal_token, api.world.test_token):
        refused = api.post(PATH, body, token=token)
        told = assert_refused(refused, 400, "portfolio_not_found", "portfolioId")["message"]
        unknown = api.post(PATH, missing, token=token).json()["message"]
        assert told.replace(str(theirs), "N") == unknown.replace(str(theirs + 1_000), "N")
