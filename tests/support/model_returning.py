"""What takes money back: an operator's refunds, somebody in the processor's dashboard, a bank."""

from collections.abc import Callable
from uuid import UUID

import httpx
from hypothesis import note

from fieldfare.orders.service.refund import refund_order as refund_in_the_product
from fieldfare.payments.service.top_ups.refunding import refund_top_up as refund_the_card
from tests.support.model_double import Double, Fault, refused_as, takes
from tests.support.model_rows import same
from tests.support.model_things import Charge, Dispute, Order, Refund, Shown, TopUp
from tests.support.refunds import REFUNDS


def refund_order(
    two: Double, order: Order, amount: int | None, *, name: str | None, fault: Fault | None = None
) -> None:
    """An operator refunds an order, whole or in part; `name` makes a repeat the same."""
    two.touched += [order.account, order]
    if name is not None and (order.id, name) in two.named_refunds:
        _refund_again(two, order, amount, name)
        return
    wanted = two.books.order_refund(order, amount)
    charge, is_taken = order.charge, takes(order.charge, wanted)
    with two.refunding(charge, fault if is_taken else None) as struck:
        code, state = refused_as(_asking(two, order, amount, name))
    note(f"refund {amount} of {order.id} -> {code or state}")
    if wanted is None:
        same(code, "not_refundable")
        return
    shown = Shown(wanted, "pending")
    if name is not None:
        two.named_refunds[order.id, name] = shown
    if charge is None:
        same((code, state), (None, "succeeded"))
        order.give_up(wanted, shown, disputed=False)
        order.account.change("refund", wanted, order.id)
        return
    order.rows.append(shown)
    refund = Refund(order, wanted, two.books.now, shown=shown)
    if name is not None:
        two.named_refunds[order.id, name] = refund
    _sent(two, refund, charge, code, state, is_taken=is_taken, struck=struck)


def _asking(two: Double, order: Order, amount: int | None, name: str | None) -> Callable[[], str]:
    return lambda: (
        two.shop.stage.do(
            lambda db, gateway: refund_in_the_product(
                db, gateway, UUID(order.id), amount_minor=amount, reason="A run", request_key=name
            )
        ).state
    )


def _refund_again(two: Double, order: Order, amount: int | None, name: str) -> None:
    """A repeat gives the first refund; for another amount it is refused."""
    first = two.named_refunds[order.id, name]
    shown = first.shown if isinstance(first, Refund) else first
    assert shown is not None
    code, state = refused_as(_asking(two, order, amount, name))
    note(f"refund {amount} of {order.id} again -> {code or state}")
    if amount is not None and amount != shown.amount:
        same(code, "not_refundable")
        return
    if isinstance(first, Refund):
        two.look_at(first)
        if code == "refund_not_made" and first.state == "pending":
            assert two.is_long_ago(first), "called failed too early"
            two.books.fail(first)
    if shown.state == "failed":
        same(code, "refund_not_made")
    elif isinstance(first, Refund) and first.seen is None:
        same(code, "refund_outcome_unknown")
    else:
        same((code, state), (None, shown.state))


def refund_top_up(two: Double, top_up: TopUp, amount: int | None, fault: Fault | None) -> None:
    """An operator gives credits back to the card that bought them."""
    two.touched.append(top_up.account)
    part = two.books.top_up_refund(top_up, amount)
    charge, is_taken = top_up.charge, takes(top_up.charge, None if part is None else part[0])
    with two.refunding(charge, fault if is_taken else None) as struck:
        code, state = refused_as(
            lambda: (
                two.shop.stage.do(
                    lambda db, gateway: refund_the_card(
                        db, gateway, UUID(top_up.id), amount_minor=amount, reason="A run"
                    )
                ).refund.state
            )
        )
    note(f"refund {amount} of top-up {top_up.id} -> {code or state}")
    if part is None:
        same(code, "not_refundable")
        return
    assert charge is not None
    refund = Refund(top_up, part[0], two.books.now, cents=part[1])
    if part[1]:
        top_up.account.change("refund", -part[1])
    _sent(two, refund, charge, code, state, is_taken=is_taken, struck=struck)


def _sent(
    two: Double,
    refund: Refund,
    charge: Charge,
    code: str | None,
    state: str | None,
    *,
    is_taken: bool,
    struck: Fault | None,
) -> None:
    """A refund to a card was sent to the processor."""
    refund.of.refunds.append(refund)
    if not is_taken or (struck is not None and struck.is_refusal):
        same(code, "refund_not_made")
        two.books.fail(refund)
        return
    two.adopt_refund(refund, charge)
    if struck is not None and struck.leaves_doubt:
        same(code, "refund_outcome_unknown")
        refund.is_stuck = struck.is_sticky
    else:
        assert refund.seen is not None, "it was said to be made, and is not there"
        two.books.end(refund)
        same((code, state), (None, refund.state))
    if refund.state == "pending":
        two.books.timers.append(refund)
    two.books.finish_refunds(charge)


def refund_in_the_dashboard(two: Double, charge: Charge, amount: int) -> None:
    """Somebody gives money back at the processor, past us."""
    is_taken = takes(charge, amount)
    with two.refunding(charge, None):
        answer = two.shop.stripe.http.post(
            REFUNDS, data={"charge": charge.id, "amount": str(amount)}, headers=two.secret()
        )
    note(f"refund {amount} of {charge.id} in the dashboard -> {answer.status_code}")
    same(answer.status_code, httpx.codes.OK if is_taken else httpx.codes.BAD_REQUEST)
    if is_taken:
        two.books.refund_there(charge, answer.json()["id"], amount)
        two.books.finish_refunds(charge)


def dispute(two: Double, charge: Charge, amount: int, *, inquiry: bool) -> Dispute | None:
    """A card's owner disputes a charge, or their bank only asks; None if that cannot be."""
    can_be = not charge.is_disputed and 0 < amount <= charge.left
    answer = two.shop.stripe.http.post(
        "/_control/dispute", json={"charge": charge.id, "amount": amount, "inquiry": inquiry}
    )
    note(f"dispute {amount} of {charge.id} -> {answer.status_code}")
    same(answer.status_code, httpx.codes.OK if can_be else httpx.codes.BAD_REQUEST)
    if not can_be:
        return None
    status = "warning_needs_response" if inquiry else "needs_response"
    opened = Dispute(answer.json()["id"], charge, amount, status)
    charge.disputes.append(opened)
    two.books.disputes.append(opened)
    two.books.news.append(("dispute", charge, opened))
    return opened


def decide(two: Double, disputed: Dispute, outcome: str) -> None:
    """The bank decides."""
    two.shop.dispute(disputed.charge.id, outcome)
    note(f"dispute {disputed.id} -> {outcome}")
    disputed.status = "warning_closed" if disputed.is_inquiry else outcome
    two.books.news.append(("dispute", disputed.charge, disputed))
