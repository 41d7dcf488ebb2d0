"""What a card order, or a top-up, is while it waits for its turn at the processor: nothing yet."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from fieldfare.kernel.ids import instant_of
from tests.support.cards import ORDER, PATH, TOP_UP_PATH, CardShop, Team
from tests.support.client import assert_refused

TODAY = datetime.now(UTC).date()
REST_S = 1.2
AT_ONCE_S = 1.0
"""Less than the rest that is left, and more than any answer takes."""


@pytest.fixture
def calm(shop: CardShop) -> Iterator[CardShop]:
    """The shop; after the test nobody has to wait."""
    yield shop
    shop.sql("update payments.pace set next_at = now(), background_at = now()")


@pytest.fixture
def clients() -> Iterator[ThreadPoolExecutor]:
    """Clients that wait for their answers."""
    with ThreadPoolExecutor(8) as pool:
        yield pool


def hold(shop: CardShop, rest_s: float = REST_S) -> None:
    """Nobody has a turn for so long."""
    shop.sql(
        "update payments.pace set next_at = clock_timestamp() + make_interval(secs => %s)", rest_s
    )


def payments(shop: CardShop, team: Team) -> int:
    """What is on record of what a team's card pays for."""
    rows = shop.sql("select count(*) from payments.payment where account_id = %s", team.id)
    return int(rows[0][0])


def at_once(shop: CardShop, ask: Callable[[], httpx.Response]) -> httpx.Response:
    """What is answered although nobody has a turn."""
    hold(shop, 60)
    began = time.monotonic()
    try:
        answer = ask()
    finally:
        hold(shop, 0)
    assert time.monotonic() - began < AT_ONCE_S
    return answer


@pytest.mark.parametrize("path", [PATH, TOP_UP_PATH])
def test_nothing_is_recorded_before_its_turn_and_then_it_is_carried_out(
    calm: CardShop, clients: ThreadPoolExecutor, path: str
) -> None:
    team = calm.team()
    body: dict[str, Any] = ORDER if path == PATH else {"amountInUsdCents": 5_000}
    hold(calm)
    began = time.monotonic()
    waiting: Future[httpx.Response] = clients.submit(calm.post, body, team, "k", path=path)
    while time.monotonic() - began < REST_S / 2:
        assert payments(calm, team) == 0
        time.sleep(0.05)
    answer = waiting.result(10)
    assert answer.status_code == 200, answer.text
    assert time.monotonic() - began >= REST_S - 0.1
    assert payments(calm, team) == 1
    calm.agree(team)


def test_it_is_priced_dated_and_charged_as_of_its_turn(
    calm: CardShop, clients: ThreadPoolExecutor
) -> None:
    calm.set_rate("CHF", "0.80", TODAY - timedelta(days=1))
    team = calm.team(currency="CHF")
    hold(calm)
    waiting = clients.submit(calm.order, team)
    time.sleep(REST_S / 3)
    calm.set_rate("CHF", "0.90", TODAY)
    changed_at = datetime.now(UTC)
    answer = waiting.result(10)
    assert answer.status_code == 200, answer.text
    ((purchase_id, rate, first_sent_at),) = calm.sql(
        "select o.id, o.rate, p.first_sent_at from orders.purchase o"
        " join payments.payment p on p.subject_id = o.id where o.account_id = %s",
        team.id,
    )
    assert str(rate).startswith("0.9")
    assert instant_of(UUID(str(purchase_id))) > changed_at
    assert first_sent_at > changed_at
    calm.agree(team)


def test_a_card_that_is_taken_away_while_it_waits_is_not_charged(
    calm: CardShop, clients: ThreadPoolExecutor
) -> None:
    team = calm.team()
    hold(calm)
    waiting = clients.submit(calm.order, team)
    time.sleep(REST_S / 3)
    calm.sql("update accounts.account set stripe_payment_method = null where id = %s", team.id)
    assert_refused(waiting.result(10), 403, "no_payment_method", param="paymentMethod")
    assert payments(calm, team) == 0


def test_what_would_be_refused_is_refused_at_once(calm: CardShop) -> None:
    team, without = calm.team(), calm.team(card=None)
    nothing = at_once(calm, lambda: calm.order(team, portfolioId=999))
    assert_refused(nothing, 400, "portfolio_not_found", param="portfolioId")
    too_little = at_once(calm, lambda: calm.top_up(team, cents=1))
    assert_refused(too_little, 400, "below_minimum", param="amountInUsdCents")
    cardless = at_once(calm, lambda: calm.order(without))
    assert_refused(cardless, 403, "no_payment_method", param="paymentMethod")


def test_what_was_answered_before_is_answered_at_once(calm: CardShop) -> None:
    team = calm.team()
    first, bought = calm.order(team, "order"), calm.top_up(team, "top-up")
    assert at_once(calm, lambda: calm.order(team, "order")).content == first.content
    assert at_once(calm, lambda: calm.top_up(team, "top-up")).content == bought.content
    other = at_once(calm, lambda: calm.order(team, "order", tons=0.5))
    assert_refused(other, 422, "idempotency_mismatch", param="Idempotency-Key")


def test_rivals_with_one_key_that_wait_together_make_one_order(
    calm: CardShop, clients: ThreadPoolExecutor
) -> None:
    team = calm.team()
    hold(calm)
    rivals = [clients.submit(calm.order, team, "one") for _ in range(8)]
    answers = [rival.result(15) for rival in rivals]
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len({answer.content for answer in answers if answer.status_code == 200}) == 1
    assert payments(calm, team) == 1
    calm.agree(team)
