"""What the simulator truly gave back or lost, held against our books."""

from typing import Any

from tests.support.cards import CardShop, Team

STATES = {"won": "won", "lost": "lost", "needs_response": "open", "under_review": "open"}
"""Of a dispute in our books, by what the processor calls it; an inquiry leaves no row."""


def money_back_agrees(shop: CardShop, *teams: Team) -> None:
    """Disputes and refunds of these accounts are on record as they are there, and books agree."""
    charges = {row[0] for row in _charges(shop, teams)}
    assert _disputes_here(shop, charges) == _disputes_there(shop, charges)
    assert _refunds_here(shop, charges) == _refunds_there(shop, charges)
    findings = shop.findings()
    assert not findings, findings


def _charges(shop: CardShop, teams: tuple[Team, ...]) -> list[Any]:
    return shop.sql(
        "select charge_id from payments.payment"
        " where account_id = any(%s) and charge_id is not null",
        [team.id for team in teams],
    )


def _disputes_here(shop: CardShop, charges: set[str]) -> list[Any]:
    return sorted(
        shop.sql(
            "select d.dispute_id, p.charge_id, d.state, d.amount_minor, lower(d.currency)"
            " from payments.dispute d join payments.payment p on p.id = d.payment_id"
            " where p.charge_id = any(%s)",
            list(charges),
        )
    )


def _disputes_there(shop: CardShop, charges: set[str]) -> list[Any]:
    return sorted(
        (one["id"], one["charge"], STATES[one["status"]], one["amount"], one["currency"])
        for one in shop.stripe.truth("disputes")
        if one["charge"] in charges and not one["status"].startswith("warning_")
    )


def _refunds_here(shop: CardShop, charges: set[str]) -> list[Any]:
    return sorted(
        shop.sql(
            "select r.refund_id, p.charge_id, r.amount_minor, lower(r.currency)"
            " from payments.refund r join payments.payment p on p.id = r.payment_id"
            " where p.charge_id = any(%s) and r.state = 'succeeded' and r.failure_code is null",
            list(charges),
        )
    )


def _refunds_there(shop: CardShop, charges: set[str]) -> list[Any]:
    return sorted(
        (one["id"], one["charge"], one["amount"], one["currency"])
        for one in shop.stripe.truth("refunds")
        if one["charge"] in charges and one["status"] == "succeeded"
    )


def held_in(shop: CardShop, book: str) -> dict[str, int]:
    """What a book has come to in the journal, by currency, in millionths; nothing is left out."""
    rows = shop.sql(
        "select currency, sum(amount_micro)::bigint from ledger.journal where book = %s"
        " group by currency having sum(amount_micro) <> 0",
        book,
    )
    return dict(rows)
