"""The checks of `fieldfare verify`, and how they are carried out: in one snapshot, each told."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from functools import partial

from fieldfare.catalog.service import verify_catalogue
from fieldfare.cli.context import open_cli_database, open_cli_gateway
from fieldfare.cli.steps import note, say
from fieldfare.db.partitions import verify_partitions
from fieldfare.db.pool import Connection, Database, connection
from fieldfare.kernel.findings import Finding
from fieldfare.ledger.service.verify import verify_ledger
from fieldfare.orders.service.verify import verify_orders
from fieldfare.orders.service.verify_balance import verify_trial_balance
from fieldfare.orders.service.verify_disputes import verify_disputes
from fieldfare.orders.service.verify_refunds import verify_refunds
from fieldfare.payments.service.balance import catch_up
from fieldfare.payments.service.verify_balance import verify_balance
from fieldfare.payments.service.verify_returns import verify_returns
from fieldfare.payments.service.verify_top_ups import verify_top_ups

Check = Callable[[Connection], AsyncIterator[Finding]]

CHECKS: tuple[tuple[str, Check], ...] = (
    ("partitions: large tables have one for each month to come", verify_partitions),
    ("catalogue: prices against the changes that were asked for", verify_catalogue),
    ("ledger: balances, entries and legs against each other", verify_ledger),
    ("top-ups: against their payments, entries and legs", verify_top_ups),
    ("orders: purchases against lines, debits, prices and totals", verify_orders),
    ("refunds: against what they took back and what moved the money", verify_refunds),
    ("top-ups that went back: against the wallets and their legs", verify_returns),
    ("disputes: against orders, top-ups and legs", verify_disputes),
    ("processor: its record of our balance against what moved it", verify_balance),
    ("books: the trial balance against wallets and processor", verify_trial_balance),
)
PROCESSOR_TITLE = "processor: what it says we have there against its movements on record"
STATEMENT_MINUTES = 60


async def verify() -> int:
    """Carry out every check; gives how much they found."""
    async with open_cli_database() as db:
        return await carry_out_all(db, CHECKS)


async def verify_with_processor() -> int:
    """The same after a look at the processor's own record, with everything until now in it."""
    began_at = datetime.now(UTC)
    checks = [(title, at_instant(check, began_at)) for title, check in CHECKS]
    async with open_cli_database() as db, open_cli_gateway(db, while_closed=True) as gateway:
        found = await _tell(PROCESSOR_TITLE, catch_up(db, gateway, began_at))
        return found + await carry_out_all(db, checks)


def at_instant(check: Check, settled_by: datetime) -> Check:
    """The check that demands everything settled by then to show in the processor's record."""
    return partial(verify_balance, settled_by=settled_by) if check is verify_balance else check


async def carry_out_all(db: Database, checks: Sequence[tuple[str, Check]]) -> int:
    """Every check in one snapshot; gives how much they found."""
    async with (
        connection(db) as conn,
        conn.transaction(isolation="repeatable_read", readonly=True),
    ):
        await conn.execute(f"set local statement_timeout = '{STATEMENT_MINUTES}min'")
        await conn.execute("set local idle_in_transaction_session_timeout = 0")
        return sum([await _tell(title, check(conn)) for title, check in checks])


async def _tell(title: str, found: AsyncIterator[Finding]) -> int:
    """One check, with a line before it, one for each finding, and one after it."""
    note(title)
    started = time.monotonic()
    findings = 0
    async for finding in found:
        findings += 1
        say(f"  ✗ {finding}")
    mark = "✗" if findings else "✓"
    say(f"  {mark} {title} (findings: {findings}, {time.monotonic() - started:.1f} s)")
    return findings
