"""The payments' rows: one typed function for each query."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from fieldfare.db.ids import new_id
from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries
from fieldfare.http.idempotency import KeyVerdict, RequestKey, read_verdict
from fieldfare.integrations.stripe.model import BalanceTransaction
from fieldfare.kernel.mass import plain
from fieldfare.payments.model import (
    BalanceRole,
    BookedTransaction,
    Dispute,
    DisputeState,
    ExceptionKind,
    ExchangeRate,
    InboxEvent,
    NewTopUp,
    OpenDispute,
    OpenException,
    Payment,
    RateSource,
    RecentRefill,
    RecordedRate,
    Refund,
    Remains,
    Returned,
    TopUp,
    Unfinished,
)
from fieldfare.payments.rules import REQUEST_LEASE

_queries = load_queries(__file__)


async def find_payment_of(conn: Connection, subject_id: UUID) -> Payment | None:
    """The newest payment for a purchase or a top-up."""
    row = await _queries.find_payment_of(conn, subject_id=subject_id)
    return None if row is None else Payment(**row)


async def lease_payment(
    conn: Connection, payment_id: UUID, *, lease: timedelta, resend_within: timedelta
) -> bool:
    """Note that the request goes out once more.

    False if it must not: the payment is settled, somebody else waits for its answer, or it first
    went out longer ago than `resend_within`.
    """
    leased = await _queries.lease_payment(
        conn, payment_id=payment_id, lease=lease, resend_within=resend_within
    )
    return bool(leased)


async def lock_sent_again(conn: Connection, payment_id: UUID) -> bool:
    """Whether the request went out more than once; until the transaction ends it cannot again."""
    return bool(await _queries.lock_sent_again(conn, payment_id=payment_id))


async def update_payment_released(conn: Connection, payment_id: UUID) -> None:
    """Note that nobody waits for its answer any longer."""
    await _queries.update_payment_released(conn, payment_id=payment_id)


async def update_payment_succeeded(
    conn: Connection, payment_id: UUID, *, intent_id: str, charge_id: str
) -> None:
    """A pending payment was charged."""
    await _queries.update_payment_succeeded(
        conn, payment_id=payment_id, intent_id=intent_id, charge_id=charge_id
    )


async def update_payment_failed(conn: Connection, payment_id: UUID, failure_code: str) -> None:
    """A pending payment was certainly not charged."""
    await _queries.update_payment_failed(conn, payment_id=payment_id, failure_code=failure_code)


async def list_payments_of(conn: Connection, subject_ids: Sequence[UUID]) -> list[Any]:
    """The rows of the payments for some purchases or top-ups."""
    return [row async for row in _queries.list_payments_of(conn, subject_ids=subject_ids)]


async def list_payments_from(conn: Connection, *, after_id: UUID, at_most: int) -> list[Any]:
    """A page of all payments, oldest first: id, subject, subject_id."""
    rows = _queries.list_payments_from(conn, after_id=after_id, at_most=at_most)
    return [row async for row in rows]


async def insert_event(
    conn: Connection, identifier: UUID, *, event_id: str, kind: str, payload: bytes
) -> UUID | None:
    """Keep an event; None if it was kept before."""
    kept: UUID | None = await _queries.insert_event(
        conn, id=identifier, event_id=event_id, kind=kind, payload=payload
    )
    return kept


async def find_event(conn: Connection, identifier: UUID) -> InboxEvent | None:
    """An event of the inbox."""
    row = await _queries.find_event(conn, id=identifier)
    return None if row is None else InboxEvent(**row)


async def lock_event(conn: Connection, identifier: UUID) -> InboxEvent | None:
    """An event of the inbox, locked until the transaction ends."""
    row = await _queries.lock_event(conn, id=identifier)
    return None if row is None else InboxEvent(**row)


async def update_event_done(conn: Connection, identifier: UUID) -> None:
    """Its effect is in this transaction."""
    await _queries.update_event_done(conn, id=identifier)


async def open_exception(
    conn: Connection, identifier: UUID, *, kind: ExceptionKind, subject: str, detail: str
) -> None:
    """Put something on the list, once while it is open."""
    await _queries.open_exception(conn, id=identifier, kind=kind, subject=subject, detail=detail)


async def resolve_exceptions(conn: Connection, subject: str, resolution: str) -> None:
    """Whatever is open about a subject is settled."""
    await _queries.resolve_exceptions(conn, subject=subject, resolution=resolution)


async def resolve_exception(conn: Connection, identifier: UUID, resolution: str) -> bool:
    """Close one by hand; False if it is not open."""
    return bool(await _queries.resolve_exception(conn, id=identifier, resolution=resolution))


async def list_open_exceptions(conn: Connection, at_most: int) -> list[OpenException]:
    """What is open, oldest first."""
    rows = _queries.list_open_exceptions(conn, at_most=at_most)
    return [OpenException(**row) async for row in rows]


async def lock_rates(conn: Connection) -> None:
    """Wait until no other transaction changes the rates, then keep others from it."""
    await _queries.lock_rates(conn)


async def list_rates(conn: Connection, currencies: Sequence[str]) -> list[RecordedRate]:
    """The rates that hold of these currencies, by code; none for one that has no rate."""
    rows = _queries.list_rates(conn, currencies=currencies)
    # `plain`, because the column gives every rate ten decimals.
    return [RecordedRate(**{**row, "rate": plain(row["rate"])}) async for row in rows]


async def insert_rates(conn: Connection, rates: Sequence[ExchangeRate], source: RateSource) -> None:
    """Let these rates hold from now on; one for each currency."""
    await _queries.insert_rates(
        conn,
        currencies=[rate.currency for rate in rates],
        rates=[rate.rate for rate in rates],
        rates_on=[rate.rate_on for rate in rates],
        source=source,
    )


async def find_payment(conn: Connection, payment_id: UUID) -> Payment | None:
    """A payment by its own id."""
    row = await _queries.find_payment(conn, payment_id=payment_id)
    return None if row is None else Payment(**row)


async def insert_refund(
    conn: Connection,
    refund_id: UUID,
    payment: Payment,
    *,
    amount_minor: int,
    reason: str,
    request: bytes,
    processor_key: str,
    lease: timedelta,
) -> Refund:
    """Record money that is to be given back; it counts as sent from now on."""
    row = await _queries.insert_refund(
        conn,
        id=refund_id,
        payment_id=payment.id,
        amount_minor=amount_minor,
        currency=payment.currency,
        reason=reason,
        request=request,
        processor_key=processor_key,
        lease=lease,
    )
    return Refund(**row)


async def insert_foreign_refund(
    conn: Connection,
    identifier: UUID,
    payment: Payment,
    *,
    refund_id: str,
    amount_minor: int,
    currency: str,
    reason: str,
) -> Refund | None:
    """Record a refund that was made at the processor; None if it is on record."""
    row = await _queries.insert_foreign_refund(
        conn,
        id=identifier,
        payment_id=payment.id,
        amount_minor=amount_minor,
        currency=currency,
        reason=reason,
        refund_id=refund_id,
    )
    return None if row is None else Refund(**row)


async def find_refund(conn: Connection, identifier: UUID) -> Refund | None:
    """A refund by our own id."""
    row = await _queries.find_refund(conn, id=identifier)
    return None if row is None else Refund(**row)


async def lock_refund(conn: Connection, identifier: UUID) -> Refund | None:
    """A refund, locked until the transaction ends: it is not sent again meanwhile."""
    row = await _queries.lock_refund(conn, id=identifier)
    return None if row is None else Refund(**row)


async def list_refunds_of_payment(conn: Connection, payment_id: UUID) -> list[Refund]:
    """Every refund of a payment, oldest first."""
    rows = _queries.list_refunds_of_payment(conn, payment_id=payment_id)
    return [Refund(**row) async for row in rows]


async def lease_refund(
    conn: Connection, identifier: UUID, *, lease: timedelta, resend_within: timedelta
) -> bool:
    """Note that the request of a refund goes out once more; False if it must not, as a payment's.

    See `lease_payment`.
    """
    leased = await _queries.lease_refund(
        conn, id=identifier, lease=lease, resend_within=resend_within
    )
    return bool(leased)


async def update_refund_released(conn: Connection, identifier: UUID) -> None:
    """Note that nobody waits for its answer any longer."""
    await _queries.update_refund_released(conn, id=identifier)


async def update_refund_known(conn: Connection, identifier: UUID, refund_id: str) -> None:
    """Note what the processor calls a pending refund."""
    await _queries.update_refund_known(conn, id=identifier, refund_id=refund_id)


async def update_refund_succeeded(conn: Connection, identifier: UUID, refund_id: str) -> None:
    """The money was given back."""
    await _queries.update_refund_succeeded(conn, id=identifier, refund_id=refund_id)


async def update_refund_failed(
    conn: Connection, identifier: UUID, failure_code: str, refund_id: str | None
) -> None:
    """A pending refund certainly came to nothing."""
    await _queries.update_refund_failed(
        conn, id=identifier, failure_code=failure_code, refund_id=refund_id
    )


async def update_refund_returned(conn: Connection, identifier: UUID, failure_code: str) -> bool:
    """The money of a refund that had succeeded is with us again; True the first time."""
    returned = await _queries.update_refund_returned(conn, id=identifier, failure_code=failure_code)
    return bool(returned)


async def open_top_up(
    conn: Connection, opening: NewTopUp, key: RequestKey | None, *, settle_after: timedelta
) -> KeyVerdict:
    """Record credits that a card is to be charged for, unless the client's key says otherwise.

    Raises `asyncpg.UniqueViolationError` if another refill of the account is under way.
    """
    payment = opening.payment
    row = await _queries.open_top_up(
        conn,
        key_hash=key.key_hash if key else None,
        fingerprint=key.fingerprint if key else None,
        id=payment.subject_id,
        account_id=payment.account_id,
        origin=opening.origin,
        amount_cents=payment.amount_cents,
        payment_id=payment.id,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        rate=payment.rate,
        rate_on=payment.rate_on,
        customer=payment.customer,
        request=payment.request,
        processor_key=payment.processor_key,
        lease=REQUEST_LEASE,
        outbox_id=new_id(),
        settle_after=settle_after,
    )
    return read_verdict(row)


async def find_top_up(conn: Connection, top_up_id: UUID) -> TopUp | None:
    """Credits bought by card, whatever became of them."""
    row = await _queries.find_top_up(conn, top_up_id=top_up_id)
    return None if row is None else TopUp(**row)


async def lock_pending_top_up(conn: Connection, top_up_id: UUID) -> TopUp | None:
    """A top-up that is not settled yet, locked; None if it is."""
    row = await _queries.lock_pending_top_up(conn, top_up_id=top_up_id)
    return None if row is None else TopUp(**row)


async def update_top_up_paid(
    conn: Connection, top_up_id: UUID, *, charge_id: str, entry_id: UUID
) -> None:
    """A pending top-up was charged, and its credits are in the wallet."""
    await _queries.update_top_up_paid(
        conn, top_up_id=top_up_id, charge_id=charge_id, entry_id=entry_id
    )


async def update_top_up_failed(conn: Connection, top_up_id: UUID) -> None:
    """A pending top-up was certainly not charged."""
    await _queries.update_top_up_failed(conn, top_up_id=top_up_id)


async def list_top_ups_from(conn: Connection, *, after_id: UUID, at_most: int) -> list[Any]:
    """A page of all top-ups, oldest first: their rows."""
    rows = _queries.list_top_ups_from(conn, after_id=after_id, at_most=at_most)
    return [row async for row in rows]


async def list_known_top_ups(conn: Connection, top_up_ids: Sequence[UUID]) -> set[UUID]:
    """Those of some ids that are a top-up's."""
    rows = _queries.list_known_top_ups(conn, top_up_ids=top_up_ids)
    return {row["id"] async for row in rows}


