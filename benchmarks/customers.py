"""Accounts that can order: each a team with more credits than it spends, some with a live token.

They are made by statements over whole sets, because a service call each would take longer than the
measurement. Tokens are drawn here and stored as the product stores them, by their SHA-256 alone.
"""

from datetime import timedelta

import msgspec
import psycopg

from fieldfare.db.ids import new_id, new_secret_id
from fieldfare.http.auth import hash_token

FIRST_ACCOUNT = 7_000_000_001
"""A number that nothing else in an order has, so that a statement's account can be told by it."""
CREDITS_CENTS = 1_000_000_000
MOST_TOKENS = 1_000
AT_ONCE = 100_000

_OWNER = """
    insert into accounts.account (id, kind, name, billing_email, created_at)
    values (%(owner)s, 'user', 'Owner', 'owner@bench.example', now() - %(age)s)
"""
# An opening balance is an operator's adjustment, which `ledger.adjust_v1` would write alike.
_OPEN = """
    with asked as materialized (
        select a as account_id, uuidv7(- %(age)s) as entry_id, now() - %(age)s as opened_at
        from generate_series(%(first)s::bigint, %(last)s::bigint) as a
    ),
    opened as (
        insert into accounts.account (id, kind, name, billing_email, created_at)
        select account_id, 'team', 'Customer ' || account_id, 'customer@bench.example', opened_at
        from asked
    ),
    joined as (
        insert into accounts.member (team_id, user_id, role, created_at)
        select account_id, %(owner)s, 'owner', opened_at from asked
    ),
    held as (
        insert into ledger.wallet (account_id, balance_cents, entry_count)
        select account_id, %(cents)s, 1 from asked
    ),
    entered as (
        insert into ledger.entry (
            id, account_id, number, kind, amount_cents, balance_after_cents, description, created_at
        )
        select entry_id, account_id, 1, 'adjustment', %(cents)s, %(cents)s, %(reason)s, opened_at
        from asked
    )
    insert into ledger.journal (
        id, movement_id, kind, book, account_id, currency, amount_micro, memo, created_at
    )
    select uuidv7(- %(age)s), a.entry_id, 'adjustment', leg.book, a.account_id, 'USD',
        leg.sign * %(cents)s::bigint * 1000000, %(reason)s, a.opened_at
    from asked a
    cross join (values ('credits', 1), ('adjustments', -1)) as leg (book, sign)
"""
_TOKENS = """
    insert into accounts.token (id, account_id, kind, sha256, hint, label, created_at)
    select t.id, t.account, 'team_live', t.sha256, t.hint, 'Benchmark', now()
    from unnest(
        %(token_ids)s::uuid[], %(accounts)s::bigint[], %(hashes)s::bytea[], %(hints)s::text[]
    ) as t (id, account, sha256, hint)
"""
_NO_AGE = timedelta()


class Customers(msgspec.Struct, frozen=True):
    """Accounts of consecutive numbers, and tokens of as many of them as have one."""

    accounts: range
    tokens: tuple[str, ...]


def open_customers(
    database_url: str, count: int, *, age: timedelta = _NO_AGE, cents: int = CREDITS_CENTS
) -> Customers:
    """Make `count` accounts that were opened with so many cents, an `age` ago.

    At most `MOST_TOKENS` of them have a token, spread evenly.
    """
    accounts = range(FIRST_ACCOUNT, FIRST_ACCOUNT + count)
    values = {
        "owner": FIRST_ACCOUNT - 1,
        "age": age,
        "cents": cents,
        "reason": "Benchmark credits",
    }
    with psycopg.connect(database_url) as conn:
        # Not one by one, as the triggers would look at two million legs: `fieldfare verify` does.
        conn.execute("set session_replication_role = replica")
        conn.execute(_OWNER, values)
        for first in accounts[::AT_ONCE]:
            last = min(first + AT_ONCE - 1, accounts[-1])
            conn.execute(_OPEN, values | {"first": first, "last": last})
        tokens = _hand_out_tokens(conn, accounts)
    settle(database_url)
    return Customers(accounts, tokens)


def settle(database_url: str) -> None:
    """What autovacuum and the checkpointer would do soon, done before anything is measured."""
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("vacuum analyze")
        conn.execute("checkpoint")


def _hand_out_tokens(conn: psycopg.Connection, accounts: range) -> tuple[str, ...]:
    holders = accounts[:: -(-len(accounts) // MOST_TOKENS)]
    tokens = tuple(str(new_secret_id()) for _ in holders)
    conn.execute(
        _TOKENS,
        {
            "token_ids": [new_id() for _ in holders],
            "accounts": list(holders),
            "hashes": [hash_token(token) for token in tokens],
            "hints": [token[-4:] for token in tokens],
        },
    )
    return tokens
