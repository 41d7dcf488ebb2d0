"""`fieldfare verify`: hold the books against each other and name every row that does not agree."""

import time
from collections.abc import AsyncIterator, Callable

import typer

from fieldfare.catalog.service import verify_catalogue
from fieldfare.cli.context import open_cli_database, run
from fieldfare.cli.steps import note, say
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
        say(f"Findings: {found}. Stop paying out until each is explained.")
        raise typer.Exit(1)
    say("The books agree.")


async def _verify() -> int:
    async with (
        open_cli_database() as db,
        connection(db) as conn,
        conn.transaction(isolation="repeatable_read", readonly=True),
    ):
        await conn.execute(f"set local statement_timeout = '{STATEMENT_MINUTES}min'")
        await conn.execute("set local idle_in_transaction_session_timeout = 0")
        return sum([await _carry_out(conn, title, check) for title, check in CHECKS])


async def _carry_out(conn: Connection, title: str, check: Check) -> int:
    """One check, with a line before it, one for each finding, and one after it."""
    note(title)
    started = time.monotonic()
    findings = 0
    async for finding in check(conn):
        findings += 1
        say(f"  ✗ {finding}")
    mark = "✗" if findings else "✓"
    say(f"  {mark} {title} (findings: {findings}, {time.monotonic() - started:.1f} s)")
    return findings
