"""Deadlocks and serialisation failures: every way to write money tries again, and not for ever.

Ours take their locks in one order, so among themselves they do not deadlock. But a migration, an
operator's session or a later feature may: here a rival takes the same locks the other way round and
wins. Whatever was under way must come to the same end as without it.
"""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import msgspec
import pytest

from fieldfare.kernel.errors import Unavailable
from fieldfare.orders.service.refund import refund_order
from fieldfare.payments.service.top_ups.refunding import refund_top_up
from tests.support.cards import CardShop, Team
from tests.support.client import assert_refused
from tests.support.kinds import KIND_CENTS, KINDS, with_credits
from tests.support.refunds import refund_at_processor
from tests.support.rivals import outdone

CENTS = 10 * KIND_CENTS
CARD = "pm_card_visa"
REASON = "A test"
OUTBOX = "lock table notifications.outbox in exclusive mode"
TRIES = 4
"""As often as a transaction is tried, the first time among them."""


# ---------------------------------------------------------------------------- what can be outdone


def wallet(team: Team) -> str:
    """Lock what an account holds."""
    return f"select from ledger.wallet where account_id = {team.id} for update"


def row_of(table: str, team: Team) -> str:
    """Lock the orders, or the top-ups, of an account."""
    return f"select from {table} where account_id = {team.id} for update"


def all_of(table: str) -> str:
    """Let nobody write to a table."""
    return f"lock table {table} in exclusive mode"


def order(shop: CardShop, team: Team, method: str, **fields: Any) -> str:
    """A paid order of trees; gives its purchase."""
    body = {**KINDS["tree"].body, "paymentMethod": method, **fields}
    answer = shop.post(body, team, path=KINDS["tree"].path)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["purchaseId"])


def top_up(shop: CardShop, team: Team) -> str:
    """Credits by card; gives the charge."""
    answer = shop.top_up(team, None, KIND_CENTS)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def refund(shop: CardShop, purchase_id: str) -> str:
    """What becomes of a refund of an order, all of it, that an operator asks for."""
    return shop.stage.do(
        lambda db, gateway: refund_order(
            db, gateway, UUID(purchase_id), amount_minor=None, reason=REASON
        )
    ).state


def refund_credits(shop: CardShop, charge_id: str) -> str:
    """The same of a top-up."""
    rows = shop.sql("select id from payments.top_up where charge_id = %s", charge_id)
    return shop.stage.do(
        lambda db, gateway: refund_top_up(db, gateway, rows[0][0], amount_minor=None, reason=REASON)
    ).refund.state


def charge_of(shop: CardShop, purchase_id: str) -> str:
    """What paid for an order."""
    rows = shop.sql("select charge_id from orders.purchase where id = %s", purchase_id)
    return str(rows[0][0])


class Case(msgspec.Struct, frozen=True):
    """Something that a rival outdoes: how it is prepared, and what each of the two has locked."""

    prepare: Callable[[CardShop, Team], Callable[[], object]]
    waits_for: Callable[[Team], str]
    holds: Callable[[Team], str]
    balance_cents: int = CENTS
    """What the account has in the end."""
    charges: int = 0
    refunds: int = 0


def _order_from_credits(shop: CardShop, team: Team) -> Callable[[], object]:
    return lambda: order(shop, team, "credits")


def _card_order(shop: CardShop, team: Team) -> Callable[[], object]:
    return lambda: order(shop, team, "stripe")


def _top_up(shop: CardShop, team: Team) -> Callable[[], object]:
    return lambda: top_up(shop, team)


def _refund_to_credits(shop: CardShop, team: Team) -> Callable[[], object]:
    purchase_id = order(shop, team, "credits")
    return lambda: refund(shop, purchase_id)


def _refund_to_card(shop: CardShop, team: Team) -> Callable[[], object]:
    purchase_id = order(shop, team, "stripe")
    return lambda: refund(shop, purchase_id)


def _refund_of_top_up(shop: CardShop, team: Team) -> Callable[[], object]:
    charge_id = top_up(shop, team)
    return lambda: refund_credits(shop, charge_id)


def _refund_in_dashboard(shop: CardShop, team: Team) -> Callable[[], object]:
    charge_id = charge_of(shop, order(shop, team, "stripe"))
    shop.hear()
    refund_at_processor(shop, charge_id)
    return lambda: shop.hear()


