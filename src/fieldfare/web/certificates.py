"""A certificate as everybody sees it who has its address."""

from typing import Any

from litestar import Response

from fieldfare.http.call import OpenCall
from fieldfare.http.edge import edge_of
from fieldfare.impact.api.certificates import desk_at
from fieldfare.impact.errors import CertificateNotFound
from fieldfare.impact.model import Certificate
from fieldfare.impact.schemas.certificates import certificate_answer
from fieldfare.impact.service.certificates import LiveCertificateDesk
from fieldfare.impact.service.printing import Form
from fieldfare.web.pages import page, tagged


async def show_certificate(call: OpenCall[Any]) -> Response[bytes]:
    """`GET /certificates/{slug}`, and `/verify` below it, where the code on paper leads."""
    slug = call.request.path_params["slug"]
    try:
        certificate = await desk_at(call, slug).certificate_at(slug)
    except CertificateNotFound:
        return page(call.request, "no_certificate.html", status=404)
    return page(
        call.request,
        "certificate.html",
        shown=certificate_answer(certificate),
        headline=headline(certificate),
        verify_api=f"/api/certificates/{slug}/verify",
        is_sample=certificate.is_sample,
    )


async def get_pdf(call: OpenCall[Any]) -> Response[bytes]:
    """`GET /certificates/{slug}/certificate.pdf`."""
    return await _printed(call, "pdf", "application/pdf")


async def get_image(call: OpenCall[Any]) -> Response[bytes]:
    """`GET /certificates/{slug}/certificate.png`: 1200×630, for those that preview links."""
    return await _printed(call, "png", "image/png")


async def _printed(call: OpenCall[Any], form: Form, media_type: str) -> Response[bytes]:
    slug = call.request.path_params["slug"]
    certificate = await desk_at(call, slug).certificate_at(slug)
    desk: LiveCertificateDesk = edge_of(call.request).live_desk
    return tagged(call.request, await desk.printer.printed(certificate, form), media_type)


def headline(certificate: Certificate) -> str:
    """What it certifies, in a few words, for the page and for those that preview it."""
    shown = certificate_answer(certificate)
    parts = []
    if certificate.mass_mg:
        parts.append(f"{shown.tons:f} t of CO₂e")
    if certificate.trees:
        parts.append(f"{certificate.trees:,} trees")
    return " and ".join(parts) or "A contribution to climate projects"
