"""`fieldfare account`: open users and teams, and let people in.

The number of a new account is the only thing that the commands which open one print on stdout.
"""

import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from fieldfare.accounts.model import Account, MemberRole, OperatorRole, ProviderKind, Refill
from fieldfare.cli.context import open_cli_connection, open_cli_database, open_cli_transaction, run
from fieldfare.cli.dollars import parse_dollars, show_dollars

account_app = typer.Typer(
    help="Open users and teams, and let people in.", no_args_is_help=True, rich_markup_mode=None
)

_Number = typer.Option(min=1, max=2**63 - 1, help="The account's number.")
Name = Annotated[str, typer.Option(help="How it is called, up to 200 characters.")]
Email = Annotated[str, typer.Option(help="Where receipts go.")]
Currency = Annotated[str, typer.Option(help="What a card is charged in.")]
Language = Annotated[str, typer.Option(help="en, de, fr or es.")]
UserNumber = Annotated[int, _Number]
TeamNumber = Annotated[int, _Number]


@account_app.command("open-user")
def open_user_command(
    name: Name, email: Email, currency: Currency = "USD", language: Language = "en"
) -> None:
    """Open an account for a person and print its number.

    Example: fieldfare account open-user --name "Ada Byron" --email ada@example.org
    """
    typer.echo(run(_open_user(name, email, currency, language)))


async def _open_user(name: str, email: str, currency: str, language: str) -> int:
    from fieldfare.accounts import service

    async with open_cli_transaction() as conn:
        return await service.open_user(
            conn,
            name=name,
            billing_email=email,
            currency=currency,
            language=language,
            now=datetime.now(UTC),
        )


@account_app.command("open-team")
def open_team_command(
    name: Name,
    owner: UserNumber,
    email: Email,
    currency: Currency = "USD",
    language: Language = "en",
) -> None:
    """Open a team that a user owns and print its number.

    Example: fieldfare account open-team --name "Web shop" --owner 1001 --email pay@example.org
    """
    typer.echo(run(_open_team(name, owner, email, currency, language)))


async def _open_team(name: str, owner_id: int, email: str, currency: str, language: str) -> int:
    from fieldfare.accounts import service

    async with open_cli_transaction() as conn:
        return await service.open_team(
            conn,
            name=name,
            owner_id=owner_id,
            billing_email=email,
            currency=currency,
            language=language,
            now=datetime.now(UTC),
        )


@account_app.command("add-member")
def add_member_command(
    team: TeamNumber,
    user: UserNumber,
    role: Annotated[MemberRole, typer.Option(help="What the user may do there.")],
) -> None:
    """Let a user into a team.

    Example: fieldfare account add-member --team 1002 --user 1003 --role developer
    """
    run(_add_member(team, user, role))
    typer.echo(f"User {user} is in team {team} now, as {role}.")


async def _add_member(team_id: int, user_id: int, role: MemberRole) -> None:
    from fieldfare.accounts import service

    async with open_cli_transaction() as conn:
        await service.add_member(conn, team_id, user_id, role, datetime.now(UTC))


@account_app.command("add-password")
def add_password_command(
    user: UserNumber,
    email: Annotated[str, typer.Option(help="What the user signs in with.")],
) -> None:
    """Let a user sign in with a password: asked for, or the first line of a pipe.

    Example: fieldfare account add-password --user 1001 --email ada@example.org
    """
    run(_add_password(user, email, _read_password()))
    typer.echo(f"User {user} signs in with {email} now.")


@account_app.command("change-password")
def change_password_command(
    email: Annotated[str, typer.Option(help="What the user signs in with.")],
) -> None:
    """Give a user another password: asked for, or the first line of a pipe.

    Example: fieldfare account change-password --email ada@example.org
    """
    user = run(_change_password(email, _read_password()))
    typer.echo(f"User {user} signs in with the new password now.")


async def _change_password(email: str, password: str) -> int:
    from fieldfare.accounts import service

    async with open_cli_transaction() as conn:
        return await service.change_password(conn, email, password)


def _read_password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return password


async def _add_password(user_id: int, email: str, password: str) -> None:
    from fieldfare.accounts import service

    async with open_cli_transaction() as conn:
        await service.add_password(conn, user_id, email, password, datetime.now(UTC))


