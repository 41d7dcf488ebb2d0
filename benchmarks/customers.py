"""Accounts that can order: each a team with a live token and more credits than it spends.

They are made by statements over whole sets, because a service call each would take longer than the
measurement. Tokens are drawn here and stored as the product stores them, by their SHA-256 alone.
"""

from uuid import UUID

import msgspec
import psycopg

from fieldfare.db.ids import new_id, new_secret_id
from fieldfare.http.auth import hash_token

FIRST_ACCOUNT = 7_000_000_001
"""A number that nothing else in an order has, so that a statement's account can be told by it."""
CREDITS_CENTS = 1_000_000_000

_ACCOUNTS = """
    insert into accounts.account (id, kind, name, billing_email, created_at)
    select a, case when a = %(owner)s then 'user' else 'team' end, 'Customer ' || a,
        'customer@bench.example', now()
    from unnest(%(owner)s || %(accounts)s::bigint[]) as a
"""
_MEMBERS = """
    insert into accounts.member (team_id, user_id, role, created_at)
    select a, %(owner)s, 'owner', now() from unnest(%(accounts)s::bigint[]) as a
"""
_TOKENS = """
    insert into accounts.token (id, account_id, kind, sha256, hint, label, created_at)
    select t.id, t.account, 'team_live', t.sha256, t.hint, 'Benchmark', now()
    from unnest(
        %(token_ids)s::uuid[], %(accounts)s::bigint[], %(hashes)s::bytea[], %(hints)s::text[]
    ) as t (id, account, sha256, hint)
"""
_CREDITS = """
    select ledger.adjust_v1(
        c.entry_id, array[c.debit_id, c.credit_id], c.account, %(cents)s, 'Benchmark credits'
    )
    from unnest(
        %(entry_ids)s::uuid[], %(debit_ids)s::uuid[], %(credit_ids)s::uuid[],
        %(accounts)s::bigint[]
    ) as c (entry_id, debit_id, credit_id, account)
"""


class Customers(msgspec.Struct, frozen=True):
    """Accounts of consecutive numbers, and the token of each."""

    accounts: range
    tokens: tuple[str, ...]


def open_customers(database_url: str, count: int) -> Customers:
    """Make `count` accounts in one commit."""
    accounts = range(FIRST_ACCOUNT, FIRST_ACCOUNT + count)
    tokens = tuple(str(new_secret_id()) for _ in accounts)
    values = {
        "owner": FIRST_ACCOUNT - 1,
        "accounts": list(accounts),
        "token_ids": _new_ids(count),
        "hashes": [hash_token(token) for token in tokens],
        "hints": [token[-4:] for token in tokens],
        "cents": CREDITS_CENTS,
        "entry_ids": _new_ids(count),
        "debit_ids": _new_ids(count),
        "credit_ids": _new_ids(count),
    }
    with psycopg.connect(database_url) as conn:
        for statement in (_ACCOUNTS, _MEMBERS, _TOKENS, _CREDITS):
            conn.execute(statement, values)
    # As autovacuum would soon: plans are to be made from what is there.
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("vacuum analyze")
    return Customers(accounts, tokens)


def _new_ids(count: int) -> list[UUID]:
    return [new_id() for _ in range(count)]
