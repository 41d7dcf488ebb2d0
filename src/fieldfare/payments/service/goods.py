"""What a card pays for: orders and credits, as far as charging and settling must tell them apart.

Both are charged in the same three phases (`charging`) and settled by the same code (`settling`).
Each kind brings its part of the transaction that settles it, and its own words: `ORDERS`, above in
orders, and `TOP_UPS`. What must hold: nothing in here waits for the network or commits by itself.
"""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeAlias, TypeVar
from uuid import UUID

import msgspec

from fieldfare.db.pool import Connection
from fieldfare.kernel.errors import ProblemError
from fieldfare.payments.errors import PaymentOutcomeUnknown
from fieldfare.payments.model import Payment, Subject

PendingT = TypeVar("PendingT")


class Paid(msgspec.Struct, frozen=True, kw_only=True):
    """The card was charged, and what it paid for is written."""

    charge_id: str
    answer: bytes | None
    """What the client is told; None for an order that somebody else settled."""


Ending: TypeAlias = Paid | ProblemError
"""How it ended: paid, or refused for good."""


class Goods(msgspec.Struct, Generic[PendingT], frozen=True, kw_only=True):
    """What cards pay for, orders or credits, as far as they differ.

    `PendingT` is one that is not settled yet. What takes a connection runs in the transaction that
    settles; what writes, under the lock that `lock_pending` has taken.
    """

    subject: Subject
    by_card_only: bool
    """Whether there is no other way to pay, which a refusal could name."""
    unknown: type[PaymentOutcomeUnknown]
    """What a client is told while the outcome is not known."""
    lock_pending: Callable[[Connection, UUID], Awaitable[PendingT | None]]
    """Lock one that is not settled yet; None if it is."""
    write_paid: Callable[[Connection, PendingT, Payment, str], Awaitable[bytes]]
    """Write what the charge of this id pays for; gives the answer."""
    write_failed: Callable[[Connection, PendingT], Awaitable[None]]
    """Write that it was certainly not paid."""
    find_paid: Callable[[Connection, Payment], Awaitable[Paid]]
    """What is told of one that somebody else settled, by its payment that succeeded."""