@account_app.command("add-identity")
def add_identity_command(
    user: UserNumber,
    kind: Annotated[ProviderKind, typer.Option(help="Who vouches for the user.")],
    subject: Annotated[str, typer.Option(help="The provider's id of the user.")],
) -> None:
    """Let a user sign in with a provider.

    Example: fieldfare account add-identity --user 1001 --kind google --subject 10769150350006150715
    """
    run(_add_identity(user, kind, subject))
    typer.echo(f"User {user} signs in with {kind} now.")


async def _add_identity(user_id: int, kind: ProviderKind, subject: str) -> None:
    from fieldfare.accounts import service

    async with open_cli_transaction() as conn:
        await service.add_provider_identity(conn, user_id, kind, subject, datetime.now(UTC))


@account_app.command("make-operator")
def make_operator_command(
    user: UserNumber,
    role: Annotated[OperatorRole, typer.Option(help="What the operator may do.")],
) -> None:
    """Let a user run the catalogue and the books.

    Example: fieldfare account make-operator --user 1001 --role bookkeeper
    """
    run(_make_operator(user, role))
    typer.echo(f"User {user} is an operator now, as {role}.")


async def _make_operator(user_id: int, role: OperatorRole) -> None:
    from fieldfare.accounts import service

    async with open_cli_transaction() as conn:
        await service.make_operator(conn, user_id, role, datetime.now(UTC))


@account_app.command("find")
def find_command(
    text: Annotated[str, typer.Argument(help="Part of a name or of an e-mail address.")],
) -> None:
    """Show the first hundred accounts with that text in their name or address.

    Example: fieldfare account find example.org
    """
    found = run(_find(text))
    if not found:
        typer.echo("No name and no address contains that text.", err=True)
    for account in found:
        typer.echo(
            f"{account.id:>8}  {account.kind}  {account.currency}  {account.name}  "
            f"{account.billing_email or ''}".rstrip()
        )


async def _find(text: str) -> list[Account]:
    from fieldfare.accounts import service

    async with open_cli_connection() as conn:
        return await service.find_accounts(conn, text)


@account_app.command("refill")
def refill_command(
    account: Annotated[
        int, typer.Option(min=1, max=2**63 - 1, help="The number of a user or a team.")
    ],
    below: Annotated[
        str | None, typer.Option(help="US dollars: refill when fewer credits are left.")
    ] = None,
    amount: Annotated[
        str | None, typer.Option(help="US dollars that one refill adds, $1.00 or more.")
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="No more refills.")] = False,
) -> None:
    """Have an account's credits topped up by its card when they run low, or show what is set.

    Example: fieldfare account refill --account 1001 --below 50 --amount 200
    """
    if off and (below is not None or amount is not None):
        raise typer.BadParameter("--off takes neither --below nor --amount; give one or the other")
    if (below is None) != (amount is None):
        raise typer.BadParameter("--below and --amount go together, for instance 50 and 200")
    if below is not None and amount is not None:
        work = _set_refill(account, parse_dollars(below), parse_dollars(amount))
    elif off:
        work = _switch_refill_off(account)
    else:
        work = _find_refill(account)
    typer.echo(_refill_line(run(work)))


async def _set_refill(account_id: int, below_cents: int, amount_cents: int) -> Refill | None:
    from fieldfare.accounts import service
    from fieldfare.db.pool import connection, transaction

    async with open_cli_database() as db:
        async with transaction(db) as conn:
            await service.set_refill(
                conn, account_id, below_cents=below_cents, amount_cents=amount_cents
            )
        async with connection(db) as conn:
            return await service.find_refill(conn, account_id)


async def _switch_refill_off(account_id: int) -> Refill | None:
    from fieldfare.accounts import service
    from fieldfare.db.pool import connection, transaction

    async with open_cli_database() as db:
        async with transaction(db) as conn:
            await service.switch_refill_off(conn, account_id)
        async with connection(db) as conn:
            return await service.find_refill(conn, account_id)


async def _find_refill(account_id: int) -> Refill | None:
    from fieldfare.accounts import service

    async with open_cli_connection() as conn:
        await service.get_account(conn, account_id)
        return await service.find_refill(conn, account_id)


def _refill_line(refill: Refill | None) -> str:
    if refill is None:
        return "off: no refill was ever set."
    wish = f"below {show_dollars(refill.below_cents)}, by {show_dollars(refill.amount_cents)}"
    failed = f", {refill.failures} failed in a row" if refill.failures else ""
    return f"on: {wish}{failed}." if refill.is_on else f"off (it was {wish}{failed})."
