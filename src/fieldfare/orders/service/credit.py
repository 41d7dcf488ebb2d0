"""An order paid from credits, in four beats: load, decide, save, tell.

Loading and deciding are done when we come here: the quote is frozen. Saving is one statement, which
orders that arrive together share (`service/group_commit.py`), and what is to be told lies in the
outbox in the same commit. A crash before the commit leaves nothing, a crash after it leaves an
order whose answer the client gets by its key. If the answer to the statement is lost, the client is
told the order's id and that it may exist.
"""

from fieldfare.db.pool import connection
from fieldfare.http.idempotency import RequestKey, StoredAnswer, in_flight, mismatch
from fieldfare.kernel.errors import AnswerLost
from fieldfare.ledger.errors import InsufficientCredits
from fieldfare.ledger.service.credits import get_wallet
from fieldfare.orders import store
from fieldfare.orders.model import Order
from fieldfare.orders.rules import answer_parts
from fieldfare.orders.service.group_commit import GroupCommit
from fieldfare.payments.errors import PaymentOutcomeUnknown


async def place_credit_order(
    commits: GroupCommit, order: Order, answer: bytes, key: RequestKey | None
) -> bytes | StoredAnswer:
    """Carry out a quoted order; gives the answer with the balance in it, or the first answer.

    `answer` is what is to be said, with 0 where credits remain: only the database knows how many.

    Raises `InsufficientCredits`, 409 or 422 for the key, `Unavailable` if nothing was done, and
    `PaymentOutcomeUnknown` if the database's answer was lost.
    """
    parts = answer_parts(answer)
    try:
        verdict = await commits.place(store.Placing(order, parts, key))
    except AnswerLost as error:
        raise PaymentOutcomeUnknown(order.id, recorded=False) from error
    if verdict.verdict in ("in_flight", "pending"):
        raise in_flight()
    if verdict.verdict == "mismatch":
        raise mismatch()
    if verdict.answer is not None and verdict.status is not None:
        return StoredAnswer(status=verdict.status, body=verdict.answer)
    if verdict.balance_after_cents is None:
        raise await _too_little(commits, order)
    return parts.with_balance(verdict.balance_after_cents)


async def _too_little(commits: GroupCommit, order: Order) -> InsufficientCredits:
    async with connection(commits.db) as conn:
        wallet = await get_wallet(conn, order.account_id)
    return InsufficientCredits(
        needed_cents=order.quote.amount_cents, balance_cents=wallet.balance_cents
    )
