"""How a page is rendered and sent.

What must hold: everything in a page is escaped; a page runs no script, loads nothing from elsewhere
and can be put into no frame; and who follows a link from it does not tell where it came from,
because the address of a page may be all that one needs to see it.
"""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Request, Response

from fieldfare.impact.rules import etag_of, has_already

HTML = "text/html"
"""Litestar adds the charset."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Robots-Tag": "noindex",
    "Cache-Control": "no-cache",
}

_templates = Environment(
    loader=PackageLoader("fieldfare.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(
    request: Request[Any, Any, Any], template: str, *, status: int = 200, **values: Any
) -> Response[bytes]:
    """A page made of a template, or 304 to whoever has it already."""
    body = _templates.get_template(template).render(**values).encode()
    return tagged(request, body, HTML, status=status)


def tagged(
    request: Request[Any, Any, Any], body: bytes, media_type: str, *, status: int = 200
) -> Response[bytes]:
    """Bytes under an entity tag, to be asked for again each time."""
    headers = {**HEADERS, "ETag": etag_of(body)}
    if status == 200 and has_already(headers["ETag"], request.headers.get("if-none-match")):
        return Response(b"", status_code=304, headers=headers)
    return Response(body, status_code=status, media_type=media_type, headers=headers)
