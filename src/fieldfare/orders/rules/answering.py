"""An order's answer before all of it is known: the balance, or the charge, is filled in at the end.

What must hold: what a client is told was encoded before anything was recorded, so that nothing can
go wrong with it afterwards, and a replay is the same to the byte.
"""

import msgspec

from fieldfare.kernel.mass import tonnes_from_mg
from fieldfare.orders.model import AnswerParts, FrozenLine, FrozenQuote, Order, Quote

_BALANCE = b'"creditsRemaining":0'
EMPTY_ID = b'{"id":""'
"""How the answer of a card order begins until its charge is known."""


def describe(order: Order) -> str:
    """What a statement of credits says of an order; no word of it comes from a client."""
    quote = order.quote
    if quote.kind == "offset":
        assert quote.portfolio is not None, "an offset order is of a portfolio"
        return f"Offset order: {_tonnes(quote)}, {quote.portfolio.name}"
    project = quote.only_share.project
    if quote.kind == "tree":
        trees = "1 tree" if quote.trees == 1 else f"{quote.trees:,} trees"
        return f"Tree order: {trees}, {project.provider}"
    if project.unit == "none":
        return f"Donation: {project.name}"
    return f"Project order: {_tonnes(quote)}, {project.name}"


def _tonnes(quote: Quote) -> str:
    # `f`, because `str` writes a milligram as 1E-9.
    return f"{tonnes_from_mg(quote.mass_mg):f} t CO₂e"


def answer_parts(answer: bytes) -> AnswerParts:
    """Cut an encoded answer around its balance, which must stand there as 0.

    No text in the answer can hold the mark: JSON escapes the quotes inside a string.
    """
    head, mark, tail = answer.rpartition(_BALANCE)
    assert mark, "the answer of a credit order shows the balance"
    return AnswerParts(head + _BALANCE[:-1], tail)


def freeze(quote: Quote, answer: bytes) -> FrozenQuote:
    """What an order will become once its card is charged; `answer` is encoded with an empty id."""
    assert answer.startswith(EMPTY_ID), "the answer of a card order begins with its id"
    lines = [
        FrozenLine(
            project_id=share.project.id,
            partner_id=share.project.partner_id,
            kind=share.kind,
            standing=share.project.standing,
            certification_status=share.project.certification_status,
            weight_ppm=share.weight_ppm,
            unit_price_micro=share.project.unit_price_micro,
            mass_mg=share.mass_mg,
            trees=share.trees,
            amount_micro=share.amount_micro,
            billed_micro=share.billed_micro,
            partner_share_ppm=share.project.partner_share_ppm,
            partner_micro=share.partner_micro,
        )
        for share in quote.shares
    ]
    return FrozenQuote(lines=lines, answer=answer.decode())


def answer_with_charge(answer: str, charge_id: str) -> bytes:
    """The answer of a card order, now that its id is known."""
    return b'{"id":' + msgspec.json.encode(charge_id) + answer.encode().removeprefix(EMPTY_ID)
