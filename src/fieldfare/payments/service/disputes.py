"""Disputes: the owner of a card takes money back through their bank.

The processor takes the amount from us as soon as the dispute is open; until it is decided, it lies
in the book `disputes`. Won, it is ours again; lost, whoever was paid gives it up: that is decided
above, in the same transaction. An inquiry of the bank moves no money and leaves no row.

What must hold: a dispute was looked up at the processor before it comes here, and the caller holds
the lock of what was paid for. So its steps are taken once and in their order, whichever events
come, how often and when.
"""

from collections.abc import AsyncIterator
from functools import partial
from uuid import UUID

from fieldfare.db.pool import Connection, after_commit
from fieldfare.integrations.stripe.model import SeenDispute
from fieldfare.ledger.model import Book, Leg
from fieldfare.ledger.service import posting
from fieldfare.payments import rules, store
from fieldfare.payments.model import Dispute, OpenDispute, Payment
from fieldfare.payments.rules import Step
from fieldfare.payments.service.exceptions import open_exception_once
from fieldfare.telemetry.families import MONEY

PAGE_ROWS = 200


async def record_dispute(conn: Connection, payment: Payment, seen: SeenDispute) -> tuple[Step, ...]:
    """Bring a dispute to what the processor says of it; gives the steps that were taken now.

    After `lose` the caller takes back what was bought, in this transaction. What cannot be is put
    on the list of exceptions, and nothing else is done.
    """
    kept = await store.find_dispute(conn, seen.dispute_id)
    steps = rules.next_steps(None if kept is None else kept.state, seen.status)
    if steps == () and kept is None:
        return ()
    faults = rules.dispute_mismatches(
        payment, kept, amount_minor=seen.amount_minor, currency=seen.currency
    )
    if steps is None or faults:
        was = "not on record" if kept is None else kept.state
        said = "; ".join(faults) or f"it is {seen.status} and was {was}"
        await say_unclear(conn, seen, f"of charge {seen.charge_id}: {said}")
        return ()
    for step in steps:
        await _take(conn, payment, kept, seen, step)
    return steps


async def _take(
    conn: Connection, payment: Payment, kept: Dispute | None, seen: SeenDispute, step: Step
) -> None:
    match step:
        case "open":
            await _open(conn, payment, kept, seen)
            legs = _legs(seen, into="disputes", out_of="processor")
            await _post(conn, seen, rules.dispute_movement(seen.dispute_id), legs)
            _count("dispute", seen)
        case "win":
            await store.update_dispute_closed(conn, seen.dispute_id, "won")
            legs = _legs(seen, into="processor", out_of="disputes")
            await _post(conn, seen, rules.dispute_return(seen.dispute_id), legs)
            _count("dispute_won", seen)
        case "lose":
            await store.update_dispute_closed(conn, seen.dispute_id, "lost")


def _count(kind: str, seen: SeenDispute) -> None:
    after_commit(partial(MONEY.add, kind, "card", seen.currency, by=seen.amount_minor))


async def _open(
    conn: Connection, payment: Payment, kept: Dispute | None, seen: SeenDispute
) -> None:
    if kept is not None:
        await store.update_dispute_open(conn, seen.dispute_id)
        return
    opened = Dispute(
        dispute_id=seen.dispute_id,
        payment_id=payment.id,
        amount_minor=seen.amount_minor,
        currency=seen.currency,
        state="open",
        opened_at=seen.created_at,
    )
    await store.insert_dispute(conn, opened, seen.reason)


def _legs(seen: SeenDispute, *, into: Book, out_of: Book) -> list[Leg]:
    return rules.moved(seen.currency, seen.amount_minor, into=into, out_of=out_of)


async def _post(conn: Connection, seen: SeenDispute, movement_id: UUID, legs: list[Leg]) -> None:
    await posting.post(conn, movement_id, "dispute", legs, f"Dispute {seen.dispute_id}")


async def record_excess(conn: Connection, seen: SeenDispute, taken_minor: int) -> None:
    """Of a lost dispute, what was more than the payment had left: a person has to look at it."""
    excess_minor = seen.amount_minor - taken_minor
    if not excess_minor:
        return
    # The money is gone, and nobody has given up anything for it yet.
    legs = rules.moved(seen.currency, excess_minor, into="suspense", out_of="disputes")
    await _post(conn, seen, rules.dispute_movement(seen.dispute_id), legs)
    await say_unclear(
        conn,
        seen,
        f"of charge {seen.charge_id}: {excess_minor} {seen.currency} more was lost than was left "
        "of the charge",
    )


async def say_unclear(conn: Connection, seen: SeenDispute, said: str) -> None:
    """Put a dispute on the list of exceptions, once for each thing that is said of it."""
    detail = f"{seen.amount_minor} {seen.currency} {said}"
    await open_exception_once(conn, "dispute_unclear", seen.dispute_id, detail)


async def has_open_dispute(conn: Connection, payment: Payment) -> bool:
    """Whether a dispute about a payment is not decided yet."""
    return (await store.find_returned(conn, payment.id)).open_disputes > 0


async def all_open_disputes(conn: Connection) -> AsyncIterator[OpenDispute]:
    """Every dispute that is not decided yet, by id."""
    after = ""
    while page := await store.list_open_disputes(conn, after_id=after, at_most=PAGE_ROWS):
        for dispute in page:
            yield dispute
        after = page[-1].dispute_id
