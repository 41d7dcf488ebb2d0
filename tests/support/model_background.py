"""What happens by itself: time passes, timers run, events and lists of the processor are read.

The jobs are run here in one order of the many that a worker could take, so that the model can
follow: refills, timers, events, mail, and refills again.
"""

from datetime import timedelta

from fieldfare.orders.jobs import reconcile as read_the_lists
from tests.support.model_double import DECLINED, Double
from tests.support.model_prices import charge_minor
from tests.support.model_rows import same
from tests.support.model_things import Account, Order, Refill, Refund, TopUp

REFILLS = ("refill_due", "refill_ended")
TIMERS = (
    "payment_unsettled", "top_up_unsettled", "refund_unsettled", "top_up_refund_unsettled",
)  # fmt: skip
EVENTS = ("stripe_event",)
MAILS = ("receipt_due", "refill_failed")
A_WHILE = timedelta(minutes=7)


def pass_time(two: Double, span: timedelta, *, events: bool = False) -> None:
    """Time passes, and what is due runs; with the processor's events, or without."""
    two.shop.pass_time(span)
    two.books.now += int(span.total_seconds())
    _refill(two)
    two.refilling.work(TIMERS)
    _run_timers(two)
    if events:
        _hear(two)
    _rest(two)


def hear(two: Double) -> None:
    """The processor's events come."""
    _refill(two)
    _hear(two)
    _rest(two)


def reconcile(two: Double) -> None:
    """The events are lost for now: the processor's lists are read instead."""
    pass_time(two, A_WHILE)
    two.shop.stage.do(lambda db, gateway: read_the_lists(db, gateway, back=timedelta(days=1)))
    charges = [charge for charge in two.books.charges if charge.paid_for.state != "pending"]
    for charge in sorted(charges, key=lambda one: one.id):
        two.books.follow_refunds(charge)
    for disputed in reversed(two.books.disputes):
        two.books.follow_dispute(disputed)
    _touch_orders(two)
    _rest(two)


def _hear(two: Double) -> None:
    two.shop.flush_events()
    two.refilling.work(EVENTS)
    _touch_orders(two)
    two.books.hear()


def _touch_orders(two: Double) -> None:
    told_of = [charge.paid_for for _, charge, _ in two.books.news]
    two.touched += [one for one in told_of if isinstance(one, Order)]


def _rest(two: Double) -> None:
    two.refilling.work(MAILS)
    _refill(two)
    two.touched += two.books.accounts


# Refills.


def _refill(two: Double) -> None:
    """Whoever runs low is refilled, as often as that is due."""
    two.refilling.sweep()
    two.refilling.work(REFILLS)
    for account in two.books.accounts:
        # One that was made without being due shows in the balance.
        if account.refill is not None and two.books.refill_is_due(account):
            _refill_account(two, account, account.refill)


def _refill_account(two: Double, account: Account, refill: Refill) -> None:
    rows = two.shop.sql(
        "select id::text, charge_id from payments.top_up where account_id = %s"
        " and origin = 'refill' order by created_at",
        account.team.id,
    )
    for identifier, charge_id in rows[len(account.refilled_at) :]:
        assert two.books.refill_is_due(account), "a refill that was not due"
        account.refilled_at.append(two.books.now)
        if charge_id is None:
            same(account.card, DECLINED)
            two.books.declined["payments.top_up"] += 1
            two.books.refill_failed(account)
        else:
            _refilled(two, account, refill, identifier, charge_id)
    if account.card is None and two.books.refill_is_due(account):
        two.books.refill_failed(account)
    assert not two.books.refill_is_due(account), "a refill is due, and none was made"


def _refilled(
    two: Double, account: Account, refill: Refill, identifier: str, charge_id: str
) -> None:
    bought = TopUp(
        account,
        identifier,
        account.money.code,
        charge_minor(refill.amount_cents, account.money),
        two.books.now,
        account.card or "",
        cents=refill.amount_cents,
    )
    two.books.top_ups.append(bought)
    two.books.charge(bought, charge_id)
    two.books.pay(bought)
    refill.failures = 0


# Timers.


def _run_timers(two: Double) -> None:
    for one in list(two.books.timers):
        if isinstance(one, Refund):
            _run_refund_timer(two, one)
        else:
            _run_payment_timer(two, one)
    two.books.timers = [one for one in two.books.timers if one.state == "pending"]


def _run_payment_timer(two: Double, paid: Order | TopUp) -> None:
    if paid.state != "pending":
        return
    two.adopt(paid)
    if paid.charge is not None:
        two.books.pay(paid)
        return
    two.may_be_unmade(paid)
    if two.is_long_ago(paid):
        table = "orders.purchase" if isinstance(paid, Order) else "payments.top_up"
        rows = two.shop.sql(f"select state from {table} where id = %s", paid.id)
        paid.state = rows[0][0]


def _run_refund_timer(two: Double, refund: Refund) -> None:
    two.look_at(refund)
    if refund.state != "pending" or refund.seen is not None:
        return
    two.may_be_unmade(refund)
    if two.is_long_ago(refund):
        rows = two.shop.sql(
            "select r.state from payments.refund r join payments.payment p"
            " on p.id = r.payment_id where p.subject_id = %s order by r.created_at, r.id",
            refund.of.id,
        )
        if rows[refund.of.refunds.index(refund)][0] == "failed":
            two.books.fail(refund)
