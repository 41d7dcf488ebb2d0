"""Everything done twice, in a running shop and in the plain model, and what is answered compared.

A request whose answer is lost leaves both in doubt: then the processor's own record says whether
it was carried out, and from there on both must come to the same end.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
from hypothesis import note

from fieldfare.accounts import service as accounts
from fieldfare.db.pool import Connection
from fieldfare.kernel.errors import ProblemError
from fieldfare.ledger.service.adjusting import adjust
from fieldfare.notifications.service.outbox import take_due
from fieldfare.orders.jobs import reconcile
from fieldfare.orders.service.refund import refund_order
from fieldfare.payments.service.top_ups.refunding import refund_top_up
from tests.support.cards import INTENTS, TOP_UP_PATH, WORKED
from tests.support.model_books import (
    Account,
    Books,
    Charge,
    Dispute,
    Order,
    Refill,
    Refund,
    Shown,
    TopUp,
)
from tests.support.model_checks import Looks, check_answer, check_top_up, read, same
from tests.support.model_prices import Money, Price, charge_minor
from tests.support.refilling import Refilling
from tests.support.refunds import REFUNDS
from tests.support.waiting import wait_until

ALONE_UP_TO_CENTS = 15_000
DECLINED = "pm_card_visa_chargeDeclined"
PLAIN = "pm_card_visa"
PAST_THE_KEY = timedelta(hours=26, minutes=1)
LOST_AFTER_S = 25 * 3_600
SENT_AGAIN_FOR_S = 23 * 3_600
TIMERS = (
    "payment_unsettled", "top_up_unsettled", "refund_unsettled", "top_up_refund_unsettled",
)  # fmt: skip
REFILLS = ("refill_due", "refill_ended")
EVENTS = ("stripe_event",)
MAILS = ("receipt_due", "refill_failed")


@dataclass(frozen=True)
class Fault:
    """How the answer to a request is lost at the processor."""

    kind: str
    when: str
    blind: bool = False
    """Whether the look-up that follows fails as well."""

    @property
    def is_refusal(self) -> bool:
        """Whether it is no lost answer, but proves that nothing was begun."""
        return self.kind == "429"

    @property
    def is_sticky(self) -> bool:
        """Whether the processor did nothing, and will say so to every repeat."""
        return self.kind == "500" and self.when == "before"

    @property
    def leaves_doubt(self) -> bool:
        """Whether the outcome is not found out at once."""
        return not self.is_refusal and (self.is_sticky or self.blind)


@dataclass(eq=False)
class Kept:
    """A request with a key whose answer is kept."""

    account: Account
    path: str
    body: dict[str, Any]
    key: str
    status: int
    content: bytes
    paid: Order | TopUp | None


class Double:
    """A shop, its model, and what is done to both."""

    def __init__(self, refilling: Refilling) -> None:
        self.refilling = refilling
        self.shop = refilling.shop
        self.books = Books()
        self.looks = Looks(self.shop, self.books)
        self.kept: list[Kept] = []
        self.named_refunds: dict[tuple[str, str], Refund | Shown] = {}
        self.touched: list[Account | Order] = []
        """What the last step was about."""
        self._numbers = 0

    # Who orders.

    def open_account(self, money: Money, card: str | None, cents: int) -> None:
        """An account that begins with some credits."""
        team = self.shop.team(card, money.code)
        account = Account(team, money, card)
        self.books.accounts.append(account)
        self.adjust(account, cents)

    def change_card(self, account: Account, card: str) -> None:
        """Another card is put on file."""
        self.shop.give_card(account.team, card)
        account.card = card

    def adjust(self, account: Account, change: int) -> None:
        """An operator changes a balance; too much takes two people, and too little is there."""

        async def write(conn: Connection) -> None:
            await adjust(
                conn, account.team.id, change_cents=change, reason="A run", operator_id=None,
                alone_up_to_cents=ALONE_UP_TO_CENTS,
            )  # fmt: skip

        code = self._code_of(lambda: self.shop.stage.write(write))
        if abs(change) > ALONE_UP_TO_CENTS:
            same(code, "two_people_needed")
        elif account.balance + change < 0:
            same(code, "adjustment_refused")
        else:
            same(code, None)
            account.change("adjustment", change)
        self.touched.append(account)

    def set_refill(self, account: Account, below: int, amount: int) -> None:
        """The owner wants credits refilled, or not any more if `below` is zero."""

        async def write(conn: Connection) -> None:
            if below:
                await accounts.set_refill(
                    conn, account.team.id, below_cents=below, amount_cents=amount
                )
            else:
                await accounts.switch_refill_off(conn, account.team.id)

        code = self._code_of(lambda: self.shop.stage.write(write))
        if below:
            same(code, None)
            account.refill = Refill(below, amount, self.books.now)
        elif account.refill is None:
            same(code, "refill_not_set")
        else:
            same(code, None)
            account.refill.is_on = False

    # What is bought.

    def order(
        self,
        account: Account,
        path: str,
        body: dict[str, Any],
        price: Price,
        *,
        method: str,
        dry: bool = False,
        receipt: bool = False,
        cap: int | None = None,
        keyed: bool = True,
        fault: Fault | None = None,
    ) -> None:
        """An order of any kind; `cap` is by how much the client's maximum exceeds its price."""
        kind = path.split("/")[-1].removesuffix("-orders")
        charged = self.books.charge_of(account, method, price.cents)
        maximum = None if cap is None else charged + cap
        body = {**body, "paymentMethod": method, "dryRun": dry, "sendReceiptEmail": receipt}
        if maximum is not None:
            body["maxAmountCharged"] = maximum
        refusal = self.books.refusal(account, method, price, cap=maximum, trees=kind == "tree")
        by_card = method == "stripe"
        if refusal is None and by_card and not dry:
            refusal = _card_refusal(account)
        currency = account.money.code if by_card else "USD"
        key = self._key() if keyed else None
        with self._faults(fault if by_card and refusal is None and not dry else None) as struck:
            answer = self.shop.post(body, account.team, key, path=path)
        said = self._note(path, body, answer)
        self.touched.append(account)
        if refusal is not None:
            same(said["code"], refusal)
            if refusal == "card_declined":
                self.books.declined["orders.purchase"] += 1
                self._keep(account, path, body, key, answer, None)
            return
        if dry:
            check_answer(said, price, charged, currency)
            same((said["id"], "purchaseId" in said), (None, False))
            same(said.get("creditsRemaining"), None if by_card else account.balance - price.cents)
            return
        if struck is not None and struck.is_refusal:
            same((answer.status_code, said["code"]), (503, "processor_unavailable"))
            self.books.declined["orders.purchase"] += 1
            return
        order = Order(
            account, said["purchaseId"], currency, charged, self.books.now, account.card or "",
            kind=kind, method=method, price=price, receipt=receipt,
            portfolio_id=body.get("portfolioId"),
            project_id=body.get("projectId", 30 if kind == "tree" else None),
        )  # fmt: skip
        self.books.orders.append(order)
        self.touched.append(order)
        if struck is not None and struck.leaves_doubt:
            self._doubt(order, answer, struck)
        else:
            same(answer.status_code, httpx.codes.OK)
            if by_card:
                self.books.charge(order, said["id"])
            self.books.pay(order)
            check_answer(said, price, charged, currency)
            same(said["id"], order.group)
            same(said.get("creditsRemaining"), None if by_card else account.balance)
        self._keep(account, path, body, key, answer, order)

    def top_up(self, account: Account, cents: int, fault: Fault | None = None) -> None:
        """Credits by card."""
        refusal = "below_minimum" if cents < 100 else _card_refusal(account)
        key, body = self._key(), {"amountInUsdCents": cents}
        with self._faults(fault if refusal is None else None) as struck:
            answer = self.shop.post(body, account.team, key, path=TOP_UP_PATH)
        said = self._note(TOP_UP_PATH, body, answer)
        self.touched.append(account)
        if refusal is not None or (struck is not None and struck.is_refusal):
            same(said["code"], refusal or "processor_unavailable")
            if refusal == "card_declined":
                self._keep(account, TOP_UP_PATH, body, key, answer, None)
            if refusal in {"card_declined", None}:
                self.books.declined["payments.top_up"] += 1
            return
        in_doubt = struck is not None and struck.leaves_doubt
        identifier = said["purchaseId"] if in_doubt else self._top_up_of(said["id"])
        top_up = TopUp(
            account, identifier, account.money.code, charge_minor(cents, account.money),
            self.books.now, account.card or "", cents=cents,
        )  # fmt: skip
        self.books.top_ups.append(top_up)
        if in_doubt:
            assert struck is not None
            self._doubt(top_up, answer, struck)
        else:
            same(answer.status_code, httpx.codes.OK)
            self.books.charge(top_up, said["id"])
            self.books.pay(top_up)
            check_top_up(said, top_up)
        self._keep(account, TOP_UP_PATH, body, key, answer, top_up)

    def _top_up_of(self, charge_id: str) -> str:
        rows = self.shop.sql(
            "select id::text from payments.top_up where charge_id = %s", charge_id
        )
        return str(rows[0][0])

    def retry(self, kept: Kept, *, other_body: bool) -> None:
        """The same request again, or another one under its key."""
        body = kept.body
        if other_body:
            changed = {"amountInUsdCents": body.get("amountInUsdCents", 0) + 1}
            body = changed if kept.path == TOP_UP_PATH else {**body, "note": "Another order"}
        answer = self.shop.post(body, kept.account.team, kept.key, path=kept.path)
        said = self._note(f"again {kept.path}", body, answer)
        self.touched.append(kept.account)
        if other_body:
            same((answer.status_code, said["code"]), (422, "idempotency_mismatch"))
        elif kept.paid is None or kept.paid.state not in {"pending", "failed"}:
            if kept.status == httpx.codes.BAD_GATEWAY:
                # Its outcome became known since; that is what is kept now.
                kept.status, kept.content = httpx.codes.OK, answer.content
            same((answer.status_code, answer.content), (kept.status, kept.content))
            same(answer.headers.get("Idempotency-Replayed"), "true")
        else:
            self._retry_in_doubt(kept.paid, answer.status_code)

    def _retry_in_doubt(self, paid: Order | TopUp, status: int) -> None:
        self._adopt(paid)
        if paid.charge is not None:
            same(status, httpx.codes.OK)
            self.books.pay(paid)
            return
        self._may_be_unmade(paid)
        if status == httpx.codes.BAD_REQUEST:
            assert paid.state == "failed" or self._is_long_ago(paid), "called failed too early"
            paid.state = "failed"
        else:
            same((status, paid.state), (httpx.codes.BAD_GATEWAY, "pending"))

    # What goes back.

    def refund_order(
        self, order: Order, amount: int | None, *, name: str | None, fault: Fault | None = None
    ) -> None:
        """An operator refunds an order, whole or in part; `name` makes a repeat the same."""
        self.touched += [order.account, order]
        if name is not None and (order.id, name) in self.named_refunds:
            self._refund_again(order, amount, name)
            return
        wanted = self.books.order_refund(order, amount)
        charge = order.charge
        takes = _takes(charge, wanted)
        ask = self._asking(order, amount, name)
        with self._refunding(charge, fault if takes else None) as struck:
            code, state = self._ask(ask)
        note(f"refund {amount} of {order.id} -> {code or state}")
        if wanted is None:
            same(code, "not_refundable")
            return
        if charge is None:
            same((code, state), (None, "succeeded"))
            shown = Shown(wanted, "pending")
            order.give_up(wanted, shown, disputed=False)
            order.account.change("refund", wanted, order.id)
            self._name(order, name, shown)
            return
        refund = Refund(order, wanted, self.books.now, shown=Shown(wanted, "pending"))
        assert refund.shown is not None
        order.rows.append(refund.shown)
        self._sent(refund, charge, code, state, takes=takes, struck=struck)
        self._name(order, name, refund)

    def _name(self, order: Order, name: str | None, refund: Refund | Shown) -> None:
        if name is not None:
            self.named_refunds[order.id, name] = refund

    def _refund_again(self, order: Order, amount: int | None, name: str) -> None:
        """A repeat gives the first refund; for another amount it is refused."""
        first = self.named_refunds[order.id, name]
        shown = first.shown if isinstance(first, Refund) else first
        code, state = self._ask(self._asking(order, amount, name))
        note(f"refund {amount} of {order.id} again -> {code or state}")
        assert shown is not None
        if amount is not None and amount != shown.amount:
            same(code, "not_refundable")
            return
        if isinstance(first, Refund):
            self._look_at(first)
            if code == "refund_not_made" and first.state == "pending":
                assert self._is_long_ago(first), "called failed too early"
                self.books.fail(first)
        if shown.state == "failed":
            same(code, "refund_not_made")
        elif isinstance(first, Refund) and first.seen is None:
            same(code, "refund_outcome_unknown")
        else:
            same((code, state), (None, shown.state))

    def _asking(self, order: Order, amount: int | None, name: str | None) -> Callable[[], str]:
        return lambda: self.shop.stage.do(
            lambda db, gateway: refund_order(
                db, gateway, UUID(order.id), amount_minor=amount, reason="A run", request_key=name
            )
        ).state

    def refund_top_up(
        self, top_up: TopUp, amount: int | None, fault: Fault | None = None
    ) -> None:
        """An operator gives credits back to the card that bought them."""
        self.touched.append(top_up.account)
        part = self.books.top_up_refund(top_up, amount)
        charge = top_up.charge
        takes = _takes(charge, None if part is None else part[0])
        with self._refunding(charge, fault if takes else None) as struck:
            code, state = self._ask(
                lambda: self.shop.stage.do(
                    lambda db, gateway: refund_top_up(
                        db, gateway, UUID(top_up.id), amount_minor=amount, reason="A run"
                    )
                ).refund.state
            )
        note(f"refund {amount} of top-up {top_up.id} -> {code or state}")
        if part is None:
            same(code, "not_refundable")
            return
        assert charge is not None
        refund = Refund(top_up, part[0], self.books.now, cents=part[1])
        if part[1]:
            top_up.account.change("refund", -part[1])
        self._sent(refund, charge, code, state, takes=takes, struck=struck)

    def _sent(
        self,
        refund: Refund,
        charge: Charge,
        code: str | None,
        state: str | None,
        *,
        takes: bool,
        struck: Fault | None,
    ) -> None:
        """A refund to a card was sent to the processor."""
        refund.of.refunds.append(refund)
        if not takes or (struck is not None and struck.is_refusal):
            same(code, "refund_not_made")
            self.books.fail(refund)
            return
        self._adopt_refund(refund, charge)
        if struck is not None and struck.leaves_doubt:
            same(code, "refund_outcome_unknown")
            refund.is_stuck = struck.is_sticky
        else:
            assert refund.seen is not None, "it was said to be made, and is not there"
            self.books.end(refund)
            same((code, state), (None, refund.state))
        if refund.state == "pending":
            self.books.timers.append(refund)
        self.books.finish_refunds(charge)

    def _look_at(self, refund: Refund) -> None:
        """Whoever asks about a refund on its way has the processor's record of it read."""
        charge = refund.of.charge
        if refund.state != "pending" or charge is None:
            return
        self._adopt_refund(refund, charge)
        self.books.finish_refunds(charge)
        if refund.seen is not None:
            self.books.end(refund)

    def refund_in_the_dashboard(self, charge: Charge, amount: int) -> None:
        """Somebody gives money back at the processor, past us."""
        with self._refunding(charge, None):
            answer = self.shop.stripe.http.post(
                REFUNDS, data={"charge": charge.id, "amount": str(amount)}, headers=self._secret()
            )
        note(f"refund {amount} of {charge.id} in the dashboard -> {answer.status_code}")
        if not _takes(charge, amount):
            same(answer.status_code, httpx.codes.BAD_REQUEST)
            return
        same(answer.status_code, httpx.codes.OK)
        self.books.refund_there(charge, answer.json()["id"], amount)
        self.books.finish_refunds(charge)

    def dispute(self, charge: Charge, amount: int, *, inquiry: bool) -> bool:
        """A card's owner disputes a charge, or their bank only asks; False if that cannot be."""
        answer = self.shop.stripe.http.post(
            "/_control/dispute", json={"charge": charge.id, "amount": amount, "inquiry": inquiry}
        )
        note(f"dispute {amount} of {charge.id} -> {answer.status_code}")
        if charge.is_disputed or not 0 < amount <= charge.left:
            same(answer.status_code, httpx.codes.BAD_REQUEST)
            return False
        status = "warning_needs_response" if inquiry else "needs_response"
        made = Dispute(answer.json()["id"], charge, amount, status)
        charge.disputes.append(made)
        self.books.disputes.append(made)
        self.books.news.append(("dispute", charge, made))
        return True

    def decide(self, dispute: Dispute, outcome: str) -> None:
        """The bank decides."""
        self.shop.dispute(dispute.charge.id, outcome)
        note(f"dispute {dispute.id} -> {outcome}")
        dispute.status = "warning_closed" if dispute.is_inquiry else outcome
        self.books.news.append(("dispute", dispute.charge, dispute))

    # What happens by itself.

    def pass_time(self, span: timedelta, *, events: bool = False) -> None:
        """Time passes, and what is due runs; with the processor's events, or without."""
        self.shop.pass_time(span)
        self.books.now += int(span.total_seconds())
        self._refill()
        self._work(TIMERS)
        self._run_timers()
        if events:
            self._hear()
        self._rest()

    def hear(self) -> None:
        """The processor's events come."""
        self._refill()
        self._hear()
        self._rest()

    def reconcile(self) -> None:
        """The events are lost for now: the processor's lists are read instead."""
        self.pass_time(timedelta(minutes=7))
        self.shop.stage.do(lambda db, gateway: reconcile(db, gateway, back=timedelta(days=1)))
        charges = [charge for charge in self.books.charges if charge.paid_for.state != "pending"]
        for charge in sorted(charges, key=lambda one: one.id):
            self.books.follow_refunds(charge)
        for dispute in reversed(self.books.disputes):
            self.books.follow_dispute(dispute)
        self._rest()

    def _hear(self) -> None:
        self.shop.flush_events()
        self._work(EVENTS)
        heard = [charge.paid_for for _, charge, _ in self.books.news]
        self.touched += [one for one in heard if isinstance(one, Order)]
        self.books.hear()

    def _rest(self) -> None:
        self._work(MAILS)
        self._refill()
        self.touched += self.books.accounts

    def _work(self, topics: tuple[str, ...]) -> None:
        for _ in range(WORKED):
            due = self.shop.stage.write(lambda conn: take_due(conn, topics, at_most=50))
            if not due:
                return
            for row in due:
                self.refilling._run(row.topic, row.subject_id)
        raise AssertionError("the background does not come to an end")

    def _refill(self) -> None:
        """Whoever runs low is refilled, as often as that is due."""
        self.refilling.sweep()
        self._work(REFILLS)
        for account in self.books.accounts:
            if account.refill is not None:
                self._refill_account(account, account.refill)

    def _refill_account(self, account: Account, refill: Refill) -> None:
        rows = self.shop.sql(
            "select id::text, charge_id from payments.top_up where account_id = %s"
            " and origin = 'refill' order by created_at",
            account.team.id,
        )
        for identifier, charge_id in rows[len(account.refilled_at) :]:
            assert self.books.refill_is_due(account), "a refill that was not due"
            account.refilled_at.append(self.books.now)
            if charge_id is None:
                same(account.card, DECLINED)
                self.books.declined["payments.top_up"] += 1
                self.books.refill_failed(account)
                continue
            charged = charge_minor(refill.amount_cents, account.money)
            top_up = TopUp(
                account, identifier, account.money.code, charged, self.books.now,
                account.card or "", cents=refill.amount_cents,
            )  # fmt: skip
            self.books.top_ups.append(top_up)
            self.books.charge(top_up, charge_id)
            self.books.pay(top_up)
            refill.failures = 0
        if account.card is None and self.books.refill_is_due(account):
            self.books.refill_failed(account)
        assert not self.books.refill_is_due(account), "a refill is due, and none was made"

    def _run_timers(self) -> None:
        waiting = self.books.timers[:]
        for one in waiting:
            if isinstance(one, Refund):
                self._run_refund_timer(one)
            else:
                self._run_payment_timer(one)
        self.books.timers = [one for one in self.books.timers if one.state == "pending"]

    def _run_refund_timer(self, refund: Refund) -> None:
        self._look_at(refund)
        if refund.state != "pending" or refund.seen is not None:
            return
        self._may_be_unmade(refund)
        if self._is_long_ago(refund):
            rows = self.shop.sql(
                "select r.state from payments.refund r join payments.payment p"
                " on p.id = r.payment_id where p.subject_id = %s order by r.created_at, r.id",
                refund.of.id,
            )
            if rows[refund.of.refunds.index(refund)][0] == "failed":
                self.books.fail(refund)

    def _run_payment_timer(self, paid: Order | TopUp) -> None:
        if paid.state != "pending":
            return
        self._adopt(paid)
        if paid.charge is not None:
            self.books.pay(paid)
            return
        self._may_be_unmade(paid)
        if self._is_long_ago(paid):
            table = "orders.purchase" if isinstance(paid, Order) else "payments.top_up"
            rows = self.shop.sql(f"select state from {table} where id = %s", paid.id)
            paid.state = rows[0][0]

    def _is_long_ago(self, one: Order | TopUp | Refund) -> bool:
        """Whether it may be called lost: no list shows it a day and an hour after it was sent."""
        return self.books.now - one.asked_at > LOST_AFTER_S

    def _may_be_unmade(self, one: Order | TopUp | Refund) -> None:
        """What was lost on its way is sent again, unless its key is too old to be sent at all."""
        is_old = self.books.now - one.asked_at > SENT_AGAIN_FOR_S
        refused = isinstance(one, Refund) and not _takes(one.of.charge, one.amount)
        assert one.is_stuck or is_old or refused, "it was to be sent again, and is not there"

    # What the processor really did.

    def _doubt(self, paid: Order | TopUp, answer: httpx.Response, struck: Fault) -> None:
        same((answer.status_code, answer.json()["code"]), (502, "payment_outcome_unknown"))
        paid.is_stuck = struck.is_sticky
        self.books.timers.append(paid)
        self._adopt(paid)

    def _adopt(self, paid: Order | TopUp) -> None:
        """The processor's record says whether it was charged."""
        if paid.charge is None:
            for one in self.shop.stripe.truth("charges"):
                if one["paid"] and one["metadata"].get("subject_id") == paid.id:
                    self.books.charge(paid, one["id"])

    def _adopt_refund(self, refund: Refund, charge: Charge) -> None:
        """The processor's record says whether it was given back."""
        if refund.seen is not None:
            return
        known = {seen.id for seen in charge.refunds}
        listed = self.shop.stripe.http.get(
            REFUNDS, params={"charge": charge.id, "limit": 100}, headers=self._secret()
        )
        # Two of one amount that are both in doubt are as good as each other; the oldest is last.
        fresh = [
            one
            for one in listed.json()["data"]
            if one["id"] not in known and one["amount"] == refund.amount
        ]
        if fresh:
            refund.seen = self.books.refund_there(charge, fresh[-1]["id"], refund.amount)

    def _secret(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.shop.stripe.secret_key}"}

    # How it is done.

    @contextmanager
    def _faults(self, fault: Fault | None, path: str = INTENTS) -> Iterator[Fault | None]:
        if fault is None:
            yield None
            return
        self.shop.stripe.fault(fault.kind, when=fault.when, method="POST", path=path)
        if fault.blind:
            self.shop.stripe.fault("500", method="GET", path=path)
        yield fault
        self.shop.stripe.delete("faults")

    @contextmanager
    def _refunding(self, charge: Charge | None, fault: Fault | None) -> Iterator[Fault | None]:
        """On some cards a refund ends a second later: not before we have looked at it."""
        ends_later = charge is not None and charge.card in LATER
        if ends_later:
            self.shop.stripe.advance(-30)
        with self._faults(None if ends_later else fault, REFUNDS) as struck:
            yield struck
        if ends_later:
            self.shop.stripe.advance(35)
            assert charge is not None
            wait_until(lambda: self._all_ended(charge))

    def _all_ended(self, charge: Charge) -> bool:
        ended = LATER[charge.card]
        return all(
            one["status"] == ended
            for one in self.shop.stripe.truth("refunds")
            if one["charge"] == charge.id
        )

    def _ask(self, ask: Callable[[], str]) -> tuple[str | None, str | None]:
        try:
            return None, ask()
        except ProblemError as problem:
            return problem.code, None

    def _code_of(self, ask: Callable[[], Any]) -> str | None:
        try:
            ask()
        except ProblemError as problem:
            return problem.code
        return None

    def _key(self) -> str:
        self._numbers += 1
        return f"key-{self._numbers}"

    def _keep(
        self,
        account: Account,
        path: str,
        body: dict[str, Any],
        key: str | None,
        answer: httpx.Response,
        paid: Order | TopUp | None,
    ) -> None:
        if key is not None:
            kept = Kept(account, path, body, key, answer.status_code, answer.content, paid)
            self.kept.append(kept)

    def _note(self, path: str, body: dict[str, Any], answer: httpx.Response) -> Any:
        note(f"{path} {json.dumps(body)} -> {answer.status_code} {answer.text[:300]}")
        return read(answer)


LATER = {"pm_card_pendingRefund": "succeeded", "pm_card_refundFail": "failed"}
"""Cards whose refunds end a moment later, and how."""


def _takes(charge: Charge | None, amount: int | None) -> bool:
    """Whether the processor gives so much of a charge back."""
    if charge is None or amount is None:
        return False
    return not charge.is_disputed and 0 < amount <= charge.left


def _card_refusal(account: Account) -> str | None:
    if account.card is None:
        return "no_payment_method"
    return "card_declined" if account.card == DECLINED else None
