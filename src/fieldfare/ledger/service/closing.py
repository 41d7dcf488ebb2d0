"""Closing a wallet for good, before its account is erased.

What must hold: credits are given up by an adjustment like any other, so what takes two people to
change takes two people here. A debt stays in the books: it is still owed.
"""

import msgspec

from fieldfare.db.pool import Connection
from fieldfare.kernel.money import dollars_from_cents
from fieldfare.ledger import store
from fieldfare.ledger.errors import AdjustmentRefused
from fieldfare.ledger.rules import needs_two
from fieldfare.ledger.service.credits import adjust_credits

REASON = "Given up when the account was erased"


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """What a wallet held and owed when it was closed, in US cents."""

    given_up_cents: int
    owed_cents: int


async def close_wallet(
    conn: Connection, account_id: int, *, forfeit: bool, alone_up_to_cents: int
) -> Closed:
    """Leave an account without credits; the wallet stays locked until the transaction ends.

    Raises `AdjustmentRefused` if there are credits and they are not to be given up (`forfeit`), if
    that takes two people, or if an adjustment of the account waits for a decision.
    """
    if await store.count_open_requests(conn, account_id):
        raise AdjustmentRefused(
            f"An adjustment of account {account_id} waits for a second operator. Decide it first: "
            "`fieldfare credits requests` shows it."
        )
    wallet = await store.lock_wallet(conn, account_id)
    if wallet.balance_cents:
        _check_may_give_up(account_id, wallet.balance_cents, forfeit, alone_up_to_cents)
        await adjust_credits(conn, account_id, change_cents=-wallet.balance_cents, reason=REASON)
    return Closed(given_up_cents=wallet.balance_cents, owed_cents=wallet.owed_cents)


def _check_may_give_up(
    account_id: int, held_cents: int, forfeit: bool, alone_up_to_cents: int
) -> None:
    held = f"Account {account_id} holds ${dollars_from_cents(held_cents):.2f} of credits"
    if needs_two(held_cents, alone_up_to_cents):
        raise AdjustmentRefused(
            f"{held}, and to take away more than ${dollars_from_cents(alone_up_to_cents):.2f} "
            f"takes two operators. Begin with `fieldfare credits adjust --account {account_id} "
            f"--by -{dollars_from_cents(held_cents):.2f} --reason … --operator …`."
        )
    if not forfeit:
        raise AdjustmentRefused(
            f"{held}. Pay them out and adjust the balance to nothing with `fieldfare credits "
            "adjust`, or say --forfeit if they are to be given up."
        )
