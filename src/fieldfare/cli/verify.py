"""`fieldfare verify`: hold the books against each other and name every row that does not agree."""

import sys
import time
from collections.abc import AsyncIterator, Callable

import typer

from fieldfare.catalog.service import verify_catalogue
from fieldfare.cli.context import open_cli_database, run
from fieldfare.cli.steps import say
from fieldfare.db.pool import Connection, connection
from fieldfare.kernel.findings import Finding
from fieldfare.ledger.service.verify import verify_ledger
from fieldfare.orders.service.verify import verify_orders

Check = Callable[[Connection], AsyncIterator[Finding]]

CHECKS: tuple[tuple[str, Check], ...] = (
    ("catalogue: prices against the changes that were asked for", verify_catalogue),
    ("ledger: balances, entries and legs against each other", verify_ledger),
    ("orders: purchases against lines, debits, prices and totals", verify_orders),
)
STATEMENT_MINUTES = 60


def verify_command() -> None:
    """Hold every balance, entry, purchase and line against the rows that must agree with it.

    Prints each row that does not, and ends with exit code 1 if there is one. It only reads, in one
    snapshot, so it can run beside a busy server.

    Example: fieldfare verify
    """
    found = run(_verify())
    if found:
        say(f"{found} findings. Stop paying out until each is explained.")
        raise typer.Exit(1)
    say("The books agree.")


async def _verify() -> int:
    total = 0
    async with (
        open_cli_database() as db,
        connection(db) as conn,
        conn.transaction(isolation="repeatable_read", readonly=True),
    ):
        await conn.execute(f"set local statement_timeout = '{STATEMENT_MINUTES}min'")
        await conn.execute("set local idle_in_transaction_session_timeout = 0")
        for title, check in CHECKS:
            started = time.monotonic()
            findings = 0
            async for finding in check(conn):
                findings += 1
                print(f"  ✗ {finding}", flush=True)
            mark = "✗" if findings else "✓"
            say(f"  {mark} {title} ({findings} findings, {time.monotonic() - started:.1f} s)")
            total += findings
    sys.stdout.flush()
    return total
