"""The simulator's idempotency keys: one effect and one answer, for a day."""

import threading
import time
from typing import Any

import pytest
import stripe

from tests.support.stripe_calls import charge, paid, post, statuses
from tests.support.stripe_simulator import StripeSimulator

HOUR_S = 3_600


def test_a_key_gives_one_effect_and_one_answer(sim: StripeSimulator) -> None:
    """The second answer is the first, byte for byte, and says so."""
    first = post(sim, "/v1/customers", "k", email="a@example.com")
    second = post(sim, "/v1/customers", "k", email="a@example.com")
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.content == second.content
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert second.headers["original-request"] == first.headers["request-id"]
    assert second.headers["request-id"] != first.headers["request-id"]
    assert len(sim.truth("customers")) == 1
    assert statuses(sim) == [(200, True, False), (200, False, True)]


def test_a_decline_is_kept(sim: StripeSimulator) -> None:
    """402 again, and no second failed charge."""
    messages = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as caught:
            charge(sim, "k", card="pm_card_visa_chargeDeclined")
        messages.append((caught.value.http_status, caught.value.http_body))
    assert messages[0] == messages[1]
    assert len(sim.truth("charges")) == 1


@pytest.mark.parametrize(
    ("path", "form", "what"),
    [
        ("/v1/customers", {"email": "b@example.com"}, "same parameters"),
        ("/v1/customers", {"email": "a@example.com", "name": "x"}, "same parameters"),
        ("/v1/refunds", {"email": "a@example.com"}, "same endpoint"),
    ],
)
def test_other_parameters_under_a_key(
    sim: StripeSimulator, path: str, form: dict[str, str], what: str
) -> None:
    """400 `idempotency_error`, without effect, and the first answer stays."""
    first = post(sim, "/v1/customers", "k", email="a@example.com")
    other = post(sim, path, "k", **form)
    assert (other.status_code, other.json()["error"]["type"]) == (400, "idempotency_error")
    assert what in other.json()["error"]["message"]
    assert post(sim, "/v1/customers", "k", email="a@example.com").content == first.content
    assert len(sim.truth("customers")) == 1


def test_the_order_of_parameters_does_not_matter(sim: StripeSimulator) -> None:
    """The same parameters are the same however they are sent."""
    first = post(sim, "/v1/customers", "k", email="a@example.com", name="A")
    assert post(sim, "/v1/customers", "k", name="A", email="a@example.com").content == first.content


def test_what_never_began_is_not_kept(sim: StripeSimulator) -> None:
    """Validation, 401 and 429 leave the key unused."""
    assert post(sim, "/v1/customers", "k", colour="red").status_code == 400
    headers = {"Authorization": "Bearer sk_test_wrong_wrong_wrong", "Idempotency-Key": "k"}
    assert sim.http.post("/v1/customers", headers=headers).status_code == 401
    sim.fault("429", retry_after_s=7)
    limited = post(sim, "/v1/customers", "k", name="A")
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "7")
    assert limited.json()["error"]["code"] == "rate_limit"
    assert post(sim, "/v1/customers", "k", name="B").status_code == 200


def test_a_refusal_of_a_request_that_began_is_kept(sim: StripeSimulator) -> None:
    """A refund over the amount stays refused under its key; another key is free."""
    intent = charge(sim, None).id
    post(sim, "/v1/refunds", "first", payment_intent=intent, amount="1000")
    over = [post(sim, "/v1/refunds", "k", payment_intent=intent) for _ in range(2)]
    assert [answer.status_code for answer in over] == [400, 400]
    assert over[1].headers["idempotent-replayed"] == "true"
    assert len(sim.truth("refunds")) == 1


def test_the_length_of_a_key(sim: StripeSimulator) -> None:
    """255 characters, and not one more."""
    assert post(sim, "/v1/customers", "k" * 255).status_code == 200
    assert post(sim, "/v1/customers", "k" * 256).status_code == 400
    assert len(sim.truth("customers")) == 1


def test_a_key_is_known_for_a_day(sim: StripeSimulator) -> None:
    """At 23:59 h the answer is replayed, at 24:01 h the request takes effect again."""
    first = charge(sim, "k")
    sim.advance(23 * HOUR_S + 59 * 60)
    assert charge(sim, "k").id == first.id
    assert paid(sim) == 1
    sim.advance(2 * 60)
    assert charge(sim, "k").id != first.id
    assert paid(sim) == 2


def test_a_key_in_use(sim: StripeSimulator) -> None:
    """While the first request runs a second is a 409; afterwards it is replayed."""
    sim.fault("hang", s=0.8, when="before", path="/v1/payment_intents")
    results: list[Any] = []
    first = threading.Thread(target=lambda: results.append(charge(sim, "k")))
    first.start()
    time.sleep(0.3)
    with pytest.raises(stripe.APIError) as caught:
        charge(sim, "k")
    assert caught.value.error is not None
    assert (caught.value.http_status, caught.value.error.code) == (409, "idempotency_key_in_use")
    with pytest.raises(stripe.IdempotencyError):
        charge(sim, "k", amount=999)
    first.join()
    assert charge(sim, "k").id == results[0].id
    assert paid(sim) == 1


def test_one_key_from_many_threads(sim: StripeSimulator) -> None:
    """Fifty at once make one charge; each gets it or a 409."""
    sim.post("latency", s=0.05)
    outcomes: list[str] = []

    def once() -> None:
        try:
            outcomes.append(charge(sim, "k").id)
        except stripe.APIError as error:
            outcomes.append(str(error.http_status))

    threads = [threading.Thread(target=once) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 50
    assert len({outcome for outcome in outcomes if outcome != "409"}) == 1
    assert paid(sim) == 1
