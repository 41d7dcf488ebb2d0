"""What carries the SDK's requests: httpx, with one limit of time over each whole exchange.

The SDK's own carrier sets a limit for each read only, so that a byte now and then would keep a
caller waiting without end, and it passes bodies in a way that httpx gives up. What must hold: every
exchange ends within the limit, with a whole answer of the processor's or with
`stripe.APIConnectionError`. The page of a proxy in between is none, whatever its status: a 402 that
the processor did not send says nothing of a card.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import msgspec
import stripe

CONNECTIONS = httpx.Limits(max_connections=200, max_keepalive_connections=50)


class _Error(msgspec.Struct):
    type: str


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

    def __init__(self, request_s: float) -> None:
        super().__init__()
        self._request_s = request_s
        self._http = httpx.AsyncClient(timeout=request_s, limits=CONNECTIONS)

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Body, status and headers of the answer; raises `stripe.APIConnectionError`."""
        try:
            async with asyncio.timeout(self._request_s):
                answer = await self._http.request(
                    method, url, headers=dict(headers), content=post_data or None
                )
            _check(answer.content)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError, ValueError) as error:
            reason = f"no answer from the processor: {type(error).__name__}"
            raise NoAnswer(reason) from error
        return answer.content, answer.status_code, answer.headers

    async def close_async(self) -> None:
        """Give the connections back."""
        await self._http.aclose()


def _check(content: bytes) -> None:
    """Raise `ValueError` unless it is an object or an error of the processor's."""
    # As text: the decoder skips what it does not know, and the SDK stumbles over other bytes.
    answer = _decoder.decode(content.decode("utf-8"))
    if answer.object is None and answer.error is None:
        raise ValueError("neither an object nor an error")
