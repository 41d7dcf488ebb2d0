"""What the plain model is made of: wallets, orders, top-ups, charges, refunds and disputes.

Each knows how it changes; when it does is for `model_books` to say. Written from the wire contract,
without the product's code. Time is seconds since the beginning; one step takes one of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.support.cards import Team
from tests.support.model_prices import Line, Money, Price, split


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


@dataclass(eq=False, kw_only=True)
class Order(Paid):
    """An order of any kind."""

    kind: str
    method: str
    price: Price
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


@dataclass(eq=False, kw_only=True)
class TopUp(Paid):
    """Credits bought by card."""

    cents: int
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
