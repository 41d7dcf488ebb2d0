"""Certificates on paper and as share images, made while somebody waits.

What must hold: setting type holds up no other request, and when more wait for it than can be served
in a few seconds, who comes next is sent away at once instead of waiting with them.
"""

from typing import Literal, TypeAlias

import msgspec

from fieldfare.impact.model import Certificate, CertifiedProject
from fieldfare.integrations.typst import (
    ShownCertificate,
    ShownProject,
    ShownRetirement,
    Typesetter,
)
from fieldfare.kernel.errors import Unavailable
from fieldfare.kernel.languages import Language

Form: TypeAlias = Literal["pdf", "png"]
FORGOTTEN = "—"
"""In the place of a name that was erased."""
MOST_AT_ONCE = 32
"""Some two seconds' worth of work."""


class Printer:
    """Sets certificates for one process."""

    def __init__(self, typesetter: Typesetter, *, seller: str) -> None:
        self._typesetter = typesetter
        self._seller = seller
        self._under_way = 0

    async def printed(self, certificate: Certificate, form: Form) -> bytes:
        """The document; the same certificate gives the same bytes. Raises `Unavailable`."""
        if self._under_way >= MOST_AT_ONCE:
            raise Unavailable(
                "Too many certificates are being made just now. Ask for this one again soon.",
                code="overloaded",
            )
        self._under_way += 1
        try:
            shown = as_shown(certificate, seller=self._seller)
            if form == "pdf":
                return await self._typesetter.pdf(shown)
            return await self._typesetter.png(shown)
        finally:
            self._under_way -= 1


def as_shown(certificate: Certificate, *, seller: str) -> ShownCertificate:
    """What is to stand on a certificate."""
    return ShownCertificate(
        number=certificate.number,
        language=msgspec.convert(certificate.language, Language),
        purchaser=certificate.purchaser or FORGOTTEN,
        seller=seller,
        mass_mg=certificate.mass_mg,
        trees=certificate.trees,
        projects=tuple(map(_project, certificate.projects)),
        issued_at=certificate.issued_at,
        verify_url=f"{certificate.url}/verify",
        state=certificate.state,
        is_sample=certificate.is_sample,
    )


def _project(project: CertifiedProject) -> ShownProject:
    return ShownProject(
        name=project.name,
        mass_mg=project.mass_mg,
        trees=project.trees,
        standing=project.standing,
        certification_status=project.certification_status,
        registry=project.registry or "",
        retirements=tuple(
            ShownRetirement(serial=one.serial, vintage=one.vintage) for one in project.retirements
        ),
    )
