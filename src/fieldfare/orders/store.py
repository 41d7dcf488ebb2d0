"""The orders' rows: one typed function for each query."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from fieldfare.db.ids import new_id
from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries
from fieldfare.http.idempotency import KeyVerdict, RequestKey, read_verdict
from fieldfare.kernel.ids import instant_of
from fieldfare.orders.model import (
    RECEIPT_TOPIC,
    REFILL_TOPIC,
    AnswerParts,
    BilledLine,
    CardOrder,
    ErasedParties,
    FrozenQuote,
    LineKind,
    LineRow,
    NewRefund,
    Order,
    OrderRefund,
    PendingPurchase,
    Purchase,
    PurchaseRow,
    PurchaseState,
    ReceiptFacts,
    RecentPurchase,
    RefundSplit,
    RowsWanted,
    Share,
    StandingLine,
)
from fieldfare.orders.rules import describe
from fieldfare.payments.rules import REQUEST_LEASE

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
    return read_verdict(row)


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


async def find_purchase(conn: Connection, purchase_id: UUID, account_id: int) -> Purchase | None:
    """A purchase of this account."""
    row = await _queries.find_purchase(conn, purchase_id=purchase_id, account_id=account_id)
    return None if row is None else Purchase(**row)


async def find_purchase_of_charge(conn: Connection, charge_id: str) -> UUID | None:
    """The purchase that a processor's charge paid for."""
    found: UUID | None = await _queries.find_purchase_of_charge(conn, charge_id=charge_id)
    return found


async def list_lines(
    conn: Connection,
    account_id: int,
    kind: LineKind,
    wanted: RowsWanted,
    *,
    before_id: UUID,
    at_most: int,
) -> list[LineRow]:
    """Lines of one kind below an id, newest first, whatever their group."""
    bounds = _bounds(account_id, wanted, wanted.from_id, before_id, at_most) | {"kind": kind}
    rows = (
        _queries.list_tagged_lines(conn, **bounds, **_tag(wanted.metadata))
        if wanted.metadata
        else _queries.list_lines(conn, **bounds)
    )
    return [LineRow(**row) async for row in rows]


async def list_purchases(
    conn: Connection,
    account_id: int,
    wanted: RowsWanted,
    *,
    from_id: UUID,
    before_id: UUID,
    at_most: int,
) -> list[PurchaseRow]:
    """Paid orders from an id up and below another, newest first."""
    bounds = _bounds(account_id, wanted, from_id, before_id, at_most)
    rows = (
        _queries.list_tagged_purchases(conn, **bounds, **_tag(wanted.metadata))
        if wanted.metadata
        else _queries.list_purchases(conn, **bounds)
    )
    return [PurchaseRow(**row) async for row in rows]


def _bounds(
    account_id: int, wanted: RowsWanted, from_id: UUID, before_id: UUID, at_most: int
) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "before_id": min(before_id, wanted.to_id),
        "from_id": from_id,
        "created_after": wanted.created_after,
        "created_before": wanted.created_before,
        "at_most": at_most,
    }


def _tag(metadata: dict[str, str]) -> dict[str, Any]:
    """Rows are looked for by one pair, and then held against all of them."""
    key, value = next(iter(metadata.items()))
    return {"key": key, "value": value, "pairs": metadata}


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


async def lock_purchase(conn: Connection, purchase_id: UUID) -> Purchase | None:
    """A purchase of whichever account, locked until the transaction ends."""
    row = await _queries.lock_purchase(conn, purchase_id=purchase_id)
    return None if row is None else Purchase(**row)


async def list_standing_lines(conn: Connection, purchase_id: UUID) -> list[StandingLine]:
    """What of a purchase's lines was not refunded yet, by project."""
    rows = _queries.list_standing_lines(conn, purchase_id=purchase_id)
    return [StandingLine(**row) async for row in rows]


async def insert_refund(
    conn: Connection, refund_id: UUID, purchase: Purchase, refund: NewRefund
) -> None:
    """Record a refund that is on its way."""
    await _queries.insert_refund(
        conn,
        id=refund_id,
        purchase_id=purchase.id,
        account_id=purchase.account_id,
        origin=refund.origin,
        amount_minor=refund.amount_minor,
        currency=purchase.currency,
        reason=refund.reason,
        request_key=refund.request_key,
    )


async def write_refund(
    conn: Connection, refund_id: UUID, purchase: Purchase, refund: NewRefund, split: RefundSplit
) -> None:
    """A refund that takes effect: its row, its parts of the lines, and the account's totals."""
    await _queries.write_refund(
        conn,
        id=refund_id,
        purchase_id=purchase.id,
        account_id=purchase.account_id,
        origin=refund.origin,
        amount_minor=refund.amount_minor,
        currency=purchase.currency,
        amount_micro=split.amount_micro,
        mass_mg=split.mass_mg,
        trees=split.trees,
        reason=refund.reason,
        request_key=refund.request_key,
    )
    columns = {
        "line_ids": [part.line.id for part in split.parts],
        "masses_mg": [part.mass_mg for part in split.parts],
        "trees": [part.trees for part in split.parts],
        "amounts_micro": [part.amount_micro for part in split.parts],
    }
    await _queries.insert_refund_lines(
        conn,
        refund_id=refund_id,
        project_ids=[part.line.project_id for part in split.parts],
        partner_ids=[part.line.partner_id for part in split.parts],
        partner_micros=[part.partner_micro for part in split.parts],
        **columns,
    )
    is_whole = purchase.refunded_minor + refund.amount_minor == purchase.charge_minor
    await _queries.update_lines_refunded(conn, is_whole=is_whole, **columns)
    await _queries.add_impact(
        conn,
        account_id=purchase.account_id,
        certified_mg=-split.certified_mg,
        trees=-split.trees,
    )


