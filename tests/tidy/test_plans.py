"""No request reads a table from end to end, however its parameters turn out.

Plans are those for unknown parameters, over tables with some thousand rows each. Three kinds of
table may be read whole: the catalogue, which every process keeps in memory, the database part's own
(with Alembic's), which have a handful of rows, and one whose key is a boolean, which cannot have
more than one. Nothing else is excepted; what no request reaches is not looked at.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from fieldfare.db.pool import REQUEST_PLANS
from tests.support.databases import new_database
from tests.tidy.house import NamedQuery, named_queries
from tests.tidy.reach import queries_on_requests
from tests.tidy.sql import names_in

HERE = Path(__file__).parent
READ_WHOLE = ("catalog", "db", "public")
TAKES_ALL = ("Aggregate", "Group", "Hash", "Materialize", "Sort", "WindowAgg")
"""What reads all of its input before it gives a row, whatever limit stands above it."""
MANY = 1_000
GENERIC_PLAN_SINCE = 160_000
FUNCTION_CALLS = re.findall(
    r"^select.*?;", (HERE / "lent_calls.sql").read_text(), re.MULTILINE | re.DOTALL
)
ON_REQUESTS = [query for query in named_queries() if query.full_name in queries_on_requests()]
QUERIES = [pytest.param(query, id=query.full_name) for query in ON_REQUESTS]


@pytest.fixture(scope="module")
def crowded(server_url: str, template: str) -> Iterator[psycopg.Connection]:
    """A database with many rows in every table that grows, whose planner knows no parameter."""
    with new_database(server_url, template=template) as url, psycopg.connect(url) as conn:
        conn.autocommit = True
        _drop_later_partitions(conn)
        conn.execute("set session_replication_role = replica")
        conn.execute((HERE / "many_rows.sql").read_text())
        conn.execute("reset session_replication_role")
        conn.execute("vacuum analyze")
        conn.execute("set plan_cache_mode = force_generic_plan")
        conn.execute("set jit = off")
        yield conn


def _drop_later_partitions(conn: psycopg.Connection) -> None:
    """An empty partition is rightly read whole, so only those that get rows stay."""
    children = conn.execute(
        "select inhrelid::regclass::text from pg_inherits join db.partitioned"
        " on inhparent = parent::regclass where inhrelid::regclass::text ~ '_[0-9]{4}_[0-9]{2}$'"
    ).fetchall()
    for (child,) in children:
        if child[-7:] > "2027_02":
            conn.execute(f"drop table {child}")


def nodes_of(
    plan: dict[str, Any], *, limited: bool = False
) -> Iterator[tuple[dict[str, Any], bool]]:
    """Every node of a plan, and whether a limit stands above it."""
    yield plan, limited
    for child in plan.get("Plans", ()):
        passes_on = limited and plan["Node Type"] not in TAKES_ALL
        yield from nodes_of(child, limited=passes_on or plan["Node Type"] == "Limit")


def whole_reads(plan: dict[str, Any]) -> list[str]:
    """The growing tables that a plan reads from end to end, by table or by index."""
    return [
        f"{node['Node Type']} of {node['Schema']}.{node['Relation Name']}"
        for node, limited in nodes_of(plan)
        if node.get("Schema") not in {None, "pg_catalog", *READ_WHOLE}
        and "Relation Name" in node
        and (
            node["Node Type"] == "Seq Scan"
            or (node["Node Type"].startswith("Index") and not limited and "Index Cond" not in node)
        )
    ]


def _plan_for_nulls(conn: psycopg.Connection, query: NamedQuery) -> Any:
    """The same from an older server, which leaves out what no null can pick."""
    count = len(set(re.findall(r"\$\d+", query.sql)))
    values = f"({', '.join(['null'] * count)})" if count else ""
    conn.execute(f"prepare looked_at as {query.sql}")
    try:
        return conn.execute(f"explain (format json, verbose) execute looked_at{values}").fetchone()
    finally:
        conn.execute("deallocate looked_at")


def plan_of(conn: psycopg.Connection, query: NamedQuery) -> dict[str, Any]:
    """The plan of a query for any parameters, with all partitions that they may pick."""
    if conn.info.server_version >= GENERIC_PLAN_SINCE:
        row = conn.execute(f"explain (format json, verbose, generic_plan) {query.sql}").fetchone()
    else:
        row = _plan_for_nulls(conn, query)
    assert row is not None
    plan: dict[str, Any] = row[0][0]["Plan"]
    return plan


def tables_in(plan: dict[str, Any]) -> set[str]:
    """The growing tables that a plan reads."""
    return {
        f"{node['Schema']}.{node['Relation Name']}"
        for node, _ in nodes_of(plan)
        if "Relation Name" in node and node["Schema"] not in READ_WHOLE
    }


def single_row_tables(conn: psycopg.Connection) -> set[str]:
    """The tables whose primary key is one boolean."""
    rows = conn.execute(
        "select c.conrelid::regclass::text from pg_constraint c join pg_attribute a"
        " on a.attrelid = c.conrelid and a.attnum = any(c.conkey)"
        " where c.contype = 'p' and cardinality(c.conkey) = 1 and a.atttypid = 'boolean'::regtype"
    )
    return {name for (name,) in rows}


def assert_many_rows(conn: psycopg.Connection, tables: set[str]) -> None:
    """Over a few rows any plan is a good one, so the planner's choice would show nothing."""
    for table in sorted(tables):
        row = conn.execute(f"select count(*) from {table}").fetchone()
        assert row is not None
        assert row[0] >= MANY, f"add rows of {table} to many_rows.sql"


