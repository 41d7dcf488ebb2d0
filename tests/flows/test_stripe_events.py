"""The processor's events: before, after, instead of and at once with the answer; twice; forged."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest
import stripe

from fieldfare.orders.jobs import reconcile, work_event
from tests.support.buying import CREATE, LIST
from tests.support.cards import INTENTS, ORDER_CENTS, TIMEOUT_S, CardShop, Team
from tests.support.client import assert_refused
from tests.support.stripe_simulator import WEBHOOK_SECRET
from tests.support.waiting import wait_until

LOOK_UP = {"method": "GET", "path": f"{INTENTS}/*"}
SUCCEEDED = "payment_intent.succeeded"


def flow(shop: CardShop, **options: Any) -> None:
    """Let events go as they happen from now on."""
    shop.stripe.post("events", paused=False, **options)


def inbox(shop: CardShop, kind: str = SUCCEEDED) -> list[tuple[str, bool]]:
    """The events of a kind that were kept, and whether they are done."""
    return shop.sql(
        "select event_id, done_at is not null from payments.inbox where kind = %s", kind
    )


def post_event(shop: CardShop, body: bytes, signature: str | None) -> httpx.Response:
    """Send bytes to the webhook."""
    headers = {"Stripe-Signature": signature} if signature is not None else {}
    return shop.http.post("/webhooks/stripe", content=body, headers=headers)


def signed(body: bytes, *, age_s: float = 0.0, secret: str = WEBHOOK_SECRET) -> str:
    """The header that the processor would send, `age_s` ago."""
    at_s = int(time.time() - age_s)
    return str(stripe.WebhookSignature.generate_signature_header(body.decode(), secret, at_s))


def some_event(kind: str = SUCCEEDED) -> bytes:
    """An event of an intent that nobody knows."""
    intent = {"id": f"pi_{uuid4().hex}", "object": "payment_intent", "metadata": {}}
    return msgspec.json.encode(
        {
            "id": f"evt_{uuid4().hex}", "object": "event", "type": kind,
            "created": int(time.time()), "data": {"object": intent},
        }
    )  # fmt: skip


def lost_answer(shop: CardShop, team: Team, **fields: Any) -> str:
    """An order that was charged, whose answer and look-up were lost; gives its purchase."""
    shop.stripe.fault("reset", when="after", **CREATE)
    shop.stripe.fault("500", **LIST)
    answer = shop.order(team, "k", **fields)
    assert answer.status_code == 502, answer.text
    purchase_id: str = answer.json()["purchaseId"]
    return purchase_id


# ------------------------------------------------------------------------------- in which order


def test_the_event_before_the_answer(shop: CardShop) -> None:
    team = shop.team()
    flow(shop)
    shop.stripe.fault("hang", when="after", s=TIMEOUT_S * 0.75, **CREATE)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(shop.order, team, "k")
        wait_until(lambda: bool(inbox(shop)))
        assert "settled" in shop.work()
        assert not running.done()
        assert shop.order(team, "k").status_code == 200
        first = running.result()
    assert (first.status_code, "idempotency-replayed" in first.headers) == (200, False)
    assert shop.order(team, "k").content == first.content
    assert len(shop.sent()) == 1
    shop.agree(team)


def test_the_event_after_the_answer(shop: CardShop) -> None:
    team = shop.team()
    first = shop.order(team, "k", sendReceiptEmail=True)
    assert SUCCEEDED in shop.flush_events()
    assert "settled" in shop.work()
    assert [done for _, done in inbox(shop)] == [True]
    assert shop.order(team, "k", sendReceiptEmail=True).content == first.content
    assert receipts(shop) == 1
    shop.agree(team)


def test_the_event_instead_of_the_answer(shop: CardShop) -> None:
    team = shop.team()
    purchase_id = lost_answer(shop, team, sendReceiptEmail=True)
    shop.flush_events()
    assert "settled" in shop.work()
    assert shop.state(purchase_id) == "paid"
    again = shop.order(team, "k", sendReceiptEmail=True)
    assert (again.status_code, again.json()["purchaseId"]) == (200, purchase_id)
    assert receipts(shop) == 1
    shop.agree(team)


def test_the_event_at_once_with_the_answer(shop: CardShop) -> None:
    teams = [shop.team() for _ in range(3)]
    flow(shop, duplicate=2)
    with Repeating(shop.work), ThreadPoolExecutor(12) as pool:
        orders = [pool.submit(shop.order, team, f"k{n}") for team in teams for n in range(8)]
        answers = [order.result() for order in orders]
    assert {answer.status_code for answer in answers} == {200}
    wait_until(lambda: len(inbox(shop)) == len(answers))
    shop.work()
    assert all(done for _, done in inbox(shop))
    assert len(shop.charges()) == len(answers)
    shop.agree(*teams)


class Repeating:
    """Something that is done over and over as long as the block runs."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(1)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._work()

    def __enter__(self) -> None:
        self._running = self._pool.submit(self._run)

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._running.result(30)
        self._pool.shutdown()


