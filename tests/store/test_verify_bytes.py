"""`fieldfare verify`: whatever byte of money or mass is turned, it names the row."""

import pytest

from fieldfare.db.pool import Connection
from tests.support.damage import AMOUNTS, findings, missed_bytes

COVERED = (
    "catalog.price.unit_price_micro",
    "catalog.project.partner_share_ppm",
    "catalog.weight.weight_ppm",
    "ledger.adjustment_request.change_cents",
    "ledger.entry.amount_cents",
    "ledger.entry.balance_after_cents",
    "ledger.entry.number",
    "ledger.journal.amount_micro",
    "ledger.wallet.balance_cents",
    "ledger.wallet.certified_mg",
    "ledger.wallet.entry_count",
    "ledger.wallet.owed_cents",
    "ledger.wallet.trees",
    "orders.line.amount_micro",
    "orders.line.billed_micro",
    "orders.line.margin_micro",
    "orders.line.mass_mg",
    "orders.line.partner_micro",
    "orders.line.partner_share_ppm",
    "orders.line.trees",
    "orders.line.unit_price_micro",
    "orders.line.weight_ppm",
    "orders.purchase.amount_cents",
    "orders.purchase.charge_minor",
    "orders.purchase.mass_mg",
    "orders.purchase.price_revision",
    "orders.purchase.rate",
    "orders.purchase.tax_minor",
    "orders.purchase.tax_rate_ppm",
    "orders.purchase.trees",
    "orders.purchase.unit_price_cents",
    "payments.balance_transaction.amount_minor",
    "payments.balance_transaction.fee_minor",
    "payments.balance_transaction.net_minor",
    "payments.balance_transaction.source_minor",
    "payments.payment.amount_cents",
    "payments.payment.amount_minor",
    "payments.payment.rate",
    "payments.top_up.amount_cents",
    "payments.top_up.returned_cents",
)
NOT_APPLICABLE = {
    "impact.certificate.number": "a word that is looked up, and no amount",
    "impact.ranking.highest_mg": "made anew from the wallets every minute",
    "impact.ranking.masses_mg": "made anew from the wallets every minute",
    "payments.exchange_rate.rate": "what was sold at it holds the rate itself",
    "accounts.account.refill_below_cents": "an earlier place of `accounts.refill`; nobody reads it",
    "accounts.account.refill_cents": "the same",
    "accounts.refill.below_cents": "a wish of the owner's, which nothing was booked by",
    "accounts.refill.amount_cents": "the same; what a refill did add is its top-up's",
    "accounts.refill_failure.amount_cents": "what a mail says was tried; nothing was booked",
    "accounts.refill_failure.number": "what a mail says; nothing was booked",
}
ELSEWHERE = {
    "payments.dispute.amount_minor": "test_verify_returns.py",
    "payments.dispute.credits_cents": "test_verify_returns.py",
}
"""What is turned in another file, over a history of its own."""
NO_ROWS_YET = (
    "orders.line.refunded_",
    "orders.purchase.refunded_",
    "orders.refund",
    "payments.refund",
)
"""What this history has no rows of; `test_verify_refunds.py` turns it."""


async def test_no_amount_is_left_out(conn: Connection) -> None:
    rows = await conn.fetch(
        """
        select table_schema || '.' || table_name || '.' || column_name as name
        from information_schema.columns
        join pg_class on oid = format('%I.%I', table_schema, table_name)::regclass
        where relkind in ('r', 'p') and not relispartition and column_name ~ $1
            and table_schema not in ('pg_catalog', 'information_schema')
        """,
        AMOUNTS,
    )
    amounts = {row["name"] for row in rows if not row["name"].startswith(NO_ROWS_YET)}
    assert amounts == {*COVERED, *NOT_APPLICABLE, *ELSEWHERE}


async def test_what_is_left_out_says_nothing_yet(conn: Connection) -> None:
    for name in NO_ROWS_YET:
        schema, table, *column = name.split(".")
        said = " or ".join(
            f"{row['column_name']} <> 0"
            for row in await conn.fetch(
                "select column_name from information_schema.columns where table_schema = $1"
                " and table_name = $2 and starts_with(column_name, $3) and column_name ~ $4",
                schema, table, column[0], AMOUNTS,
            )
        ) if column else "true"  # fmt: skip
        assert await conn.fetchval(f"select count(*) from {schema}.{table} where {said}") == 0


@pytest.mark.parametrize("column", COVERED)
async def test_any_byte_turned_names_its_row(conn: Connection, column: str) -> None:
    assert await missed_bytes(conn, column) == []
    assert await findings(conn) == []
