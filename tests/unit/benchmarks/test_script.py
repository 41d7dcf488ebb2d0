"""The product's statement as a script: what is an order's own is drawn anew, all else stays."""

from datetime import UTC, datetime
from typing import Any

import pytest

from benchmarks.customers import FIRST_ACCOUNT
from benchmarks.refusal import BenchmarkRefused
from benchmarks.statement import Recorded, array_literal, draw_placing, pgbench_script
from fieldfare.catalog.rules import build_catalogue
from fieldfare.db.ids import new_id
from tests.support.catalog_rows import small_rows

ACCOUNTS = range(FIRST_ACCOUNT, FIRST_ACCOUNT + 10)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
BODY = b'{"tons":0.45,"paymentMethod":"credits"}'
PLACING = draw_placing(build_catalogue(small_rows(), 1, NOW), FIRST_ACCOUNT, BODY)


def script_of(sql: str, *arguments: Any) -> str:
    """A script for an order with its id and account as the first two arguments."""
    order = PLACING.order
    sent = ([order.id], [order.account_id], *arguments)
    return pgbench_script(Recorded(PLACING, f"select $1, $2, {sql}", sent), ACCOUNTS)


def test_an_order_is_what_the_body_asks_for() -> None:
    assert PLACING.order.quote.mass_mg == 450_000_000
    assert len(PLACING.order.quote.shares) == 2
    assert PLACING.key is not None


def test_what_is_an_order_s_own_is_drawn_anew() -> None:
    order, key = PLACING.order, PLACING.key
    assert key is not None
    script = script_of(
        "$3, $4, $5, $6, $7",
        [order.id] * 2,
        [key.key_hash],
        [order.certificate_slug],
        [new_id(), new_id()],
        [NOW],
    )
    assert "\\set account random(7000000001, 7000000010)\n" in script
    statement = script[script.index("select") :]
    for drawn in (
        "array[:account]",
        "::uuid, array[2])",
        "array[sha256(int8send(:key))]",
        "array[gen_random_uuid()]",
        "array[uuidv7(), uuidv7()]",
        "array[now()]",
    ):
        assert drawn in statement
    for sent in (order.id, order.certificate_slug, order.account_id, key.key_hash.hex()):
        assert str(sent) not in script.partition("select")[2]


def test_all_else_stays_as_it_was_sent() -> None:
    assert script_of("$4::text[], $3::bigint[];", [1040], []).endswith(
        ", E'{}'::text[], E'{1040}'::bigint[];\n"
    )


def test_a_statement_that_is_no_order_s_is_refused() -> None:
    with pytest.raises(BenchmarkRefused):
        pgbench_script(Recorded(PLACING, "select $1", ([PLACING.order.id],)), ACCOUNTS)
    with pytest.raises(BenchmarkRefused):
        script_of("$3", "1040")


@pytest.mark.parametrize(
    ("items", "literal"),
    [
        ([], "E'{}'"),
        ([1, -2, None], "E'{1,-2,null}'"),
        ([True], "E'{True}'"),
        (["a'b"], "E'{\"a''b\"}'"),
        (['say "x"'], 'E\'{"say \\\\"x\\\\""}\''),
        ([b'{"a":1}'], "E'{\"\\\\\\\\x7b2261223a317d\"}'"),
    ],
)
def test_arrays(items: list[object], literal: str) -> None:
    assert array_literal(items) == literal


def test_no_colon_is_left_for_pgbench_to_take_for_a_variable() -> None:
    assert ":" not in array_literal(["of: my:account", "a::b"])
