"""`fieldfare close`: sell nothing until `fieldfare open`."""

from fieldfare.cli.context import open_cli_transaction, run
from fieldfare.cli.steps import say


def close_command() -> None:
    """Close the shop: every request is told 503 and no job runs, until `fieldfare open`.

    For a database that you have brought back with tools of your own: close it before anything is
    started on it.

    Example: fieldfare close
    """
    run(_close())
    say("The shop is closed. `fieldfare open` opens it.")


async def _close() -> None:
    from fieldfare.db.closing import close_shop

    async with open_cli_transaction() as conn:
        await close_shop(conn)