@pytest.mark.parametrize("query", QUERIES)
def test_no_request_reads_a_table_whole(query: NamedQuery, crowded: psycopg.Connection) -> None:
    plan = plan_of(crowded, query)
    singles = single_row_tables(crowded)
    assert_many_rows(crowded, tables_in(plan) - singles)
    reads = whole_reads(plan)
    assert [read for read in reads if read.rpartition(" of ")[2] not in singles] == []


def test_no_request_starts_workers(database_url: str) -> None:
    """A young shop has rows so few, and months so many, that its planner would have them."""
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("vacuum analyze")
        for name, value in REQUEST_PLANS.items():
            conn.execute("select set_config(%s, %s, false)", (name, value))
        conn.execute("set parallel_setup_cost = 0")
        plans = {query.full_name: plan_of(conn, query) for query in ON_REQUESTS}
    assert [
        name
        for name, plan in plans.items()
        if any(node["Node Type"].startswith("Gather") for node, _ in nodes_of(plan))
    ] == []


@pytest.mark.parametrize("call", FUNCTION_CALLS, ids=lambda call: call[7 : call.index("(")])
def test_no_lent_function_reads_a_table_whole(call: str, crowded: psycopg.Connection) -> None:
    plans = plans_inside(crowded, call)
    assert_many_rows(crowded, set().union(*map(tables_in, plans)))
    assert [fault for plan in plans for fault in whole_reads(plan)] == []


def plans_inside(conn: psycopg.Connection, call: str) -> list[dict[str, Any]]:
    """The plans of every statement that runs inside a call; what it changes is undone."""
    heard: list[str] = []

    def hear(diagnostic: psycopg.errors.Diagnostic) -> None:
        heard.append(diagnostic.message_primary or "")

    conn.add_notice_handler(hear)
    try:
        with conn.transaction(force_rollback=True):
            conn.execute("load 'auto_explain'")
            for setting in ("log_nested_statements = on", "log_verbose = on", "log_format = json"):
                conn.execute(f"set local auto_explain.{setting}")
            conn.execute("set local auto_explain.log_min_duration = 0")
            conn.execute("set local client_min_messages = log")
            conn.execute(call)
    finally:
        conn.remove_notice_handler(hear)
    texts = [text.partition("plan:\n")[2] for text in heard if "plan:\n" in text]
    plans: list[dict[str, Any]] = [json.loads(text)["Plan"] for text in texts]
    # What is put into the statement that calls it has no statement of its own.
    assert len(plans) > 1 or tables_in(plans[0]), "what is inside the function was not seen"
    return plans


