"""A shop's day, drawn from a seed: operations of every kind, in three currencies, in any order.

`KINDS` names each kind with its weight; a new one is a function of the run. What is answered is
looked at only as far as it must be: an order is paid, or refused for a reason that its kind may
have. Whether all of it was booked rightly is for `fieldfare verify` to say, at the end.
"""

import random
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, TypeAlias
from uuid import UUID

import httpx
import msgspec

from fieldfare.kernel.errors import ProblemError
from fieldfare.ledger.service.credits import adjust_credits
from fieldfare.orders.jobs import reconcile
from fieldfare.orders.service.refund import refund_order
from fieldfare.payments.service.balance import import_balance
from fieldfare.payments.service.top_ups.refunding import refund_top_up
from tests.support.cards import INTENTS, CardShop, Team

CURRENCIES = ("USD", "EUR", "JPY")
CARDS = ("pm_card_visa", "pm_card_visa", "pm_card_refundFail", "pm_card_pendingRefund")
"""One team for each in each currency; most of what is refunded goes well."""
STEPS = {"JPY": 1}
SETTLED_AFTER = timedelta(minutes=3)
QUIET = timedelta(minutes=10)


class Sold(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was paid for: an order, or a top-up."""

    id: UUID
    charge_id: str | None
    """None if credits paid for it."""
    charge_minor: int


class MixedRun:
    """A shop with its teams, what was sold so far, and where chance has come to."""

    def __init__(self, shop: CardShop, seed: int) -> None:
        self.shop = shop
        self.chance = random.Random(seed)
        self.counts: Counter[str] = Counter()
        """How many operations there were, by kind, and by kind and refusal."""
        shop.set_rate("EUR", "0.9137", date(2026, 11, 20))
        shop.set_rate("JPY", "155.25", date(2026, 11, 20))
        self.teams = [shop.team(card, code) for code in CURRENCIES for card in CARDS]
        self.declined = [shop.team("pm_card_visa_chargeDeclined", code) for code in CURRENCIES]
        self.orders: list[Sold] = []
        self.top_ups: list[Sold] = []
        self.disputed: list[str] = []
        """Charges whose dispute is not decided."""
        for team in self.teams:
            self.adjust(team, 20_000)

    def run(self, operations: int) -> None:
        """So many operations, drawn by their weights; then the dust settles."""
        kinds, weights = list(KINDS), [weight for weight, _ in KINDS.values()]
        for name in self.chance.choices(kinds, weights, k=operations):
            self.counts[name] += 1
            try:
                KINDS[name][1](self)
            except ProblemError as problem:
                self.counts[f"{name}: {problem.code}"] += 1
        self.settle()

    def settle(self) -> None:
        """Time passes until nothing is on its way, as on a quiet evening."""
        self.shop.stripe.delete("faults")
        for span in (SETTLED_AFTER, QUIET, QUIET):
            self.shop.pass_time(span)
            self.hear()
        self.shop.stage.do(lambda db, gateway: reconcile(db, gateway, back=timedelta(days=2)))
        self.hear()

    # What kinds are made of.

    def hear(self) -> None:
        """The processor's events come, and whatever is due is done."""
        self.shop.hear()

    def team(self) -> Team:
        """Any team."""
        return self.chance.choice(self.teams)

    def sell(self, path: str, body: dict[str, Any], team: Team) -> None:
        """An order that is paid, or refused because too few credits are left."""
        answer = self.shop.post(body, team, path=path)
        if answer.status_code == httpx.codes.OK:
            self.orders.append(_sold(answer, "purchaseId"))
        else:
            code = answer.json()["code"]
            assert code == "insufficient_credits", answer.text
            self.counts[code] += 1

    def method(self) -> str:
        """How it is paid."""
        return self.chance.choice(("stripe", "credits"))

    def adjust(self, team: Team, change_cents: int) -> None:
        """Credits of an operator's."""
        self.shop.stage.write(
            lambda conn: adjust_credits(
                conn, team.id, change_cents=change_cents, reason="A mixed run"
            )
        )

    def part(self, sold: Sold) -> int | None:
        """A part of what was charged, or all that is left of it."""
        whole = self.chance.random() < 0.4
        return None if whole else self.chance.randint(1, max(1, sold.charge_minor // 2))


def _sold(answer: httpx.Response, name: str) -> Sold:
    said = answer.json()
    charge_id = None if said["id"] == said.get("purchaseId") else str(said["id"])
    return Sold(id=UUID(said[name]), charge_id=charge_id, charge_minor=int(said["amountCharged"]))


def order_offsets(run: MixedRun) -> None:
    """Tonnes of a portfolio, by card or from credits, of a few dollars up to some hundred."""
    body = {
        "tons": round(run.chance.uniform(0.1, 9), 3),
        "portfolioId": run.chance.choice((2, 12, 21)),
        "paymentMethod": run.method(),
    }
    run.sell("/api/offset-orders", body, run.team())


def order_crumbs(run: MixedRun) -> None:
    """Less than a dollar, which only credits pay for."""
    tons = run.chance.randint(1, 20) / 1_000
    body = {"tons": tons, "portfolioId": 12, "paymentMethod": "credits"}
    run.sell("/api/offset-orders", body, run.team())


def order_trees(run: MixedRun) -> None:
    """Some trees."""
    body = {"amountOfTrees": run.chance.randint(10, 300), "paymentMethod": run.method()}
    run.sell("/api/tree-orders", body, run.team())


def order_project(run: MixedRun) -> None:
    """An amount for one project, by the tonne or as a donation."""
    body = {
        "projectId": run.chance.choice((1, 18, 31)),
        "amountInUsdCents": run.chance.randint(100, 9_999),
        "paymentMethod": run.method(),
    }
    run.sell("/api/project-orders", body, run.team())


def be_declined(run: MixedRun) -> None:
    """A card that nothing can be charged to."""
    answer = run.shop.order(run.chance.choice(run.declined))
    assert answer.json()["code"] == "card_declined", answer.text


def lose_an_answer(run: MixedRun) -> None:
    """The processor does what it was asked, or not, and its answer is lost."""
    when = run.chance.choice(("before", "after"))
    run.shop.stripe.fault(run.chance.choice(("reset", "500", "half")), when=when, path=INTENTS)
    answer = run.shop.order(run.team())
    assert answer.status_code in {httpx.codes.OK, httpx.codes.BAD_GATEWAY}, answer.text
    run.shop.stripe.delete("faults")


def top_up(run: MixedRun) -> None:
    """Credits by card."""
    answer = run.shop.top_up(run.team(), cents=run.chance.randint(100, 30_000))
    assert answer.status_code == httpx.codes.OK, answer.text
    charge_id = answer.json()["id"]
    rows = run.shop.sql(
        "select t.id, p.amount_minor from payments.top_up t join payments.payment p"
        " on p.subject_id = t.id where t.charge_id = %s", charge_id,
    )  # fmt: skip
    run.top_ups.append(Sold(id=rows[0][0], charge_id=charge_id, charge_minor=rows[0][1]))


def adjust(run: MixedRun) -> None:
    """An operator's change of credits, up or down."""
    run.adjust(run.team(), run.chance.choice((-50, -1, 1, 2_500)))


def refund_an_order(run: MixedRun) -> None:
    """Part of an order goes back, or all that is left; much of it may be gone already."""
    if run.orders:
        sold = run.chance.choice(run.orders)
        part = run.part(sold)
        run.shop.stage.do(
            lambda db, gateway: refund_order(
                db, gateway, sold.id, amount_minor=part, reason="A mixed run"
            )
        )


def refund_credits(run: MixedRun) -> None:
    """Part of a top-up goes back to its card, if its credits are still there."""
    if run.top_ups:
        sold = run.chance.choice(run.top_ups)
        part = run.part(sold)
        run.shop.stage.do(
            lambda db, gateway: refund_top_up(
                db, gateway, sold.id, amount_minor=part, reason="A mixed run"
            )
        )


def refund_in_the_dashboard(run: MixedRun) -> None:
    """Somebody gives money back at the processor, past us."""
    charged = [one for one in (*run.orders, *run.top_ups) if one.charge_id is not None]
    if charged:
        sold = run.chance.choice(charged)
        part = run.part(sold)
        fields = {"charge": sold.charge_id} | ({} if part is None else {"amount": part})
        answer = run.shop.stripe.http.post(
            "/v1/refunds",
            data=fields,
            headers={"Authorization": f"Bearer {run.shop.stripe.secret_key}"},
        )
        assert answer.status_code in {httpx.codes.OK, httpx.codes.BAD_REQUEST}, answer.text


def dispute(run: MixedRun) -> None:
    """A card's owner disputes what they were charged."""
    charged = [one for one in (*run.orders, *run.top_ups) if one.charge_id is not None]
    if charged:
        charge_id = run.chance.choice(charged).charge_id
        answer = run.shop.stripe.http.post(
            "/_control/dispute", json={"charge": charge_id, "outcome": "open"}
        )
        if answer.status_code == httpx.codes.OK:
            run.disputed.append(str(charge_id))


def decide_a_dispute(run: MixedRun) -> None:
    """The bank decides."""
    if run.disputed:
        charge_id = run.disputed.pop(run.chance.randrange(len(run.disputed)))
        run.shop.dispute(charge_id, run.chance.choice(("won", "lost")))


def charge_past_us(run: MixedRun) -> None:
    """Another product charges a card on the same account at the processor."""
    asked: Any = {
        "amount": run.chance.randint(100, 5_000), "currency": run.chance.choice(("usd", "eur")),
        "payment_method": "pm_card_visa", "confirm": True, "off_session": True,
    }  # fmt: skip
    run.shop.stripe.client().v1.payment_intents.create(asked)


def move_funds(run: MixedRun) -> None:
    """The processor pays out, is paid, charges for its services, holds something back."""
    kind, amount = run.chance.choice(
        (("topup", 5_000), ("payout", -4_000), ("stripe_fee", -200), ("reserve_transaction", -10))
    )
    currency = run.chance.choice(("usd", "eur", "jpy"))
    run.shop.stripe.post("balance", amount=amount, currency=currency, type=kind)


def settle_elsewhere(run: MixedRun) -> None:
    """From now on euros and yen are sold for dollars as they come, or are kept again."""
    rates: dict[str, str] = run.chance.choice(
        ({}, {"eur": "1.0952"}, {"eur": "1.0871", "jpy": "0.0065432109"})
    )
    run.shop.stripe.post("settings", usd_per_unit=rates)


def let_time_pass(run: MixedRun) -> None:
    """Some minutes, in which events come and timers are due."""
    run.shop.pass_time(timedelta(minutes=run.chance.randint(1, 20)))
    run.hear()


def import_now(run: MixedRun) -> None:
    """The hourly import."""
    run.shop.stage.do(import_balance)


Kind: TypeAlias = Callable[[MixedRun], None]
KINDS: dict[str, tuple[float, Kind]] = {
    "offsets": (22, order_offsets),
    "crumbs": (5, order_crumbs),
    "trees": (7, order_trees),
    "project": (7, order_project),
    "declined": (2, be_declined),
    "lost answer": (2, lose_an_answer),
    "top-up": (10, top_up),
    "adjustment": (3, adjust),
    "refund of an order": (12, refund_an_order),
    "refund of a top-up": (5, refund_credits),
    "refund in the dashboard": (3, refund_in_the_dashboard),
    "dispute": (4, dispute),
    "dispute decided": (3, decide_a_dispute),
    "charge past us": (1, charge_past_us),
    "funds": (3, move_funds),
    "other settlement": (0.7, settle_elsewhere),
    "time": (5, let_time_pass),
    "import": (2, import_now),
}
"""By name: how often, and what."""
