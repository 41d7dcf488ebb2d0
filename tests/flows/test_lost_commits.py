"""A commit whose answer is lost: whoever asked is told so, and nothing takes effect twice.

Between the product and PostgreSQL stands a proxy that cuts the connection at the commit that a test
names. Either the server has committed and its answer is lost, or the commit is: the product cannot
tell, so after each of them the same must hold.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest

from fieldfare.accounts.service import set_refill
from fieldfare.orders.service.refund import refund_order
from fieldfare.payments.errors import RefundMaybeRecorded, RefundOutcomeUnknown
from fieldfare.payments.service.refills import refill_if_due
from fieldfare.payments.service.top_ups.refunding import refund_top_up
from tests.support.cards import CardShop, Stage, Team, settings_of
from tests.support.client import REPLAYED, assert_refused
from tests.support.cutting import CuttingProxy, Lost, cutting_proxy
from tests.support.kinds import KIND_CENTS, KINDS, Kind, with_credits
from tests.support.rivals import rival, waiting_sessions
from tests.support.server import running_api
from tests.support.waiting import wait_until

CENTS = 10 * KIND_CENTS
MINUTE = timedelta(minutes=1)
OPENS_ORDER = "insert into orders.purchase"
PAYS_ORDER = "set state = 'paid', charge_id = $1, paid_at"
OPENS_TOP_UP = "payments.open_top_up_v1"
PAYS_TOP_UP = "set state = 'paid', charge_id = $1, entry_id"
OPENS_REFUND = "insert into payments.refund"
APPLIES_REFUND = "insert into orders.refund_line"
ENDS_REFUND = "update payments.refund\nset state = 'succeeded'"
KEEPS_EVENT = "insert into payments.inbox"
DOES_EVENT = "update payments.inbox"
LOSES_DISPUTE = "update payments.dispute"
CHANGES_CREDITS = "ledger.change_v1"
LOST: tuple[Lost, ...] = ("answer", "commit")
KEYS = ["k", None]


class CutShop(msgspec.Struct, frozen=True):
    """A shop whose API reaches its database through a proxy; the test reaches it directly."""

    shop: CardShop
    proxy: CuttingProxy
    stage: Stage
    """What an operator or a worker has whose connections can be cut as well."""


@pytest.fixture(scope="module")
def open_cut_shop(open_shop: CardShop) -> Iterator[CutShop]:
    """One API behind its proxy for the module."""
    with (
        cutting_proxy(open_shop.database_url) as proxy,
        running_api(settings_of(proxy.url, open_shop.stripe)) as base_url,
    ):
        open_shop.move_to(base_url)
        stage = Stage(proxy.url, open_shop.stripe)
        try:
            yield CutShop(open_shop, proxy, stage)
        finally:
            stage.close()


@pytest.fixture
def cut_shop(open_cut_shop: CutShop) -> CutShop:
    """It without a memory of other tests."""
    open_cut_shop.shop.begin()
    return open_cut_shop


def maybe_recorded(answer: httpx.Response) -> str:
    """Check that an answer says that it may be recorded, and what to do; gives the id."""
    assert answer.status_code == 502, answer.text
    body: dict[str, str] = answer.json()
    assert (body["code"], REPLAYED in answer.headers) == ("payment_outcome_unknown", False)
    assert "may be recorded or not" in body["message"]
    assert "again: ask GET /api/" in body["message"]
    assert "same Idempotency-Key" in body["message"]
    assert UUID(body["purchaseId"]).version == 7
    return body["purchaseId"]


def unknown(answer: httpx.Response) -> str:
    """Check that an answer says that nobody knows whether the card was charged; gives the id."""
    assert answer.status_code == 502, answer.text
    body: dict[str, str] = answer.json()
    assert "has not said whether the card was charged" in body["message"]
    return body["purchaseId"]


def state_shown(shop: CardShop, team: Team, purchase_id: str) -> str | None:
    """An order's state as its account sees it; None if there is none."""
    answer = shop.get(f"/api/orders/{purchase_id}", team)
    assert answer.status_code in {200, 404}, answer.text
    return str(answer.json()["state"]) if answer.status_code == 200 else None


# ------------------------------------------------------------------------------------ from credits


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_an_order_from_credits(cut_shop: CutShop, kind: Kind, lost: Lost, key: str | None) -> None:
    shop, team = cut_shop.shop, with_credits(cut_shop.shop, CENTS)
    body = {**kind.body, "paymentMethod": "credits"}
    cut = cut_shop.proxy.cut(OPENS_ORDER, lost)
    purchase_id = maybe_recorded(shop.post(body, team, key, path=kind.path))
    assert cut.made.is_set()
    was_made = lost == "answer"
    assert state_shown(shop, team, purchase_id) == ("paid" if was_made else None)
    if key is not None:
        again = shop.post(body, team, key, path=kind.path)
        assert (again.status_code, REPLAYED in again.headers) == (200, was_made)
        assert (again.json()["purchaseId"] == purchase_id) == was_made
        assert again.json()["creditsRemaining"] == CENTS - KIND_CENTS
    orders = shop.sql("select count(*) from orders.purchase where account_id = %s", team.id)
    times = int(was_made or key is not None)
    assert (orders, shop.balance(team)) == ([(times,)], CENTS - times * KIND_CENTS)
    assert shop.findings() == []


