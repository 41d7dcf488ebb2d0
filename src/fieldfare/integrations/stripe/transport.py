"""What carries the SDK's requests: httpx, with one limit of time over each whole exchange.

The SDK's own carrier sets a limit for each read only, so that a byte now and then would keep a
caller waiting without end, and it passes bodies in a way that httpx gives up. What must hold: every
exchange ends within the limit, with the whole answer or with `stripe.APIConnectionError`.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import stripe

CONNECTIONS = httpx.Limits(max_connections=200, max_keepalive_connections=50)


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
        except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError) as error:
            raise stripe.APIConnectionError(
                f"no answer from the processor: {type(error).__name__}"
            ) from error
        return answer.content, answer.status_code, answer.headers

    async def close_async(self) -> None:
        """Give the connections back."""
        await self._http.aclose()
