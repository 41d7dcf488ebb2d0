"""The desk behind certificates: the books, or the sandbox's samples.

What is shown of a certificate is what was issued (`impact.service.issuing`), signed anew whenever
it is read: the same certificate has the same document until the key is changed.
"""

import re
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import msgspec

from fieldfare.catalog.service import CatalogDesk, LiveCatalogDesk
from fieldfare.db.pool import Connection, Database
from fieldfare.http.principal import Principal
from fieldfare.impact import rules, store
from fieldfare.impact.errors import CertificateNotFound
from fieldfare.impact.model import Certificate, CertificateBody, SignedProject, Verification
from fieldfare.impact.service.issuing import FindPurchase, find_issued
from fieldfare.impact.service.keys import KeyCache
from fieldfare.impact.service.printing import Printer
from fieldfare.impact.service.signing import NotVerified, Signer, verify_document
from fieldfare.kernel.clock import rfc3339
from fieldfare.kernel.ids import parse_id
from fieldfare.orders.service.certified import find_purchase_of_slug
from fieldfare.orders.service.find import find_purchase_id

_HEX = re.compile(r"[0-9a-f]{32}", re.ASCII)
NO_SUCH_CERTIFICATE = (
    "There is no such certificate. An order has one once it is paid; GET /api/purchases names the "
    "address of each."
)
NO_SUCH_NUMBER = (
    "No certificate of this number was issued here. Compare it once more, or ask whoever showed it "
    "to you for its address."
)


class CertificateDesk(CatalogDesk, Protocol):
    """Where the handlers of certificates find them."""

    async def certificate_of_group(self, principal: Principal, group_id: str) -> Certificate:
        """The certificate of an account's order; raises `CertificateNotFound`."""
        ...

    async def certificate_at(self, slug: str) -> Certificate:
        """The certificate at a public address; raises `CertificateNotFound`."""
        ...


@dataclass(frozen=True)
class LiveCertificateDesk(LiveCatalogDesk):
    """The desk that reads the books."""

    db: Database
    signer: Signer | None
    certificate_keys: KeyCache
    printer: Printer

    async def certificate_of_group(self, principal: Principal, group_id: str) -> Certificate:
        """See `CertificateDesk`."""
        return await self._certificate(
            lambda conn: find_purchase_id(conn, group_id), account_id=principal.account_id
        )

    async def certificate_at(self, slug: str) -> Certificate:
        """See `CertificateDesk`."""
        address = UUID(hex=slug) if _HEX.fullmatch(slug) else parse_id(slug)
        if address is None:
            raise CertificateNotFound(NO_SUCH_CERTIFICATE)
        return await self._certificate(lambda conn: find_purchase_of_slug(conn, address))

    async def certificate_of_number(self, number: str) -> Certificate:
        """What holds now of the order that a number was issued for.

        Raises `CertificateNotFound`.
        """

        async def find(conn: Connection) -> UUID | None:
            edition = await store.find_edition(conn, number)
            if edition is None:
                raise CertificateNotFound(NO_SUCH_NUMBER)
            return edition.purchase_id

        return await self._certificate(find)

    async def verify(self, document: bytes) -> Verification:
        """Whether a signed document is ours, and whether what it says still holds."""
        keys = await self.certificate_keys.current()
        try:
            body = verify_document(document, keys.keys, keys.withdrawn)
            current = await self.certificate_of_number(body.number.replace("-", ""))
        except NotVerified as refusal:
            return Verification(fault=refusal.fault, state=None)
        except CertificateNotFound:
            return Verification(fault="not_on_record", state=None)
        return rules.verification_of(body, current)

    async def _certificate(
        self, find_purchase: FindPurchase, *, account_id: int | None = None
    ) -> Certificate:
        found = await find_issued(self.db, find_purchase, account_id)
        if found is None:
            raise CertificateNotFound(NO_SUCH_CERTIFICATE)
        projects = rules.projects_of(found.order, await self.catalogue())
        certificate = found.shown(projects, self.public_url)
        if self.signer is None or certificate.state == "refunded":
            return certificate
        if self.signer.kid in (await self.certificate_keys.current()).withdrawn:
            return certificate
        body = body_of(certificate, found.edition.purchaser_hash, issuer=self.public_url)
        return msgspec.structs.replace(certificate, signed=self.signer.sign(body))


def body_of(
    certificate: Certificate, purchaser_hash: bytes | None, *, issuer: str
) -> CertificateBody:
    """What is signed of a certificate."""
    return CertificateBody(
        issuer=issuer,
        number=certificate.number,
        issued_at=rfc3339(certificate.issued_at),
        purchaser_hash=None if purchaser_hash is None else purchaser_hash.hex(),
        mass_mg=certificate.mass_mg,
        trees=certificate.trees,
        projects=tuple(
            SignedProject(**msgspec.structs.asdict(one)) for one in certificate.projects
        ),
    )
