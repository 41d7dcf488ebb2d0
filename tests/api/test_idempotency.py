"""`Idempotency-Key`: a retry takes effect once and is answered as the first request was."""

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import psycopg
import pytest

from fieldfare.catalog.model import Rows
from fieldfare.catalog.service import import_catalogue, load_preset
from fieldfare.db.pool import Connection, open_database, transaction
from fieldfare.ledger.service.credits import adjust_credits
from tests.support.client import REPLAYED, Api, assert_refused, certified_and_not
from tests.support.waiting import wait_until
from tests.support.world import LIVE_CENTS

PATH = "/api/offset-orders"
PRICE_CENTS = 1040
ORDER = {"tons": 0.45, "paymentMethod": "credits", "note": "Once"}


def in_database(api: Api, act: Callable[[Connection], Any]) -> Any:
    """Do something with the product's own services, in one transaction."""

    async def run() -> Any:
        db = await open_database(api.database_url, pool_size=2, application="tests")
        try:
            async with transaction(db) as conn:
                return await act(conn)
        finally:
            await db.close()

    return asyncio.run(run())


def assert_replayed(answer: httpx.Response, first: httpx.Response) -> None:
    """The first answer again, byte for byte, and marked."""
    assert (answer.status_code, answer.content) == (first.status_code, first.content)
    assert answer.headers[REPLAYED] == "true"
    assert answer.headers["content-type"] == first.headers["content-type"]


def test_the_same_request_gets_the_same_bytes(api: Api) -> None:
    first = api.post(PATH, ORDER, key="k")
    assert first.status_code == 200
    assert REPLAYED not in first.headers
    for _ in range(3):
        assert_replayed(api.post(PATH, ORDER, key="k"), first)
    assert api.balance() == LIVE_CENTS - PRICE_CENTS
    assert len(api.get("/api/credits/ledger").json()["entries"]) == 2


def test_without_a_key_nothing_is_deduplicated(api: Api) -> None:
    ids = {api.post(PATH, ORDER).json()["id"] for _ in range(3)}
    assert len(ids) == 3
    assert api.balance() == LIVE_CENTS - 3 * PRICE_CENTS


def test_requests_are_compared_after_decoding(api: Api) -> None:
    first = api.post(
        PATH, ORDER | {"metadata": {"a": "1", "b": "2"}, "dryRun": False, "extra": 1}, key="k"
    )
    form = {
        "note": "Once", "metadata[b]": "2", "metadata[a]": "1", "paymentMethod": "credits",
        "tons": "4.50e-1", "dryRun": "FALSE", "onBehalfOfName": "",
    }  # fmt: skip
    assert_replayed(api.post(PATH, form=form, key="k"), first)
    reversed_pairs = ORDER | {"metadata": {"b": "2", "a": "1"}}
    assert_replayed(api.post(PATH, reversed_pairs, key="k"), first)
    assert_replayed(api.post(f"{PATH}/", reversed_pairs, key="k"), first)
    assert api.balance() == LIVE_CENTS - PRICE_CENTS


@pytest.mark.parametrize(
    "change",
    [
        {"tons": 0.46},
        {"note": "Twice"},
        {"note": None},
        {"metadata": {"a": "1"}},
        {"onBehalfOfName": "Grace"},
        {"sendReceiptEmail": True},
        {"maxAmountCharged": PRICE_CENTS},
        {"portfolioId": 2},
        # These would be refused by themselves; that the key was used is told all the same.
        {"portfolioId": 9999},
        {"paymentMethod": "stripe"},
        {"tons": 0.01, "paymentMethod": "stripe"},
        {"tons": 1000},
        {"maxAmountCharged": 1},
    ],
    ids=str,
)
def test_the_same_key_with_another_body_is_422(calm_api: Api, change: dict[str, Any]) -> None:
    key = f"changed by {change}"
    first = calm_api.post(PATH, ORDER, key=key)
    balance = calm_api.balance()
    other = calm_api.post(PATH, ORDER | change, key=key)
    assert_refused(other, 422, "idempotency_mismatch", "Idempotency-Key")
    assert calm_api.balance() == balance
    assert_replayed(calm_api.post(PATH, ORDER, key=key), first)


def test_accounts_do_not_share_keys(api: Api) -> None:
    tokens = [api.world.live_token, api.world.second_token, api.world.personal_token]
    firsts = [api.post(PATH, ORDER, token=token, key="k") for token in tokens]
    assert len({first.json()["id"] for first in firsts}) == 3
    assert all(REPLAYED not in first.headers for first in firsts)
    for token, first in zip(tokens, firsts, strict=True):
        assert_replayed(api.post(PATH, ORDER, token=token, key="k"), first)


@pytest.mark.parametrize("key", ["", "k" * 256, "clé", "schlüssel", "a\tb"])
@pytest.mark.parametrize("kind", ["live", "dry run", "test"])
def test_a_key_of_another_form_is_400_for_every_request(calm_api: Api, key: str, kind: str) -> None:
    token = calm_api.world.test_token if kind == "test" else calm_api.world.live_token
    balance = calm_api.balance()
    answer = calm_api.http.post(
        PATH,
        json=ORDER | {"dryRun": kind == "dry run"},
        headers=[
            (b"Authorization", f"Bearer {token}".encode()),
            (b"Idempotency-Key", key.encode("latin-1")),
        ],
    )
    assert_refused(answer, 400, "invalid_idempotency_key", "Idempotency-Key")
    assert calm_api.balance() == balance


