"""`fieldfare disputes`: what card owners have taken back through their banks, while it is open."""

from fieldfare.cli.context import open_cli_connection, run
from fieldfare.cli.steps import say
from fieldfare.kernel.clock import rfc3339
from fieldfare.kernel.currency import get_currency, minor_to_major
from fieldfare.payments.model import OpenDispute

ABOUT = {"purchase": "order", "top_up": "top-up"}


def disputes_command() -> None:
    """Show the disputes that no bank has decided yet, the oldest first.

    Answer or accept them in the card processor's dashboard, as a rule within a week. How a dispute
    ends takes effect here by itself: lost, an order counts as refunded, and the credits of a top-up
    are taken back or owed.

    Example: fieldfare disputes
    """
    found = run(_list())
    for one in found:
        say(f"{one.dispute_id}  {_shown(one)}, {one.reason}, since {rfc3339(one.opened_at)}")
        say(f"  account {one.account_id}, {ABOUT[one.subject]} {one.subject_id} ({one.charge_id})")
    say(f"{len(found)} open." if found else "No dispute is open.")


async def _list() -> list[OpenDispute]:
    from fieldfare.payments.service.disputes import all_open_disputes

    async with open_cli_connection() as conn:
        return sorted([one async for one in all_open_disputes(conn)], key=lambda d: d.opened_at)


def _shown(one: OpenDispute) -> str:
    currency = get_currency(one.currency)
    return f"{minor_to_major(one.amount_minor, currency):.{currency.decimals}f} {one.currency}"
