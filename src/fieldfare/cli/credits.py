"""`fieldfare credits`: what an account holds, and an operator's change of it."""

import re
from typing import Annotated

import typer

from fieldfare.cli.context import open_cli_database, run
from fieldfare.cli.steps import say
from fieldfare.db.pool import connection, transaction
from fieldfare.kernel.money import dollars_from_cents
from fieldfare.ledger.service.credits import adjust_credits, get_wallet

credits_app = typer.Typer(
    help="Look at and adjust prepaid credits.", no_args_is_help=True, rich_markup_mode=None
)
_DOLLARS = re.compile(r"([+-]?)(\d{1,9})(?:\.(\d{2}))?", re.ASCII)

AccountNumber = Annotated[
    int, typer.Option("--account", min=1, max=2**63 - 1, help="The account's number.")
]


def parse_dollars(text: str) -> int:
    """US cents from dollars such as 500, -12.50 or +0.05."""
    found = _DOLLARS.fullmatch(text.strip())
    if found is None:
        raise typer.BadParameter("write dollars with two decimals or none, for instance -12.50")
    cents = int(found[2]) * 100 + int(found[3] or 0)
    return -cents if found[1] == "-" else cents


@credits_app.command("balance")
def balance_command(account: AccountNumber) -> None:
    """Show what an account holds.

    Example: fieldfare credits balance --account 1001
    """
    say(f"${dollars_from_cents(run(_balance(account))):.2f}")


async def _balance(account_id: int) -> int:
    async with open_cli_database() as db, connection(db) as conn:
        return (await get_wallet(conn, account_id)).balance_cents


@credits_app.command("adjust")
def adjust_command(
    account: AccountNumber,
    by: Annotated[str, typer.Option(help="US dollars, signed: 500 or -12.50.")],
    reason: Annotated[str, typer.Option(help="Why; the customer sees it in the ledger.")],
) -> None:
    """Change an account's credits by hand; it is written to the journal with its reason.

    Example: fieldfare credits adjust --account 1001 --by 25.00 --reason "Goodwill, ticket 4711"
    """
    balance = run(_adjust(account, parse_dollars(by), reason))
    say(f"The balance is now ${dollars_from_cents(balance):.2f}.")


async def _adjust(account_id: int, change_cents: int, reason: str) -> int:
    async with open_cli_database() as db, transaction(db) as conn:
        _, balance = await adjust_credits(
            conn, account_id, change_cents=change_cents, reason=reason
        )
        return balance
