"""Holding disputes against their payments and legs; part of `fieldfare verify`.

While a dispute is open its money is out of the processor and in the book `disputes`; won, both are
as before. What a lost one makes of a top-up is checked here, of an order by the orders.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any
from uuid import UUID

import msgspec

from fieldfare.db.pool import Connection
from fieldfare.kernel.currency import UnknownCurrency, get_currency, micro_from_minor
from fieldfare.kernel.findings import Finding
from fieldfare.ledger.model import MovementTotals
from fieldfare.ledger.service.totals import find_movements
from fieldfare.payments import rules, store
from fieldfare.payments.service.verify_returns import leg_faults

PAGE_ROWS = 2_000


class DisputeLegs(msgspec.Struct, frozen=True):
    """What the journal says of a dispute: by which its money left and what followed; came back."""

    left: MovementTotals
    back: MovementTotals

    @property
    def net(self) -> MovementTotals:
        """What is left of both; none that is zero."""
        sums = {key: self.left.get(key, 0) + self.back.get(key, 0) for key in self.left | self.back}
        return {key: micro for key, micro in sums.items() if micro}


async def all_disputes(conn: Connection, page_rows: int) -> AsyncIterator[list[Any]]:
    """For features above: every dispute with what its payment says, in pages."""
    after = ""
    while page := await store.list_disputes_from(conn, after_id=after, at_most=page_rows):
        yield page
        after = page[-1]["dispute_id"]


async def find_disputes(conn: Connection, subject_ids: Sequence[UUID]) -> dict[UUID, list[Any]]:
    """For features above: the disputes about some purchases or top-ups, by what they are about."""
    disputes: dict[UUID, list[Any]] = defaultdict(list)
    for row in await store.list_disputes_of_subjects(conn, subject_ids):
        disputes[row["subject_id"]].append(row)
    return disputes


async def find_dispute_legs(conn: Connection, dispute_ids: Sequence[str]) -> list[DisputeLegs]:
    """For features above: what the journal says of some disputes, in their order."""
    left_by = [rules.dispute_movement(dispute_id) for dispute_id in dispute_ids]
    back_by = [rules.dispute_return(dispute_id) for dispute_id in dispute_ids]
    found = await find_movements(conn, [*left_by, *back_by])
    return [
        DisputeLegs(left=found.get(out, {}), back=found.get(back, {}))
        for out, back in zip(left_by, back_by, strict=True)
    ]


async def verify_disputes(conn: Connection, page_rows: int = PAGE_ROWS) -> AsyncIterator[Finding]:
    """Every dispute that does not agree with its payment or its movements in the journal."""
    async for page in all_disputes(conn, page_rows):
        legs = await find_dispute_legs(conn, [row["dispute_id"] for row in page])
        for row, own in zip(page, legs, strict=True):
            for message in _faults(row, own):
                yield Finding("payments.dispute", f"dispute_id={row['dispute_id']}", message)


def _faults(row: Any, legs: DisputeLegs) -> Iterator[str]:
    if row["payment_state"] != "succeeded":
        yield f"its payment {row['payment_id']} is {row['payment_state'] or 'not there'}"
        return
    if row["currency"] != row["payment_currency"]:
        yield f"currency is {row['currency']}, its charge is in {row['payment_currency']}"
    if row["withdrawals"] - row["returns"] != (0 if row["state"] == "won" else 1):
        yield (
            f"it is {row['state']}; withdrawals are {row['withdrawals']} and returns "
            f"{row['returns']}"
        )
    takes_credits = row["subject"] == "top_up" and row["state"] == "lost"
    if (row["credits_cents"] is not None) != takes_credits:
        yield f"credits_cents is {row['credits_cents']} and it is {row['state']}"
    try:
        yield from _back_faults(row, legs.back)
        faults = leg_faults(row, legs.net, kind="dispute") if takes_credits else None
        yield from _open_faults(row, legs.net) if faults is None else faults
    except UnknownCurrency as error:
        yield str(error)


def _back_faults(row: Any, back: MovementTotals) -> Iterator[str]:
    """What came back, as often as the row says that it did."""
    amount_micro = micro_from_minor(row["amount_minor"], get_currency(row["currency"]))
    back_micro = row["returns"] * amount_micro
    yield from _differences(back, _moved(row, -back_micro))


def _open_faults(row: Any, net: MovementTotals) -> Iterator[str]:
    """Of a lost one, what was more than the order had left went on from `disputes` to suspense."""
    currency = row["currency"]
    gone_micro = micro_from_minor(row["amount_minor"], get_currency(currency))
    due = _moved(row, 0 if row["state"] == "won" else gone_micro)
    if row["state"] == "lost":
        excess_micro = -net.get(("dispute", "suspense", currency), 0)
        due["dispute", "disputes", currency] += excess_micro
        due["dispute", "suspense", currency] = -excess_micro
    yield from _differences(net, due)


def _moved(row: Any, out_micro: int) -> MovementTotals:
    return {
        ("dispute", "processor", row["currency"]): out_micro,
        ("dispute", "disputes", row["currency"]): -out_micro,
    }


def _differences(legs: MovementTotals, due: MovementTotals) -> Iterator[str]:
    due = {key: micro for key, micro in due.items() if micro}
    if legs != due:
        yield f"legs in the journal come to {_shown(legs)}, should be {_shown(due)}"


def _shown(legs: MovementTotals) -> str:
    parts = (
        f"{micro} micro {code} in {book} ({kind})"
        for (kind, book, code), micro in sorted(legs.items())
    )
    return ", ".join(parts) or "nothing"