def _lost_dispute_of_order(shop: CardShop, team: Team) -> Callable[[], object]:
    shop.dispute(charge_of(shop, order(shop, team, "stripe")), "lost")
    return lambda: shop.hear()


def _lost_dispute_of_top_up(shop: CardShop, team: Team) -> Callable[[], object]:
    shop.dispute(top_up(shop, team), "lost")
    return lambda: shop.hear()


def _event(shop: CardShop, team: Team) -> Callable[[], object]:
    order(shop, team, "stripe")
    return lambda: [one["status"] for one in shop.stripe.post("events/flush")["data"]]


def _purchase(team: Team) -> str:
    return row_of("orders.purchase", team)


def _bought_credits(team: Team) -> str:
    return row_of("payments.top_up", team)


CASES: dict[str, Case] = {
    "order from credits": Case(
        _order_from_credits, lambda _: all_of("ledger.entry"), wallet,
        balance_cents=CENTS - KIND_CENTS,
    ),
    "card order, opened": Case(
        _card_order, lambda _: OUTBOX, lambda _: all_of("orders.purchase"), charges=1
    ),
    "card order, paid": Case(_card_order, wallet, _purchase, charges=1),
    "top-up, opened": Case(
        _top_up, lambda _: OUTBOX, lambda _: all_of("payments.top_up"),
        balance_cents=CENTS + KIND_CENTS, charges=1,
    ),
    "top-up, paid": Case(
        _top_up, wallet, _bought_credits, balance_cents=CENTS + KIND_CENTS, charges=1
    ),
    "refund to credits": Case(_refund_to_credits, wallet, _purchase),
    "refund to a card, opened": Case(
        _refund_to_card, lambda _: all_of("payments.refund"), _purchase, charges=1, refunds=1
    ),
    "refund to a card, made": Case(_refund_to_card, wallet, _purchase, charges=1, refunds=1),
    "refund of a top-up, opened": Case(
        _refund_of_top_up, wallet, _bought_credits, charges=1, refunds=1
    ),
    "refund of a top-up, made": Case(
        _refund_of_top_up, lambda _: all_of("payments.exception"), _bought_credits,
        charges=1, refunds=1,
    ),
    "refund in the dashboard": Case(_refund_in_dashboard, wallet, _purchase, charges=1, refunds=1),
    "lost dispute of an order": Case(_lost_dispute_of_order, wallet, _purchase, charges=1),
    "lost dispute of a top-up": Case(_lost_dispute_of_top_up, wallet, _bought_credits, charges=1),
    "event": Case(_event, lambda _: OUTBOX, lambda _: all_of("payments.inbox"), charges=1),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_whoever_is_chosen_to_break_a_deadlock_tries_again(shop: CardShop, case: Case) -> None:
    team = with_credits(shop, CENTS, CARD)
    work = case.prepare(shop, team)
    said = outdone(shop.database_url, work, waits_for=case.waits_for(team), holds=case.holds(team))
    # At once: it took neither a job's next try nor the processor's next message.
    if isinstance(said, list):
        assert not {"later: database_unavailable", 503} & set(said)
    assert shop.balance(team) == case.balance_cents
    assert len(shop.charges()) == case.charges
    assert len(shop.stripe.truth("refunds")) == case.refunds
    shop.agree(team)


# -------------------------------------------------------------------------------- and not for ever


def fail(shop: CardShop, table: str, times: int, code: str) -> None:
    """The next `times` transactions that insert into a table are undone for the sake of a rival."""
    shop.sql("create sequence if not exists public.failures")
    shop.sql("alter sequence public.failures restart")
    shop.sql(f"""
        create or replace function public.fail() returns trigger language plpgsql as $$
        begin
            if nextval('public.failures') <= {times} then
                raise exception 'a rival was there' using errcode = '{code}';
            end if;
            return new;
        end $$
    """)
    shop.sql(
        f"create trigger fail before insert on {table} for each row execute function public.fail()"
    )


@pytest.fixture
def failing(shop: CardShop) -> Iterator[Callable[[str, int, str], None]]:
    """Lets transactions fail; not beyond the test."""
    tables: list[str] = []

    def begin(table: str, times: int, code: str) -> None:
        tables.append(table)
        fail(shop, table, times, code)

    yield begin
    for table in tables:
        shop.sql(f"drop trigger fail on {table}")


Failing = Callable[[str, int, str], None]
CODES = ["40001", "40P01"]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("failures", [TRIES - 1, TRIES])
def test_an_order_from_credits_is_tried_so_often(
    shop: CardShop, failing: Failing, failures: int, code: str
) -> None:
    team = with_credits(shop, CENTS)
    failing("http.idempotency_key", failures, code)
    body = {**KINDS["tree"].body, "paymentMethod": "credits"}
    answer = shop.post(body, team, "k", path=KINDS["tree"].path)
    if failures < TRIES:
        assert answer.status_code == 200, answer.text
    else:
        assert_refused(answer, 503, "database_unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        assert shop.balance(team) == CENTS
        assert shop.post(body, team, "k", path=KINDS["tree"].path).status_code == 200
    assert shop.balance(team) == CENTS - KIND_CENTS
    assert shop.findings() == []


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("failures", [TRIES - 1, TRIES])
@pytest.mark.parametrize("table", ["http.idempotency_key", "orders.charge"])
def test_a_card_order_is_tried_so_often(
    shop: CardShop, failing: Failing, table: str, failures: int, code: str
) -> None:
    team = shop.team()
    failing(table, failures, code)
    answer = shop.order(team, "k")
    if failures < TRIES:
        assert answer.status_code == 200, answer.text
    elif table == "orders.charge":
        # It is charged; the timer brings it to its end.
        assert answer.json()["code"] == "payment_outcome_unknown"
    else:
        assert_refused(answer, 503, "database_unavailable")
        assert shop.sent() == []
        assert shop.order(team, "k").status_code == 200
    shop.settle_all()
    assert shop.order(team, "k").status_code == 200
    assert len(shop.charges()) == 1
    shop.agree(team)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("failures", [TRIES - 1, TRIES])
@pytest.mark.parametrize("table", ["payments.top_up", "ledger.entry"])
def test_a_top_up_is_tried_so_often(
    shop: CardShop, failing: Failing, table: str, failures: int, code: str
) -> None:
    team = shop.team()
    failing(table, failures, code)
    answer = shop.top_up(team, "k", KIND_CENTS)
    if failures < TRIES:
        assert answer.status_code == 200, answer.text
    elif table == "ledger.entry":
        assert answer.json()["code"] == "payment_outcome_unknown"
    else:
        assert_refused(answer, 503, "database_unavailable")
        assert shop.sent() == []
        assert shop.top_up(team, "k", KIND_CENTS).status_code == 200
    shop.settle_all()
    assert shop.top_up(team, "k", KIND_CENTS).status_code == 200
    assert (len(shop.charges()), shop.balance(team)) == (1, KIND_CENTS)
    shop.agree(team)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("failures", [TRIES - 1, TRIES])
@pytest.mark.parametrize("method", ["credits", "stripe"])
def test_a_refund_is_tried_so_often(
    shop: CardShop, failing: Failing, method: str, failures: int, code: str
) -> None:
    team = with_credits(shop, CENTS, CARD)
    purchase_id = order(shop, team, method)
    failing("orders.refund", failures, code)
    if failures == TRIES:
        with pytest.raises(Unavailable, match="in favour of a rival"):
            refund(shop, purchase_id)
        assert shop.sent(path="/v1/refunds") == []
    assert refund(shop, purchase_id) == "succeeded"
    shop.agree(team)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("failures", [TRIES - 1, TRIES])
@pytest.mark.parametrize("prepare", [_lost_dispute_of_order, _lost_dispute_of_top_up])
def test_a_dispute_is_tried_so_often_and_again_by_its_job(
    shop: CardShop,
    failing: Failing,
    prepare: Callable[[CardShop, Team], Callable[[], object]],
    failures: int,
    code: str,
) -> None:
    team = with_credits(shop, CENTS, CARD)
    work = prepare(shop, team)
    failing("payments.dispute", failures, code)
    said = work()
    assert isinstance(said, list)
    assert said.count("later: database_unavailable") == int(failures == TRIES)
    shop.settle_all()
    assert shop.balance(team) == CENTS
    rows = shop.sql(
        "select d.state from payments.dispute d join payments.payment p on p.id = d.payment_id"
        " where p.account_id = %s", team.id,
    )  # fmt: skip
    assert rows == [("lost",)]
    shop.agree(team)
