"""Certificates in test mode: in the live shape, marked SAMPLE, and never valid."""

from dataclasses import dataclass
from uuid import UUID

import msgspec

from fieldfare.catalog.model import Catalogue
from fieldfare.http.principal import Principal
from fieldfare.impact.errors import CertificateNotFound
from fieldfare.impact.model import Certificate, CertifiedProject
from fieldfare.impact.rules import SAMPLE_NUMBER, hash_name
from fieldfare.impact.service.certificates import NO_SUCH_CERTIFICATE, body_of
from fieldfare.impact.service.signing import sample_document
from fieldfare.orders.model import Share
from fieldfare.sandbox.samples import (
    SAMPLE_NAMES,
    TEST_ID,
    SampleOrder,
    instant_of_sample,
    sample_called,
)

SAMPLE_PURCHASER = "Sample Team"
SAMPLE_SALT = bytes(16)


@dataclass(frozen=True)
class SandboxCertificateDesk:
    """Certificates of what nobody bought."""

    preset: Catalogue
    public_url: str

    async def certificate_of_group(self, principal: Principal, group_id: str) -> Certificate:
        """That of a sample order, under any id of test mode's form."""
        return await self.certificate_at(group_id)

    async def certificate_at(self, slug: str) -> Certificate:
        """The same; in test mode the id is the address too."""
        match = TEST_ID.fullmatch(slug)
        if match is None:
            raise CertificateNotFound(NO_SUCH_CERTIFICATE)
        sample = sample_called(slug, self.preset)
        return self._signed(_certificate(slug, UUID(match[2]), sample, self.public_url))

    def _signed(self, certificate: Certificate) -> Certificate:
        assert certificate.purchaser is not None, "a sample names somebody"
        hashed = hash_name(SAMPLE_SALT, certificate.purchaser)
        document = sample_document(body_of(certificate, hashed, issuer=self.public_url))
        return msgspec.structs.replace(certificate, signed=document)


def _certificate(name: str, order_id: UUID, sample: SampleOrder, public_url: str) -> Certificate:
    return Certificate(
        group_id=name,
        number=SAMPLE_NUMBER,
        purchaser=SAMPLE_NAMES[sample.number] or SAMPLE_PURCHASER,
        purchaser_salt=SAMPLE_SALT.hex(),
        issued_at=instant_of_sample(order_id),
        state="genuine",
        projects=tuple(map(_project, sample.shares)),
        language="en",
        url=f"{public_url}/certificates/{name}",
        signed=None,
        is_sample=True,
    )


def _project(share: Share) -> CertifiedProject:
    project = share.project
    return CertifiedProject(
        id=project.id,
        name=project.name,
        mass_mg=share.mass_mg,
        trees=share.trees,
        standing=project.standing,
        certification_status=project.certification_status,
        registry=project.registry,
    )