@pytest.mark.parametrize("key", ["k" * 255, "!", "a b~{}\"'"])
def test_every_printable_key_is_taken(calm_api: Api, key: str) -> None:
    first = calm_api.post(PATH, ORDER, key=key)
    assert first.status_code == 200
    assert_replayed(calm_api.post(PATH, ORDER, key=key), first)


def test_dry_runs_and_test_tokens_ignore_the_key(api: Api) -> None:
    dry = ORDER | {"dryRun": True, "tons": 1}
    assert REPLAYED not in api.post(PATH, dry, key="k").headers
    first = api.post(PATH, ORDER, key="k")
    assert REPLAYED not in first.headers

    preview = api.post(PATH, dry, key="k")
    assert (preview.status_code, preview.json()["tons"]) == (200, 1)
    tests = [
        api.post(PATH, ORDER | {"tons": tons}, token=api.world.test_token, key="k")
        for tons in (1, 1, 2)
    ]
    assert [answer.status_code for answer in tests] == [200, 200, 200]
    assert len({answer.json()["id"] for answer in tests}) == 3
    assert all(REPLAYED not in answer.headers for answer in (preview, *tests))
    assert api.balance() == LIVE_CENTS - PRICE_CENTS


@pytest.mark.parametrize(
    ("change", "status"),
    [({"tons": -1}, 400), ({"tons": 1000}, 400), ({"paymentMethod": "stripe"}, 403)],
    ids=str,
)
def test_a_key_whose_order_was_refused_is_free(
    calm_api: Api, change: dict[str, Any], status: int
) -> None:
    key = f"refused for {change}"
    assert calm_api.post(PATH, ORDER | change, key=key).status_code == status
    first = calm_api.post(PATH, ORDER, key=key)
    assert (first.status_code, REPLAYED in first.headers) == (200, False)


def test_an_order_refused_for_want_of_credits_goes_through_later_with_its_key(api: Api) -> None:
    body = ORDER | {"tons": 30}
    refused = api.post(PATH, body, key="k")
    assert_refused(refused, 400, "insufficient_credits", "paymentMethod")
    in_database(
        api,
        lambda conn: adjust_credits(conn, api.world.team_id, change_cents=50_000, reason="More"),
    )
    first = api.post(PATH, body, key="k")
    assert (first.status_code, REPLAYED in first.headers) == (200, False)
    assert_replayed(api.post(PATH, body, key="k"), first)


def test_the_first_answer_outlives_the_balance(api: Api) -> None:
    first = api.post(PATH, ORDER, key="k")
    api.order(tons=(api.balance() - 500) / 2311)
    refused = api.post(PATH, ORDER, key="another")
    assert_refused(refused, 400, "insufficient_credits", "paymentMethod")
    assert_replayed(api.post(PATH, ORDER, key="k"), first)


def test_the_first_answer_outlives_its_portfolio(own_api: Api) -> None:
    api = own_api
    body = ORDER | {"portfolioId": 20, "tons": 0.1}
    (row,) = (row for row in load_preset().portfolios if row.id == 20)
    closed = Rows(portfolios=(msgspec.structs.replace(row, is_open=False),))

    async def close(conn: Connection) -> None:
        await import_catalogue(conn, closed, now=datetime.now(UTC), made_by="tests")

    first = api.post(PATH, body, key="k")
    assert first.status_code == 200
    in_database(api, close)
    wait_until(lambda: api.post(PATH, body | {"dryRun": True}).status_code == 400)
    another = api.post(PATH, body, key="another")
    assert_refused(another, 400, "portfolio_closed", "portfolioId")
    assert_replayed(api.post(PATH, body, key="k"), first)


def test_a_key_in_flight_is_409_until_its_answer_is_there(api: Api) -> None:
    with (
        closing(psycopg.connect(api.database_url)) as rival,
        ThreadPoolExecutor(2) as pool,
    ):
        # One of them waits for the wallet, with the key claimed.
        rival.execute(
            "select from ledger.wallet where account_id = %s for update", (api.world.team_id,)
        )
        both = {pool.submit(api.post, PATH, ORDER, key="k") for _ in range(2)}
        refused, waiting = wait(both, timeout=5, return_when=FIRST_COMPLETED)
        answer = refused.pop().result()
        assert_refused(answer, 409, "idempotency_in_flight", "Idempotency-Key")
        assert int(answer.headers["retry-after"]) >= 1
        rival.rollback()
        done = waiting.pop().result(timeout=10)
    assert (done.status_code, REPLAYED in done.headers) == (200, False)
    assert_replayed(api.post(PATH, ORDER, key="k"), done)
    assert api.balance() == LIVE_CENTS - PRICE_CENTS


def test_many_at_once_with_one_key_make_one_order(api: Api) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: api.post(PATH, ORDER, key="k"), range(40)))

    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) <= {200, 409}
    done = [answer for answer in answers if answer.status_code == 200]
    assert len({answer.content for answer in done}) == 1
    assert sum(REPLAYED not in answer.headers for answer in done) == 1
    for answer in answers:
        if answer.status_code == 409:
            assert_refused(answer, 409, "idempotency_in_flight", "Idempotency-Key")
            assert "retry-after" in answer.headers
    assert api.balance() == LIVE_CENTS - PRICE_CENTS
    rows = certified_and_not(api.get(PATH).json())
    assert {row["order_group_id"] for row in rows} == {done[0].json()["id"]}
