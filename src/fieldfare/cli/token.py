"""`fieldfare token`: issue, list, revoke and rotate API tokens.

The token itself is the only thing that `issue` and `rotate` print on stdout, so that a script can
take it; what a person should know about it goes to stderr.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import typer

from fieldfare.accounts import rules
from fieldfare.accounts.model import IssuedToken, Token
from fieldfare.cli.context import open_cli_connection, open_cli_transaction, run
from fieldfare.http.principal import TokenKind
from fieldfare.kernel.clock import rfc3339

token_app = typer.Typer(
    help="Issue, list, revoke and rotate API tokens.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_DURATION = re.compile(r"(\d{1,6})([smhd])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

AccountNumber = Annotated[
    int, typer.Option("--account", min=1, max=2**63 - 1, help="The account's number.")
]
TokenId = Annotated[UUID, typer.Argument(help="The token's id, as `token list` shows it.")]


def parse_duration(text: str) -> timedelta:
    """A time such as 90s, 30m, 24h or 7d."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise typer.BadParameter("write a number and s, m, h or d, for instance 24h")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


@token_app.command("issue")
def issue_command(
    account: AccountNumber,
    kind: Annotated[TokenKind, typer.Option(help="Teams have the first two, users the last.")],
    label: Annotated[str, typer.Option(help="What people call it, up to 100 characters.")] = "",
) -> None:
    """Make a new token and show it, once.

    Example: fieldfare token issue --account 1001 --kind team_live --label "Web shop"
    """
    issued = run(_issue(account, kind, label))
    _say(f"A token of the kind {issued.kind} for account {issued.account_id}, id {issued.id}.")
    _show(issued)


async def _issue(account_id: int, kind: TokenKind, label: str) -> IssuedToken:
    from fieldfare.accounts import service

    async with open_cli_transaction() as conn:
        return await service.issue_token(conn, account_id, kind, label, datetime.now(UTC))


@token_app.command("list")
def list_command(account: AccountNumber) -> None:
    """Show what is known of an account's tokens, newest first; the tokens themselves are not.

    Example: fieldfare token list --account 1001
    """
    tokens = run(_list(account))
    if not tokens:
        _say(f"Account {account} has no tokens yet. Make one with `fieldfare token issue`.")
        return
    now = datetime.now(UTC)
    typer.echo(f"{'id':36}  {'kind':9}  {'ends in':7}  {'state':8}  {'created':24}  label")
    for token in tokens:
        typer.echo(_line(token, now))


def _line(token: Token, now: datetime) -> str:
    state = rules.token_state(token, now)
    if state == "replaced" and token.expires_at is not None:
        until = f"  (works until {rfc3339(token.expires_at)})"
    else:
        until = ""
    created = rfc3339(token.created_at)
    return (
        f"{token.id}  {token.kind:9}  {'…' + token.hint:7}  {state:8}  {created}  "
        f"{token.label}{until}"
    ).rstrip()


async def _list(account_id: int) -> list[Token]:
    from fieldfare.accounts import service

    async with open_cli_connection() as conn:
        await service.get_account(conn, account_id)
        return await service.list_tokens(conn, account_id)


@token_app.command("revoke")
def revoke_command(token_id: TokenId) -> None:
    """End a token: within a second nothing accepts it any more.

    Example: fieldfare token revoke 01a1ff41-ac44-756c-8ba3-4fbd64ac06d3
    """
    revoked = run(_revoke(token_id))
    assert revoked.revoked_at is not None
    typer.echo(
        f"Token {revoked.id} (…{revoked.hint}) of account {revoked.account_id} is revoked "
        f"since {rfc3339(revoked.revoked_at)}."
    )


async def _revoke(token_id: UUID) -> Token:
    from fieldfare.accounts import service

    async with open_cli_transaction() as conn:
        return await service.revoke_token(conn, token_id, datetime.now(UTC))


@token_app.command("rotate")
def rotate_command(
    token_id: TokenId,
    overlap: Annotated[
        str, typer.Option(metavar="TIME", help="How long the old one goes on working.")
    ] = "24h",
) -> None:
    """Make a token that takes the place of another, and show it, once.

    Example: fieldfare token rotate 01a1ff41-ac44-756c-8ba3-4fbd64ac06d3 --overlap 24h
    """
    now, lasting = datetime.now(UTC), parse_duration(overlap)
    issued = run(_rotate(token_id, lasting, now))
    _say(f"A new token for account {issued.account_id}, id {issued.id}.")
    _say(f"The old one, {token_id}, works until {rfc3339(now + lasting)} at the latest.")
    _show(issued)


async def _rotate(token_id: UUID, overlap: timedelta, now: datetime) -> IssuedToken:
    from fieldfare.accounts import service

    async with open_cli_transaction() as conn:
        return await service.rotate_token(conn, token_id, overlap, now)


def _show(issued: IssuedToken) -> None:
    _say("It is shown this once and kept nowhere, so store it now:")
    typer.echo(issued.token)


def _say(line: str) -> None:
    typer.echo(line, err=True)
