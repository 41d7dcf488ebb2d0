"""One typed function per query of `queries.sql`; nothing outside this feature calls them."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import msgspec

from fieldfare.accounts.model import (
    Account,
    AccountKind,
    Member,
    MemberRole,
    OperatorRole,
    PasswordIdentity,
    Profile,
    Token,
)
from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries
from fieldfare.http.principal import Principal, TokenKind
from fieldfare.integrations.stripe.model import Card

_queries = load_queries(__file__)


async def insert_account(
    conn: Connection,
    *,
    kind: AccountKind,
    name: str,
    billing_email: str,
    currency: str,
    language: str,
    created_at: datetime,
) -> int:
    """A new user or team; gives its number."""
    account_id: int = await _queries.insert_account(
        conn,
        kind=kind,
        name=name,
        billing_email=billing_email,
        currency=currency,
        language=language,
        created_at=created_at,
    )
    return account_id


async def find_account(conn: Connection, account_id: int) -> Account | None:
    """The account of that number, unless it was erased."""
    row = await _queries.find_account(conn, account_id=account_id)
    return None if row is None else msgspec.convert(dict(row), Account)


async def list_accounts(conn: Connection, wanted: str, at_most: int) -> list[Account]:
    """Accounts whose name or address contains `wanted` (lower case), by number."""
    rows = _queries.list_accounts(conn, wanted=wanted, at_most=at_most)
    return [msgspec.convert(dict(row), Account) async for row in rows]


async def list_public_profiles(conn: Connection, account_ids: Collection[int]) -> list[Profile]:
    """Of these accounts, what those that chose to be public show."""
    rows = _queries.list_public_profiles(conn, account_ids=list(account_ids))
    return [Profile(**row) async for row in rows]


async def insert_member(
    conn: Connection, team_id: int, user_id: int, role: MemberRole, created_at: datetime
) -> bool:
    """False if the user is a member already; then nothing changes."""
    inserted = await _queries.insert_member(
        conn, team_id=team_id, user_id=user_id, role=role, created_at=created_at
    )
    return inserted is not None


async def list_members(conn: Connection, team_id: int) -> list[Member]:
    """Who is in a team, longest there first."""
    rows = _queries.list_members(conn, team_id=team_id)
    return [msgspec.convert(dict(row), Member) async for row in rows]


async def insert_identity(
    conn: Connection,
    *,
    user_id: int,
    kind: str,
    subject: str,
    secret: str | None,
    created_at: datetime,
) -> bool:
    """False if the identity is somebody's already; then nothing changes."""
    inserted = await _queries.insert_identity(
        conn, user_id=user_id, kind=kind, subject=subject, secret=secret, created_at=created_at
    )
    return inserted is not None


async def find_password(conn: Connection, email: str) -> PasswordIdentity | None:
    """The password of whoever signs in with this address (lower case)."""
    row = await _queries.find_password(conn, email=email)
    return None if row is None else msgspec.convert(dict(row), PasswordIdentity)


async def update_secret(conn: Connection, identity: PasswordIdentity, new_secret: str) -> None:
    """Keep the new hash of the same password, unless the password was changed meanwhile."""
    await _queries.update_secret(
        conn, identity_id=identity.id, old_secret=identity.secret, new_secret=new_secret
    )


async def upsert_operator(
    conn: Connection, user_id: int, role: OperatorRole, created_at: datetime
) -> None:
    """Make a user an operator, or give an operator another role."""
    await _queries.upsert_operator(conn, user_id=user_id, role=role, created_at=created_at)


async def find_operator_role(conn: Connection, user_id: int) -> OperatorRole | None:
    """What a user may do as an operator, if anything."""
    role: OperatorRole | None = await _queries.find_operator_role(conn, user_id=user_id)
    return role


async def insert_token(
    conn: Connection,
    *,
    token_id: UUID,
    account_id: int,
    kind: TokenKind,
    sha256: bytes,
    hint: str,
    label: str,
    created_at: datetime,
) -> None:
    """A new token: its hash and its last four characters."""
    await _queries.insert_token(
        conn,
        id=token_id,
        account_id=account_id,
        kind=kind,
        sha256=sha256,
        hint=hint,
        label=label,
        created_at=created_at,
    )


async def lock_token(conn: Connection, token_id: UUID) -> Token | None:
    """A token that is about to be changed; others who want to change it wait."""
    row = await _queries.lock_token(conn, token_id=token_id)
    return None if row is None else msgspec.convert(dict(row), Token)


async def list_tokens(conn: Connection, account_id: int, at_most: int) -> list[Token]:
    """An account's tokens, newest first."""
    rows = _queries.list_tokens(conn, account_id=account_id, at_most=at_most)
    return [msgspec.convert(dict(row), Token) async for row in rows]


async def update_token_revoked(conn: Connection, token_id: UUID, revoked_at: datetime) -> None:
    """End a token now."""
    await _queries.update_token_revoked(conn, token_id=token_id, revoked_at=revoked_at)


async def update_token_replaced(
    conn: Connection, token_id: UUID, expires_at: datetime, replaced_by: UUID
) -> None:
    """End a token at an instant, in favour of another one."""
    await _queries.update_token_replaced(
        conn, token_id=token_id, expires_at=expires_at, replaced_by=replaced_by
    )


async def find_principal(conn: Connection, sha256: bytes) -> Principal | None:
    """Who a token stands for, while it works."""
    row = await _queries.find_principal(conn, sha256=sha256)
    return None if row is None else msgspec.convert(dict(row), Principal)


async def find_card(conn: Connection, account_id: int) -> Card | None:
    """What a card order of an account is charged to."""
    row = await _queries.find_card(conn, account_id=account_id)
    return None if row is None else Card(**row)


async def update_card(conn: Connection, account_id: int, card: Card) -> None:
    """Charge another card from now on."""
    await _queries.update_card(
        conn,
        account_id=account_id,
        customer=card.customer,
        payment_method=card.payment_method,
    )