async def list_payments_at_no_rate(conn: Connection, payment_ids: Sequence[UUID]) -> set[UUID]:
    """Those of some payments whose rate was never that of their currency; 1 is let pass."""
    rows = _queries.list_payments_at_no_rate(conn, payment_ids=payment_ids)
    return {row["id"] async for row in rows}


async def list_entries_of_top_ups(conn: Connection, entry_ids: Sequence[UUID]) -> set[UUID]:
    """Those of some entries of the ledger that a top-up names as its own."""
    rows = _queries.list_entries_of_top_ups(conn, entry_ids=entry_ids)
    return {row["entry_id"] async for row in rows}


async def find_dispute(conn: Connection, dispute_id: str) -> Dispute | None:
    """A dispute that took money from us; who changes it has locked what it is about."""
    row = await _queries.find_dispute(conn, dispute_id=dispute_id)
    return None if row is None else Dispute(**row)


async def insert_dispute(conn: Connection, dispute: Dispute, reason: str) -> None:
    """A dispute that has just taken money from us: it is open."""
    await _queries.insert_dispute(
        conn,
        dispute_id=dispute.dispute_id,
        payment_id=dispute.payment_id,
        amount_minor=dispute.amount_minor,
        currency=dispute.currency,
        reason=reason,
        opened_at=dispute.opened_at,
    )


