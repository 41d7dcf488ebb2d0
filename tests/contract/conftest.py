"""Fixtures of the contracts with the card processor: a simulator, and our gateway to it."""

from collections.abc import AsyncIterator, Iterator

import pytest
import stripe

from fieldfare.integrations.stripe.gateway import StripeGateway, close_gateway, open_gateway
from tests.support.gateways import LIMIT_S
from tests.support.stripe_simulator import StripeSimulator, running_stripe


@pytest.fixture(scope="module")
def running() -> Iterator[StripeSimulator]:
    """One simulator for the module."""
    with running_stripe() as simulator:
        yield simulator


@pytest.fixture
def sim(running: StripeSimulator) -> StripeSimulator:
    """The simulator without a memory of other tests."""
    running.reset()
    return running


@pytest.fixture
async def gateway(sim: StripeSimulator) -> AsyncIterator[StripeGateway]:
    """A gateway to it that gives a call up after `LIMIT_S`."""
    opened = open_gateway(sim.secret_key, sim.url, request_s=LIMIT_S)
    yield opened
    await close_gateway(opened)


@pytest.fixture
def sdk(sim: StripeSimulator) -> stripe.StripeClient:
    """The official SDK."""
    return sim.client()
