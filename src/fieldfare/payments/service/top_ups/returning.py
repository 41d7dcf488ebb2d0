"""What a refund or a lost dispute makes of a top-up's credits, once its money is known to be gone.

Money that we gave back ourselves had its credits put aside before it was sent. Money can also go
without our doing: a bank decides a dispute, somebody refunds in the processor's dashboard. Then the
credits that it bought follow it out of the wallet, and what the wallet does not hold any more is
owed. What must hold: the caller has locked the top-up, and the refund if there is one.
"""

from uuid import UUID

import msgspec

from fieldfare.db.pool import Connection
from fieldfare.integrations.stripe.model import RefundRefused
from fieldfare.kernel.money import micro_from_cents
from fieldfare.ledger.model import Book, Leg, MovementKind
from fieldfare.ledger.service.posting import give_back, post, take_back
from fieldfare.payments import rules, store
from fieldfare.payments.model import Payment, Refund, Remains, Returned, TopUp
from fieldfare.payments.service.exceptions import open_exception

MEMO = "Refunded to the card"
BACK_MEMO = "Back, because the card could not be refunded"


def remains_of(top_up: TopUp, payment: Payment, returned: Returned) -> Remains:
    """What of a top-up did not go back yet; what a refund under way asks for still counts."""
    return Remains(
        minor=max(payment.amount_minor - returned.gone_minor, 0),
        cents=top_up.amount_cents - top_up.returned_cents,
    )


async def take_credits(
    conn: Connection,
    top_up: TopUp,
    payment: Payment,
    part: Remains,
    *,
    book: Book,
    movement_id: UUID,
    movement: MovementKind,
    description: str,
) -> None:
    """Take back the credits of a part whose money left us out of `book`; what is spent is owed."""
    legs = rules.money_back_legs(
        currency=payment.currency,
        amount_minor=part.minor,
        amount_micro=micro_from_cents(part.cents),
        book=book,
    )
    await take_back(
        conn,
        top_up.account_id,
        part.cents,
        movement_id=movement_id,
        movement=movement,
        against=legs,
        description=description,
    )
    await store.update_top_up_returned(conn, top_up.id, part.cents)


async def let_go(
    conn: Connection, top_up: TopUp, payment: Payment, refund: Refund, returned: Returned
) -> None:
    """A refund was carried out: the credits that it holds are gone, or those to hold follow it.

    `returned` is what was gone before it.
    """
    held_cents = await store.find_refund_credits(conn, refund.id)
    if held_cents is None or refund.state == "failed":
        # Made at the processor; or called failed, which gave the credits back, and it was not so.
        await _follow_foreign(conn, top_up, payment, refund, returned)
        return
    legs = rules.money_back_legs(
        currency=refund.currency,
        amount_minor=refund.amount_minor,
        amount_micro=micro_from_cents(held_cents),
    )
    await post(conn, refund.id, "refund", [_held(-held_cents), *legs], MEMO)
    left_cents = top_up.amount_cents - top_up.returned_cents
    await store.update_top_up_returned(conn, top_up.id, min(held_cents, left_cents))
    if held_cents > left_cents:
        await _say_too_much(conn, refund)


async def _follow_foreign(
    conn: Connection, top_up: TopUp, payment: Payment, refund: Refund, returned: Returned
) -> None:
    remains = remains_of(top_up, payment, returned)
    part = rules.part_taken(refund.amount_minor, remains, returned.pending)
    await take_credits(
        conn,
        top_up,
        payment,
        part,
        book="processor",
        movement_id=refund.id,
        movement="refund",
        description="Taken back for a top-up that was refunded",
    )
    await store.update_refund_credits(conn, refund.id, part.cents)
    if refund.amount_minor > part.minor:
        excess_minor = refund.amount_minor - part.minor
        legs = rules.moved(refund.currency, excess_minor, into="suspense", out_of="processor")
        await post(conn, refund.id, "refund", legs, MEMO)
        await _say_too_much(conn, refund)


async def _say_too_much(conn: Connection, refund: Refund) -> None:
    detail = (
        f"refund {refund.refund_id} of {refund.amount_minor} {refund.currency}: more has gone back "
        "than the card was charged"
    )
    await open_exception(conn, "mismatch", str(refund.id), detail)


async def release_credits(conn: Connection, top_up: TopUp, refund: Refund) -> None:
    """A refund came to nothing: the credits that it held are the account's again."""
    held_cents = await store.find_refund_credits(conn, refund.id)
    await store.update_refund_credits(conn, refund.id, 0)
    if held_cents:
        against = [_held(-held_cents)]
        await give_back(conn, top_up.account_id, held_cents, against=against, description=BACK_MEMO)


async def bring_back(
    conn: Connection, top_up: TopUp, payment: Payment, refund: Refund, refused: RefundRefused
) -> None:
    """The money of a refund that had succeeded is with us again, and so are the credits."""
    if not await store.update_refund_returned(conn, refund.id, refused.code):
        return
    held_cents = await store.find_refund_credits(conn, refund.id) or 0
    legs = _back_legs(payment, refund, held_cents)
    if held_cents:
        await give_back(conn, top_up.account_id, held_cents, against=legs, description=BACK_MEMO)
    else:
        await post(conn, refund.id, "refund", legs, BACK_MEMO)
    again_cents = min(held_cents, top_up.returned_cents)
    await store.update_top_up_returned(conn, top_up.id, -again_cents)
    detail = (
        f"refund {refund.refund_id} of {refund.amount_minor} {refund.currency} had succeeded and "
        f"failed later ({refused.code}): the credits are in the wallet again"
    )
    await open_exception(conn, "refund_failed", str(refund.id), detail)


def _held(amount_cents: int) -> Leg:
    return Leg(book="suspense", currency="USD", amount_micro=micro_from_cents(amount_cents))


def _back_legs(payment: Payment, refund: Refund, held_cents: int) -> list[Leg]:
    """The card's side of money that came back; that it did lies in `suspense` already."""
    # What a dollar refund exceeded its charge by was put into suspense when it went.
    amount_minor = held_cents if payment.currency == "USD" else refund.amount_minor
    legs = rules.money_back_legs(
        currency=payment.currency,
        amount_minor=amount_minor,
        amount_micro=micro_from_cents(held_cents),
        book="suspense",
    )
    return [msgspec.structs.replace(leg, amount_micro=-leg.amount_micro) for leg in legs]
