"""The processor's record of our balance as rows: what is matched, how often, and what is told."""

from datetime import UTC, datetime
from typing import Any

import pytest

from fieldfare.db.pool import Connection, Database, connection, transaction
from fieldfare.integrations.stripe.model import BalanceTransaction
from fieldfare.payments.service.balance import EXPLAINED_AT_ONCE, PATIENCE, match_again
from fieldfare.payments.service.balance import record_transactions as record
from fieldfare.payments.service.exceptions import list_exceptions
from fieldfare.payments.service.verify_balance import verify_balance
from fieldfare.payments.store import list_unexplained, update_balance_import


def moved(
    number: int, kind: str, source_id: str | None, amount: int, **fields: Any
) -> BalanceTransaction:
    """A movement of our balance in dollars, without a fee."""
    facts: dict[str, Any] = {
        "transaction_id": f"txn_{number:03}", "kind": kind, "category": kind,
        "source_id": source_id, "amount_minor": amount, "fee_minor": 0, "net_minor": amount,
        "currency": "USD", "exchange_rate": None,
        "created_at": datetime(2026, 11, 20, 12, 0, number % 60, tzinfo=UTC),
    }  # fmt: skip
    return BalanceTransaction(**facts | fields)


def withdrawn(number: int) -> BalanceTransaction:
    """A dispute of $10 takes its amount."""
    return moved(number, "adjustment", "dp_1", -1000, category="dispute")


def returned(number: int) -> BalanceTransaction:
    """It comes back."""
    return moved(number, "adjustment", "dp_1", 1000, category="dispute_reversal")


async def open_dispute(conn: Connection, *, state: str = "open", times: int = 1) -> None:
    """A dispute that was opened so many times; won, it was returned as often."""
    await conn.execute(
        "insert into payments.dispute (dispute_id, payment_id, amount_minor, currency, state,"
        " reason, opened_at, closed_at, settled_at, withdrawals, returns, moved_at)"
        " select 'dp_1', gen_random_uuid(), 1000, 'USD', $1, 'fraudulent', now(),"
        " case when $1 <> 'open' then now() end, case when $1 <> 'open' then now() end,"
        " $2::smallint,"
        " $2::smallint - ($1 <> 'won')::integer, now() - interval '3 hours'"
        " on conflict (dispute_id) do update set state = excluded.state,"
        " closed_at = excluded.closed_at, settled_at = excluded.settled_at,"
        " withdrawals = excluded.withdrawals, returns = excluded.returns",
        state,
        times,
    )


async def add_refund(conn: Connection, refund_id: str, state: str) -> None:
    """A refund of $5 that somebody made at the processor."""
    await conn.execute(
        "insert into payments.refund (id, payment_id, amount_minor, currency, reason, origin,"
        " refund_id, state, created_at, settled_at) values (gen_random_uuid(), gen_random_uuid(),"
        " 500, 'USD', 'a test', 'processor', $1, $2, now(),"
        " case when $2 <> 'pending' then now() end)",
        refund_id,
        state,
    )


async def in_suspense(conn: Connection) -> int:
    """What the book has come to, in cents."""
    total = await conn.fetchval(
        "select coalesce(sum(amount_micro), 0) from ledger.journal where book = 'suspense'"
    )
    return int(total) // 1_000_000


async def matched(conn: Connection) -> list[str]:
    """The transactions whose source is known."""
    rows = await conn.fetch(
        "select transaction_id from payments.balance_transaction where source_minor is not null"
        " order by 1"
    )
    return [row["transaction_id"] for row in rows]


async def unexplained(conn: Connection) -> list[str]:
    """What a person has to look at, if as much time had passed as they are given."""
    rows = await list_unexplained(conn, patience=-PATIENCE, at_most=EXPLAINED_AT_ONCE)
    return [row["transaction_id"] for row in rows]


async def faults(conn: Connection, page_rows: int = 1000) -> list[str]:
    """What is found."""
    return [str(finding) async for finding in verify_balance(conn, page_rows)]


async def test_a_dispute_that_goes_on_is_matched_as_often_as_it_moved(db: Database) -> None:
    async with transaction(db) as conn:
        await open_dispute(conn)
        await record(conn, [withdrawn(3), returned(2), withdrawn(1)])
        assert await matched(conn) == ["txn_001"]
        assert await in_suspense(conn) == 0
    async with transaction(db) as conn:
        await open_dispute(conn, state="won")
    assert await match_again(db) == 1
    async with transaction(db) as conn:
        assert await matched(conn) == ["txn_001", "txn_002"]
        assert await in_suspense(conn) == -1000
        await open_dispute(conn, times=2)
    assert await match_again(db) == 1
    assert await match_again(db) == 0
    async with connection(db) as conn:
        assert await in_suspense(conn) == 0
        await update_balance_import(conn, datetime.now(UTC))
        for page_rows in (1, 2, 1000):
            assert await faults(conn, page_rows) == []


async def test_a_source_that_moved_more_often_than_shown_is_named(db: Database) -> None:
    async with transaction(db) as conn:
        await open_dispute(conn, times=2)
        await record(conn, [withdrawn(1)])
        assert await faults(conn) == []
        await update_balance_import(conn, datetime.now(UTC))
        for page_rows in (1, 1000):
            assert await faults(conn, page_rows) == [
                "payments.dispute dispute_id=dp_1: -1000 USD moved (dispute dp_1), times: 2; "
                "the processor's balance shows 1",
                "payments.dispute dispute_id=dp_1: 1000 USD moved (dispute_reversal dp_1), "
                "times: 1; the processor's balance shows 0",
            ]


