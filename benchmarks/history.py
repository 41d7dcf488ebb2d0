"""Orders of many months, as if accounts had placed them one after the other from their credits.

Rows are the product's own: what its rules say of a few orders is taken as a pattern, and statements
over whole sets repeat it under ids of every instant, with purchases, lines, entries, slugs,
balances and totals. `fieldfare verify` prices each of them again and must find nothing. An
idempotency key is kept for two days, so those of months ago are gone; nothing waits to be told.
"""

import os
import re
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg

from benchmarks.customers import settle
from benchmarks.figures import progress
from benchmarks.refusal import BenchmarkRefused
from fieldfare.catalog.model import Catalogue
from fieldfare.catalog.service import get_portfolio
from fieldfare.orders.model import OffsetRequest, Order, Party, Quote
from fieldfare.orders.rules import describe, quote_offset
from fieldfare.payments.rules import IN_DOLLARS

MONTHS = 10
AGE = timedelta(days=300)
"""Of the oldest order; the stage has partitions for `MONTHS`."""
SIZE_VARIABLE = "FIELDFARE_BENCH_SIZE"
DEFAULT_SIZE = 1_000_000
LINES_AT_ONCE = 350_000
NOBODY_S_ID = UUID(int=0)
"""A pattern's own: each order that is made from it gets new ones."""
_STATEMENTS = Path(__file__).with_suffix(".sql")
WRITES = (
    "analyze_batch",
    "write_purchases",
    "write_slugs",
    "write_lines",
    "write_entries",
    "lower_wallets",
)
_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be written: so many orders of these accounts, of each pattern in turn."""

    accounts: range
    orders: int
    patterns: tuple[Order, ...]


def stored_size() -> int:
    """How much a benchmark of a full house stores: a million, or what the environment says."""
    return size_of(DEFAULT_SIZE)


def size_of(default: int) -> int:
    """How many of something a benchmark takes, unless the environment says otherwise."""
    text = os.environ.get(SIZE_VARIABLE) or str(default)
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise BenchmarkRefused(f"{SIZE_VARIABLE} must be a whole number, not {text!r}")
    return int(text)


def offset_patterns(
    catalogue: Catalogue, masses_mg: Sequence[int], portfolio_id: int | None = None
) -> tuple[Order, ...]:
    """Orders of these masses as the product prices and splits them."""
    portfolio = get_portfolio(catalogue, portfolio_id, 0)
    asked = OffsetRequest(
        mass_mg=0,
        portfolio_id=portfolio_id,
        payment_method="credits",
        dry_run=False,
        send_receipt=False,
        max_amount_minor=None,
        party=Party(),
    )
    return tuple(
        _order(
            quote_offset(
                msgspec.structs.replace(asked, mass_mg=mass_mg),
                portfolio,
                IN_DOLLARS,
                price_revision=catalogue.revision,
            )
        )
        for mass_mg in masses_mg
    )


def _order(quote: Quote) -> Order:
    return Order(
        id=NOBODY_S_ID,
        certificate_slug=NOBODY_S_ID,
        account_id=0,
        source="public-api",
        send_receipt=False,
        quote=quote,
        party=Party(),
    )


def write_history(database_url: str, history: History) -> float:
    """Write all of it, and tell how far it is; gives the seconds that it took.

    The accounts must hold enough. Every batch is a commit, which need not wait for the disk.
    """
    started = time.monotonic()
    statements = read_statements()
    at_once = LINES_AT_ONCE // max(len(order.quote.shares) for order in history.patterns)
    with psycopg.connect(database_url) as conn:
        conn.execute("set synchronous_commit = off")
        conn.execute("set timezone = 'UTC'")
        _write_patterns(conn, statements, history.patterns)
        for from_place in range(0, history.orders, at_once):
            to_place = min(from_place + at_once, history.orders)
            _write_batch(conn, statements, history, from_place, to_place)
            conn.commit()
            progress(
                f"  {to_place:,} of {history.orders:,} orders are stored"
                f" ({time.monotonic() - started:.0f} s)"
            )
    settle(database_url)
    return time.monotonic() - started


def read_statements() -> dict[str, bytes]:
    """The statements of the file beside this one, by their names."""
    _, *parts = _NAME.split(_STATEMENTS.read_text(encoding="utf-8"))
    return {name: body.encode() for name, body in zip(parts[::2], parts[1::2], strict=True)}


def _write_batch(
    conn: psycopg.Connection,
    statements: dict[str, bytes],
    history: History,
    from_place: int,
    to_place: int,
) -> None:
    values = {
        "first_account": history.accounts[0],
        "accounts": len(history.accounts),
        "patterns": len(history.patterns),
        "from_place": from_place,
        "to_place": to_place - 1,
        "orders": history.orders,
        "age": AGE,
    }
    conn.execute(statements["clear_batch"])
    conn.execute(statements["draw_batch"], values)
    for name in WRITES:
        conn.execute(statements[name])


def _write_patterns(
    conn: psycopg.Connection, statements: dict[str, bytes], patterns: Sequence[Order]
) -> None:
    conn.execute(statements["make_patterns"])
    with conn.cursor().copy("copy pattern from stdin") as copy:
        for number, order in enumerate(patterns):
            copy.write_row(pattern_row(number, order))
    with conn.cursor().copy("copy pattern_line from stdin") as copy:
        for number, order in enumerate(patterns):
            for row in line_rows(number, order.quote):
                copy.write_row(row)
    conn.execute(statements["index_patterns"])


def pattern_row(number: int, order: Order) -> tuple[Any, ...]:
    """A row of `pattern`."""
    quote = order.quote
    assert quote.portfolio is not None, "an offset order is of a portfolio"
    return (
        number,
        quote.portfolio.id,
        quote.mass_mg,
        quote.certified_mg,
        quote.unit_price_cents,
        quote.price_revision,
        quote.amount_cents,
        describe(order),
    )


def line_rows(number: int, quote: Quote) -> list[tuple[Any, ...]]:
    """Rows of `pattern_line`."""
    return [
        (
            number,
            share.project.id,
            share.project.partner_id,
            share.kind,
            share.project.standing,
            share.project.certification_status,
            share.weight_ppm,
            share.project.unit_price_micro,
            share.mass_mg,
            share.trees,
            share.amount_micro,
            share.billed_micro,
            share.project.partner_share_ppm,
            share.partner_micro,
            share.margin_micro,
        )
        for share in quote.shares
    ]
