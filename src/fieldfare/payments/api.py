"""`POST /webhooks/stripe`: the processor's events."""

from litestar import Response

from fieldfare.http.answers import json_answer
from fieldfare.http.call import OpenCall
from fieldfare.payments.service.inbox import EventDesk


async def take_stripe_event(call: OpenCall[EventDesk]) -> Response[bytes]:
    """`POST /webhooks/stripe`: verified on the raw body, kept once, answered at once."""
    payload = await call.request.body()
    await call.desk.take_event(payload, call.request.headers.get("stripe-signature"))
    return json_answer({"received": True})
