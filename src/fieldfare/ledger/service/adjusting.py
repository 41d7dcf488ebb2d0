"""An operator's change of a balance, and who may decide it: above a set amount, two people.

The first operator's wish is kept as a request, which changes nothing; a second one lets it through
or turns it down. What must hold: who asked never approves (the database refuses that too), a
request is decided once, however many decide at the same time, and one that cannot be carried out
stays open. Passwords are checked by the caller (`accounts.service.verify_password`), which takes
longer than a transaction should.
"""

from uuid import UUID

import msgspec

from fieldfare.accounts.errors import OperatorRefused
from fieldfare.accounts.model import OperatorRole
from fieldfare.accounts.service import check_operator, get_account
from fieldfare.db.ids import new_id
from fieldfare.db.pool import Connection
from fieldfare.kernel.money import dollars_from_cents
from fieldfare.ledger import store
from fieldfare.ledger.errors import RequestDecided, RequestNotFound, TwoPeopleNeeded
from fieldfare.ledger.model import AdjustmentRequest
from fieldfare.ledger.rules import clean_reason, needs_two
from fieldfare.ledger.service.credits import adjust_credits, get_wallet

MAY_ADJUST: tuple[OperatorRole, ...] = ("admin", "bookkeeper")
LISTED = 500


class Adjusted(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a wish to change a balance."""

    balance_cents: int
    """As it is now."""
    request_id: UUID | None = None
    """Set if nothing was changed yet: a second operator has to agree to this."""
    decided_before: bool = False
    """True if there was nothing left to do."""


async def adjust(
    conn: Connection,
    account_id: int,
    *,
    change_cents: int,
    reason: str,
    operator_id: int | None,
    alone_up_to_cents: int,
) -> Adjusted:
    """Change a balance, or ask for it if that takes two.

    `operator_id` is the user who proved to be it; None if nobody did, which does for small ones.
    Raises `AccountNotFound`, `OperatorRefused`, `TwoPeopleNeeded`, `AdjustmentRefused` or
    `ReasonRefused`.
    """
    if operator_id is not None:
        await check_operator(conn, operator_id, MAY_ADJUST)
    await get_account(conn, account_id)
    if not needs_two(change_cents, alone_up_to_cents):
        decided = "" if operator_id is None else f"operator {operator_id}"
        _, balance = await adjust_credits(
            conn, account_id, change_cents=change_cents, reason=reason, decided=decided
        )
        return Adjusted(balance_cents=balance)
    if operator_id is None:
        raise TwoPeopleNeeded(
            f"More than ${dollars_from_cents(alone_up_to_cents):.2f} at once takes two operators. "
            "Ask for it with --operator and your e-mail address; a second operator approves it."
        )
    return await _ask(conn, account_id, change_cents, reason, operator_id)


async def _ask(
    conn: Connection, account_id: int, change_cents: int, reason: str, operator_id: int
) -> Adjusted:
    request_id = new_id()
    await store.insert_adjustment_request(
        conn,
        request_id,
        account_id=account_id,
        change_cents=change_cents,
        reason=clean_reason(reason),
        asked_by=operator_id,
    )
    wallet = await get_wallet(conn, account_id)
    return Adjusted(balance_cents=wallet.balance_cents, request_id=request_id)


async def approve(conn: Connection, request_id: UUID, operator_id: int) -> Adjusted:
    """Carry out what another operator asked for; approving it again changes nothing.

    Raises `OperatorRefused` (also for the one who asked), `RequestNotFound`, `RequestDecided` if it
    was turned down, and, with the request left open, `AdjustmentRefused` or `AccountNotFound`.
    """
    request = await _lock(conn, request_id, operator_id)
    if request.asked_by == operator_id:
        raise OperatorRefused(
            "Who asks for an adjustment cannot approve it. Another operator has to, with "
            f"`fieldfare credits approve {request_id} --operator …`."
        )
    if request.refusal_reason is not None:
        raise RequestDecided(
            f"Operator {request.decided_by} turned this request down: {request.refusal_reason}. "
            "Ask for it anew with `fieldfare credits adjust`."
        )
    if request.entry_id is not None:
        wallet = await get_wallet(conn, request.account_id)
        return Adjusted(balance_cents=wallet.balance_cents, decided_before=True)
    await get_account(conn, request.account_id)
    return await _carry_out(conn, request, operator_id)


async def _carry_out(conn: Connection, request: AdjustmentRequest, operator_id: int) -> Adjusted:
    entry_id, balance = await adjust_credits(
        conn,
        request.account_id,
        change_cents=request.change_cents,
        reason=request.reason,
        decided=f"asked by operator {request.asked_by}, approved by operator {operator_id}",
    )
    await store.update_adjustment_approved(
        conn, request.id, decided_by=operator_id, entry_id=entry_id
    )
    return Adjusted(balance_cents=balance)


async def refuse(conn: Connection, request_id: UUID, operator_id: int, reason: str) -> bool:
    """Turn a request down; who asked may take it back so. False if it was turned down before.

    Raises `OperatorRefused`, `RequestNotFound`, `ReasonRefused`, or `RequestDecided` if it was
    approved.
    """
    reason = clean_reason(reason)
    request = await _lock(conn, request_id, operator_id)
    if request.entry_id is not None:
        raise RequestDecided(
            f"Operator {request.decided_by} approved this request, and the balance was changed. "
            "Adjust it back with `fieldfare credits adjust`."
        )
    if request.refusal_reason is not None:
        return False
    await store.update_adjustment_refused(
        conn, request_id, decided_by=operator_id, refusal_reason=reason
    )
    return True


async def list_requests(conn: Connection) -> list[AdjustmentRequest]:
    """What waits for a second operator, oldest first, up to five hundred."""
    return await store.list_open_requests(conn, LISTED)


async def _lock(conn: Connection, request_id: UUID, operator_id: int) -> AdjustmentRequest:
    await check_operator(conn, operator_id, MAY_ADJUST)
    request = await store.lock_adjustment_request(conn, request_id)
    if request is None:
        raise RequestNotFound(
            f"There is no request {request_id}. `fieldfare credits requests` shows the open ones."
        )
    return request
