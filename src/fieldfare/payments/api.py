"""`POST /api/credits/top-up` and `POST /webhooks/stripe`: the processor's events."""

from litestar import Response

from fieldfare.http.answers import bytes_answer, json_answer, replay
from fieldfare.http.call import Call, OpenCall
from fieldfare.http.idempotency import StoredAnswer
from fieldfare.payments.errors import NoExchangeRate
from fieldfare.payments.model import TopUpQuote, TopUpRequest
from fieldfare.payments.rules import quote_top_up
from fieldfare.payments.schemas import read_top_up
from fieldfare.payments.service.inbox import EventDesk
from fieldfare.payments.service.top_ups import TopUpDesk


async def top_up_credits(call: Call[TopUpDesk]) -> Response[bytes]:
    """`POST /api/credits/top-up`."""
    call.require_writer()
    asked = read_top_up(await call.fields())
    key = None if call.principal.is_test else call.key(asked)
    stored = await call.desk.find_top_up_answer(key) if key else None
    if stored is not None:
        return replay(stored)
    # What is to be refused is refused before it waits for its turn; the rate is that of its turn.
    await _quote(call, asked)
    async with call.desk.turn(call.principal, call.leaving, by_card_only=True):
        done = await call.desk.top_up(call.principal, await _quote(call, asked), key)
    return replay(done) if isinstance(done, StoredAnswer) else bytes_answer(done)


async def _quote(call: Call[TopUpDesk], asked: TopUpRequest) -> TopUpQuote:
    try:
        exchange = await call.desk.exchange(call.principal)
    except NoExchangeRate as error:
        raise NoExchangeRate(call.principal.currency, by_card_only=True) from error
    return quote_top_up(asked.amount_cents, exchange)


async def take_stripe_event(call: OpenCall[EventDesk]) -> Response[bytes]:
    """`POST /webhooks/stripe`: verified on the raw body, kept once, answered at once."""
    payload = await call.request.body()
    await call.desk.take_event(payload, call.request.headers.get("stripe-signature"))
    return json_answer({"received": True})
