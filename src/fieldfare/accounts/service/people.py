"""Users, teams and who belongs to them.

What must hold: a member, an owner, an operator and whoever has an identity is a user; a team that
exists has an owner.
"""

from collections.abc import Collection
from datetime import datetime
from typing import get_args

from fieldfare.accounts import rules, store
from fieldfare.accounts.errors import AccountNotFound, AlreadyMember, IdentityTaken
from fieldfare.accounts.model import (
    Account,
    AccountKind,
    Member,
    MemberRole,
    OperatorRole,
    Profile,
    ProviderKind,
)
from fieldfare.db.changes import raise_revision
from fieldfare.db.pool import Connection
from fieldfare.http.auth import PRINCIPAL_TOPIC

ACCOUNTS_FOUND = 100


async def open_user(
    conn: Connection,
    *,
    name: str,
    billing_email: str,
    currency: str = "USD",
    language: str = "en",
    now: datetime,
) -> int:
    """A new person, who cannot sign in yet; gives the account's number. Raises `AccountRefused`."""
    return await _open(conn, "user", name, billing_email, currency, language, now)


async def open_team(
    conn: Connection,
    *,
    name: str,
    owner_id: int,
    billing_email: str,
    currency: str = "USD",
    language: str = "en",
    now: datetime,
) -> int:
    """A new team with its first member, the owner; gives the account's number.

    Raises `AccountRefused`, `AccountNotFound` or `WrongAccountKind` (the owner is no user).
    """
    await get_account(conn, owner_id, kind="user")
    team_id = await _open(conn, "team", name, billing_email, currency, language, now)
    await store.insert_member(conn, team_id, owner_id, "owner", now)
    return team_id


async def _open(
    conn: Connection,
    kind: AccountKind,
    name: str,
    billing_email: str,
    currency: str,
    language: str,
    now: datetime,
) -> int:
    rules.check_language(language)
    return await store.insert_account(
        conn,
        kind=kind,
        name=rules.clean_name(name),
        billing_email=rules.clean_email(billing_email),
        currency=rules.clean_currency(currency),
        language=language,
        created_at=now,
    )


async def add_member(
    conn: Connection, team_id: int, user_id: int, role: MemberRole, now: datetime
) -> None:
    """Let a user into a team. Raises `AlreadyMember`, `AccountNotFound` or `WrongAccountKind`."""
    rules.check_choice("role", role, get_args(MemberRole))
    await get_account(conn, team_id, kind="team")
    await get_account(conn, user_id, kind="user")
    if not await store.insert_member(conn, team_id, user_id, role, now):
        raise AlreadyMember(f"User {user_id} is in team {team_id} already. Nothing was changed.")


async def list_members(conn: Connection, team_id: int) -> list[Member]:
    """Who is in a team, longest there first."""
    return await store.list_members(conn, team_id)


async def add_provider_identity(
    conn: Connection, user_id: int, kind: ProviderKind, subject: str, now: datetime
) -> None:
    """Let a user sign in with Google or Shopify; `subject` is the provider's id of the person.

    Raises `IdentityTaken`, `AccountRefused`, `AccountNotFound` or `WrongAccountKind`.
    """
    rules.check_choice("kind", kind, get_args(ProviderKind))
    await keep_identity(conn, user_id, kind, rules.clean_subject(subject), None, now)


async def keep_identity(
    conn: Connection, user_id: int, kind: str, subject: str, secret: str | None, now: datetime
) -> None:
    """For this feature's services: write an identity; the user's tokens may write from now on."""
    await get_account(conn, user_id, kind="user")
    if not await store.insert_identity(
        conn, user_id=user_id, kind=kind, subject=subject, secret=secret, created_at=now
    ):
        raise IdentityTaken(
            f"Somebody signs in with this {kind} identity already. Give another one.",
            param="email" if kind == "password" else "subject",
        )
    await raise_revision(conn, PRINCIPAL_TOPIC)


async def make_operator(conn: Connection, user_id: int, role: OperatorRole, now: datetime) -> None:
    """Let a user run the catalogue and the books; an operator gets the new role.

    Raises `AccountRefused`, `AccountNotFound` or `WrongAccountKind`.
    """
    rules.check_choice("role", role, get_args(OperatorRole))
    await get_account(conn, user_id, kind="user")
    await store.upsert_operator(conn, user_id, role, now)


async def find_operator_role(conn: Connection, user_id: int) -> OperatorRole | None:
    """What a user may do as an operator, if anything."""
    return await store.find_operator_role(conn, user_id)


async def get_account(
    conn: Connection, account_id: int, *, kind: AccountKind | None = None
) -> Account:
    """The account of that number; raises `AccountNotFound`, or `WrongAccountKind` if not `kind`."""
    account = _existing(await store.find_account(conn, account_id), account_id)
    if kind is not None:
        rules.check_account_kind(account, kind)
    return account


async def hold_account(conn: Connection, account_id: int) -> Account:
    """The account, which is neither renamed nor erased before the transaction ends.

    Raises `AccountNotFound`, also if another transaction, which this one waits for, erases it.
    """
    return _existing(await store.hold_account(conn, account_id), account_id)


def _existing(account: Account | None, account_id: int) -> Account:
    if account is None:
        raise AccountNotFound(
            f"There is no account {account_id}. Look it up with `fieldfare account find`."
        )
    return account


async def find_billing_address(conn: Connection, account_id: int) -> str | None:
    """Where mail about an account's money goes: its own address, or its owner's; None without."""
    return await store.find_billing_address(conn, account_id)


async def find_accounts(conn: Connection, wanted: str) -> list[Account]:
    """The first hundred accounts whose name or address contains `wanted`, in any case.

    Raises `AccountRefused`.
    """
    return await store.list_accounts(conn, rules.clean_search(wanted), ACCOUNTS_FOUND)


async def list_public_profiles(
    conn: Connection, account_ids: Collection[int]
) -> dict[int, Profile]:
    """What is shown of these accounts to everybody; those that are not public are left out."""
    profiles = await store.list_public_profiles(conn, account_ids)
    return {profile.account_id: profile for profile in profiles}
