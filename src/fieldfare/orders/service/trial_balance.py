"""The trial balance: what every book has come to, in each currency.

Most of it is in the journal. An order is not: its lines are the partners' part and the margin, and
what paid for it is a deduction or a payment by card; those are read from where they stand. What
must hold: in each currency the books sum to zero (`verify_balance` shows that they do).
"""

from collections import defaultdict

from fieldfare.db.pool import Connection
from fieldfare.kernel.currency import get_currency, micro_from_minor
from fieldfare.kernel.money import micro_from_cents
from fieldfare.ledger.model import BookTotals
from fieldfare.ledger.service.totals import read_credits, read_journal_totals
from fieldfare.orders import store
from fieldfare.payments.rules import card_legs
from fieldfare.payments.service.positions import read_card_totals


async def read_trial_balance(conn: Connection) -> BookTotals:
    """Millionths of a hundredth of the unit, by book and currency; books of nothing are left out.

    Read inside one snapshot. Signs are those of a liability: what we owe more of is positive.
    """
    totals: BookTotals = defaultdict(int, await read_journal_totals(conn))
    partner_micro, margin_micro = await store.sum_lines(conn)
    wallets = await read_credits(conn)
    totals["partners", "USD"] += partner_micro
    totals["margin", "USD"] += margin_micro
    totals["credits", "USD"] -= micro_from_cents(wallets.deducted_cents)
    for currency, paid in (await read_card_totals(conn)).items():
        legs = card_legs(
            currency=currency, amount_minor=paid.charged_minor, amount_cents=paid.price_cents
        )
        for leg in legs:
            totals[leg.book, leg.currency] += leg.amount_micro
    return {key: micro for key, micro in totals.items() if micro}


def processor_micro(net_minor: int, currency: str) -> int:
    """What the book `processor` shows for an amount that we hold there."""
    return -micro_from_minor(net_minor, get_currency(currency))