async def test_a_movement_that_is_there_once_too_often_stays_in_suspense(db: Database) -> None:
    async with transaction(db) as conn:
        await open_dispute(conn)
        await record(conn, [withdrawn(1), withdrawn(2)])
        assert await matched(conn) == ["txn_001"]
        assert await in_suspense(conn) == -1000
        assert await unexplained(conn) == ["txn_002"]
        await update_balance_import(conn, datetime.now(UTC))
        (fault,) = await faults(conn)
    assert fault.startswith("payments.balance_transaction transaction_id=txn_002: it stands in")


async def test_a_refund_is_matched_once_it_has_taken_effect(db: Database) -> None:
    async with transaction(db) as conn:
        await add_refund(conn, "re_1", "pending")
        await record(conn, [moved(1, "refund", "re_1", -500)])
        assert await in_suspense(conn) == -500
        # It may take the processor days: nobody has to look at it.
        assert await unexplained(conn) == []
        await conn.execute("update payments.refund set state = 'succeeded', settled_at = now()")
    assert await match_again(db) == 1
    async with transaction(db) as conn:
        assert await in_suspense(conn) == 0
        await record(conn, [moved(2, "refund_failure", "re_1", 500)])
        # The customer is owed it still.
        assert await in_suspense(conn) == 500
        assert await matched(conn) == ["txn_001", "txn_002"]


async def test_a_refund_that_never_took_effect_cancels_out(db: Database) -> None:
    async with transaction(db) as conn:
        await add_refund(conn, "re_1", "failed")
        await record(conn, [moved(1, "refund", "re_1", -500)])
        assert await unexplained(conn) == ["txn_001"]
        await record(conn, [moved(2, "refund_failure", "re_1", 500)])
        assert await in_suspense(conn) == 0
        assert await unexplained(conn) == []
        assert await faults(conn) == []


async def test_what_is_on_record_is_not_changed_by_what_the_list_shows_later(db: Database) -> None:
    async with transaction(db) as conn:
        assert await record(conn, [moved(1, "payout", "po_1", -500)]) == 1
        assert await record(conn, [moved(1, "payout", "po_1", -700), moved(2, "tax_fee", None, -9)]
                            ) == 1  # fmt: skip
        assert await faults(conn) == []
        amounts = await conn.fetch("select amount_minor from payments.balance_transaction")
    assert sorted(row["amount_minor"] for row in amounts) == [-500, -9]


async def test_a_currency_without_a_known_unit_is_told_of_once_and_stops_nothing(
    db: Database,
) -> None:
    strange = moved(1, "charge", "ch_1", 1_000_000, currency="USDC")
    for _ in range(2):
        async with transaction(db) as conn:
            await record(conn, [strange, moved(2, "payout", "po_1", -5)])
    async with transaction(db) as conn:
        (told,) = await list_exceptions(conn)
        assert (told.kind, told.subject) == ("unknown_transaction", "txn_001")
        assert "do not know this currency" in told.detail
        await conn.execute("update payments.exception set resolved_at = now(), resolution = 'ok'")
        await record(conn, [strange])
        assert await list_exceptions(conn) == []
        assert await conn.fetchval("select count(*) from payments.balance_transaction") == 1


DAMAGE = [
    pytest.param(
        "delete from ledger.journal where book = 'suspense'",
        "payments.balance_transaction transaction_id=txn_001: its legs in the journal come to",
        id="a leg gone",
    ),
    pytest.param(
        "delete from payments.balance_transaction where transaction_id = 'txn_001'",
        "ledger.journal movement_id=",
        id="a transaction gone, its legs left",
    ),
    pytest.param(
        "update payments.balance_transaction set role = 'bank' where transaction_id = 'txn_001'",
        "payments.balance_transaction transaction_id=txn_001: its legs in the journal come to",
        id="a transaction of another kind",
    ),
    pytest.param(
        "update payments.balance_transaction set currency = 'EUR'",
        "payments.balance_transaction transaction_id=txn_002: it settled USD in EUR and has no",
        id="another currency",
    ),
    pytest.param(
        "update payments.balance_transaction set currency = 'XXX'",
        "payments.balance_transaction transaction_id=txn_001: 'XXX' is no currency",
        id="a currency that is none",
    ),
    pytest.param(
        "delete from payments.dispute",
        "payments.balance_transaction transaction_id=txn_002: -1000 USD moved, its source dp_1 is",
        id="its source gone",
    ),
    pytest.param(
        "update payments.dispute set amount_minor = 1001",
        "payments.dispute dispute_id=dp_1: it says -1001 USD, balance transaction txn_002 says -10",
        id="its source of another amount",
    ),
    pytest.param(
        "update payments.balance_transaction set source_minor = -999 where source_minor < 0",
        "payments.balance_transaction transaction_id=txn_002: source_minor is -999 USD, its source",
        id="another amount noted",
    ),
]


@pytest.mark.parametrize(("damage", "named"), DAMAGE)
async def test_damage_is_named(db: Database, damage: str, named: str) -> None:
    async with transaction(db) as conn:
        await open_dispute(conn)
        await record(conn, [moved(1, "charge", "ch_stray", 700), withdrawn(2)])
        assert await faults(conn) == []
        await conn.execute("set constraints all immediate")
        await conn.execute("set local session_replication_role = replica")
        await conn.execute(damage)
        found = await faults(conn)
        in_short_pages = await faults(conn, 1)
    assert [text for text in found if text.startswith(named)], found
    assert sorted(found) == sorted(in_short_pages)