async def update_dispute_closed(conn: Connection, dispute_id: str, state: DisputeState) -> None:
    """An open dispute is decided; its effect is in this transaction."""
    await _queries.update_dispute_closed(conn, dispute_id=dispute_id, state=state)


async def update_dispute_open(conn: Connection, dispute_id: str) -> None:
    """A dispute that was won goes on."""
    await _queries.update_dispute_open(conn, dispute_id=dispute_id)


async def update_dispute_credits(conn: Connection, dispute_id: str, credits_cents: int) -> None:
    """The credits that a lost dispute of a top-up took back or left owed."""
    await _queries.update_dispute_credits(conn, dispute_id=dispute_id, credits_cents=credits_cents)


async def list_open_disputes(conn: Connection, *, after_id: str, at_most: int) -> list[OpenDispute]:
    """A page of the disputes that are not decided yet, by id."""
    rows = _queries.list_open_disputes(conn, after_id=after_id, at_most=at_most)
    return [OpenDispute(**row) async for row in rows]


async def list_disputes_from(conn: Connection, *, after_id: str, at_most: int) -> list[Any]:
    """A page of all disputes, by id, each with what its payment says."""
    rows = _queries.list_disputes_from(conn, after_id=after_id, at_most=at_most)
    return [row async for row in rows]


