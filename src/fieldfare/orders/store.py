"""The orders' rows: one typed function for each query."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from fieldfare.db.ids import new_id
from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries
from fieldfare.http.idempotency import RequestKey
from fieldfare.kernel.ids import instant_of
from fieldfare.orders.model import (
    AnswerParts,
    BilledLine,
    CardOrder,
    FrozenQuote,
    LineKind,
    LineRow,
    LinesWanted,
    Order,
    PendingPurchase,
    Purchase,
    ReceiptFacts,
    RecentPurchase,
    Share,
)
from fieldfare.orders.rules import describe
from fieldfare.payments.rules import REQUEST_LEASE

_queries = load_queries(__file__)


class Placing(msgspec.Struct, frozen=True):
    """An order on its way into the books, with its answer and the client's key, if any."""

    order: Order
    answer: AnswerParts
    key: RequestKey | None


class KeyVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a client's key said: see `http.claim_keys_v1`."""

    verdict: str
    status: int | None
    answer: bytes | None
    subject_id: UUID | None
    """The purchase that the key already stands for."""


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


async def place_on_credit(conn: Connection, placings: Sequence[Placing]) -> list[Verdict]:
    """Record orders paid from credits: one statement, a verdict for each."""
    rows = _queries.place_on_credit(
        conn, **_order_columns(placings), **_line_columns(placings), **_person_columns(placings)
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
    return _verdict(row)


async def look_at_key(conn: Connection, key: RequestKey) -> KeyVerdict:
    """What a client's key says now; nothing is recorded under it."""
    return _verdict(
        await _queries.look_at_key(conn, key_hash=key.key_hash, fingerprint=key.fingerprint)
    )


def _verdict(row: Any) -> KeyVerdict:
    return KeyVerdict(
        verdict=row["verdict"],
        status=row["status"],
        answer=row["answer"],
        subject_id=row["subject_id"],
    )


async def lock_pending(conn: Connection, purchase_id: UUID) -> PendingPurchase | None:
    """An order that is not settled yet, locked; None if it is."""
    row = await _queries.lock_pending(conn, purchase_id=purchase_id)
    if row is None:
        return None
    fields = dict(row)
    return PendingPurchase(**{**fields, "quote": msgspec.convert(fields["quote"], FrozenQuote)})


async def write_paid(
    conn: Connection, pending: PendingPurchase, *, charge_id: str, paid_at: datetime
) -> None:
    """The order's lines, its state, its charge and its account's totals."""
    lines = [{"id": str(new_id()), **msgspec.to_builtins(line)} for line in pending.quote.lines]
    await _queries.insert_lines(
        conn,
        purchase_id=pending.id,
        account_id=pending.account_id,
        lines=lines,
        paid_at=paid_at,
    )
    await _queries.update_paid(conn, purchase_id=pending.id, charge_id=charge_id, paid_at=paid_at)
    await _queries.insert_charge(conn, charge_id=charge_id, purchase_id=pending.id)
    await _queries.add_impact(
        conn,
        account_id=pending.account_id,
        certified_mg=pending.quote.certified_mg,
        trees=pending.trees,
    )


async def write_failed(conn: Connection, purchase_id: UUID) -> None:
    """The order was certainly not paid."""
    await _queries.update_failed(conn, purchase_id=purchase_id)


async def find_any_purchase(conn: Connection, purchase_id: UUID) -> Purchase | None:
    """A purchase of whichever account."""
    row = await _queries.find_any_purchase(conn, purchase_id=purchase_id)
    return None if row is None else Purchase(**row)


def _order_columns(placings: Sequence[Placing]) -> dict[str, list[Any]]:
    orders = [p.order for p in placings]
    quotes = [o.quote for o in orders]
    keys = [p.key for p in placings]
    receipts = [o.id for o in orders if o.send_receipt]
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
        "outbox_ids": [new_id() for _ in receipts],
        "outbox_purchase_ids": receipts,
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


async def find_purchase(conn: Connection, purchase_id: UUID, account_id: int) -> Purchase | None:
    """A purchase of this account."""
    row = await _queries.find_purchase(conn, purchase_id=purchase_id, account_id=account_id)
    return None if row is None else Purchase(**row)


async def find_purchase_of_charge(conn: Connection, charge_id: str) -> UUID | None:
    """The purchase that a processor's charge paid for."""
    found: UUID | None = await _queries.find_purchase_of_charge(conn, charge_id=charge_id)
    return found


async def list_lines(
    conn: Connection, account_id: int, wanted: LinesWanted, *, before_id: UUID, at_most: int
) -> list[LineRow]:
    """Lines below an id, newest first."""
    bounds = {
        "account_id": account_id,
        "kind": wanted.kind,
        "before_id": before_id,
        "from_id": wanted.from_id,
        "created_after": wanted.created_after,
        "created_before": wanted.created_before,
        "at_most": at_most,
    }
    if wanted.metadata:
        key, value = next(iter(wanted.metadata.items()))
        rows = _queries.list_tagged_lines(
            conn, **bounds, key=key, value=value, pairs=wanted.metadata
        )
    else:
        rows = _queries.list_lines(conn, **bounds)
    return [LineRow(**row) async for row in rows]


async def list_lines_of_purchase(
    conn: Connection, account_id: int, kind: LineKind, purchase_id: UUID
) -> list[LineRow]:
    """All lines of one purchase, newest first; none if it is another account's."""
    rows = _queries.list_lines_of_purchase(
        conn, account_id=account_id, kind=kind, purchase_id=purchase_id
    )
    return [LineRow(**row) async for row in rows]


async def number_receipt(conn: Connection, purchase_id: UUID) -> int:
    """The number of a purchase's receipt, drawn once."""
    number: int = await _queries.number_receipt(conn, purchase_id=purchase_id)
    return number


async def find_receipt_facts(conn: Connection, purchase_id: UUID) -> ReceiptFacts | None:
    """What a receipt says of a purchase beside its lines."""
    row = await _queries.find_receipt_facts(conn, purchase_id=purchase_id)
    return None if row is None else ReceiptFacts(**row)


async def list_receipt_lines(conn: Connection, purchase_id: UUID) -> list[BilledLine]:
    """A purchase's lines as it was billed, by project."""
    rows = _queries.list_receipt_lines(conn, purchase_id=purchase_id)
    return [BilledLine(**row) async for row in rows]


async def list_purchases_from(conn: Connection, *, after_id: UUID, at_most: int) -> list[Any]:
    """A page of all purchases, oldest first."""
    rows = _queries.list_purchases_from(conn, after_id=after_id, at_most=at_most)
    return [row async for row in rows]


def list_lines_of_purchases(conn: Connection, purchase_ids: list[UUID]) -> AsyncIterator[Any]:
    """Every line of these purchases, by purchase and project."""
    rows: AsyncIterator[Any] = _queries.list_lines_of_purchases(conn, purchase_ids=purchase_ids)
    return rows


async def list_charges_of(conn: Connection, purchase_ids: list[UUID]) -> list[tuple[str, UUID]]:
    """The charges that lead to these purchases: charge id, purchase id."""
    rows = _queries.list_charges_of(conn, purchase_ids=purchase_ids)
    return [(row["charge_id"], row["purchase_id"]) async for row in rows]


async def list_orphan_lines(conn: Connection, *, after_id: UUID, at_most: int) -> list[Any]:
    """A page of lines whose purchase is not there: id, purchase_id."""
    rows = _queries.list_orphan_lines(conn, after_id=after_id, at_most=at_most)
    return [row async for row in rows]


async def list_known_purchases(conn: Connection, ids: list[UUID]) -> set[UUID]:
    """Those of the ids under which there is a purchase."""
    return {row["id"] async for row in _queries.list_known_purchases(conn, purchase_ids=ids)}


async def list_totals(
    conn: Connection, *, above_account_id: int, up_to_account_id: int
) -> dict[int, tuple[int, int]]:
    """For each account of a range that has lines, what they make: certified_mg, trees."""
    rows = _queries.list_totals(
        conn, above_account_id=above_account_id, up_to_account_id=up_to_account_id
    )
    return {row["account_id"]: (int(row["certified_mg"]), int(row["trees"])) async for row in rows}


async def list_recent_purchases(
    conn: Connection, *, without_ids: Sequence[UUID], looked_at: int, at_most: int
) -> list[RecentPurchase]:
    """The newest offset orders of anybody of which something stands, newest first."""
    rows = _queries.list_recent_purchases(
        conn, without_ids=without_ids, looked_at=looked_at, at_most=at_most
    )
    return [RecentPurchase(**row) async for row in rows]
