"""What a run left in the books, held against what it says that it did.

A rate counts only if every order of it is there in all its rows. `fieldfare verify` then holds the
rows against each other; that there are as many as were answered is looked at here.
"""

from uuid import UUID

import msgspec
import psycopg
from psycopg.rows import class_row

from benchmarks.refusal import BenchmarkRefused
from fieldfare.kernel.money import micro_from_cents
from fieldfare.orders.model import Order

BEGINNING = UUID(int=0)
_COUNTS = """
    select
        (select count(*) from orders.purchase where id >= %(since)s) as purchases,
        (select count(*) from orders.certificate_slug) as slugs,
        e.entries, e.spent_cents,
        (select count(*) from http.idempotency_key where answer is not null) as keys,
        (select -sum(balance_cents)::bigint from ledger.wallet) as missing_cents,
        l.lines, l.lines_micro, l.lines_mg
    from (
        select count(*) as lines, coalesce(sum(amount_micro), 0)::bigint as lines_micro,
            coalesce(sum(mass_mg), 0)::bigint as lines_mg
        from orders.line
        where id >= %(since)s
    ) as l
    cross join (
        select count(*) as entries, coalesce(sum(-amount_cents), 0)::bigint as spent_cents
        from ledger.entry
        where kind = 'deduction' and id >= %(since)s
    ) as e
"""


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of rows and sums over them; `missing_cents` is what the wallets hold, negated."""

    purchases: int
    slugs: int
    entries: int
    keys: int
    spent_cents: int
    missing_cents: int
    lines: int
    lines_micro: int
    lines_mg: int


def read_books(database_url: str, since: UUID = BEGINNING) -> Books:
    """The books of this moment, without the rows whose id is older than `since`."""
    with psycopg.connect(database_url) as conn, conn.cursor(row_factory=class_row(Books)) as rows:
        books = rows.execute(_COUNTS, {"since": since}).fetchone()
    assert books is not None, "a row of aggregates is always there"
    return books


def change(before: Books, after: Books) -> Books:
    """What was added in between."""
    return Books(
        **{name: getattr(after, name) - getattr(before, name) for name in Books.__struct_fields__}
    )


def books_of(orders: int, order: Order) -> Books:
    """What that many orders like `order` add, each sent with a key of its own."""
    amount_cents = order.quote.amount_cents
    return Books(
        purchases=orders,
        slugs=orders,
        entries=orders,
        keys=orders,
        spent_cents=orders * amount_cents,
        missing_cents=orders * amount_cents,
        lines=orders * len(order.quote.shares),
        lines_micro=orders * micro_from_cents(amount_cents),
        lines_mg=orders * order.quote.mass_mg,
    )


def check_added(added: Books, order: Order, *, at_least: int, at_most: int) -> None:
    """Raise `BenchmarkRefused` unless whole orders were added, as many as they should be."""
    if not at_least <= added.purchases <= at_most:
        raise BenchmarkRefused(
            f"{added.purchases} purchases were written, and it should be {at_least} to {at_most}"
        )
    expected = books_of(added.purchases, order)
    if added != expected:
        raise BenchmarkRefused(f"the run should have added {expected}, and it added {added}")
