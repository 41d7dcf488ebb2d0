"""Certificates: what one says, the document that is signed, and what a verification finds.

The signed document holds integers (whole milligrams, numbers of trees) and texts. It names nobody:
of the purchaser it has a salted hash, which stays true once the name is forgotten.
"""

from datetime import datetime
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Meta

from fieldfare.catalog.model import Standing
from fieldfare.kernel.limits import EXACT_INTEGER

CertificateState: TypeAlias = Literal["genuine", "refunded", "replaced"]
"""Of an edition: it holds, all of its order was given back, or a newer edition holds."""
Whole: TypeAlias = Annotated[int, Meta(ge=0, le=EXACT_INTEGER)]
"""What every reader of JSON has exactly (RFC 7493, section 2.2)."""
Fault: TypeAlias = Literal[
    "malformed", "unknown_key", "withdrawn_key", "altered", "sample", "not_on_record",
    "refunded", "replaced",
]  # fmt: skip
"""Why a certificate does not hold."""


class Retirement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Units that were taken out of a registry for good."""

    serial: str
    vintage: str
    url: str | None


class CertifiedProject(msgspec.Struct, frozen=True, kw_only=True):
    """A project's part of what a certificate says."""

    id: int
    name: str
    mass_mg: int
    trees: int
    standing: Standing
    certification_status: str
    registry: str | None
    retirements: tuple[Retirement, ...] = ()


class Edition(msgspec.Struct, frozen=True, kw_only=True):
    """An edition of an order's certificate, as it is kept."""

    number: str
    """Without the hyphens that it is shown with."""
    purchase_id: UUID
    account_id: int
    edition: int
    """From 1 on; the highest one holds."""
    figures: bytes
    """See `rules.certificates.digest_of`."""
    purchaser_hash: bytes | None
    """None if nobody was to be named when it was issued."""
    salt: bytes | None
    """None also once the person was forgotten."""
    issued_at: datetime


class CertificateRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is on record of an order's certificate."""

    newest: Edition | None
    """None if none was issued yet."""
    is_nameless: bool
    """Whether the persons of the order were forgotten, so that none may be named."""


class SignedProject(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """A project in the document that is signed."""

    id: Whole
    name: str
    mass_mg: Whole
    trees: Whole
    standing: Standing
    certification_status: str
    registry: str | None
    retirements: tuple[Retirement, ...]


class CertificateBody(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """What is signed of a certificate."""

    issuer: str
    """The address of the shop that issued it."""
    number: str
    issued_at: str
    purchaser_hash: str | None
    """SHA-256 of salt and name in hexadecimal digits."""
    mass_mg: Whole
    """Of the certified and the external standard's projects."""
    trees: Whole
    projects: tuple[SignedProject, ...]
    """Of any standing, by id."""


class SignedCertificate(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """The document that is handed out: everything in it but the signature is signed."""

    format: Literal["fieldfare-certificate-1"]
    kid: str
    certificate: CertificateBody
    signature: str
    """Ed25519 over the canonical form (RFC 8785) of all the rest; base64url without padding."""


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """An order's certificate as it holds now."""

    group_id: str
    number: str
    """As it is shown: three groups of four characters."""
    purchaser: str | None
    """None if the person is forgotten."""
    purchaser_salt: str | None
    issued_at: datetime
    state: CertificateState
    projects: tuple[CertifiedProject, ...]
    """Of any standing, by id."""
    language: str
    """Of the account."""
    url: str
    """Where anybody who has the address sees it."""
    signed: SignedCertificate | None
    """None if all was given back, or if no key to sign with is set."""
    is_sample: bool = False
    """Of test mode."""

    @property
    def mass_mg(self) -> int:
        """What is certified, by a standard of its own or an external one."""
        return sum(one.mass_mg for one in self.projects if one.standing != "uncertified")

    @property
    def trees(self) -> int:
        """Of all projects."""
        return sum(one.trees for one in self.projects)


class CertificateKey(msgspec.Struct, frozen=True, kw_only=True):
    """A public key by which certificates are verified."""

    kid: str
    public_key: bytes
    added_at: datetime
    withdrawn_at: datetime | None
    """Since then nothing that it signed counts any more."""


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What became of verifying a certificate."""

    fault: Fault | None
    """None if it is ours and holds."""
    state: CertificateState | None
    """None if it is not known to be ours."""
    number: str | None = None
    issued_at: str | None = None
    mass_mg: int | None = None
    trees: int | None = None