async def list_disputes_of_subjects(conn: Connection, subject_ids: Sequence[UUID]) -> list[Any]:
    """Every dispute about some purchases or top-ups: dispute_id, state, subject_id."""
    rows = _queries.list_disputes_of_subjects(conn, subject_ids=subject_ids)
    return [row async for row in rows]


async def list_top_up_refunds_from(conn: Connection, *, after_id: UUID, at_most: int) -> list[Any]:
    """A page of the refunds of top-ups, oldest first, each with what its payment says."""
    rows = _queries.list_top_up_refunds_from(conn, after_id=after_id, at_most=at_most)
    return [row async for row in rows]


async def list_returns_of_top_ups(conn: Connection, top_up_ids: Sequence[UUID]) -> list[Any]:
    """What says that credits of some top-ups are gone.

    Columns subject_id, account_id, table_name, row_key, credits_cents.
    """
    rows = _queries.list_returns_of_top_ups(conn, top_up_ids=top_up_ids)
    return [row async for row in rows]


async def list_returns_of_accounts(
    conn: Connection, *, above_account_id: int, up_to_account_id: int
) -> list[Any]:
    """The same for a range of accounts, with what refunds under way hold."""
    rows = _queries.list_returns_of_accounts(
        conn, above_account_id=above_account_id, up_to_account_id=up_to_account_id
    )
    return [row async for row in rows]


async def find_returned(conn: Connection, payment_id: UUID) -> Returned:
    """What refunds and disputes have made of a payment; who acts on it has locked its subject."""
    row = await _queries.find_returned(conn, payment_id=payment_id)
    return Returned(
        gone_minor=row["gone_minor"],
        pending=Remains(minor=row["pending_minor"], cents=row["pending_cents"]),
        pending_refunds=row["pending_refunds"],
        open_disputes=row["open_disputes"],
    )


async def find_top_up_of_charge(conn: Connection, charge_id: str) -> UUID | None:
    """The top-up that a processor's charge paid for."""
    found: UUID | None = await _queries.find_top_up_of_charge(conn, charge_id=charge_id)
    return found


