"""Orders on their way into the books: one statement each, from credits many at once."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

from fieldfare.db.ids import new_id
from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries
from fieldfare.http.idempotency import KeyVerdict, RequestKey, read_verdict
from fieldfare.kernel.ids import instant_of
from fieldfare.orders.model import RECEIPT_TOPIC, REFILL_TOPIC, AnswerParts, CardOrder, Order, Share
from fieldfare.orders.rules import describe
from fieldfare.payments.rules import REQUEST_LEASE

PATIENCE_MS = 5_000

_queries = load_queries(__file__)


class Placing(msgspec.Struct, frozen=True):
    """An order on its way into the books, with its answer and the client's key, if any."""

    order: Order
    answer: AnswerParts
    key: RequestKey | None


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one order of a statement.

    `verdict` is `free` (the key, if any, was ours to take), `in_flight`, `mismatch` or `replay`.
    """

    verdict: str
    status: int | None
    answer: bytes | None
    """The stored answer of a replay."""
    balance_after_cents: int | None
    """None if the wallet did not hold enough, or the key was not free."""


async def place_on_credit(
    conn: Connection, placings: Sequence[Placing], *, patience_ms: int = PATIENCE_MS
) -> list[Verdict]:
    """Record orders paid from credits: one statement, a verdict for each.

    A wallet that somebody else holds is waited for `patience_ms`; then `HeldUp` says so.
    """
    rows = _queries.place_on_credit(
        conn,
        patience_ms=patience_ms,
        **_order_columns(placings),
        **_line_columns(placings),
        **_person_columns(placings),
    )
    return [
        Verdict(
            verdict=row["verdict"],
            status=row["status"],
            answer=row["answer"],
            balance_after_cents=row["balance_after_cents"],
        )
        async for row in rows
    ]


async def open_card_order(
    conn: Connection, opening: CardOrder, key: RequestKey | None, *, settle_after: timedelta
) -> KeyVerdict:
    """Record an order that a card is to be charged for, unless its key says otherwise."""
    order, quote, payment = opening.order, opening.order.quote, opening.payment
    tags = order.party.metadata or {}
    row = await _queries.open_card_order(
        conn,
        key_hash=key.key_hash if key else None,
        fingerprint=key.fingerprint if key else None,
        id=order.id,
        account_id=order.account_id,
        kind=quote.kind,
        source=order.source,
        portfolio_id=quote.portfolio.id if quote.portfolio else None,
        project_id=quote.project_id,
        mass_mg=quote.mass_mg,
        trees=quote.trees,
        unit_price_cents=quote.unit_price_cents,
        price_revision=quote.price_revision,
        amount_cents=quote.amount_cents,
        charge_minor=quote.charge_minor,
        currency=quote.exchange.currency.code,
        rate=quote.exchange.rate,
        rate_on=quote.exchange.rate_on,
        send_receipt=order.send_receipt,
        slug=order.certificate_slug,
        quote=opening.quote,
        created_at=instant_of(order.id),
        has_party=not order.party.is_empty,
        on_behalf_of_name=order.party.on_behalf_of_name,
        on_behalf_of_email=order.party.on_behalf_of_email,
        note=order.party.note,
        metadata=order.party.metadata,
        tag_keys=list(tags),
        tag_values=list(tags.values()),
        payment_id=payment.id,
        payment_rate_on=payment.rate_on,
        customer=payment.customer,
        request=payment.request,
        processor_key=payment.processor_key,
        lease=REQUEST_LEASE,
        outbox_id=new_id(),
        settle_after=settle_after,
    )
    return read_verdict(row)


def _order_columns(placings: Sequence[Placing]) -> dict[str, list[Any]]:
    orders = [p.order for p in placings]
    quotes = [o.quote for o in orders]
    keys = [p.key for p in placings]
    return {
        "ids": [o.id for o in orders],
        "account_ids": [o.account_id for o in orders],
        "kinds": [q.kind for q in quotes],
        "sources": [o.source for o in orders],
        "portfolio_ids": [q.portfolio.id if q.portfolio else None for q in quotes],
        "project_ids": [q.project_id for q in quotes],
        "masses_mg": [q.mass_mg for q in quotes],
        "trees": [q.trees for q in quotes],
        "certified_mgs": [q.certified_mg for q in quotes],
        "unit_prices_cents": [q.unit_price_cents for q in quotes],
        "price_revisions": [q.price_revision for q in quotes],
        "amounts_cents": [q.amount_cents for q in quotes],
        "send_receipts": [o.send_receipt for o in orders],
        "slugs": [o.certificate_slug for o in orders],
        "entry_ids": [new_id() for _ in orders],
        "descriptions": [describe(o) for o in orders],
        "created_ats": [instant_of(o.id) for o in orders],
        "key_hashes": [k.key_hash if k else None for k in keys],
        "fingerprints": [k.fingerprint if k else None for k in keys],
        "answer_heads": [p.answer.head for p in placings],
        "answer_tails": [p.answer.tail for p in placings],
        **_outbox_columns(orders),
    }


def _outbox_columns(orders: Sequence[Order]) -> dict[str, list[Any]]:
    """What is to be told of; a bound says that it depends on the balance after the order."""
    rows: list[tuple[str, UUID, int | None]] = [
        (RECEIPT_TOPIC, o.id, None) for o in orders if o.send_receipt
    ]
    rows += [
        (REFILL_TOPIC, o.id, o.refill_below_cents)
        for o in orders
        if o.refill_below_cents is not None
    ]
    return {
        "outbox_ids": [new_id() for _ in rows],
        "outbox_topics": [topic for topic, _, _ in rows],
        "outbox_purchase_ids": [purchase_id for _, purchase_id, _ in rows],
        "outbox_below_cents": [below_cents for _, _, below_cents in rows],
    }


def _line_columns(placings: Sequence[Placing]) -> dict[str, list[Any]]:
    rows: list[tuple[UUID, Share]] = [
        (p.order.id, share) for p in placings for share in p.order.quote.shares
    ]
    shares = [share for _, share in rows]
    return {
        "line_ids": [new_id() for _ in rows],
        "line_purchase_ids": [purchase_id for purchase_id, _ in rows],
        "line_project_ids": [s.project.id for s in shares],
        "line_partner_ids": [s.project.partner_id for s in shares],
        "line_kinds": [s.kind for s in shares],
        "line_standings": [s.project.standing for s in shares],
        "line_statuses": [s.project.certification_status for s in shares],
        "line_weights_ppm": [s.weight_ppm for s in shares],
        "line_unit_prices_micro": [s.project.unit_price_micro for s in shares],
        "line_masses_mg": [s.mass_mg for s in shares],
        "line_trees": [s.trees for s in shares],
        "line_amounts_micro": [s.amount_micro for s in shares],
        "line_billed_micro": [s.billed_micro for s in shares],
        "line_partner_shares_ppm": [s.project.partner_share_ppm for s in shares],
        "line_partner_micro": [s.partner_micro for s in shares],
    }


def _person_columns(placings: Sequence[Placing]) -> dict[str, list[Any]]:
    rows = [(p.order.id, p.order.party) for p in placings if not p.order.party.is_empty]
    tags = [
        (purchase_id, key, value)
        for purchase_id, party in rows
        for key, value in (party.metadata or {}).items()
    ]
    return {
        "party_purchase_ids": [purchase_id for purchase_id, _ in rows],
        "party_names": [party.on_behalf_of_name for _, party in rows],
        "party_emails": [party.on_behalf_of_email for _, party in rows],
        "party_notes": [party.note for _, party in rows],
        "party_metadata": [
            msgspec.json.encode(party.metadata).decode() if party.metadata else None
            for _, party in rows
        ],
        "tag_purchase_ids": [purchase_id for purchase_id, _, _ in tags],
        "tag_keys": [key for _, key, _ in tags],
        "tag_values": [value for _, _, value in tags],
    }