# ----------------------------------------------------------------------------------------- by card


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("lost", LOST)
def test_a_card_order_before_anything_is_sent(
    cut_shop: CutShop, lost: Lost, key: str | None
) -> None:
    shop, team = cut_shop.shop, cut_shop.shop.team()
    cut = cut_shop.proxy.cut(OPENS_ORDER, lost)
    purchase_id = maybe_recorded(shop.order(team, key))
    assert (cut.made.is_set(), shop.sent()) == (True, [])
    was_made = lost == "answer"
    assert state_shown(shop, team, purchase_id) == ("pending" if was_made else None)
    if key is not None:
        shop.pass_time(MINUTE)
        again = shop.order(team, key)
        assert (again.status_code, REPLAYED in again.headers) == (200, was_made)
        assert (again.json()["purchaseId"] == purchase_id) == was_made
    shop.settle_all()
    assert state_shown(shop, team, purchase_id) == ("paid" if was_made else None)
    assert len(shop.charges()) == int(was_made or key is not None)
    shop.agree(team)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("lost", LOST)
def test_a_card_order_once_it_is_charged(cut_shop: CutShop, lost: Lost, key: str | None) -> None:
    shop, team = cut_shop.shop, cut_shop.shop.team()
    cut = cut_shop.proxy.cut(PAYS_ORDER, lost)
    purchase_id = unknown(shop.order(team, key))
    assert (cut.made.is_set(), len(shop.charges())) == (True, 1)
    assert state_shown(shop, team, purchase_id) == ("paid" if lost == "answer" else "pending")
    if key is not None:
        shop.pass_time(MINUTE)
        again = shop.order(team, key)
        assert (again.status_code, again.json()["purchaseId"]) == (200, purchase_id)
        assert again.headers[REPLAYED] == "true"
    shop.settle_all()
    assert state_shown(shop, team, purchase_id) == "paid"
    assert len(shop.charges()) == len(shop.sent()) == 1
    shop.agree(team)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("lost", LOST)
def test_a_top_up_before_anything_is_sent(cut_shop: CutShop, lost: Lost, key: str | None) -> None:
    shop, team = cut_shop.shop, cut_shop.shop.team()
    cut = cut_shop.proxy.cut(OPENS_TOP_UP, lost)
    answer = shop.top_up(team, key, KIND_CENTS)
    top_up_id = maybe_recorded(answer)
    assert "Do not top up again" in answer.json()["message"]
    assert (cut.made.is_set(), shop.sent(), shop.balance(team)) == (True, [], 0)
    was_made = lost == "answer"
    if key is not None:
        shop.pass_time(MINUTE)
        again = shop.top_up(team, key, KIND_CENTS)
        assert (again.status_code, REPLAYED in again.headers) == (200, was_made)
        assert again.json()["creditBalance"] == KIND_CENTS
    shop.settle_all()
    times = int(was_made or key is not None)
    assert (len(shop.charges()), shop.balance(team)) == (times, times * KIND_CENTS)
    rows = shop.sql("select state from payments.top_up where id = %s", top_up_id)
    assert rows == ([("paid",)] if was_made else [])
    shop.agree(team)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("lost", LOST)
def test_a_top_up_once_it_is_charged(cut_shop: CutShop, lost: Lost, key: str | None) -> None:
    shop, team = cut_shop.shop, cut_shop.shop.team()
    cut = cut_shop.proxy.cut(PAYS_TOP_UP, lost)
    top_up_id = unknown(shop.top_up(team, key, KIND_CENTS))
    assert (cut.made.is_set(), len(shop.charges())) == (True, 1)
    assert shop.balance(team) == (KIND_CENTS if lost == "answer" else 0)
    if key is not None:
        shop.pass_time(MINUTE)
        again = shop.top_up(team, key, KIND_CENTS)
        assert (again.status_code, again.headers[REPLAYED]) == (200, "true")
        assert again.json()["creditBalance"] == KIND_CENTS
    shop.settle_all()
    assert (shop.top_up_state(top_up_id), shop.balance(team)) == ("paid", KIND_CENTS)
    assert len(shop.charges()) == len(shop.sent()) == 1
    shop.agree(team)


