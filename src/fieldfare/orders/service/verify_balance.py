"""Holding the trial balance against what was recorded elsewhere; part of `fieldfare verify`.

In each currency the books sum to zero; the book of credits is what the wallets hold; the book of
the processor is what the processor's own record comes to, but for what it does not show yet.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator

from fieldfare.db.pool import Connection
from fieldfare.kernel.currency import UnknownCurrency
from fieldfare.kernel.findings import Finding
from fieldfare.kernel.money import micro_from_cents
from fieldfare.ledger.model import BookTotals
from fieldfare.ledger.service.totals import read_credits
from fieldfare.orders.service.trial_balance import processor_micro, read_trial_balance
from fieldfare.payments.service.positions import Position, read_positions

TABLE = "trial balance"


async def verify_trial_balance(conn: Connection) -> AsyncIterator[Finding]:
    """Each currency in which the books do not agree, with one another or with other records."""
    try:
        totals = await read_trial_balance(conn)
    except UnknownCurrency as error:
        yield Finding(TABLE, "all currencies", f"it cannot be drawn up: {error}")
        return
    for finding in _sum_faults(totals):
        yield finding
    wallets = await read_credits(conn)
    held_micro = micro_from_cents(wallets.held_cents)
    booked_micro = totals.get(("credits", "USD"), 0)
    if booked_micro != held_micro:
        message = f"the book is at {booked_micro} micro, the wallets hold {held_micro}"
        yield Finding(TABLE, "book=credits currency=USD", message)
    for finding in _processor_faults(totals, await read_positions(conn)):
        yield finding


def _sum_faults(totals: BookTotals) -> Iterator[Finding]:
    sums: dict[str, int] = defaultdict(int)
    for (_, currency), micro in totals.items():
        sums[currency] += micro
    for currency, micro in sorted(sums.items()):
        if micro:
            message = f"the books sum to {micro} micro, not to 0"
            yield Finding(TABLE, f"currency={currency}", message)


def _processor_faults(totals: BookTotals, positions: dict[str, Position]) -> Iterator[Finding]:
    booked = {code: micro for (book, code), micro in totals.items() if book == "processor"}
    for currency in sorted({*booked, *positions}):
        at = positions.get(currency, Position(net_minor=0, unmet_minor=0))
        try:
            due_micro = processor_micro(at.net_minor + at.unmet_minor, currency)
        except UnknownCurrency as error:
            yield Finding(TABLE, f"book=processor currency={currency}", str(error))
            continue
        if booked.get(currency, 0) != due_micro:
            yield Finding(
                TABLE,
                f"book=processor currency={currency}",
                f"the book is at {booked.get(currency, 0)} micro; the processor's record comes to "
                f"{at.net_minor} and {at.unmet_minor} are on their way, which is {due_micro}",
            )
