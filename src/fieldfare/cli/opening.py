"""How `fieldfare open` does it: the processor's lists, then every check, then the mark goes.

What must hold: the shop opens only after all of it went through; whatever stops it leaves the shop
closed, and the next run begins anew.
"""

from collections.abc import Iterator

from fieldfare.cli.checks import CHECKS, carry_out_all, verify_with_processor
from fieldfare.cli.context import open_cli_database, open_cli_gateway
from fieldfare.cli.steps import note, say
from fieldfare.db.closing import is_closed, open_shop
from fieldfare.db.pool import Database, connection, transaction
from fieldfare.kernel.clock import rfc3339
from fieldfare.orders.jobs.recovering import Recovered, recover
from fieldfare.payments.service.exceptions import list_exceptions
from fieldfare.payments.service.recovering import has_charged_cards
from fieldfare.settings import SettingsRefused

DO_AGAIN = (
    "What was done here after the recovery point is undone. Do it again, before clients come back:",
    "  tokens that were revoked are valid again: fieldfare token revoke",
    "  erased persons are back: fieldfare erase, from your note of erasures",
    "  prices, projects, hidden rows of the feed, passwords and refills are as they were then",
    "  orders that were answered after it are gone, paid ones are on the list of exceptions",
)


async def open_shop_again(*, no_cards: bool, despite_findings: bool) -> int | None:
    """Open the shop; gives how many findings kept it closed, or None if it is open.

    Raises `SettingsRefused` without a card processor, and `ProcessorAway`.
    """
    async with open_cli_database() as db:
        async with connection(db) as conn:
            if not await is_closed(conn):
                say("The shop is open already.")
                return None
        findings = await (_check_alone(db) if no_cards else _check_with_processor(db))
        if findings and not despite_findings:
            return findings
        async with transaction(db) as conn:
            await open_shop(conn)
            left = await list_exceptions(conn)
    for line in (f"Exceptions that are open: {len(left)} (fieldfare exceptions list).", *DO_AGAIN):
        say(line)
    say("The shop is open.")
    return None


async def _check_alone(db: Database) -> int:
    async with connection(db) as conn:
        if await has_charged_cards(conn):
            raise SettingsRefused(
                "cards were charged here, so --no-cards is not true; set FIELDFARE_STRIPE_KEY and "
                "leave it out"
            )
    return await carry_out_all(db, CHECKS)


async def _check_with_processor(db: Database) -> int:
    async with open_cli_gateway(db, while_closed=True) as gateway:
        note("the processor's charges, refunds and disputes")
        for line in _told(await recover(db, gateway)):
            say(line)
    return await verify_with_processor()


def _told(found: Recovered) -> Iterator[str]:
    yield f"  ✓ the processor's lists since {rfc3339(found.since)}"
    yield f"    under way and settled now: {found.settled}, not shown there yet: {found.unknown}"
    yield f"    charges that no order here knows: {len(found.strays)}"
    for stray in found.strays:
        yield (
            f"      {stray.charge_id}  {stray.amount_minor} {stray.currency} of customer "
            f"{stray.customer}, for {stray.subject_id or 'nothing that it names'}"
        )
    yield f"    refunds of such charges: {found.stray_refunds}"
    for account_id in found.refills_off:
        yield f"    refills of account {account_id} are off: its card was charged since"
