"""What the journal comes to: by book for the trial balance, by movement for whoever wrote it.

For features above. Sums are exact and of any size; signs are those of a liability, as in the
journal: what we owe more of is positive, what we own more of is negative.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import msgspec

from fieldfare.db.pool import Connection
from fieldfare.ledger import store
from fieldfare.ledger.model import BookTotals, MovementKind, MovementTotals

LOWEST_ID = UUID(int=0)


class Credits(msgspec.Struct, frozen=True, kw_only=True):
    """What all wallets hold, and what all deductions have taken out of them."""

    held_cents: int
    deducted_cents: int


async def read_journal_totals(conn: Connection) -> BookTotals:
    """What each book has come to by the journal alone: deductions are not in it."""
    rows = await store.list_journal_totals(conn)
    return {(row["book"], row["currency"]): int(row["sum_micro"]) for row in rows}


async def read_credits(conn: Connection) -> Credits:
    """What the wallets hold, and what deductions have taken."""
    row = await store.sum_credits(conn)
    return Credits(held_cents=int(row["held_cents"]), deducted_cents=int(row["deducted_cents"]))


async def find_movements(
    conn: Connection, movement_ids: Sequence[UUID]
) -> dict[UUID, MovementTotals]:
    """What each of these movements does; one without legs is left out."""
    found: dict[UUID, MovementTotals] = defaultdict(dict)
    for row in await store.list_movement_totals(conn, movement_ids):
        key = (row["kind"], row["book"], row["currency"])
        found[row["movement_id"]][key] = int(row["sum_micro"])
    return found


async def all_movements_of(
    conn: Connection, kinds: Sequence[MovementKind], page_rows: int
) -> AsyncIterator[list[UUID]]:
    """Every movement that has a leg of one of these kinds, in pages."""
    after = LOWEST_ID
    while page := await store.list_movements_of(conn, kinds, after_id=after, at_most=page_rows):
        yield page
        after = page[-1]


async def find_credits_taken(
    conn: Connection, *, above_account_id: int, up_to_account_id: int
) -> dict[int, int]:
    """By account of a range, what refunds and disputes of top-ups took or left owed, in millionths.

    Of a cent; accounts of which nothing is gone are left out.
    """
    return await store.list_credits_taken(
        conn, above_account_id=above_account_id, up_to_account_id=up_to_account_id
    )
