"""Test mode looks nothing up: it answers while nobody can read a table of the business."""

import psycopg
import pytest
from psycopg import sql

from fieldfare.routes import ROUTES
from tests.api.test_walls import EXAMPLES
from tests.support.client import Api
from tests.support.world import LIVE_CENTS

BUSINESS = ["catalog", "ledger", "payments", "orders", "impact", "notifications", "http"]


def lock_everything(conn: psycopg.Connection) -> int:
    """Keep everybody from every table of the business until the transaction ends."""
    tables = conn.execute(
        "select table_schema, table_name from information_schema.tables"
        " where table_type = 'BASE TABLE' and table_schema = any(%s)"
        " or (table_schema, table_name) = ('accounts', 'account')",
        [BUSINESS],
    ).fetchall()
    for schema, table in tables:
        name = sql.Identifier(schema, table)
        conn.execute(sql.SQL("lock table {} in access exclusive mode").format(name))
    return len(tables)


def test_no_request_of_a_test_token_waits_for_a_table(own_api: Api) -> None:
    api, token = own_api, own_api.world.test_token
    # The token itself is looked up once, and then known.
    assert api.balance(token) == 100_000
    asked = [route for route in ROUTES if route.needs == "token"]
    with psycopg.connect(api.database_url) as conn:
        assert lock_everything(conn) > 20
        with pytest.raises(psycopg.errors.LockNotAvailable):
            _read_without_waiting(api)
        for route in asked:
            example = EXAMPLES[route.method, route.path]
            answer = api.http.request(
                route.method,
                example.test_path or example.path,
                headers=api.auth(token),
                json=example.body,
                timeout=5,
            )
            assert answer.status_code == 200, answer.text
    assert api.balance() == LIVE_CENTS


def _read_without_waiting(api: Api) -> None:
    with psycopg.connect(api.database_url) as conn:
        conn.execute("set lock_timeout = '50ms'")
        conn.execute("select 1 from orders.purchase")
