"""`fieldfare credits`: what an account holds, and operators' changes of it.

Small changes take one operator, large ones two: `ledger.service.adjusting` holds that rule.
"""

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from fieldfare.cli.context import open_cli_connection, open_cli_database, run
from fieldfare.cli.dollars import parse_dollars, show_dollars
from fieldfare.cli.operators import ask_password
from fieldfare.cli.steps import say
from fieldfare.kernel.clock import rfc3339
from fieldfare.kernel.errors import AnswerLost
from fieldfare.ledger.errors import AdjustmentMaybeMade
from fieldfare.ledger.model import AdjustmentRequest, Wallet
from fieldfare.settings import read_settings

if TYPE_CHECKING:
    from fieldfare.ledger.service.adjusting import Adjusted

credits_app = typer.Typer(
    help="Look at and adjust prepaid credits.", no_args_is_help=True, rich_markup_mode=None
)

AccountNumber = Annotated[
    int, typer.Option("--account", min=1, max=2**63 - 1, help="The account's number.")
]
RequestId = Annotated[
    UUID, typer.Argument(metavar="ID", help="The request, as `credits requests` shows it.")
]
Operator = Annotated[
    str, typer.Option(metavar="EMAIL", help="Who you are; your password is asked for.")
]


@credits_app.command("balance")
def balance_command(account: AccountNumber) -> None:
    """Show what an account holds, and what it owes.

    Example: fieldfare credits balance --account 1001
    """
    wallet = run(_wallet(account))
    say(show_dollars(wallet.balance_cents))
    if wallet.owed_cents:
        say(f"It owes {show_dollars(wallet.owed_cents)}, which the next top-up pays first.")


async def _wallet(account_id: int) -> Wallet:
    from fieldfare.ledger.service.credits import get_wallet

    async with open_cli_connection() as conn:
        return await get_wallet(conn, account_id)


@credits_app.command("adjust")
def adjust_command(
    account: AccountNumber,
    by: Annotated[str, typer.Option(help="US dollars, signed: 500 or -12.50.")],
    reason: Annotated[str, typer.Option(help="Why; the customer sees it, so name no person.")],
    operator: Annotated[
        str | None,
        typer.Option(metavar="EMAIL", help="Who you are; needed above the set amount."),
    ] = None,
) -> None:
    """Change an account's credits by hand; it is written to the journal with its reason.

    Above the set amount (FIELDFARE_ADJUST_ALONE_UP_TO, 100 dollars) nothing is changed yet: it is
    asked for, and a second operator approves or refuses it.

    Example: fieldfare credits adjust --account 1001 --by 25.00 --reason "Goodwill, ticket 4711"
    """
    cents = parse_dollars(by)
    done = run(_adjust(account, cents, reason, operator))
    if done.request_id is None:
        say(f"The balance is now {show_dollars(done.balance_cents)}.")
        return
    say(f"Asked for: {show_dollars(cents)} for account {account}, request {done.request_id}.")
    say(f"Nothing is changed yet, the balance is {show_dollars(done.balance_cents)}.")
    say(f"Next, another operator: fieldfare credits approve {done.request_id} --operator EMAIL")


async def _adjust(account_id: int, cents: int, reason: str, operator: str | None) -> "Adjusted":
    from fieldfare.accounts.service import verify_password
    from fieldfare.db.pool import transaction
    from fieldfare.ledger.service import adjusting

    settings = read_settings()
    password = "" if operator is None else ask_password(operator)
    async with open_cli_database() as db:
        operator_id = None if operator is None else await verify_password(db, operator, password)
        try:
            async with transaction(db) as conn:
                return await adjusting.adjust(
                    conn,
                    account_id,
                    change_cents=cents,
                    reason=reason,
                    operator_id=operator_id,
                    alone_up_to_cents=settings.adjust_alone_up_to_cents,
                )
        except AnswerLost as error:
            raise AdjustmentMaybeMade(account_id) from error


@credits_app.command("requests")
def requests_command() -> None:
    """Show the adjustments that wait for a second operator, oldest first.

    Example: fieldfare credits requests
    """
    from fieldfare.ledger.service.adjusting import LISTED

    found = run(_requests())
    for request in found:
        say(_line(request))
    if not found:
        say("No adjustment waits for a second operator.")
    elif len(found) == LISTED:
        say("… and maybe more.")


def _line(request: AdjustmentRequest) -> str:
    return (
        f"{request.id}  {rfc3339(request.asked_at)}  by operator {request.asked_by}  "
        f"{show_dollars(request.change_cents)} for account {request.account_id}: {request.reason}"
    )


async def _requests() -> list[AdjustmentRequest]:
    from fieldfare.ledger.service import adjusting

    async with open_cli_connection() as conn:
        return await adjusting.list_requests(conn)


@credits_app.command("approve")
def approve_command(request_id: RequestId, operator: Operator) -> None:
    """Let through what another operator asked for: the balance is changed now.

    Example: fieldfare credits approve 01a1ff41-ac44-756c-8ba3-4fbd64ac06d3 --operator b@shop.org
    """
    done = run(_approve(request_id, operator))
    when = "It was approved before; nothing was changed now. " if done.decided_before else ""
    say(f"{when}The balance is {'' if when else 'now '}{show_dollars(done.balance_cents)}.")


async def _approve(request_id: UUID, operator: str) -> "Adjusted":
    from fieldfare.accounts.service import verify_password
    from fieldfare.db.pool import transaction
    from fieldfare.ledger.service import adjusting

    password = ask_password(operator)
    async with open_cli_database() as db:
        operator_id = await verify_password(db, operator, password)
        async with transaction(db) as conn:
            return await adjusting.approve(conn, request_id, operator_id)


@credits_app.command("refuse")
def refuse_command(
    request_id: RequestId,
    operator: Operator,
    reason: Annotated[str, typer.Option(help="Why not; kept with the request.")],
) -> None:
    """Turn down what an operator asked for, or take back what you asked for yourself.

    Example: fieldfare credits refuse 01a1ff41-ac44-756c-8ba3-4fbd64ac06d3 --operator b@shop.org
    --reason "Paid twice"
    """
    refused = run(_refuse(request_id, operator, reason))
    say("It is turned down." if refused else "It was turned down before; nothing was changed.")


async def _refuse(request_id: UUID, operator: str, reason: str) -> bool:
    from fieldfare.accounts.service import verify_password
    from fieldfare.db.pool import transaction
    from fieldfare.ledger.service import adjusting

    password = ask_password(operator)
    async with open_cli_database() as db:
        operator_id = await verify_password(db, operator, password)
        async with transaction(db) as conn:
            return await adjusting.refuse(conn, request_id, operator_id, reason)
