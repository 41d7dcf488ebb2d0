"""Accounts, tokens and credits that tests act with, made by the product's own services."""

from datetime import UTC, datetime
from functools import cache
from uuid import uuid4

import msgspec

from fieldfare.accounts import service as accounts
from fieldfare.catalog.service import import_catalogue, load_preset
from fieldfare.db.pool import Connection, Database, open_database, transaction
from fieldfare.http.principal import TokenKind
from fieldfare.ledger.service.credits import adjust_credits

LIVE_CENTS = 50_000


class World(msgspec.Struct, frozen=True, kw_only=True):
    """Everybody who can call the API, and somebody who no longer can."""

    team_id: int
    live_token: str
    """A team with $500.00 of credits."""
    test_token: str
    personal_id: int
    personal_token: str
    """A user with a password identity and $50.00 of credits."""
    bare_token: str
    """A user without any identity."""
    second_id: int
    second_token: str
    """Another team, with $100.00 of credits."""
    poor_token: str
    """A team without a wallet."""
    revoked_token: str


async def make_world(database_url: str) -> World:
    """`build_world` for a test that is no coroutine itself."""
    database = await open_database(database_url, pool_size=2, application="tests")
    try:
        return await build_world(database)
    finally:
        await database.close()


async def build_world(db: Database) -> World:
    """The demo catalogue and these accounts, in one transaction."""
    now = datetime.now(UTC)
    async with transaction(db) as conn:
        await import_catalogue(conn, _preset(), now=now, made_by="tests")
        owner = await _user(conn, "Ada", now)
        await accounts.add_provider_identity(conn, owner, "google", uuid4().hex, now)
        bare = await _user(conn, "Bare", now)
        team = await _team(conn, "Team", owner, now)
        second = await _team(conn, "Second", owner, now)
        poor = await _team(conn, "Poor", owner, now)
        for account_id, cents in ((team, LIVE_CENTS), (second, 10_000), (owner, 5_000)):
            await adjust_credits(conn, account_id, change_cents=cents, reason="For tests")
        revoked = await accounts.issue_token(conn, team, "team_live", "revoked", now)
        await accounts.revoke_token(conn, revoked.id, now)
        return World(
            team_id=team,
            live_token=await _token(conn, team, "team_live"),
            test_token=await _token(conn, team, "team_test"),
            personal_id=owner,
            personal_token=await _token(conn, owner, "personal"),
            bare_token=await _token(conn, bare, "personal"),
            second_id=second,
            second_token=await _token(conn, second, "team_live"),
            poor_token=await _token(conn, poor, "team_live"),
            revoked_token=revoked.token,
        )


_preset = cache(load_preset)


async def _user(conn: Connection, name: str, now: datetime) -> int:
    return await accounts.open_user(
        conn, name=name, billing_email=f"{name.lower()}@tests.example", now=now
    )


async def _team(conn: Connection, name: str, owner: int, now: datetime) -> int:
    return await accounts.open_team(
        conn,
        name=name,
        owner_id=owner,
        billing_email=f"{name.lower()}-team@tests.example",
        now=now,
    )


async def _token(conn: Connection, account_id: int, kind: TokenKind) -> str:
    issued = await accounts.issue_token(conn, account_id, kind, "tests", datetime.now(UTC))
    return issued.token
