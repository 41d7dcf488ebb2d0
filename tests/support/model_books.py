"""Accounts, orders, refunds and disputes as the wire contract tells of them, in plain Python.

The state machine does everything twice, here and in the product, and compares. Nothing here asks
the product or knows its code: prices come from `model_prices`, what a card is charged or given back
from the caller, who saw it happen.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import TypeAlias

from tests.support.model_prices import Price, charge_minor
from tests.support.model_things import (
    Account,
    Charge,
    Dispute,
    Order,
    Refund,
    Seen,
    Shown,
    TopUp,
)

CARD_MINIMUM_CENTS = 100
REFILL_REST_S = 3_600
DAY_S = 86_400
REFILLS_PER_DAY = 3
REFILL_TRIES = 3

News: TypeAlias = tuple[str, Charge, Dispute | None]
"""What an event tells: `paid`, `refunds` or `dispute`, of which charge."""


@dataclass(eq=False)
class Books:
    """All of it."""

    now: int = 0
    accounts: list[Account] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    top_ups: list[TopUp] = field(default_factory=list)
    charges: list[Charge] = field(default_factory=list)
    disputes: list[Dispute] = field(default_factory=list)
    """Oldest first."""
    news: list[News] = field(default_factory=list)
    """Events that nobody has heard yet, oldest first."""
    timers: list[Order | TopUp | Refund] = field(default_factory=list)
    """What is looked at by itself after a minute, oldest first."""
    declined: Counter[str] = field(default_factory=Counter)
    """How many orders and top-ups came to nothing and were told so at once."""

    # What would be refused.

    def refusal(
        self, account: Account, method: str, price: Price, *, cap: int | None, trees: bool
    ) -> str | None:
        """The code with which an order is refused before any card is asked, or None."""
        if method == "stripe" and not trees and price.cents < CARD_MINIMUM_CENTS:
            return "below_minimum"
        if cap is not None and self.charge_of(account, method, price.cents) > cap:
            return "price_above_maximum"
        if method == "credits" and price.cents > account.balance:
            return "insufficient_credits"
        return None

    @staticmethod
    def charge_of(account: Account, method: str, cents: int) -> int:
        """What a price is charged, in the smallest unit of the currency it is charged in."""
        return cents if method == "credits" else charge_minor(cents, account.money)

    def order_refund(self, order: Order, amount: int | None) -> int | None:
        """How much an operator's refund of an order would give back; None if it is refused."""
        left = order.charged - order.gone - order.on_its_way
        if order.state not in {"paid", "partly_refunded"} or left == 0:
            return None
        step = order.account.money.step if order.method == "stripe" else 1
        wanted = left if amount is None else amount
        return wanted if 0 < wanted <= left and wanted % step == 0 else None

    def top_up_refund(self, top_up: TopUp, amount: int | None) -> tuple[int, int] | None:
        """The same of a top-up, with the credits that go; None if it is refused."""
        if top_up.state != "paid" or top_up.charge is None:
            return None
        disputed = any(one.known == "open" for one in top_up.charge.disputes)
        left = top_up.remains()[0]
        if disputed or left == 0 or any(r.state == "pending" for r in top_up.refunds):
            return None
        wanted = left if amount is None else amount
        if not 0 < wanted <= left or wanted % top_up.account.money.step:
            return None
        part = top_up.part(wanted)
        return part if part[1] <= top_up.account.balance else None

    # What happens at the processor.

    def charge(self, paid_for: Order | TopUp, charge_id: str) -> None:
        """The card was charged."""
        made = Charge(charge_id, paid_for, paid_for.charged, paid_for.card)
        paid_for.charge = made
        self.charges.append(made)
        self.news.append(("paid", made, None))

    def refund_there(self, charge: Charge, refund_id: str, amount: int) -> Seen:
        """The processor takes a refund, and ends it in its own time on some cards."""
        pends, fails = charge.card == "pm_card_pendingRefund", charge.card == "pm_card_refundFail"
        later = "succeeded" if pends else "failed" if fails else None
        seen = Seen(refund_id, amount, "pending" if pends else "succeeded", later)
        charge.refunds.append(seen)
        self.news.append(("refunds", charge, None))
        return seen

    def finish_refunds(self, charge: Charge) -> None:
        """A moment later."""
        for seen in charge.refunds:
            if seen.later is not None:
                seen.status, seen.later = seen.later, None
                self.news.append(("refunds", charge, None))

    # What takes effect in the books.

    def pay(self, paid: Order | TopUp) -> None:
        """It is known to be charged."""
        if paid.state != "pending":
            return
        paid.state, paid.is_stuck = "paid", False
        if isinstance(paid, TopUp):
            paid.account.add("top_up", paid.cents)
        elif paid.method == "credits":
            paid.account.change("deduction", -paid.charged, paid.id)

    def hear(self) -> None:
        """Every event comes, in the order of what it tells."""
        for kind, charge, dispute in self.news:
            self.pay(charge.paid_for)
            if kind == "refunds":
                self.follow_refunds(charge)
            elif dispute is not None:
                self.follow_dispute(dispute)
        self.news.clear()

    def follow_refunds(self, charge: Charge) -> None:
        """The refunds of a charge are brought to what the processor shows, oldest first."""
        for seen in charge.refunds:
            known = next((r for r in charge.paid_for.refunds if r.seen is seen), None)
            if known is None and seen.status == "failed":
                continue
            if known is None:
                known = self._foreign(charge.paid_for, seen)
            self.end(known)

    def _foreign(self, paid_for: Order | TopUp, seen: Seen) -> Refund:
        refund = Refund(paid_for, seen.amount, self.now, seen=seen, is_foreign=True)
        paid_for.refunds.append(refund)
        if seen.status == "pending":
            self.timers.append(refund)
            awaited = paid_for.given_up(refund) if isinstance(paid_for, Order) else 0
            if isinstance(paid_for, Order) and awaited:
                refund.shown = Shown(awaited, "pending")
                paid_for.rows.append(refund.shown)
        return refund

    def end(self, refund: Refund) -> None:
        """A refund is brought to what the processor says of it now."""
        assert refund.seen is not None
        status, paid_for = refund.seen.status, refund.of
        if status == "succeeded" and refund.state != "succeeded":
            if isinstance(paid_for, Order):
                self._end_of_order(refund, paid_for)
            else:
                self._end_of_top_up(refund, paid_for)
            refund.state = "succeeded"
        elif status == "failed" and refund.state == "succeeded" and not refund.came_back:
            refund.came_back = True
            if isinstance(paid_for, TopUp):
                held = refund.cents or 0
                paid_for.account.add("refund", held)
                paid_for.returned_cents -= min(held, paid_for.returned_cents)
        elif status == "failed" and refund.state == "pending":
            self.fail(refund)

    def _end_of_order(self, refund: Refund, order: Order) -> None:
        applied = order.given_up(refund)
        if applied:
            refund.shown = refund.shown or Shown(applied, "pending")
            order.give_up(applied, refund.shown, disputed=order.state == "disputed")
        elif refund.shown is not None:
            refund.shown.state = "failed"

    def _end_of_top_up(self, refund: Refund, top_up: TopUp) -> None:
        if refund.cents is None or refund.state == "failed":
            _, refund.cents = top_up.part_taken(refund.amount, top_up.remains())
            top_up.account.take_back(refund.cents)
        left = top_up.cents - top_up.returned_cents
        top_up.returned_cents += min(refund.cents, left)

    def fail(self, refund: Refund) -> None:
        """A refund came to nothing; credits that it held are the account's again."""
        refund.state, refund.is_stuck = "failed", False
        if refund.shown is not None:
            refund.shown.state = "failed"
        if isinstance(refund.of, TopUp):
            refund.of.account.add("refund", refund.cents or 0)

    def follow_dispute(self, dispute: Dispute) -> None:
        """A dispute is brought to what the processor says of it."""
        if dispute.is_inquiry or dispute.known in {"won", "lost"}:
            return
        before, now = dispute.known, dispute.status
        if now == "needs_response":
            if before is not None:
                return
            now = "open"
        paid_for = dispute.charge.paid_for
        if isinstance(paid_for, Order):
            dispute.known = now
            self._dispute_order(dispute, paid_for)
        else:
            left = paid_for.remains()
            dispute.known = now
            if now == "lost":
                _, cents = paid_for.part_taken(dispute.amount, left)
                paid_for.account.take_back(cents)
                paid_for.returned_cents += cents

    def _dispute_order(self, dispute: Dispute, order: Order) -> None:
        lost = min(dispute.amount, order.charged - order.gone) if dispute.known == "lost" else 0
        if lost:
            order.give_up(lost, Shown(lost, "pending"), disputed=False)
        if order.state != "refunded":
            order.show(disputed=dispute.known == "open")

    # What happens by itself.

    def refill_is_due(self, account: Account) -> bool:
        """Whether an account runs low and nothing speaks against a refill."""
        refill = account.refill
        if refill is None or not refill.is_on or account.balance >= refill.below_cents:
            return False
        if account.owed:
            # Its owner is to pay that first.
            return False
        since = max(refill.set_at, self.now - REFILL_REST_S)
        if any(at > since for at in account.refill_failed_at):
            return False
        return sum(at > self.now - DAY_S for at in account.refilled_at) < REFILLS_PER_DAY

    def refill_failed(self, account: Account) -> None:
        """A refill came to nothing: it is counted, and the third in a row is the last."""
        refill = account.refill
        assert refill is not None
        refill.failures += 1
        refill.is_on = refill.failures < REFILL_TRIES
        account.refill_failed_at.append(self.now)
