"""`fieldfare feed`: what everybody sees of the newest orders, and what an operator keeps out."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from fieldfare.cli.context import open_cli_database, run
from fieldfare.cli.steps import say
from fieldfare.impact.model import FeedEntry, HiddenOrder
from fieldfare.kernel.clock import rfc3339
from fieldfare.kernel.mass import tonnes_from_mg

feed_app = typer.Typer(
    help="The public feed: list, hide, show, rebuild.", no_args_is_help=True, rich_markup_mode=None
)

GroupId = Annotated[
    str, typer.Argument(metavar="GROUP_ID", help="The order: a charge, or the purchase's UUID.")
]
LATER = "Who has the feed already may see it as it was until the hour is over."


@feed_app.command("list")
def list_command() -> None:
    """Show what the next build will hold, by order group id, and what is hidden and why.

    Example: fieldfare feed list
    """
    entries, hidden = run(_list())
    for entry in entries:
        say(_entry_line(entry))
    for order in hidden:
        say(f"{order.purchase_id}  hidden {rfc3339(order.hidden_at)}: {order.reason}")
    if not entries and not hidden:
        say("There is nothing to show yet, and nothing is hidden.")


async def _list() -> tuple[list[FeedEntry], list[HiddenOrder]]:
    from fieldfare.catalog.service import load_catalogue
    from fieldfare.db.pool import connection
    from fieldfare.impact.service.feed import list_entries, list_hidden

    async with open_cli_database() as db:
        catalogue = await load_catalogue(db, datetime.now(UTC))
        async with connection(db) as conn:
            return await list_entries(conn, catalogue), await list_hidden(conn)


def _entry_line(entry: FeedEntry) -> str:
    tonnes = tonnes_from_mg(entry.mass_mg)
    return (
        f"{entry.group_id}  {rfc3339(entry.created_at)}  {tonnes:f} t  {entry.portfolio_name}  "
        f"{entry.name}"
    )


@feed_app.command("hide")
def hide_command(
    group_id: GroupId, reason: Annotated[str, typer.Option(help="Why; kept with the decision.")]
) -> None:
    """Keep an order out of the feed, from now on.

    Example: fieldfare feed hide ch_3MmlLrLkdIwHu7ix0snN0B15 --reason "Asked to be left out"
    """
    run(_hide(group_id, reason))
    say(f"Hidden. {LATER}")


async def _hide(group_id: str, reason: str) -> None:
    from fieldfare.db.pool import transaction
    from fieldfare.impact.jobs import rebuild_feed
    from fieldfare.impact.service.feed import hide_order

    now = datetime.now(UTC)
    async with open_cli_database() as db:
        async with transaction(db) as conn:
            await hide_order(conn, group_id, reason, now)
        await rebuild_feed(db, now)


@feed_app.command("show")
def show_command(group_id: GroupId) -> None:
    """Let a hidden order be in the feed again.

    Example: fieldfare feed show ch_3MmlLrLkdIwHu7ix0snN0B15
    """
    run(_show(group_id))
    say(f"No longer hidden. {LATER}")


async def _show(group_id: str) -> None:
    from fieldfare.db.pool import transaction
    from fieldfare.impact.jobs import rebuild_feed
    from fieldfare.impact.service.feed import show_order

    async with open_cli_database() as db:
        async with transaction(db) as conn:
            await show_order(conn, group_id)
        await rebuild_feed(db, datetime.now(UTC))


@feed_app.command("rebuild")
def rebuild_command() -> None:
    """Build the feed now instead of at the next full hour.

    Example: fieldfare feed rebuild
    """
    rows = run(_rebuild())
    say(f"The feed has {rows} {'order' if rows == 1 else 'orders'}. {LATER}")


async def _rebuild() -> int:
    from fieldfare.impact.jobs import rebuild_feed

    async with open_cli_database() as db:
        return await rebuild_feed(db, datetime.now(UTC))
