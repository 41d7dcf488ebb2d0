"""The demo's data: the preset catalogue, two teams, a person, an operator, tokens and credits.

Tokens are shown once and kept as hashes, so the demo keeps its own in a file of its home that only
its owner reads. The file is written before the transaction that makes them real: after a crash in
between, the next start finds tokens that nobody knows and makes new ones.
"""

import asyncio
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from fieldfare.accounts import service as accounts
from fieldfare.catalog.service import import_catalogue, load_preset
from fieldfare.db.pool import Connection, Database, connection, transaction
from fieldfare.db.revision import open_migrated_database
from fieldfare.http.auth import hash_token
from fieldfare.integrations.stripe.gateway import (
    StripeGateway,
    create_customer,
    customer_exists,
    open_gateway,
)
from fieldfare.ledger.service.credits import adjust_credits

SECRETS_FILE = "demo-secrets.json"
MADE_BY = "demo"
OWNER_EMAIL = "owner@demo.example"
OPERATOR_EMAIL = "operator@demo.example"
SECOND_EMAIL = "second@demo.example"
TEST_CARD = "pm_card_visa"
LIVE_CENTS = 50_000
SECOND_CENTS = 10_000
PERSONAL_CENTS = 5_000


class DemoAccess(msgspec.Struct, frozen=True, kw_only=True):
    """How to get in: what `demo.json` tells of the demo's accounts."""

    live_token: str
    test_token: str
    personal_token: str
    second_team_token: str
    dashboard_email: str
    dashboard_password: str
    operator_email: str
    operator_password: str


def seed_demo(database_url: str, home: Path, *, stripe_key: str, stripe_url: str) -> DemoAccess:
    """Have the demo's data in the database, and its tokens in `home`; safe to repeat.

    Credits are given with the accounts, once: what was spent stays spent. The live team's card is
    put on file at the processor behind `stripe_url`.
    """
    gateway = open_gateway(stripe_key, stripe_url)
    return asyncio.run(_seed(database_url, home, gateway))


async def _seed(database_url: str, home: Path, gateway: StripeGateway) -> DemoAccess:
    db = await open_migrated_database(database_url, pool_size=2, application="fieldfare-demo")
    try:
        access = await _seed_database(db, home)
        live = await accounts.find_principal(db, hash_token(access.live_token))
        assert live is not None, "the demo's own token is known"
        await _have_card(db, gateway, live.account_id)
        return access
    finally:
        await db.close()


async def _have_card(db: Database, gateway: StripeGateway, account_id: int) -> None:
    """A test card that succeeds, unless the one on file is still known to the processor."""
    async with connection(db) as conn:
        card = await accounts.find_card(conn, account_id)
        account = await accounts.get_account(conn, account_id)
    if card is not None and await customer_exists(gateway, card.customer):
        return
    card = await create_customer(
        gateway,
        name=account.name,
        email=account.billing_email or OWNER_EMAIL,
        payment_method=TEST_CARD,
        key=f"fieldfare-demo-{secrets.token_hex(8)}",
    )
    async with transaction(db) as conn:
        await accounts.keep_card(conn, account_id, card)


async def _seed_database(db: Database, home: Path) -> DemoAccess:
    kept = _read_access(home / SECRETS_FILE)
    async with transaction(db) as conn:
        now = datetime.now(UTC)
        await import_catalogue(conn, load_preset(), now=now, made_by=MADE_BY)
        if kept is not None and await _is_known(db, kept):
            return kept
        access = await _open_accounts(conn, now)
        _write_access(home / SECRETS_FILE, access)
    return access


async def _is_known(db: Database, access: DemoAccess) -> bool:
    tokens = (access.live_token, access.test_token, access.personal_token, access.second_team_token)
    return all([await accounts.find_principal(db, hash_token(token)) for token in tokens])


async def _open_accounts(conn: Connection, now: datetime) -> DemoAccess:
    """The demo's accounts under new tokens and passwords."""
    # Another home's demo may have used this database before: its people keep their addresses.
    mark = await _free_mark(conn)
    owner_email, owner_password = _mailbox(OWNER_EMAIL, mark), secrets.token_urlsafe(12)
    operator_email, operator_password = _mailbox(OPERATOR_EMAIL, mark), secrets.token_urlsafe(12)
    owner = await accounts.open_user(conn, name="Ada Demo", billing_email=owner_email, now=now)
    await accounts.add_password(conn, owner, owner_email, owner_password, now)
    operator = await accounts.open_user(
        conn, name="Otto Operator", billing_email=operator_email, now=now
    )
    await accounts.add_password(conn, operator, operator_email, operator_password, now)
    await accounts.make_operator(conn, operator, "admin", now)
    team = await accounts.open_team(
        conn, name="Demo Team", owner_id=owner, billing_email=owner_email, now=now
    )
    second = await accounts.open_team(
        conn,
        name="Second Team",
        owner_id=owner,
        billing_email=_mailbox(SECOND_EMAIL, mark),
        now=now,
    )
    for account_id, cents in ((team, LIVE_CENTS), (second, SECOND_CENTS), (owner, PERSONAL_CENTS)):
        await adjust_credits(conn, account_id, change_cents=cents, reason="Demo credits")
    live = await accounts.issue_token(conn, team, "team_live", "Demo", now)
    test = await accounts.issue_token(conn, team, "team_test", "Demo, test mode", now)
    personal = await accounts.issue_token(conn, owner, "personal", "Demo", now)
    other = await accounts.issue_token(conn, second, "team_live", "Demo", now)
    return DemoAccess(
        live_token=live.token,
        test_token=test.token,
        personal_token=personal.token,
        second_team_token=other.token,
        dashboard_email=owner_email,
        dashboard_password=owner_password,
        operator_email=operator_email,
        operator_password=operator_password,
    )


async def _free_mark(conn: Connection) -> str:
    taken = await accounts.find_accounts(conn, OWNER_EMAIL.partition("@")[2])
    return secrets.token_hex(4) if taken else ""


def _mailbox(address: str, mark: str) -> str:
    name, _, host = address.partition("@")
    return f"{name}+{mark}@{host}" if mark else address


def _read_access(path: Path) -> DemoAccess | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=DemoAccess)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _write_access(path: Path, access: DemoAccess) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(access)))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
