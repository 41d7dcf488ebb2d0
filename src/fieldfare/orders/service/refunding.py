"""What a refund, or a lost dispute, does to an order: lines, totals, state and journal.

What must hold: the caller has locked the purchase, and all of it happens in the transaction in
which the money is known to be gone. Partners' dues and margin go down by the refund's part of each
line; against that stand the account's credits, or what the card's side holds less of.
"""

from uuid import UUID

from fieldfare.db.pool import Connection
from fieldfare.ledger.model import Book, Leg, MovementKind
from fieldfare.ledger.service.posting import change_credits, post
from fieldfare.orders import store
from fieldfare.orders.errors import OrderNotFound
from fieldfare.orders.model import NewRefund, OrderRefund, Purchase, RefundSplit
from fieldfare.orders.rules import describe_refund, split_refund, state_of
from fieldfare.payments.rules import money_back_legs

DOLLARS = "USD"


async def lock_purchase(conn: Connection, purchase_id: UUID) -> Purchase:
    """A purchase, locked until the transaction ends; raises `OrderNotFound`."""
    purchase = await store.lock_purchase(conn, purchase_id)
    if purchase is None:
        raise OrderNotFound("There is no such order. `fieldfare feed list` shows the newest ones.")
    return purchase


async def apply_refund(
    conn: Connection, purchase: Purchase, refund: NewRefund, *, book: Book = "processor"
) -> OrderRefund:
    """Let a refund take effect on a locked, paid purchase; its row is written if there is none.

    `refund.amount_minor` is at most what remains of the charge. `book` is where the card's side of
    the money went out of: `processor`, or `disputes` for a dispute that was lost. What is disputed
    stays so, unless this is how the dispute ended.
    """
    split = split_refund(
        await store.list_standing_lines(conn, purchase.id),
        remaining_minor=purchase.charge_minor - purchase.refunded_minor,
        amount_minor=refund.amount_minor,
    )
    refund_id = await _book(conn, purchase, refund, split, book)
    await store.write_refund(conn, refund_id, purchase, refund, split)
    refunded_minor = purchase.refunded_minor + refund.amount_minor
    disputed = purchase.state == "disputed" and refund.origin != "dispute"
    await store.update_purchase_refunded(
        conn,
        purchase.id,
        refunded_minor=refunded_minor,
        state=state_of(purchase.charge_minor, refunded_minor, disputed=disputed),
    )
    return await get_refund(conn, refund_id)


async def set_disputed(conn: Connection, purchase: Purchase, *, disputed: bool) -> None:
    """A locked, paid purchase is disputed, or not any more: then its refunds tell its state."""
    await store.update_purchase_refunded(
        conn,
        purchase.id,
        refunded_minor=purchase.refunded_minor,
        state=state_of(purchase.charge_minor, purchase.refunded_minor, disputed=disputed),
    )


async def get_refund(conn: Connection, refund_id: UUID) -> OrderRefund:
    """A refund that is certainly on record."""
    refund = await store.find_refund(conn, refund_id)
    assert refund is not None, "whoever asks for it has written it"
    return refund


async def _book(
    conn: Connection, purchase: Purchase, refund: NewRefund, split: RefundSplit, book: Book
) -> UUID:
    """Write the refund's movement in the journal; gives the refund's id, which names it."""
    given_back = [
        Leg(book="partners", currency=DOLLARS, amount_micro=-split.partner_micro),
        Leg(book="margin", currency=DOLLARS, amount_micro=split.partner_micro - split.amount_micro),
    ]
    if purchase.payment_method == "credits":
        entry_id, _ = await change_credits(
            conn,
            purchase.account_id,
            refund.amount_minor,
            entry="refund",
            movement="refund",
            against=given_back,
            group_id=purchase.id,
            description=describe_refund(split),
        )
        return entry_id
    assert refund.id is not None, "a refund to a card has an id before it is sent"
    legs = money_back_legs(
        currency=purchase.currency,
        amount_minor=refund.amount_minor,
        amount_micro=split.amount_micro,
        book=book,
    )
    movement: MovementKind = "dispute" if refund.origin == "dispute" else "refund"
    await post(
        conn, refund.id, movement, [*given_back, *legs], f"{movement} of order {purchase.id}"
    )
    return refund.id