# ----------------------------------------------------------------------------------- what goes back


def refund(cut_shop: CutShop, purchase_id: str, key: str | None) -> str:
    """What becomes of a refund of half an order that an operator asks for."""
    done = cut_shop.stage.do(
        lambda db, gateway: refund_order(
            db, gateway, UUID(purchase_id), amount_minor=KIND_CENTS // 2, reason="A test",
            request_key=key,
        )
    )  # fmt: skip
    return done.state


def bought(shop: CardShop, team: Team, method: str) -> str:
    """A paid order of trees."""
    body = {**KINDS["tree"].body, "paymentMethod": method}
    answer = shop.post(body, team, path=KINDS["tree"].path)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["purchaseId"])


def gone_back(shop: CardShop, purchase_id: str) -> int:
    """How many refunds of half an order took effect."""
    rows = shop.sql("select refunded_minor from orders.purchase where id = %s", purchase_id)
    return int(rows[0][0]) // (KIND_CENTS // 2)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize(
    ("method", "statement"), [("credits", APPLIES_REFUND), ("stripe", OPENS_REFUND)]
)
def test_a_refund_as_it_is_asked_for(
    cut_shop: CutShop, method: str, statement: str, lost: Lost, key: str | None
) -> None:
    shop, team = cut_shop.shop, with_credits(cut_shop.shop, CENTS, "pm_card_visa")
    purchase_id = bought(shop, team, method)
    cut = cut_shop.proxy.cut(statement, lost)
    with pytest.raises(RefundMaybeRecorded, match="again with the same --key"):
        refund(cut_shop, purchase_id, key)
    assert (cut.made.is_set(), shop.sent(path="/v1/refunds")) == (True, [])
    was_made = lost == "answer"
    if key is not None:
        shop.pass_time(MINUTE)
        assert refund(cut_shop, purchase_id, key) == "succeeded"
    shop.settle_all()
    assert gone_back(shop, purchase_id) == int(was_made or key is not None)
    shop.agree(team)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("lost", LOST)
def test_a_refund_once_it_is_made(cut_shop: CutShop, lost: Lost, key: str | None) -> None:
    shop, team = cut_shop.shop, cut_shop.shop.team()
    purchase_id = bought(shop, team, "stripe")
    cut = cut_shop.proxy.cut(ENDS_REFUND, lost)
    with pytest.raises(RefundOutcomeUnknown, match="Do not refund again"):
        refund(cut_shop, purchase_id, key)
    assert (cut.made.is_set(), gone_back(shop, purchase_id)) == (True, int(lost == "answer"))
    if key is not None:
        assert refund(cut_shop, purchase_id, key) == "succeeded"
    shop.settle_all()
    assert (gone_back(shop, purchase_id), len(shop.stripe.truth("refunds"))) == (1, 1)
    shop.agree(team)


def refund_credits(cut_shop: CutShop, top_up_id: UUID, refund_id: UUID) -> str:
    """What becomes of a refund of half a top-up that an operator asks for."""
    returned = cut_shop.stage.do(
        lambda db, gateway: refund_top_up(
            db, gateway, top_up_id, amount_minor=KIND_CENTS // 2, reason="A test",
            refund_id=refund_id,
        )
    )  # fmt: skip
    return returned.refund.state


