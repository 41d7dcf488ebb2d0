"""Wallets, entries and legs as the rest of the house sees them."""

from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

import msgspec

EntryKind = Literal["top_up", "deduction", "refund", "adjustment"]
MovementKind = Literal[
    "top_up",
    "refund",
    "dispute",
    "processor_fee",
    "exchange",
    "tax",
    "payout",
    "adjustment",
    "rounding",
    "owed",
    "suspense",
]
Book = Literal[
    "credits",
    "processor",
    "bank",
    "partners",
    "margin",
    "fees",
    "exchange",
    "tax",
    "adjustments",
    "receivables",
    "disputes",
    "suspense",
]

BookTotals: TypeAlias = dict[tuple[Book, str], int]
"""Millionths of a hundredth of the unit, by book and currency."""
MovementTotals: TypeAlias = dict[tuple[MovementKind, Book, str], int]
"""The same of one movement, by kind, book and currency; none that is zero."""


MAX_BALANCE_CENTS = 10**12
"""What a wallet can hold, as its table has it."""


class Wallet(msgspec.Struct, frozen=True, kw_only=True):
    """What an account holds, as of one moment."""

    account_id: int
    balance_cents: int = 0
    owed_cents: int = 0
    """What a lost dispute could not take back; taken first from the next top-up."""
    certified_mg: int = 0
    """Certified and external-standard mass, less refunds."""
    trees: int = 0
    entry_count: int = 0


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a balance of credits."""

    id: UUID
    account_id: int
    number: int
    """Counts the account's entries from 1."""
    kind: EntryKind
    amount_cents: int
    """Signed: what came in is positive."""
    balance_after_cents: int
    group_id: UUID | None
    description: str
    created_at: datetime


class EntryPage(msgspec.Struct, frozen=True):
    """A page of an account's entries, newest first, and how many there are in all."""

    entries: list[Entry]
    total: int


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """One side of a movement; the legs of a movement sum to zero in each currency."""

    book: Book
    currency: str
    amount_micro: int
    """Millionths of a hundredth of the unit; as a liability's: what we own more of is negative."""
    account_id: int | None = None
    """Whose credits or debt, for the books `credits` and `receivables`."""


class AdjustmentRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A change of a balance that is too large for one operator, open or decided."""

    id: UUID
    account_id: int
    change_cents: int
    """Signed: what the account gains is positive."""
    reason: str
    asked_by: int
    """The operator's user number, as is `decided_by`."""
    asked_at: datetime
    decided_by: int | None = None
    decided_at: datetime | None = None
    entry_id: UUID | None = None
    """Of the change, if it was let through."""
    refusal_reason: str | None = None
    """Why not, if it was turned down."""


class TakenBack(msgspec.Struct, frozen=True, kw_only=True):
    """What a lost dispute took from a wallet, and what the wallet did not hold."""

    taken_cents: int
    owed_cents: int
