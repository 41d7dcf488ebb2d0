"""Our balance at the processor: its own record of every movement, taken into the books.

Each transaction is kept once, with its legs in the journal (`rules.balancing`), in one commit a
page. One whose payment, refund or dispute is not known, or not settled yet, is put into the book
`suspense`. Every import looks at those again: once the source is known, the legs are brought to
what they should be by writing the difference, so that nothing is ever booked twice. What nothing
explains after an hour is put on the list of exceptions.

The list is read from well before the instant up to which it was complete the last time, because the
processor may show a movement late. An import may be cut off at any line, or run beside another: the
next one makes good what is missing.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from fieldfare.db.pool import Connection, Database, connection, transaction
from fieldfare.integrations.stripe.balance import list_balance_transactions, read_balance
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.integrations.stripe.model import BalanceTransaction
from fieldfare.kernel.findings import Finding
from fieldfare.ledger.service.posting import post
from fieldfare.ledger.service.totals import find_movements
from fieldfare.payments import rules, store
from fieldfare.payments.service.exceptions import open_exception, open_exception_once
from fieldfare.payments.service.positions import read_positions

OVERLAP = timedelta(days=2)
"""How late the processor may show a movement, its clock and ours taken together."""
PATIENCE = timedelta(hours=1)
"""For an event of ours that is still on its way; an order whose answer was lost settles by then."""
AT_ONCE = 200
EXPLAINED_AT_ONCE = 500
TRIES = 5
PAUSE_S = 1.5


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What an import brought."""

    recorded: int
    """Transactions that were not on record."""
    matched: int
    """Transactions whose source is known since this import."""
    unexplained: int
    """Transactions that were put on the list of exceptions."""


async def import_balance(db: Database, gateway: StripeGateway) -> Imported:
    """Bring our record of the processor's balance up to now; raises `ProcessorAway`.

    Whatever was kept before the processor went away stays.
    """
    began_at = datetime.now(UTC)
    recorded = 0
    async for page in _pages(db, gateway):
        async with transaction(db) as conn:
            recorded += await record_transactions(conn, page)
    matched = await match_again(db)
    async with transaction(db) as conn:
        unexplained = await _list_unexplained(conn)
        await store.update_balance_import(conn, began_at)
    return Imported(recorded=recorded, matched=matched, unexplained=unexplained)


async def _pages(db: Database, gateway: StripeGateway) -> AsyncIterator[list[BalanceTransaction]]:
    async with connection(db) as conn:
        known = await store.find_balance_import(conn)
    since = known["complete_to"]
    if since is None and known["oldest_at"] is not None:
        # The very first import was cut off. It came from the newest down: go on below, then above.
        async for page in list_balance_transactions(gateway, created_to=known["oldest_at"]):
            yield page
        since = known["newest_at"]
    created_from = None if since is None else since - OVERLAP
    async for page in list_balance_transactions(gateway, created_from=created_from):
        yield page


async def record_transactions(conn: Connection, page: Sequence[BalanceTransaction]) -> int:
    """Keep what is new of a page, with its legs; gives how many that are.

    Amounts whose smallest unit is not known cannot be kept; a person hears of each once.
    """
    seen = [
        (one, rules.role_of(one.kind, one.category))
        for one in page
        if rules.is_bookable(one.currency)
    ]
    await store.lock_balance(conn)
    fresh = await store.insert_transactions(conn, seen)
    await store.match_transactions(conn, fresh)
    await _book(conn, fresh)
    for one in page:
        if not rules.is_bookable(one.currency):
            await open_exception_once(
                conn, "unknown_transaction", one.transaction_id, _refusal_of(one)
            )
    return len(fresh)


def _refusal_of(one: BalanceTransaction) -> str:
    return (
        f"{one.kind} of {one.amount_minor} {one.currency}: it is not in the books, which do not "
        "know this currency"
    )


async def _book(conn: Connection, transaction_ids: Sequence[str]) -> None:
    """Write what is missing of the legs of some transactions."""
    booked = await store.list_transactions(conn, transaction_ids)
    on_record = await find_movements(conn, [one.movement_id for one in booked])
    for one in booked:
        due = rules.movement_of(one)
        missing = rules.missing_legs(due, on_record.get(one.movement_id, {}))
        for kind, legs in missing.items():
            await post(conn, one.movement_id, kind, legs, f"{one.role} {one.transaction_id}")


async def match_again(db: Database) -> int:
    """Look at what is in suspense once more; gives how many transactions came out of it."""
    after, matched = "", 0
    while True:
        async with transaction(db) as conn:
            await store.lock_balance(conn)
            page = await store.list_unmatched(conn, after_id=after, at_most=AT_ONCE)
            found = await store.match_transactions(conn, page)
            await _book(conn, found)
            for transaction_id in found:
                await store.resolve_exceptions(conn, transaction_id, "its source is known now")
        matched += len(found)
        if len(page) < AT_ONCE:
            return matched
        after = page[-1]


async def _list_unexplained(conn: Connection) -> int:
    rows = await store.list_unexplained(conn, patience=PATIENCE, at_most=EXPLAINED_AT_ONCE)
    for row in rows:
        detail = (
            f"{row['kind']} of {row['amount_minor']} {row['currency']}, "
            f"for {row['source_id'] or 'nothing that it names'}; it stands in suspense"
        )
        await open_exception(conn, "unknown_transaction", row["transaction_id"], detail)
    return len(rows)


async def catch_up(
    db: Database, gateway: StripeGateway, began_at: datetime
) -> AsyncIterator[Finding]:
    """Import until the processor's balance is on record; gives what differs in the end.

    Money moves while we look, and a charge shows in the balance a moment after it was made: so what
    differs is looked at a few times more. Raises `ProcessorAway`.
    """
    for tries_left in reversed(range(TRIES)):
        await import_balance(db, gateway)
        findings = await compare_balance(db, gateway)
        async with connection(db) as conn:
            waits = await store.list_unmet_sources(
                conn, after=("", ""), moved_by=began_at, at_most=1
            )
        if not findings and not waits:
            return
        if tries_left:
            await asyncio.sleep(PAUSE_S)
    for finding in findings:
        yield finding


async def compare_balance(db: Database, gateway: StripeGateway) -> list[Finding]:
    """Hold what our record comes to against what the processor says we have there.

    Money may move between the two looks. Raises `ProcessorAway`.
    """
    async with connection(db) as conn:
        positions = await read_positions(conn)
    recorded = {code: at.net_minor for code, at in positions.items() if at.net_minor}
    held = await read_balance(gateway)
    return [
        Finding(
            "payments.balance_transaction",
            f"currency={currency}",
            f"what is on record comes to {recorded.get(currency, 0)} in the smallest unit, the "
            f"processor says {held.get(currency, 0)}",
        )
        for currency in sorted({*recorded, *held})
        if recorded.get(currency, 0) != held.get(currency, 0)
    ]