@pytest.mark.parametrize("again", [True, False])
@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("statement", [OPENS_REFUND, ENDS_REFUND], ids=["asked for", "made"])
def test_a_refund_of_a_top_up(cut_shop: CutShop, statement: str, lost: Lost, again: bool) -> None:
    shop, team = cut_shop.shop, cut_shop.shop.team()
    assert shop.top_up(team, None, KIND_CENTS).status_code == 200
    ((top_up_id,),) = shop.sql("select id from payments.top_up where account_id = %s", team.id)
    refund_id = uuid4()
    cut = cut_shop.proxy.cut(statement, lost)
    with pytest.raises(RefundOutcomeUnknown):
        refund_credits(cut_shop, top_up_id, refund_id)
    assert cut.made.is_set()
    was_made = lost == "answer" or statement == ENDS_REFUND
    assert shop.balance(team) == (KIND_CENTS // 2 if was_made else KIND_CENTS)
    if again:
        shop.pass_time(MINUTE)
        assert refund_credits(cut_shop, top_up_id, refund_id) == "succeeded"
    shop.settle_all()
    times = int(was_made or again)
    assert shop.balance(team) == KIND_CENTS - times * KIND_CENTS // 2
    assert len(shop.stripe.truth("refunds")) == times
    shop.agree(team)


@pytest.mark.parametrize("lost", LOST)
def test_an_adjustment(cut_shop: CutShop, lost: Lost) -> None:
    shop, team = cut_shop.shop, cut_shop.shop.team(card=None)
    words = ["credits", "adjust", "--account", str(team.id), "--by", "25.00", "--reason", "A test"]
    env = {**os.environ, "DATABASE_URL": cut_shop.proxy.url, "PYTHONPATH": "src"}
    cut = cut_shop.proxy.cut(CHANGES_CREDITS, lost)
    done = subprocess.run(
        [sys.executable, "-m", "fieldfare.cli.main", *words],
        env=env, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (cut.made.is_set(), done.returncode, done.stdout) == (True, 1, "")
    assert done.stderr.count("\n") == 1
    assert f"credits balance --account {team.id}" in done.stderr
    assert "send" not in done.stderr.lower()
    assert shop.balance(team) == (2_500 if lost == "answer" else 0)
    assert shop.findings() == []


# -------------------------------------------------------------------------------------- in the back


@pytest.mark.parametrize("lost", LOST)
def test_a_refill(cut_shop: CutShop, lost: Lost) -> None:
    shop, team = cut_shop.shop, cut_shop.shop.team()
    shop.stage.write(
        lambda conn: set_refill(conn, team.id, below_cents=100, amount_cents=KIND_CENTS)
    )

    def refill() -> str:
        return cut_shop.stage.do(lambda db, gateway: refill_if_due(db, gateway, team.id, per_day=5))

    cut = cut_shop.proxy.cut(OPENS_TOP_UP, lost)
    assert refill() == "its outcome is not known yet"
    assert (cut.made.is_set(), shop.sent()) == (True, [])
    # If it is on record, the next one waits for its end.
    assert (refill() == "refilled") == (lost == "commit")
    shop.settle_all()
    assert refill() != "refilled"
    assert (len(shop.charges()), shop.balance(team)) == (1, KIND_CENTS)
    shop.agree(team)


@pytest.mark.parametrize("lost", LOST)
def test_an_event_that_is_handed_in(cut_shop: CutShop, lost: Lost) -> None:
    shop, team = cut_shop.shop, cut_shop.shop.team()
    bought(shop, team, "stripe")
    cut = cut_shop.proxy.cut(KEEPS_EVENT, lost)
    sent = shop.stripe.post("events/flush")["data"]
    # One of them was answered with a 503, so the processor sends it once more.
    assert (cut.made.is_set(), [one["status"] for one in sent].count(503)) == (True, 1)
    shop.pass_time(3 * MINUTE)
    shop.hear()
    kept = shop.sql("select event_id, done_at is not null from payments.inbox")
    assert {one["event"] for one in sent} <= {event_id for event_id, _ in kept}
    assert len(dict(kept)) == len(kept)
    assert all(is_done for _, is_done in kept)
    shop.agree(team)


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_a_dispute_that_a_job_follows(cut_shop: CutShop, outcome: str, lost: Lost) -> None:
    shop, team = cut_shop.shop, cut_shop.shop.team()
    purchase_id = bought(shop, team, "stripe")
    ((charge_id,),) = shop.sql("select charge_id from orders.purchase where id = %s", purchase_id)
    shop.dispute(charge_id, "open")
    shop.hear()
    shop.dispute(charge_id, outcome)
    shop.flush_events()
    cut = cut_shop.proxy.cut(LOSES_DISPUTE, lost)
    direct, shop.stage = shop.stage, cut_shop.stage
    try:
        said = shop.work()
    finally:
        shop.stage = direct
    assert (cut.made.is_set(), said.count("later: database_unavailable")) == (True, 1)
    shop.settle_all()
    assert state_shown(shop, team, purchase_id) == ("paid" if outcome == "won" else "refunded")
    shop.agree(team)


# ------------------------------------------------------------------------- what certainly is undone


@pytest.mark.parametrize("key", KEYS)
def test_a_connection_that_the_server_ends_before_the_commit_made_nothing(
    cut_shop: CutShop, key: str | None
) -> None:
    shop, team = cut_shop.shop, with_credits(cut_shop.shop, CENTS)
    body = {**KINDS["tree"].body, "paymentMethod": "credits"}
    url = shop.database_url
    with ThreadPoolExecutor(1) as pool, rival(url, "lock table ledger.wallet in exclusive mode"):
        running = pool.submit(shop.post, body, team, key, path=KINDS["tree"].path)
        wait_until(lambda: bool(waiting_sessions(url)))
        for session in waiting_sessions(url):
            shop.sql("select pg_terminate_backend(%s)", session)
        answer = running.result(20)
    assert_refused(answer, 503, "database_unavailable")
    assert shop.balance(team) == CENTS
    assert shop.post(body, team, key, path=KINDS["tree"].path).status_code == 200
    assert shop.balance(team) == CENTS - KIND_CENTS
    assert shop.findings() == []
