"""What is shown of impact: `totals` of an account, the public `feed`, and `certificates`."""

from fieldfare.impact.model.certificates import (
    Certificate,
    CertificateBody,
    CertificateKey,
    CertificateRecord,
    CertificateState,
    CertifiedProject,
    Edition,
    Fault,
    Retirement,
    SignedCertificate,
    SignedProject,
    Verification,
)
from fieldfare.impact.model.feed import Feed, FeedEntry, HiddenOrder
from fieldfare.impact.model.totals import Place, Stats

__all__ = [
    "Certificate",
    "CertificateBody",
    "CertificateKey",
    "CertificateRecord",
    "CertificateState",
    "CertifiedProject",
    "Edition",
    "Fault",
    "Feed",
    "FeedEntry",
    "HiddenOrder",
    "Place",
    "Retirement",
    "SignedCertificate",
    "SignedProject",
    "Stats",
    "Verification",
]