async def lock_top_up(conn: Connection, top_up_id: UUID) -> TopUp | None:
    """A top-up in whichever state, locked until the transaction ends."""
    row = await _queries.lock_top_up(conn, top_up_id=top_up_id)
    return None if row is None else TopUp(**row)


async def update_top_up_returned(conn: Connection, top_up_id: UUID, change_cents: int) -> None:
    """More of its credits went back, or came again; the top-up is locked by the caller."""
    await _queries.update_top_up_returned(conn, top_up_id=top_up_id, change_cents=change_cents)


async def find_refund_credits(conn: Connection, refund_id: UUID) -> int | None:
    """Of a top-up's refund, the credits that go with it; None if that is not known yet."""
    found: int | None = await _queries.find_refund_credits(conn, refund_id=refund_id)
    return found


async def update_refund_credits(conn: Connection, refund_id: UUID, credits_cents: int) -> None:
    """The credits that go with a refund of a top-up."""
    await _queries.update_refund_credits(conn, refund_id=refund_id, credits_cents=credits_cents)


async def has_said(conn: Connection, kind: ExceptionKind, subject: str, detail: str) -> bool:
    """Whether an exception said this of a subject before, however that ended."""
    return bool(await _queries.has_said(conn, kind=kind, subject=subject, detail=detail))


async def find_balance_import(conn: Connection) -> Any:
    """How far the processor's balance is on record: complete_to, oldest_at, newest_at, or None."""
    return await _queries.find_balance_import(conn)


async def update_balance_import(conn: Connection, complete_to: datetime) -> None:
    """The processor's balance is on record up to an instant."""
    await _queries.update_balance_import(conn, complete_to=complete_to)


async def insert_transactions(
    conn: Connection, seen: Sequence[tuple[BalanceTransaction, BalanceRole]]
) -> list[str]:
    """Keep balance transactions; gives the ids of those that were not on record."""
    rows = _queries.insert_transactions(
        conn,
        transaction_ids=[one.transaction_id for one, _ in seen],
        kinds=[one.kind for one, _ in seen],
        roles=[role for _, role in seen],
        source_ids=[one.source_id for one, _ in seen],
        amounts_minor=[one.amount_minor for one, _ in seen],
        fees_minor=[one.fee_minor for one, _ in seen],
        nets_minor=[one.net_minor for one, _ in seen],
        currencies=[one.currency for one, _ in seen],
        exchange_rates=[one.exchange_rate for one, _ in seen],
        created_ats=[one.created_at for one, _ in seen],
        movement_ids=[new_id() for _ in seen],
    )
    return [row["transaction_id"] async for row in rows]


async def lock_balance(conn: Connection) -> None:
    """Wait until no other import writes, then keep others from it."""
    await _queries.lock_balance(conn)


async def match_transactions(conn: Connection, transaction_ids: Sequence[str]) -> list[str]:
    """Note the sources of these that are known by now; gives the ids of those."""
    rows = _queries.match_transactions(conn, transaction_ids=transaction_ids)
    return [row["transaction_id"] async for row in rows]


async def list_transactions(
    conn: Connection, transaction_ids: Sequence[str]
) -> list[BookedTransaction]:
    """Balance transactions, as they are to be booked."""
    rows = _queries.list_transactions(conn, transaction_ids=transaction_ids)
    return [BookedTransaction(**row) async for row in rows]


async def list_unmatched(conn: Connection, *, after_id: str, at_most: int) -> list[str]:
    """A page of the ids of balance transactions that nothing of ours explains yet."""
    rows = _queries.list_unmatched(conn, after_id=after_id, at_most=at_most)
    return [row["transaction_id"] async for row in rows]


async def list_unexplained(conn: Connection, *, patience: timedelta, at_most: int) -> list[Any]:
    """What of those a person has to look at: transaction_id, kind, source_id, amount, currency."""
    rows = _queries.list_unexplained(conn, patience=patience, at_most=at_most)
    return [row async for row in rows]


async def list_transactions_from(conn: Connection, *, after_id: str, at_most: int) -> list[Any]:
    """A page of all balance transactions, each with what its source says now."""
    rows = _queries.list_transactions_from(conn, after_id=after_id, at_most=at_most)
    return [row async for row in rows]


