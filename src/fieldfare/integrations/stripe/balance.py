"""Calls about our balance at the processor: every movement of it, and what it comes to.

The list of movements is exact and newest first; it is given page by page, so that a caller can keep
each one before the next is asked for. What cannot be read whole raises `ProcessorAway`.
"""

from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from fieldfare.db.pool import assert_no_transaction
from fieldfare.integrations.stripe.answers import id_of, reason_of
from fieldfare.integrations.stripe.errors import ProcessorAway
from fieldfare.integrations.stripe.gateway import PAGE, StripeGateway
from fieldfare.integrations.stripe.model import BalanceTransaction
from fieldfare.integrations.stripe.sdk import stripe

RATE_DECIMALS = Decimal("1E-10")
"""As finely as a rate is kept."""


async def list_balance_transactions(
    gateway: StripeGateway,
    *,
    created_from: datetime | None = None,
    created_to: datetime | None = None,
) -> AsyncIterator[list[BalanceTransaction]]:
    """Every movement of our balance between two instants, both included, in pages, newest first.

    Without a bound the list goes to its end. Raises `ProcessorAway`.
    """
    parameters: Any = {"limit": PAGE, **_bounds(created_from, created_to)}
    more = True
    while more:
        # In each step: a generator runs in the context of whoever asks for its next page.
        assert_no_transaction()
        try:
            page = await gateway.client.v1.balance_transactions.list_async(parameters)
        except stripe.StripeError as error:
            raise _away("list of movements", error) from error
        yield [_transaction(one) for one in page.data]
        more = page.has_more and bool(page.data)
        if more:
            parameters["starting_after"] = page.data[-1].id


async def read_balance(gateway: StripeGateway) -> dict[str, int]:
    """What we have at the processor, available or on its way, in minor units by currency.

    A currency of which there is nothing may be missing. Raises `ProcessorAway`.
    """
    assert_no_transaction()
    try:
        balance = await gateway.client.v1.balance.retrieve_async()
    except stripe.StripeError as error:
        raise _away("balance", error) from error
    held: dict[str, int] = defaultdict(int)
    for parts in (balance.available, balance.pending):
        for part in parts:
            held[part.currency.upper()] += part.amount
    return {currency: minor for currency, minor in held.items() if minor}


def _bounds(created_from: datetime | None, created_to: datetime | None) -> dict[str, Any]:
    instants = {"gte": created_from, "lte": created_to}
    bounds = {name: int(instant.timestamp()) for name, instant in instants.items() if instant}
    return {"created": bounds} if bounds else {}


def _transaction(one: "stripe.BalanceTransaction") -> BalanceTransaction:
    rate = None if one.exchange_rate is None else Decimal(str(one.exchange_rate))
    return BalanceTransaction(
        transaction_id=one.id,
        kind=one.type,
        category=one.reporting_category,
        source_id=id_of(one.source) or None,
        amount_minor=one.amount,
        fee_minor=one.fee,
        net_minor=one.net,
        currency=one.currency.upper(),
        exchange_rate=None if rate is None else max(rate.quantize(RATE_DECIMALS), RATE_DECIMALS),
        created_at=datetime.fromtimestamp(one.created, UTC),
    )


def _away(what: str, error: "stripe.StripeError") -> ProcessorAway:
    return ProcessorAway(
        f"The card processor's {what} cannot be read ({reason_of(error)}). It is read again later."
    )
