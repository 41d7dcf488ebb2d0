"""`GET /api/openapi.json`, and `GET /api/docs`: the API's description, for programs and for people.

The description is the file beside this module. It is made from the wire's own types and from the
pages of `docs/api`, and a test compares it with what would be made now; so here it is only read,
once. The page is Swagger UI (`static/swagger-ui/NOTICE`), which nobody but this process serves.
"""

from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from litestar import Response
from litestar.enums import MediaType

from fieldfare.http.answers import bytes_answer
from fieldfare.http.call import OpenCall
from fieldfare.impact.rules import etag_of, has_already

DESCRIPTION = Path(__file__).parent / "openapi.json"
ASSETS = "/static/swagger-ui"
PAGE = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Fieldfare API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{ASSETS}/swagger-ui.css">
<div id="reference"></div>
<noscript>The description is at <a href="/api/openapi.json">/api/openapi.json</a>.</noscript>
<script src="{ASSETS}/swagger-ui-bundle.js"></script>
<script src="{ASSETS}/start.js"></script>
"""
PAGE_HEADERS = {
    # Swagger UI sets styles on its elements and draws its icons from data: addresses.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


class Description(msgspec.Struct, frozen=True):
    """The description as it is sent."""

    body: bytes
    etag: str


@cache
def description() -> Description:
    """The file, without the blanks that make it readable in a review."""
    body = msgspec.json.format(DESCRIPTION.read_bytes(), indent=-1)
    return Description(body, etag_of(body))


async def get_description(call: OpenCall[Any]) -> Response[bytes]:
    """`GET /api/openapi.json`, or 304 to whoever has it already."""
    described = description()
    headers = {"ETag": described.etag, "Cache-Control": "no-cache"}
    if has_already(described.etag, call.request.headers.get("if-none-match")):
        return Response(b"", status_code=304, headers=headers)
    return bytes_answer(described.body, headers=headers)


async def show_reference(_: OpenCall[Any]) -> Response[str]:
    """`GET /api/docs`: a page on which every request can be tried."""
    return Response(PAGE, media_type=MediaType.HTML, headers=PAGE_HEADERS)