def lent_functions(sql: str) -> set[str]:
    """The functions of our own that a text calls."""
    functions = names_in(sql).functions
    return {f"{schema}.{name}" for schema, name in functions if schema not in {"", "pg_catalog"}}


@pytest.mark.parametrize("table", ["orders.line", "orders.purchase"])
def test_an_account_that_has_all_rows_misleads_no_plan(
    table: str, crowded: psycopg.Connection
) -> None:
    """To one that has none, the ids of all would seem the shortest way to its newest."""
    of_an_account = NamedQuery("orders", "any", f"select id from {table} where account_id = $1")
    with crowded.transaction(force_rollback=True):
        crowded.execute("set local session_replication_role = replica")
        updated = crowded.execute(f"update {table} set account_id = 10001")
        crowded.execute(f"analyze {table}")
        expected = plan_of(crowded, of_an_account)["Plan Rows"]
    assert expected * 20 < updated.rowcount


@pytest.mark.parametrize("name", ["orders.list_lines", "orders.write_offset_texts"])
def test_a_page_looks_its_orders_up(name: str, crowded: psycopg.Connection) -> None:
    """A join of all orders between two ids would read those of every account."""
    (query,) = (query for query in ON_REQUESTS if query.full_name == name)
    kinds = {node["Node Type"] for node, _ in nodes_of(plan_of(crowded, query))}
    assert "Nested Loop" in kinds
    assert not kinds & {"Hash Join", "Merge Join"}


def test_the_texts_of_a_list_come_in_order_and_are_not_sorted(crowded: psycopg.Connection) -> None:
    """A text is twenty times as long as what it is sorted by."""
    (query,) = (query for query in ON_REQUESTS if query.full_name == "orders.write_offset_texts")
    kinds = {node["Node Type"] for node, _ in nodes_of(plan_of(crowded, query))}
    assert "Aggregate" in kinds
    assert not kinds & {"Sort", "Incremental Sort"}


def test_every_function_that_a_request_calls_is_looked_into() -> None:
    called = set().union(*(lent_functions(query.sql) for query in ON_REQUESTS))
    assert called == set().union(*map(lent_functions, FUNCTION_CALLS))


def test_requests_are_followed_down_to_their_queries() -> None:
    assert {"orders.place_on_credit", "orders.list_lines", "accounts.find_principal"} <= (
        queries_on_requests()
    )


@pytest.mark.parametrize(
    "condition", ["description = $1", "lower(description) = $1", "created_at > $1::timestamptz"]
)
def test_a_whole_read_is_seen(condition: str, crowded: psycopg.Connection) -> None:
    query = NamedQuery("ledger", "bad", f"select id from ledger.entry where {condition}")
    assert "Seq Scan of ledger.entry_first" in whole_reads(plan_of(crowded, query))


@pytest.mark.parametrize(
    "sql",
    [
        "select id from ledger.entry order by id",
        "select max(id::text) from (select id from ledger.entry order by id) e limit 1",
    ],
)
def test_a_whole_read_of_an_index_is_seen(sql: str, crowded: psycopg.Connection) -> None:
    assert whole_reads(plan_of(crowded, NamedQuery("ledger", "bad", sql))) != []


def test_the_first_rows_of_an_index_are_no_whole_read(crowded: psycopg.Connection) -> None:
    query = NamedQuery("ledger", "good", "select id from ledger.entry order by id limit 5")
    assert whole_reads(plan_of(crowded, query)) == []
