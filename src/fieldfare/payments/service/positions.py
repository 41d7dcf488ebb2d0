"""Sums for the trial balance: what we have at the processor, and what cards paid for purchases.

For features above; read inside one snapshot. Amounts are exact, of any size, in the smallest unit.
"""

from datetime import datetime

import msgspec

from fieldfare.db.pool import Connection
from fieldfare.payments import store


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Money at the processor in one currency."""

    net_minor: int
    """What the processor's record comes to."""
    unmet_minor: int
    """What our own rows say that moved and that the record does not show yet."""


class CardTotals(msgspec.Struct, frozen=True, kw_only=True):
    """What cards were charged for purchases in one currency, and the price of that."""

    charged_minor: int
    price_cents: int


async def read_positions(conn: Connection) -> dict[str, Position]:
    """What we have at the processor, by currency."""
    return {
        row["currency"]: Position(
            net_minor=int(row["net_minor"]), unmet_minor=int(row["unmet_minor"])
        )
        for row in await store.list_balance_totals(conn)
    }


async def read_card_totals(conn: Connection) -> dict[str, CardTotals]:
    """What cards were charged for purchases, by currency."""
    return {
        row["currency"]: CardTotals(
            charged_minor=int(row["charged_minor"]), price_cents=int(row["price_cents"])
        )
        for row in await store.list_card_totals(conn)
    }


async def find_complete_to(conn: Connection) -> datetime | None:
    """Up to which instant the processor's record is ours too; None before the first import."""
    complete_to: datetime | None = (await store.find_balance_import(conn))["complete_to"]
    return complete_to
