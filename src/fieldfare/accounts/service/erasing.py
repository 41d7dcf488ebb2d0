"""Erasing an account: its row and number stay for the books, what it tells of persons goes.

What must hold: after the commit nobody acts for the account any more (tokens end everywhere within
a second), and nothing that names a person is left here but the processor's id of its customer,
which is needed to have that one deleted as well. Everything can be done twice.
"""

from datetime import datetime

from fieldfare.accounts import store
from fieldfare.accounts.errors import AccountNotFound, OwnerNeeded
from fieldfare.accounts.model import AccountToErase, ErasedAccount
from fieldfare.db.changes import raise_revision
from fieldfare.db.pool import Connection
from fieldfare.http.auth import PRINCIPAL_TOPIC


async def lock_account(conn: Connection, account_id: int) -> AccountToErase:
    """An account, erased or not, that nobody else erases before the transaction ends.

    Raises `AccountNotFound`, or `OwnerNeeded` for a user whose teams would have no owner.
    """
    account = await store.lock_account(conn, account_id)
    if account is None:
        raise AccountNotFound(
            f"There is no account {account_id}. Look it up with `fieldfare account find`."
        )
    if account.kind == "user":
        await _check_teams(conn, account_id)
    return account


async def _check_teams(conn: Connection, user_id: int) -> None:
    await store.lock_owned_teams(conn, user_id)
    teams = await store.list_teams_left_alone(conn, user_id)
    if teams:
        named = ", ".join(map(str, teams))
        raise OwnerNeeded(
            f"User {user_id} is the only owner of team {named}. Let another owner in "
            f"(`fieldfare account add-member --team {teams[0]} --user … --role owner`), or erase "
            "the team first."
        )


async def erase_account(conn: Connection, account_id: int, now: datetime) -> ErasedAccount:
    """Take away what an account tells of persons, and every way to act for it.

    The caller has called `lock_account`. It raises the revision of tokens, so it comes last.
    """
    await store.update_account_erased(conn, account_id, now)
    identities, members, operators = await store.delete_ways_in(conn, account_id)
    await store.delete_refills(conn, account_id)
    tokens = await store.update_tokens_ended(conn, account_id, now)
    await raise_revision(conn, PRINCIPAL_TOPIC)
    return ErasedAccount(tokens=tokens, identities=identities, members=members, operators=operators)


async def forget_customer(conn: Connection, account_id: int, customer: str) -> None:
    """Forget the processor's id of an erased account's customer, once it is deleted there."""
    await store.update_customer_forgotten(conn, account_id, customer)
