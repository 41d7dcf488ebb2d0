"""Movements in the journal, and the changes of credits that are one side of them.

For features above: whoever moves money writes both sides here, in the transaction that makes it
true. Signs are those of a liability: credits that an account gains are positive, money that we gain
at the processor is negative, so the legs of a movement sum to zero in each currency (the database
refuses a commit in which they do not). Legs of nothing are left out.
"""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from fieldfare.db.ids import new_id
from fieldfare.db.pool import Connection
from fieldfare.kernel.money import micro_from_cents
from fieldfare.ledger import store
from fieldfare.ledger.model import EntryKind, Leg, MovementKind, TakenBack, Wallet


async def lock_wallet(conn: Connection, account_id: int) -> Wallet:
    """What an account holds, made if it has no wallet, locked until the transaction ends."""
    return await store.lock_wallet(conn, account_id)


async def post(
    conn: Connection, movement_id: UUID, kind: MovementKind, legs: Sequence[Leg], memo: str
) -> None:
    """Write a movement that changes no credits; `movement_id` names what made it."""
    moving = [leg for leg in legs if leg.amount_micro != 0]
    if moving:
        await store.insert_legs(conn, movement_id, kind, moving, memo)


async def change_credits(
    conn: Connection,
    account_id: int,
    change_cents: int,
    *,
    entry: EntryKind,
    movement: MovementKind,
    against: Sequence[Leg],
    group_id: UUID | None,
    description: str,
) -> tuple[UUID, int]:
    """Change a balance, with its entry; gives the entry's id and the balance after.

    `against` are the legs that balance the change. Raises `asyncpg.CheckViolationError` if the
    balance would fall below zero: lock the wallet and look first (`lock_wallet`).
    """
    entry_id = new_id()
    balance_cents = await store.change_credits(
        conn,
        entry_id=entry_id,
        account_id=account_id,
        entry_kind=entry,
        movement_kind=movement,
        change_cents=change_cents,
        group_id=group_id,
        description=description,
    )
    await post(conn, entry_id, movement, against, description)
    return entry_id, balance_cents


async def add_top_up(
    conn: Connection,
    account_id: int,
    amount_cents: int,
    *,
    against: Sequence[Leg],
    description: str,
) -> tuple[UUID, int]:
    """Credits that were bought; what the account owes is taken from them first.

    Gives the id of the top-up's entry and the balance after.
    """
    return await _add_after_debt(
        conn, account_id, amount_cents, kind="top_up", against=against, description=description
    )


async def give_back(
    conn: Connection,
    account_id: int,
    amount_cents: int,
    *,
    against: Sequence[Leg],
    description: str,
) -> tuple[UUID, int]:
    """Credits that a refund had taken come back; what the account owes is taken from them first.

    Gives the id of the entry and the balance after.
    """
    return await _add_after_debt(
        conn, account_id, amount_cents, kind="refund", against=against, description=description
    )


async def _add_after_debt(
    conn: Connection,
    account_id: int,
    amount_cents: int,
    *,
    kind: Literal["top_up", "refund"],
    against: Sequence[Leg],
    description: str,
) -> tuple[UUID, int]:
    wallet = await store.lock_wallet(conn, account_id)
    entry_id, balance_cents = await change_credits(
        conn,
        account_id,
        amount_cents,
        entry=kind,
        movement=kind,
        against=against,
        group_id=None,
        description=description,
    )
    repaid_cents = min(wallet.owed_cents, amount_cents)
    if repaid_cents:
        balance_cents = await _repay(conn, account_id, repaid_cents)
    return entry_id, balance_cents


async def _repay(conn: Connection, account_id: int, repaid_cents: int) -> int:
    repaid_micro = micro_from_cents(repaid_cents)
    await store.update_owed(conn, account_id, -repaid_cents)
    _, balance_cents = await change_credits(
        conn,
        account_id,
        -repaid_cents,
        entry="adjustment",
        movement="owed",
        against=[
            Leg(
                book="receivables",
                currency="USD",
                amount_micro=repaid_micro,
                account_id=account_id,
            )
        ],
        group_id=None,
        description="Taken for what was still owed",
    )
    return balance_cents


async def take_back(
    conn: Connection,
    account_id: int,
    amount_cents: int,
    *,
    movement_id: UUID,
    movement: MovementKind,
    against: Sequence[Leg],
    description: str,
) -> TakenBack:
    """Take credits back that were paid for by money which is gone; what is not there is owed.

    `against` are the legs that balance all of `amount_cents`, taken and owed together: they are
    written under `movement_id`, as is the debt, with the credits taken between the two.
    """
    wallet = await store.lock_wallet(conn, account_id)
    taken_cents = min(wallet.balance_cents, amount_cents)
    owed_cents = amount_cents - taken_cents
    taken_micro = micro_from_cents(taken_cents)
    if taken_cents:
        await change_credits(
            conn,
            account_id,
            -taken_cents,
            entry="refund",
            movement=movement,
            against=[Leg(book="suspense", currency="USD", amount_micro=taken_micro)],
            group_id=None,
            description=description,
        )
    if owed_cents:
        await store.update_owed(conn, account_id, owed_cents)
    debt = Leg(
        book="receivables",
        currency="USD",
        amount_micro=-micro_from_cents(owed_cents),
        account_id=account_id,
    )
    passed_on = Leg(book="suspense", currency="USD", amount_micro=-taken_micro)
    await post(conn, movement_id, movement, [*against, debt, passed_on], description)
    return TakenBack(taken_cents=taken_cents, owed_cents=owed_cents)
