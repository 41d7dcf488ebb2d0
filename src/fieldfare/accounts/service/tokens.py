"""API tokens: issued and shown once, revoked, rotated with an overlap, and looked up by hash.

What must hold: every change is told by the topic `tokens` in its own transaction, so that it holds
in every process within a second: a new token too, for it may be among those cached as unknown. An
expiry is no change, so whoever caches a `Principal` minds its `expires_in_s`.
"""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from fieldfare.accounts import rules, store
from fieldfare.accounts.errors import TokenNotFound
from fieldfare.accounts.model import IssuedToken, Token
from fieldfare.accounts.service.people import get_account
from fieldfare.db.changes import raise_revision
from fieldfare.db.ids import new_id, new_secret_id
from fieldfare.db.pool import Connection, Database, connection
from fieldfare.http.auth import PRINCIPAL_TOPIC, TEST_PREFIX, hash_token
from fieldfare.http.principal import Principal, TokenKind

TOKENS_LISTED = 500


async def issue_token(
    conn: Connection, account_id: int, kind: TokenKind, label: str, now: datetime
) -> IssuedToken:
    """A new token; `token` of what comes back is kept nowhere, so show it now.

    Raises `AccountNotFound`, `AccountRefused`, or `WrongAccountKind`: team kinds are for teams,
    personal ones for users.
    """
    rules.check_token_kind(await get_account(conn, account_id), kind)
    issued = await _keep_new(conn, account_id, kind, rules.clean_label(label), now)
    await raise_revision(conn, PRINCIPAL_TOPIC)
    return issued


async def revoke_token(conn: Connection, token_id: UUID, now: datetime) -> Token:
    """End a token within a second; revoking it again changes nothing. Raises `TokenNotFound`."""
    token = await _lock(conn, token_id)
    if token.revoked_at is not None:
        return token
    await store.update_token_revoked(conn, token_id, now)
    await raise_revision(conn, PRINCIPAL_TOPIC)
    return msgspec.structs.replace(token, revoked_at=now)


async def rotate_token(
    conn: Connection, token_id: UUID, overlap: timedelta, now: datetime
) -> IssuedToken:
    """A new token in the place of one that goes on working for `overlap`, at most 90 days.

    Raises `TokenNotFound`, `AccountRefused` for the overlap, or `TokenNotUsable` if the token was
    revoked, has expired or was rotated before.
    """
    old = await _lock(conn, token_id)
    rules.check_rotation(old, overlap, now)
    await get_account(conn, old.account_id)
    issued = await _keep_new(conn, old.account_id, old.kind, old.label, now)
    expires_at = rules.rotated_expiry(old, overlap, now)
    await store.update_token_replaced(conn, token_id, expires_at, issued.id)
    await raise_revision(conn, PRINCIPAL_TOPIC)
    return issued


async def list_tokens(conn: Connection, account_id: int) -> list[Token]:
    """The newest five hundred tokens of an account, ended ones too, newest first."""
    return await store.list_tokens(conn, account_id, TOKENS_LISTED)


async def find_principal(db: Database, sha256: bytes) -> Principal | None:
    """Who a token stands for, by its hash; None if it is unknown, revoked, expired or erased."""
    async with connection(db) as conn:
        return await store.find_principal(conn, sha256)


async def _lock(conn: Connection, token_id: UUID) -> Token:
    token = await store.lock_token(conn, token_id)
    if token is None:
        raise TokenNotFound(
            f"There is no token with the id {token_id}. "
            "`fieldfare token list --account NUMBER` shows the ids."
        )
    return token


async def _keep_new(
    conn: Connection, account_id: int, kind: TokenKind, label: str, now: datetime
) -> IssuedToken:
    token = rules.token_text(kind, new_secret_id(), TEST_PREFIX)
    issued = IssuedToken(id=new_id(), account_id=account_id, kind=kind, label=label, token=token)
    await store.insert_token(
        conn,
        token_id=issued.id,
        account_id=account_id,
        kind=kind,
        sha256=hash_token(token),
        hint=rules.token_hint(token),
        label=label,
        created_at=now,
    )
    return issued