def receipts(shop: CardShop) -> int:
    """How many receipts are due."""
    return len(shop.sql("select 1 from notifications.outbox where topic = 'receipt_due'"))


@pytest.mark.parametrize("card", ["pm_card_visa_chargeDeclined", "pm_card_authenticationRequired"])
def test_an_event_tells_of_a_failure(shop: CardShop, card: str) -> None:
    team = shop.team(card)
    purchase_id = lost_answer(shop, team)
    shop.flush_events()
    assert "settled" in shop.work()
    assert shop.state(purchase_id) == "failed"
    assert_refused(shop.order(team, "k"), 400, "card_declined", "paymentMethod")
    (intent,) = shop.stripe.truth("payment_intents")
    assert intent["status"] == "canceled"
    shop.agree(team)


def test_an_event_that_tells_too_early_leaves_the_order_to_its_timer(shop: CardShop) -> None:
    team = shop.team()
    purchase_id = lost_answer(shop, team)
    shop.stripe.fault("500", **LIST)
    shop.flush_events()
    assert "still unknown" in shop.work()
    assert shop.state(purchase_id) == "pending"
    assert "settled" in shop.settle_all()
    shop.agree(team)


def test_lost_events_are_repaired_from_the_list(shop: CardShop) -> None:
    team, other = shop.team(), shop.team()
    flow(shop, drop=True)
    pending = lost_answer(shop, team)
    shop.order(other)
    days = timedelta(days=3)
    counts = shop.stage.do(lambda db, gateway: reconcile(db, gateway, back=days))
    assert counts.items() >= {"charges": 2, "settled": 1, "without_order": 0}.items()
    assert shop.state(pending) == "paid"
    shop.agree(team, other)


# ------------------------------------------------------------------------------------ how often


def test_an_event_that_comes_often_is_kept_once_and_has_one_effect(shop: CardShop) -> None:
    team = shop.team()
    flow(shop, duplicate=4)
    shop.order(team, "k", sendReceiptEmail=True)
    wait_until(lambda: len(shop.stripe.get("deliveries")["data"]) >= 5)
    wait_until(lambda: all(one["state"] == "sent" for one in shop.stripe.get("deliveries")["data"]))
    shop.work()
    assert [done for _, done in inbox(shop)] == [True]
    for event in shop.stripe.get("events")["data"]:
        if event["type"] == SUCCEEDED:
            shop.stripe.post(f"events/{event['id']}/resend", times=2)
    assert shop.work() == []
    assert receipts(shop) == 1
    shop.agree(team)


def test_an_event_is_worked_on_once(shop: CardShop) -> None:
    shop.order(shop.team())
    shop.flush_events()
    ((row,),) = shop.sql("select id from payments.inbox where kind = %s", SUCCEEDED)
    said = [shop.stage.do(lambda db, gw: work_event(db, gw, row)) for _ in range(2)]
    assert said == ["settled", "done before"]


# ------------------------------------------------------------------------- what nobody asked for


def charge_beside(shop: CardShop, metadata: dict[str, str], **fields: Any) -> str:
    """A charge that somebody else made on the processor's account; gives its id."""
    params: Any = {
        "amount": 1_200, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True,
        "off_session": True, "metadata": metadata, **fields,
    }  # fmt: skip
    intent = shop.stripe.client().v1.payment_intents.create(params)
    return str(intent.latest_charge)


def test_charges_without_an_order_are_put_on_the_list(shop: CardShop) -> None:
    team = shop.team()
    order = shop.order(team).json()
    failed = shop.team("pm_card_visa_chargeDeclined")
    assert shop.order(failed).status_code == 400
    ((failed_id,),) = shop.sql(
        "select id::text from orders.purchase where account_id = %s", failed.id
    )
    stray = {
        charge_beside(shop, {}),
        charge_beside(shop, {"subject": "purchase", "subject_id": str(uuid4())}),
        charge_beside(shop, {"subject": "purchase", "subject_id": "no id"}),
        # One more for an order that is paid already, and one for an order that failed.
        charge_beside(shop, {"subject": "purchase", "subject_id": order["purchaseId"]}),
        charge_beside(shop, {"subject": "purchase", "subject_id": failed_id}),
    }
    shop.hear()
    listed = shop.exceptions()
    assert {(one.kind, one.subject) for one in listed} == {
        ("charge_without_order", charge) for charge in stray
    }
    assert all("1200 USD" in one.detail for one in listed)
    assert shop.findings() == []


