"""One typed function per query of `queries.sql`; nothing outside this feature calls them."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import msgspec

from fieldfare.accounts.model import (
    Account,
    AccountKind,
    AccountToErase,
    Member,
    MemberRole,
    OperatorRole,
    PasswordIdentity,
    Profile,
    Refill,
    RefillFailure,
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


async def hold_account(conn: Connection, account_id: int) -> Account | None:
    """The same, kept as it is until the transaction ends."""
    row = await _queries.hold_account(conn, account_id=account_id)
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


async def upsert_refill(
    conn: Connection, account_id: int, *, below_cents: int, amount_cents: int
) -> None:
    """Refill an account's credits from now on; whatever failed before is forgotten."""
    await _queries.upsert_refill(
        conn, account_id=account_id, below_cents=below_cents, amount_cents=amount_cents
    )


async def update_refill_off(conn: Connection, account_id: int) -> bool:
    """False if the account has no refill."""
    return await _queries.update_refill_off(conn, account_id=account_id) is not None


async def find_refill(conn: Connection, account_id: int) -> Refill | None:
    """How an account's credits are refilled, on or off; None if that was never set."""
    row = await _queries.find_refill(conn, account_id=account_id)
    return None if row is None else Refill(**row)


async def lock_refill(conn: Connection, account_id: int) -> Refill | None:
    """The same, locked until the transaction ends."""
    row = await _queries.lock_refill(conn, account_id=account_id)
    return None if row is None else Refill(**row)


async def list_refills(conn: Connection, *, after_account_id: int, at_most: int) -> list[Refill]:
    """The refills that are on, by account."""
    rows = _queries.list_refills(conn, after_account_id=after_account_id, at_most=at_most)
    return [Refill(**row) async for row in rows]


async def insert_refill_failure(
    conn: Connection,
    failure_id: UUID,
    *,
    account_id: int,
    amount_cents: int,
    code: str,
    number: int,
    left_on: bool,
) -> None:
    """A refill that came to nothing."""
    await _queries.insert_refill_failure(
        conn,
        id=failure_id,
        account_id=account_id,
        amount_cents=amount_cents,
        code=code,
        number=number,
        left_on=left_on,
    )


async def update_refill_failed(
    conn: Connection, account_id: int, *, failures: int, is_on: bool
) -> None:
    """So many failures in a row, and whether refills go on."""
    await _queries.update_refill_failed(conn, account_id=account_id, failures=failures, is_on=is_on)


async def update_refill_worked(conn: Connection, account_id: int, worked_at: datetime) -> None:
    """No failure in a row is left, but those after `worked_at`."""
    await _queries.update_refill_worked(conn, account_id=account_id, worked_at=worked_at)


async def find_refill_failure(conn: Connection, failure_id: UUID) -> RefillFailure | None:
    """A refill that came to nothing."""
    row = await _queries.find_refill_failure(conn, id=failure_id)
    return None if row is None else RefillFailure(**row)


async def find_last_refill_failure(conn: Connection, account_id: int) -> datetime | None:
    """When an account's refill last came to nothing."""
    failed_at: datetime | None = await _queries.find_last_refill_failure(
        conn, account_id=account_id
    )
    return failed_at


async def find_billing_address(conn: Connection, account_id: int) -> str | None:
    """The account's billing address, or its owner's; None if there is neither."""
    address: str | None = await _queries.find_billing_address(conn, account_id=account_id)
    return address


async def lock_account(conn: Connection, account_id: int) -> AccountToErase | None:
    """An account, erased or not, locked until the transaction ends."""
    row = await _queries.lock_account(conn, account_id=account_id)
    return None if row is None else msgspec.convert(dict(row), AccountToErase)


async def lock_owned_teams(conn: Connection, user_id: int) -> None:
    """Keep others from changing who owns these teams, until the transaction ends."""
    await _queries.lock_owned_teams(conn, user_id=user_id)


async def list_teams_left_alone(conn: Connection, user_id: int) -> list[int]:
    """The teams that nobody but this user owns."""
    rows = _queries.list_teams_left_alone(conn, user_id=user_id)
    return [row["team_id"] async for row in rows]


async def update_account_erased(conn: Connection, account_id: int, now: datetime) -> None:
    """Whatever the account itself tells of persons goes."""
    await _queries.update_account_erased(conn, account_id=account_id, erased_at=now)


async def update_customer_forgotten(conn: Connection, account_id: int, customer: str) -> None:
    """Whose card it was at the processor goes, once the processor has deleted it."""
    await _queries.update_customer_forgotten(conn, account_id=account_id, customer=customer)


async def delete_ways_in(conn: Connection, account_id: int) -> tuple[int, int, int]:
    """How many identities, memberships and operators' roles went."""
    row = await _queries.delete_ways_in(conn, account_id=account_id)
    return row["identities"], row["members"], row["operators"]


async def update_tokens_ended(conn: Connection, account_id: int, now: datetime) -> int:
    """How many tokens ended or lost their label."""
    ended: int = await _queries.update_tokens_ended(conn, account_id=account_id, revoked_at=now)
    return ended


async def delete_refills(conn: Connection, account_id: int) -> None:
    """How credits were refilled, and how that failed."""
    await _queries.delete_refills(conn, account_id=account_id)
