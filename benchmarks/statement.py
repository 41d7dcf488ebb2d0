"""The product's own statement as a pgbench script, so that the limit can never drift from it.

An order is priced and recorded by the product's own functions, and the driver tells what it sent.
Whatever is one order's own (ids, account, key, instant) is then drawn anew in each transaction,
told by its value; all else stays as it was sent. So the rows that pgbench writes are real ones.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from asyncpg.connection import LoggedQuery

from benchmarks.refusal import BenchmarkRefused
from fieldfare.catalog.model import Catalogue
from fieldfare.catalog.service import get_portfolio, load_catalogue
from fieldfare.db.ids import new_id, new_secret_id
from fieldfare.db.pool import connection, open_database
from fieldfare.http.body import read_fields
from fieldfare.http.idempotency import request_key
from fieldfare.http.principal import Principal
from fieldfare.orders import store
from fieldfare.orders.model import Order
from fieldfare.orders.rules import answer_parts, quote_offset
from fieldfare.orders.schemas import order_answer, read_offset_order
from fieldfare.orders.service.desk import OrderNames, certificate_url
from fieldfare.payments.rules import IN_DOLLARS
from fieldfare.settings import Settings

# Version 7 with the instant of the transaction, like the ids that the product draws: the parts of
# an order must share it, so uuidv7() would not do.
_ORDER_ID = (
    "encode(int8send((extract(epoch from now()) * 1000)::bigint << 16 | :id_high)"
    " || int8send(:id_low), 'hex')::uuid"
)
_DRAWN = """\
\\set account random({first_account}, {last_account})
\\set key random(0, 9223372036854775806)
\\set id_high random(28672, 32767)
\\set id_low random(0, 4611686018427387903) - 9223372036854775807 - 1
"""


class Recorded(msgspec.Struct, frozen=True):
    """An order that was recorded, and what the driver sent for it."""

    placing: store.Placing
    sql: str
    """With `$1`, `$2` and so on where the arguments go."""
    arguments: tuple[Any, ...]


async def record_order(database_url: str, account_id: int, body: bytes) -> Recorded:
    """Place the credit order that `body` asks for, and see how it is done."""
    db = await open_database(database_url, pool_size=2, application="benchmark")
    try:
        catalogue = await load_catalogue(db, datetime.now(UTC))
        placing = draw_placing(catalogue, account_id, body)
        sent: list[LoggedQuery] = []
        async with connection(db) as conn:
            with conn.query_logger(sent.append):
                (verdict,) = await store.place_on_credit(conn, [placing])
    finally:
        await db.close()
    # The driver may have asked about types in between; an order's statement carries its id.
    statements = [one for one in sent if [placing.order.id] in one.args]
    if verdict.balance_after_cents is None or len(statements) != 1:
        raise BenchmarkRefused(f"{len(statements)} statements placed an order: {verdict}")
    return Recorded(placing, statements[0].query, tuple(statements[0].args))


def draw_placing(catalogue: Catalogue, account_id: int, body: bytes) -> store.Placing:
    """What the handler of `POST /api/offset-orders` makes of the body."""
    principal = Principal(account_id=account_id, kind="team_live")
    asked = read_offset_order(read_fields("application/json", body))
    portfolio = get_portfolio(catalogue, asked.portfolio_id, account_id)
    order = Order(
        id=new_id(),
        certificate_slug=new_secret_id(),
        account_id=account_id,
        source="public-api",
        send_receipt=asked.send_receipt,
        quote=quote_offset(asked, portfolio, IN_DOLLARS, price_revision=catalogue.revision),
        party=asked.party,
    )
    key = request_key("benchmark", principal, "/api/offset-orders", asked)
    return store.Placing(order, answer_parts(_answer(order)), key)


def _answer(order: Order) -> bytes:
    public_url = Settings().public_url
    names = OrderNames(
        group_id=str(order.id),
        purchase_id=str(order.id),
        certificate_url=certificate_url(public_url, order.certificate_slug),
    )
    return order_answer(order.quote, names, public_url=public_url, credits_remaining=0, test=False)


def pgbench_script(recorded: Recorded, accounts: range) -> str:
    """A script whose every transaction is an order like the recorded one, of any of `accounts`."""
    drawn = _DRAWN.format(first_account=accounts[0], last_account=accounts[-1])
    values = [_value(argument, recorded) for argument in recorded.arguments]
    own = {value for value in values if not value.startswith("E'")}
    if not {f"array[{_ORDER_ID}]", "array[:account]"} <= own:
        raise BenchmarkRefused("the order's id and account are not among the statement's arguments")
    statement = re.sub(r"\$(\d+)", lambda place: values[int(place.group(1)) - 1], recorded.sql)
    return f"{drawn}{statement.rstrip().rstrip(';')};\n"


def _value(argument: Any, recorded: Recorded) -> str:
    """One argument as SQL: drawn anew if it is the order's own, else as it was sent."""
    if isinstance(argument, int):
        return str(argument)
    if not isinstance(argument, list):
        raise BenchmarkRefused(f"an argument of the statement is no array: {argument!r}")
    order, key, count = recorded.placing.order, recorded.placing.key, len(argument)
    if argument == [order.id]:
        return f"array[{_ORDER_ID}]"
    if argument and argument == [order.id] * count:
        return f"array_fill({_ORDER_ID}, array[{count}])"
    if argument == [order.account_id]:
        return "array[:account]"
    if key is not None and argument == [key.key_hash]:
        return "array[sha256(int8send(:key))]"
    if argument and all(isinstance(item, datetime) for item in argument):
        return f"array[{', '.join(['now()'] * count)}]"
    if argument and all(isinstance(item, UUID) for item in argument):
        return f"array[{', '.join(_fresh_id(item) for item in argument)}]"
    return array_literal(argument)


def _fresh_id(sent: UUID) -> str:
    return "uuidv7()" if sent.version == 7 else "gen_random_uuid()"


def array_literal(items: Sequence[object]) -> str:
    """An array as a constant that pgbench leaves alone: no colon in it is taken for a variable."""
    text = "{" + ",".join(_element(item) for item in items) + "}"
    escaped = text.replace("\\", "\\\\").replace("'", "''").replace(":", "\\x3a")
    return f"E'{escaped}'"


def _element(item: object) -> str:
    if item is None:
        return "null"
    if isinstance(item, bytes):
        return f'"\\\\x{item.hex()}"'
    if isinstance(item, str):
        return '"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(item)