async def update_purchase_refunded(
    conn: Connection, purchase_id: UUID, *, refunded_minor: int, state: PurchaseState
) -> None:
    """How much of a paid purchase is back, and the state that leaves."""
    await _queries.update_purchase_refunded(
        conn, purchase_id=purchase_id, refunded_minor=refunded_minor, state=state
    )


async def update_refund_failed(conn: Connection, refund_id: UUID, failure_code: str) -> None:
    """A pending refund certainly came to nothing."""
    await _queries.update_refund_failed(conn, id=refund_id, failure_code=failure_code)


async def find_refund(conn: Connection, refund_id: UUID) -> OrderRefund | None:
    """A refund of an order."""
    row = await _queries.find_refund(conn, id=refund_id)
    return None if row is None else OrderRefund(**row)


async def find_refund_of_key(
    conn: Connection, purchase_id: UUID, request_key: str
) -> OrderRefund | None:
    """The refund of a purchase that somebody asked for under this name."""
    row = await _queries.find_refund_of_key(conn, purchase_id=purchase_id, request_key=request_key)
    return None if row is None else OrderRefund(**row)


async def list_refunds(conn: Connection, purchase_id: UUID) -> list[OrderRefund]:
    """The refunds of a purchase, oldest first."""
    rows = _queries.list_refunds(conn, purchase_id=purchase_id)
    return [OrderRefund(**row) async for row in rows]


async def sum_pending_refunds(conn: Connection, purchase_id: UUID) -> int:
    """Of a purchase, what is on its way back in the charge's unit."""
    pending_minor: int = await _queries.sum_pending_refunds(conn, purchase_id=purchase_id)
    return pending_minor


async def erase_party(conn: Connection, purchase_id: UUID) -> ErasedParties:
    """Delete what one purchase holds of persons."""
    return ErasedParties(**await _queries.erase_party(conn, purchase_id=purchase_id))


async def erase_parties(
    conn: Connection, account_id: int, *, after_id: UUID, at_most: int
) -> tuple[UUID | None, int]:
    """Delete what a page of an account's purchases holds of persons, but for its metadata's pairs.

    Gives where the page ends (None: there is none), and how many purchases held something.
    """
    row = await _queries.erase_parties(
        conn, account_id=account_id, after_id=after_id, at_most=at_most
    )
    return row["last_id"], row["parties"]


async def erase_tags(conn: Connection, account_id: int, at_most: int) -> int:
    """Delete pairs of metadata by which an account's purchases are found; gives how many."""
    gone: int = await _queries.erase_tags(conn, account_id=account_id, at_most=at_most)
    return gone


async def count_pending(conn: Connection, account_id: int) -> int:
    """How many purchases and refunds of an account are not settled yet."""
    count: int = await _queries.count_pending(conn, account_id=account_id)
    return count


async def list_purchases_among(
    conn: Connection, account_id: int, purchase_ids: Sequence[UUID]
) -> list[UUID]:
    """Those of some purchases that are an account's."""
    rows = _queries.list_purchases_among(conn, account_id=account_id, purchase_ids=purchase_ids)
    return [row["id"] async for row in rows]


async def sum_lines(conn: Connection) -> tuple[int, int]:
    """What all lines come to as they were written: the partners' part and the margin."""
    row = await _queries.sum_lines(conn)
    return int(row["partner_micro"]), int(row["margin_micro"])


async def list_wrongly_refunded(conn: Connection, *, after_id: UUID, at_most: int) -> list[Any]:
    """A page of purchases whose refunds, or whose state, do not agree with what they say."""
    rows = _queries.list_wrongly_refunded(conn, after_id=after_id, at_most=at_most)
    return [row async for row in rows]


async def list_wrongly_refunded_lines(
    conn: Connection, *, after_id: UUID, at_most: int
) -> list[Any]:
    """A page of lines whose parts in refunds do not agree with what they say."""
    rows = _queries.list_wrongly_refunded_lines(conn, after_id=after_id, at_most=at_most)
    return [row async for row in rows]


async def list_refunds_from(conn: Connection, *, after_id: UUID, at_most: int) -> list[Any]:
    """A page of all refunds, by id, with what their purchases say."""
    rows = _queries.list_refunds_from(conn, after_id=after_id, at_most=at_most)
    return [row async for row in rows]


async def list_refund_lines_of(conn: Connection, refund_ids: Sequence[UUID]) -> list[Any]:
    """The parts of some refunds, with what their lines say."""
    return [row async for row in _queries.list_refund_lines_of(conn, refund_ids=refund_ids)]


async def list_refunds_of_ids(conn: Connection, ids: Sequence[UUID]) -> dict[UUID, Any]:
    """Those of the ids under which there is a refund: purchase_id, state, amount_minor."""
    return {row["id"]: row async for row in _queries.list_refunds_of_ids(conn, ids=ids)}


async def list_disputed_from(conn: Connection, *, after_id: UUID, at_most: int) -> list[UUID]:
    """A page of the purchases that are disputed, by id."""
    rows = _queries.list_disputed_from(conn, after_id=after_id, at_most=at_most)
    return [row["id"] async for row in rows]


async def list_lost_from(conn: Connection, *, after_id: UUID, at_most: int) -> list[Any]:
    """A page of what lost disputes took of purchases: id, purchase_id."""
    rows = _queries.list_lost_from(conn, after_id=after_id, at_most=at_most)
    return [row async for row in rows]


async def list_states_of_ids(conn: Connection, purchase_ids: Sequence[UUID]) -> dict[UUID, str]:
    """The states of those of the ids under which there is a purchase."""
    rows = _queries.list_states_of_ids(conn, purchase_ids=purchase_ids)
    return {row["id"]: row["state"] async for row in rows}
