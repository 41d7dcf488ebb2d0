"""What carries the SDK's requests: httpx, with one limit of time over each whole exchange.

The SDK's own carrier sets a limit for each read only, so that a byte now and then would keep a
caller waiting without end, and it passes bodies in a way that httpx gives up. What must hold: every
exchange waits for its turn, and ends within the limit from then on, with a whole answer of the
processor's or with `stripe.APIConnectionError`. The page of a proxy in between is none, whatever
its status: a 402 that the processor did not send says nothing of a card.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
import stripe

from fieldfare.integrations.stripe.pace import Pace
from fieldfare.kernel.errors import Unavailable
from fieldfare.telemetry import traces
from fieldfare.telemetry.families import CALLS

CONNECTIONS = httpx.Limits(max_connections=200, max_keepalive_connections=50)


TURN_PATIENCE_S = 100.0
"""Of what is under way: then it counts as not answered, and is looked for later."""
TOO_MANY = 429
HOLD_S = 1.0
"""How long nobody calls after a 429 that does not say how long."""
_ONE_OBJECT = "lock_timeout"
"""The code of a 429 that is about two calls for one object, and not about how many there are."""


class _Error(msgspec.Struct):
    type: str
    code: str | None = None


class _Answer(msgspec.Struct):
    """What every answer of the processor has: what kind of object it is, or which error."""

    object: str | None = None
    error: _Error | None = None


_decoder = msgspec.json.Decoder(_Answer)
# The SDK does not say what its error takes.
NoAnswer: Callable[[str], Exception] = stripe.APIConnectionError


class Transport(stripe.HTTPClient):
    """A carrier of requests for one `stripe.StripeClient`."""

    name = "httpx"

    def __init__(self, request_s: float, pace: Pace | None) -> None:
        super().__init__()
        self._request_s = request_s
        self._pace = pace
        self._http = httpx.AsyncClient(timeout=request_s, limits=CONNECTIONS)

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Body, status and headers of the answer; raises `stripe.APIConnectionError`."""
        await self._take_turn()
        operation = _operation(method, url)
        outcome, began = "no_answer", time.perf_counter()
        with traces.call_span(f"processor {operation}") as span:
            try:
                answer, told = await self._exchange(method, url, headers, post_data)
                outcome = str(answer.status_code)
            finally:
                CALLS.observe(time.perf_counter() - began, operation, outcome)
                if span is not None:
                    span.set_attribute("fieldfare.outcome", outcome)
        if answer.status_code == TOO_MANY:
            await self._hold(told, answer.headers)
        return answer.content, answer.status_code, answer.headers

    async def _exchange(
        self, method: str, url: str, headers: Mapping[str, str], content: Any
    ) -> tuple[httpx.Response, "_Answer"]:
        try:
            async with asyncio.timeout(self._request_s):
                answer = await self._http.request(
                    method, url, headers=dict(headers), content=content or None
                )
            return answer, _read(answer.content)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError, ValueError) as error:
            reason = f"no answer from the processor: {type(error).__name__}"
            raise NoAnswer(reason) from error

    async def _take_turn(self) -> None:
        if self._pace is None:
            return
        try:
            async with asyncio.timeout(TURN_PATIENCE_S):
                await self._pace.take()
        except (TimeoutError, Unavailable) as error:
            raise NoAnswer(f"the processor was not asked: {type(error).__name__}") from error

    async def _hold(self, told: _Answer, headers: Mapping[str, str]) -> None:
        is_about_one = told.error is not None and told.error.code == _ONE_OBJECT
        if self._pace is not None and not is_about_one:
            await self._pace.hold(_hold_s(headers))

    async def close_async(self) -> None:
        """Give the connections back."""
        await self._http.aclose()


def _operation(method: str, url: str) -> str:
    """What is asked for, whatever the object: `POST /v1/payment_intents/{id}/cancel`."""
    parts = urlsplit(url).path.split("/")
    if len(parts) > 3:
        parts[3] = "{id}"
    return f"{method.upper()} {'/'.join(parts)}"


def _read(content: bytes) -> _Answer:
    """Raises `ValueError` unless it is an object or an error of the processor's."""
    # As text: the decoder skips what it does not know, and the SDK stumbles over other bytes.
    answer = _decoder.decode(content.decode("utf-8"))
    if answer.object is None and answer.error is None:
        raise ValueError("neither an object nor an error")
    return answer


def _hold_s(headers: Mapping[str, str]) -> float:
    """How long the processor wants no calls, in seconds."""
    told = headers.get("retry-after", "")
    return float(told) if told.isascii() and told.isdigit() and len(told) <= 6 else HOLD_S