def test_the_list_of_charges_tells_of_them_too(shop: CardShop) -> None:
    order = shop.order(shop.team()).json()
    stray = {
        charge_beside(shop, {}),
        charge_beside(shop, {"subject": "purchase", "subject_id": order["purchaseId"]}),
    }
    hour = timedelta(hours=1)
    for _ in range(2):
        counts = shop.stage.do(lambda db, gateway: reconcile(db, gateway, back=hour))
        assert counts.items() >= {"charges": 3, "settled": 0, "without_order": 2}.items()
    assert {one.subject for one in shop.exceptions()} == stray


def test_a_stray_charge_is_not_forgotten_while_the_processor_is_away(shop: CardShop) -> None:
    stray = charge_beside(shop, {})
    shop.stripe.fault("500", **LOOK_UP)
    shop.flush_events()
    assert "later: processor_unavailable" in shop.work()
    assert (inbox(shop)[0][1], shop.exceptions()) == (False, [])
    shop.pass_time(timedelta(minutes=2))
    shop.work()
    assert [one.subject for one in shop.exceptions()] == [stray]
    assert inbox(shop)[0][1]


def test_an_event_is_believed_only_as_far_as_the_processor_repeats_it(shop: CardShop) -> None:
    team = shop.team()
    shop.stripe.fault("reset", count=0, **CREATE)
    purchase_id = shop.order(team, "k").json()["purchaseId"]
    body = some_event()
    told = msgspec.json.decode(body)
    told["data"]["object"] |= {
        "status": "succeeded", "amount_received": ORDER_CENTS, "latest_charge": "ch_none",
        "metadata": {"subject": "purchase", "subject_id": purchase_id},
    }  # fmt: skip
    body = msgspec.json.encode(told)
    assert post_event(shop, body, signed(body)).status_code == 200
    assert shop.work() == ["still unknown"]
    assert shop.state(purchase_id) == "pending"
    shop.stripe.delete("faults")
    assert shop.order(team, "k").status_code == 200
    shop.agree(team)


# ------------------------------------------------------------------------------- who may send one


@pytest.mark.parametrize(
    "header",
    [
        lambda body: None,
        lambda body: "",
        lambda body: "t=,v1=",
        lambda body: f"t={int(time.time())}",
        lambda body: signed(body).replace("v1=", "v0="),
        lambda body: signed(body, secret="whsec_other"),
        lambda body: signed(body + b" "),
        lambda body: signed(body, age_s=301),
        lambda body: signed(body, age_s=-62),
        lambda body: signed(body, age_s=3 * 86_400),
        # A recorded message with a fresh time written beside the one that is signed.
        lambda body: f"t={int(time.time())},{signed(body, age_s=3_600)}",
        lambda body: f"v0=x, t={int(time.time())},{signed(body, age_s=3_600)}",
        lambda body: f"{signed(body, age_s=3_600)},t={int(time.time())}",
        lambda body: signed(body).replace("v1=", "v1=é"),
        lambda body: signed(body).replace("t=", "t=+"),
        lambda body: signed(body).replace("t=", "t=9999999999999"),
    ],
    ids=lambda _: "",
)
def test_what_the_processor_did_not_just_sign_is_refused(
    shop: CardShop, header: Callable[[bytes], str | None]
) -> None:
    body = some_event()
    value = header(body)
    raw = {} if value is None else {b"Stripe-Signature": value.encode("latin-1")}
    answer = shop.http.post("/webhooks/stripe", content=body, headers=raw)
    assert_refused(answer, 400, "invalid_signature")
    assert inbox(shop) == []
    assert post_event(shop, body, signed(body)).status_code == 200


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"\xff", b'{"id":"evt_1"}', b"nothing"])
def test_what_is_no_event_is_refused_though_signed(shop: CardShop, body: bytes) -> None:
    signature = signed(body if body != b"\xff" else b"?")
    assert_refused(post_event(shop, body, signature), 400, "invalid_signature")


@pytest.mark.parametrize("age_s", [0, 295, -55])
def test_a_message_of_just_now_is_taken(shop: CardShop, age_s: float) -> None:
    body = some_event()
    answer = post_event(shop, body, signed(body, age_s=age_s))
    assert (answer.status_code, answer.json()) == (200, {"received": True})
    assert len(inbox(shop)) == 1


def test_one_good_signature_among_several_is_enough(shop: CardShop) -> None:
    body = some_event()
    assert post_event(shop, body, f"{signed(body)},v1={'0' * 64},v0=old").status_code == 200


def test_the_processor_sends_again_what_was_refused(shop: CardShop) -> None:
    team = shop.team()
    flow(shop, signature_age_s=3_600.0)
    shop.order(team)
    wait_until(lambda: any(d["status"] == 400 for d in shop.stripe.get("deliveries")["data"]))
    assert inbox(shop) == []
    flow(shop, signature_age_s=0.0)
    shop.stripe.advance(20)
    wait_until(lambda: len(inbox(shop)) == 1)
    shop.work()
    shop.agree(team)
