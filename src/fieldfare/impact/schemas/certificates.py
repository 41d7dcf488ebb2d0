"""Certificates on the wire: what one says, and what verifying one finds."""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from fieldfare.catalog.model import Standing
from fieldfare.http.body import Fields
from fieldfare.impact.model import (
    Certificate,
    CertificateState,
    CertifiedProject,
    Fault,
    Retirement,
    SignedCertificate,
    Verification,
)
from fieldfare.kernel.clock import rfc3339
from fieldfare.kernel.mass import tonnes_from_mg
from fieldfare.kernel.wire import Address, Count, GivenId, Instant, IntegerId, Tonnes

PDF_NAME = "certificate.pdf"
IMAGE_NAME = "certificate.png"
MESSAGES: dict[Fault | None, str] = {
    None: "It was issued here, and what it says holds.",
    "refunded": "It was issued here, and all of its order was given back since.",
    "replaced": "It was issued here, and a part of its order was given back since, or another name "
    "was put on it. What holds stands on the newer certificate, at the same address.",
    "malformed": "It is not a signed certificate of the form that is issued here. Post the object "
    "`signed` of a certificate as it is.",
    "unknown_key": "It was not signed with a key of ours.",
    "withdrawn_key": "The key that signed it was withdrawn. Download the certificate anew.",
    "altered": "It was altered after it was signed: the signature does not fit its words.",
    "not_on_record": "It was signed with a key of ours, but no such certificate is on record.",
    "sample": "It is a sample of test mode and certifies nothing.",
}


class CertificateProject(msgspec.Struct, rename="camel", kw_only=True):
    """A project's part of a certificate."""

    id: IntegerId
    name: str
    tons: Tonnes
    trees: Count
    standing: Standing
    certification_status: str
    registry: str | None
    retirements: list[Retirement]


class CertificateAnswer(msgspec.Struct, rename="camel", kw_only=True):
    """An order's certificate."""

    order_group_id: GivenId
    certificate_number: str
    purchaser: str | None
    """Null once the person is forgotten."""
    tons: Tonnes
    trees: Count
    issued_at: Instant
    state: CertificateState
    projects: list[CertificateProject]
    uncertified_projects: list[CertificateProject]
    url: Address
    pdf_url: Address
    image_url: Address
    signed: SignedCertificate | None
    purchaser_salt: str | None
    """What `purchaserHash` was made with, beside the name."""
    test: Literal[True] | UnsetType = UNSET


class VerificationAnswer(msgspec.Struct, rename="camel", kw_only=True):
    """What verifying a certificate found."""

    valid: bool
    """It is ours, unaltered, and holds now."""
    state: CertificateState | None
    """Null if it is not known to be ours."""
    reason: Fault | None
    """Why it is not valid."""
    message: str
    certificate_number: str | None
    issued_at: Instant | None
    tons: Tonnes | None
    trees: Count | None


class NumberAnswer(msgspec.Struct, rename="camel", kw_only=True):
    """All that a number alone tells."""

    certificate_number: str
    state: CertificateState


def certificate_answer(certificate: Certificate) -> CertificateAnswer:
    """A certificate as its order's account gets it."""
    certified = [one for one in certificate.projects if one.standing != "uncertified"]
    uncertified = [one for one in certificate.projects if one.standing == "uncertified"]
    return CertificateAnswer(
        order_group_id=certificate.group_id,
        certificate_number=certificate.number,
        purchaser=certificate.purchaser,
        tons=tonnes_from_mg(certificate.mass_mg),
        trees=certificate.trees,
        issued_at=rfc3339(certificate.issued_at),
        state=certificate.state,
        projects=[_project(one) for one in certified],
        uncertified_projects=[_project(one) for one in uncertified],
        url=certificate.url,
        pdf_url=f"{certificate.url}/{PDF_NAME}",
        image_url=f"{certificate.url}/{IMAGE_NAME}",
        signed=certificate.signed,
        purchaser_salt=certificate.purchaser_salt,
        test=True if certificate.is_sample else UNSET,
    )


def _project(project: CertifiedProject) -> CertificateProject:
    return CertificateProject(
        id=project.id,
        name=project.name,
        tons=tonnes_from_mg(project.mass_mg),
        trees=project.trees,
        standing=project.standing,
        certification_status=project.certification_status,
        registry=project.registry,
        retirements=list(project.retirements),
    )


def verification_answer(found: Verification) -> VerificationAnswer:
    """What a verification found, in words too."""
    return VerificationAnswer(
        valid=found.fault is None,
        state=found.state,
        reason=found.fault,
        message=MESSAGES[found.fault],
        certificate_number=found.number,
        issued_at=found.issued_at,
        tons=None if found.mass_mg is None else tonnes_from_mg(found.mass_mg),
        trees=found.trees,
    )


def read_signed_document(fields: Fields) -> bytes | None:
    """The document that a body carries in its field `signed`; None if it has none."""
    return fields.json("signed")
