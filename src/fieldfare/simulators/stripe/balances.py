"""Balance transactions: one for each movement of money, with its fee; and the balance they make.

What must hold: `net = amount - fee`, and the balance is the sum of the nets.
"""

from collections import defaultdict

from msgspec import UNSET

from fieldfare.simulators.stripe.amounts import SETTLEMENT, known_currency, settled
from fieldfare.simulators.stripe.pages import ListParams, page
from fieldfare.simulators.stripe.params import Text, read
from fieldfare.simulators.stripe.shapes import Thing, new
from fieldfare.simulators.stripe.store import get, put
from fieldfare.simulators.stripe.world import Call


class ListTransactions(ListParams, frozen=True, kw_only=True):
    """Filters of the list of balance transactions."""

    currency: Text = UNSET
    source: Text = UNSET
    type: Text = UNSET
    payout: Text = UNSET


def record(
    call: Call,
    kind: str,
    source: Thing,
    amount: int,
    *,
    fee: int = 0,
    category: str | None = None,
    description: str | None = None,
) -> Thing:
    """A movement of `amount` less `fee`, in the source's currency or in what that settles in."""
    currency, rate = source["currency"], call.world.config.usd_per_unit.get(source["currency"])
    if rate is not None:
        known = known_currency(currency)
        amount, fee = settled(amount, known, rate), settled(fee, known, rate)
        currency = SETTLEMENT
    delay_s = call.world.config.funds_delay_s
    details = {"amount": fee, "application": None, "currency": currency, "type": "stripe_fee"}
    transaction = new(
        "balance_transaction",
        call.now_s,
        type=kind,
        reporting_category=category or kind,
        source=source["id"],
        amount=amount,
        fee=fee,
        fee_details=[{**details, "description": "Stripe processing fees"}] if fee else [],
        net=amount - fee,
        currency=currency,
        exchange_rate=None if rate is None else float(rate),
        available_on=int(call.now + delay_s),
        status="pending" if delay_s else "available",
        description=description,
    )
    return put(call.db, transaction, call.now)


def _as_of_now(call: Call, transaction: Thing) -> Thing:
    due = transaction["available_on"] <= call.now
    return {**transaction, "status": "available" if due else "pending"}


def retrieve_transaction(call: Call) -> Thing:
    """GET /v1/balance_transactions/{id}."""
    return _as_of_now(call, get(call.db, "balance_transaction", call.ids[0]))


def list_transactions(call: Call) -> Thing:
    """GET /v1/balance_transactions."""
    params = read(call, ListTransactions)
    found = page(
        call,
        "balance_transaction",
        params,
        currency=params.currency,
        source=params.source,
        type=params.type,
    )
    return {**found, "data": [_as_of_now(call, one) for one in found["data"]]}


def retrieve_balance(call: Call) -> Thing:
    """GET /v1/balance."""
    available, pending = totals(call)
    currencies = sorted({SETTLEMENT, *available, *pending})
    return new(
        "balance",
        call.now_s,
        available=[_amount(code, available[code]) for code in currencies],
        pending=[_amount(code, pending[code]) for code in currencies],
        connect_reserved=[{"amount": 0, "currency": code} for code in currencies],
    )


def _amount(code: str, amount: int) -> Thing:
    return {"amount": amount, "currency": code, "source_types": {"card": amount}}


def totals(call: Call) -> tuple[defaultdict[str, int], defaultdict[str, int]]:
    """What is available and what is pending, by currency."""
    available: defaultdict[str, int] = defaultdict(int)
    pending: defaultdict[str, int] = defaultdict(int)
    rows = call.db.execute(
        """
        select body ->> '$.currency', body ->> '$.available_on' <= ?, sum(body ->> '$.net')
        from object where kind = 'balance_transaction' group by 1, 2
        """,
        (call.now,),
    )
    for currency, due, net in rows:
        (available if due else pending)[currency] += net
    return available, pending
