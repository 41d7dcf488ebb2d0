"""Accounts, orders, refunds and disputes as the wire contract tells of them, in plain Python.

The state machine does everything twice, here and in the product, and compares. Nothing here asks
the product or knows its code: prices come from `model_prices`, what a card is charged or given back
from the caller, who saw it happen. Time is seconds since the beginning, and one step takes one.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from tests.support.cards import Team
from tests.support.model_prices import Line, Money, Price, charge_minor, split

CARD_MINIMUM_CENTS = 100
REFILL_REST_S = 3_600
DAY_S = 86_400
REFILLS_PER_DAY = 3
REFILL_TRIES = 3


@dataclass(eq=False)
class Refill:
    """How an account's credits are refilled."""

    below_cents: int
    amount_cents: int
    set_at: int
    is_on: bool = True
    failures: int = 0


@dataclass(eq=False)
class Account:
    """An account with its wallet."""

    team: Team
    money: Money
    card: str | None
    balance: int = 0
    owed: int = 0
    entries: list[tuple[str, int, int, str | None]] = field(default_factory=list)
    """Type, change and balance after, in US cents, and the order."""
    refill: Refill | None = None
    refilled_at: list[int] = field(default_factory=list)
    """When refills were begun, declined ones among them."""
    refill_failed_at: list[int] = field(default_factory=list)

    def change(self, kind: str, cents: int, group: str | None = None) -> None:
        """Change the balance, with an entry."""
        self.balance += cents
        assert self.balance >= 0, "the model let a balance fall below zero"
        self.entries.append((kind, cents, self.balance, group))

    def add(self, kind: str, cents: int) -> None:
        """Credits that were paid for: what is owed is taken from them first."""
        if not cents:
            return
        self.change(kind, cents)
        repaid = min(self.owed, cents)
        if repaid:
            self.owed -= repaid
            self.change("adjustment", -repaid)

    def take_back(self, cents: int) -> None:
        """Credits whose money is gone; what is not there any more is owed."""
        taken = min(self.balance, cents)
        if taken:
            self.change("refund", -taken)
        self.owed += cents - taken


@dataclass(eq=False)
class Seen:
    """A refund at the processor."""

    id: str
    amount: int
    status: str
    later: str | None = None
    """What it turns into in a moment."""


@dataclass(eq=False)
class Dispute:
    """A dispute at the processor, and how far we have heard of it."""

    id: str
    charge: "Charge"
    amount: int
    status: str
    known: str | None = None

    @property
    def is_inquiry(self) -> bool:
        """Whether the bank only asks, and no money moves."""
        return self.status.startswith("warning")


@dataclass(eq=False)
class Charge:
    """A charge at the processor."""

    id: str
    paid_for: "Order | TopUp"
    amount: int
    card: str
    refunds: list[Seen] = field(default_factory=list)
    disputes: list[Dispute] = field(default_factory=list)

    @property
    def left(self) -> int:
        """What the processor would still give back."""
        return self.amount - sum(one.amount for one in self.refunds if one.status != "failed")

    @property
    def is_disputed(self) -> bool:
        """Whether it ever was: the processor gives nothing of it back any more."""
        return any(not one.is_inquiry for one in self.disputes)


@dataclass(eq=False)
class Shown:
    """A row of an order's refunds, as it is shown."""

    amount: int
    state: str
    mass_mg: int = 0
    trees: int = 0

    @property
    def told(self) -> tuple[int, str, int, int]:
        """What is shown of it: only what took effect has taken tonnes and trees."""
        return self.amount, self.state, self.mass_mg, self.trees


@dataclass(eq=False)
class Refund:
    """A refund as our books have it."""

    of: "Order | TopUp"
    amount: int
    asked_at: int
    state: str = "pending"
    seen: Seen | None = None
    """None as long as we do not know whether the processor made it."""
    shown: Shown | None = None
    cents: int | None = None
    """Of a top-up's, the credits that go with it."""
    came_back: bool = False
    is_stuck: bool = False
    """The processor answers our only request with a 500, again and again."""
    is_foreign: bool = False
    """Somebody made it at the processor."""


@dataclass(eq=False)
class Paid:
    """What orders and top-ups by card have in common."""

    account: Account
    id: str
    currency: str
    charged: int
    """In the currency's smallest unit."""
    asked_at: int
    card: str = ""
    """The card that was asked."""
    state: str = "pending"
    charge: Charge | None = None
    refunds: list[Refund] = field(default_factory=list)
    is_stuck: bool = False


