"""`POST /api/credits/top-up` and `POST /webhooks/stripe`: the processor's events."""

from litestar import Response

from fieldfare.http.answers import bytes_answer, json_answer
from fieldfare.http.call import Call, OpenCall
from fieldfare.http.idempotency import StoredAnswer, replay
from fieldfare.kernel.errors import ProblemError
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
    try:
        quote = await _quote_top_up(call, asked)
    except ProblemError:
        # It would be refused now, but the first request with this key may have gone through.
        stored = await call.desk.find_top_up_answer(key) if key else None
        if stored is None:
            raise
        return replay(stored)
    done = await call.desk.top_up(call.principal, quote, key)
    return replay(done) if isinstance(done, StoredAnswer) else bytes_answer(done)


async def _quote_top_up(call: Call[TopUpDesk], asked: TopUpRequest) -> TopUpQuote:
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