async def list_unmet_sources(
    conn: Connection, *, after: tuple[str, str], moved_by: datetime, at_most: int
) -> list[Any]:
    """A page of what of ours the balance does not show, after a role and row id.

    source_id, role, row_id, moved_minor, currency, times, matched.
    """
    rows = _queries.list_unmet_sources(
        conn, after_role=after[0], after_row_id=after[1], moved_by=moved_by, at_most=at_most
    )
    return [row async for row in rows]


async def list_known_movements(conn: Connection, movement_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the ids that are the movement of a balance transaction."""
    rows = _queries.list_known_movements(conn, movement_ids=movement_ids)
    return {row["movement_id"] async for row in rows}


async def list_balance_totals(conn: Connection) -> list[Any]:
    """In each currency what the processor's record comes to: net_minor, unmet_minor."""
    return [row async for row in _queries.list_balance_totals(conn)]


async def list_card_totals(conn: Connection) -> list[Any]:
    """In each currency what cards paid for purchases: charged_minor, price_cents."""
    return [row async for row in _queries.list_card_totals(conn)]


async def find_unfinished(conn: Connection, account_id: int) -> Unfinished:
    """What of an account's money is still under way at the processor."""
    return Unfinished(**await _queries.find_unfinished(conn, account_id=account_id))


async def list_customers_from(
    conn: Connection, account_id: int, *, after_id: UUID, at_most: int
) -> list[tuple[UUID, str]]:
    """A page of an account's payments: each one's id, and the customer that it was asked of."""
    rows = _queries.list_customers_from(
        conn, account_id=account_id, after_id=after_id, at_most=at_most
    )
    return [(row["id"], row["customer"]) async for row in rows]


async def list_disputes_of_account(conn: Connection, account_id: int) -> list[str]:
    """The processor's ids of every dispute about an account's payments."""
    rows = _queries.list_disputes_of_account(conn, account_id=account_id)
    return [row["dispute_id"] async for row in rows]


async def empty_events(
    conn: Connection, named_ids: Sequence[str], *, after_id: UUID, at_most: int
) -> tuple[UUID | None, int, int]:
    """Empty a page of the inbox of what names these ids.

    Gives where the page ends (None: there is none), how many were emptied, and how many wait to be
    worked on first.
    """
    row = await _queries.empty_events(conn, named_ids=named_ids, after_id=after_id, at_most=at_most)
    return row["last_id"], row["emptied"], row["waiting"]


async def delete_old_events(
    conn: Connection, *, before_id: UUID, done_before: datetime, at_most: int
) -> int:
    """Delete events that came before an id and were worked on before an instant."""
    gone: int = await _queries.delete_old_events(
        conn, before_id=before_id, done_before=done_before, at_most=at_most
    )
    return gone


async def list_recent_refills(conn: Connection, account_id: int) -> list[RecentRefill]:
    """An account's refills of the last 24 hours, and one that is under way, newest first."""
    rows = _queries.list_recent_refills(conn, account_id=account_id)
    return [RecentRefill(**row) async for row in rows]


async def has_newer_refill(conn: Connection, top_up: TopUp) -> bool:
    """Whether a refill that was begun after this one is paid."""
    return bool(
        await _queries.has_newer_refill(
            conn, account_id=top_up.account_id, created_at=top_up.created_at
        )
    )


async def list_order_refunds(conn: Connection, ids: Sequence[UUID]) -> list[Any]:
    """The rows of some refunds of orders, with what their payments say."""
    return [row async for row in _queries.list_order_refunds(conn, ids=ids)]


async def list_order_refunds_from(conn: Connection, *, after_id: UUID, at_most: int) -> list[Any]:
    """A page of every refund that is not of a top-up, by id."""
    rows = _queries.list_order_refunds_from(conn, after_id=after_id, at_most=at_most)
    return [row async for row in rows]


async def list_known_refunds(conn: Connection, ids: Sequence[UUID]) -> set[UUID]:
    """Those of the ids under which there is a refund."""
    return {row["id"] async for row in _queries.list_known_refunds(conn, ids=ids)}


async def list_returned(conn: Connection, payment_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Of some payments, what of their refunds came back to us, in the charge's unit."""
    rows = _queries.list_returned(conn, payment_ids=payment_ids)
    return {row["payment_id"]: int(row["returned_minor"]) async for row in rows}