@dataclass(eq=False)
class Order(Paid):
    """An order of any kind."""

    kind: str = ""
    method: str = "stripe"
    price: Price = Price(0, ())
    portfolio_id: int | None = None
    project_id: int | None = None
    receipt: bool = False
    rows: list[Shown] = field(default_factory=list)
    gone: int = 0
    """Of the charge."""

    @property
    def group(self) -> str:
        """The order group id."""
        return self.charge.id if self.charge else self.id

    @property
    def on_its_way(self) -> int:
        """What refunds that have not ended will take."""
        return sum(row.amount for row in self.rows if row.state == "pending")

    def given_up(self, refund: Refund) -> int:
        """What a refund that is carried out takes of it.

        The money of an earlier one may have come back to us, and is owed: what somebody gives back
        at the processor is for that first.
        """
        assert self.charge is not None
        back = [r.amount for r in self.refunds if r.state == "succeeded" and not r.came_back]
        lost = [one.amount for one in self.charge.disputes if one.known == "lost"]
        owed = max(self.gone - sum(back) - sum(lost), 0) if refund.is_foreign else 0
        return min(max(refund.amount - owed, 0), self.charged - self.gone)

    def give_up(self, amount: int, shown: Shown, *, disputed: bool) -> None:
        """A part of what is left of the charge goes, and as much of everything it paid for."""
        left = self.charged - self.gone
        assert 0 < amount <= left, "no more goes back than was paid"

        def parts(remaining: Sequence[int]) -> list[int]:
            return split(sum(remaining) * amount // left, remaining) if any(remaining) else []

        lines = self.price.lines
        masses = parts([one.mass_mg - one.gone_mg for one in lines])
        trees = parts([one.trees - one.gone_trees for one in lines])
        micros = parts([one.amount_micro - one.gone_micro for one in lines])
        for one, part in zip(lines, masses, strict=False):
            one.gone_mg += part
        for one, part in zip(lines, trees, strict=False):
            one.gone_trees += part
        for one, part in zip(lines, micros, strict=False):
            one.gone_micro += part
        self.gone += amount
        shown.amount, shown.state = amount, "succeeded"
        shown.mass_mg, shown.trees = sum(masses), sum(trees)
        if all(row is not shown for row in self.rows):
            self.rows.append(shown)
        self.show(disputed=disputed)

    def show(self, *, disputed: bool) -> None:
        """The state says whether it is disputed, and else what went back."""
        if disputed:
            self.state = "disputed"
        elif not self.gone:
            self.state = "paid"
        else:
            self.state = "refunded" if self.gone == self.charged else "partly_refunded"

    def shown_lines(self) -> Sequence[Line]:
        """What the lists show of it: nothing before it is paid."""
        return () if self.state in {"pending", "failed"} else self.price.lines


@dataclass(eq=False)
class TopUp(Paid):
    """Credits bought by card."""

    cents: int = 0
    returned_cents: int = 0

    def remains(self) -> tuple[int, int]:
        """What of the charge and of its credits did not go back yet."""
        assert self.charge is not None
        back = [r.amount for r in self.refunds if r.state == "succeeded" and not r.came_back]
        lost = [one.amount for one in self.charge.disputes if one.known == "lost"]
        return max(self.charged - sum(back) - sum(lost), 0), self.cents - self.returned_cents

    def part(self, minor: int) -> tuple[int, int]:
        """What goes with an amount that we give back: its credits, rounded up."""
        return _part(minor, *self.remains())

    def part_taken(self, minor: int, left: tuple[int, int]) -> tuple[int, int]:
        """What goes with an amount that was taken past us, beside a refund that is under way."""
        ours = [r for r in self.refunds if r.state == "pending" and r.cents is not None]
        pending_minor = sum(r.amount for r in ours)
        if minor > left[0] - pending_minor:
            return _part(minor, *left)
        pending_cents = sum(r.cents or 0 for r in ours)
        return _part(minor, left[0] - pending_minor, max(left[1] - pending_cents, 0))


def _part(minor: int, left_minor: int, left_cents: int) -> tuple[int, int]:
    if minor >= left_minor:
        return left_minor, left_cents
    return minor, -(-left_cents * minor // left_minor)


News: TypeAlias = "tuple[str, Charge, Dispute | None]"
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
    timers: "list[Order | TopUp | Refund]" = field(default_factory=list)
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
