"""What a certificate shows: plain values that somebody looked up before.

Text is data: whatever a name holds is shown as it stands. Masses are whole milligrams of CO₂e, and
there is no money on a certificate.
"""

from datetime import datetime
from typing import Literal

import msgspec

from fieldfare.kernel.languages import Language

CertificateState = Literal["genuine", "refunded", "replaced"]
Standing = Literal["certified", "external_standard", "uncertified"]


class ShownRetirement(msgspec.Struct, frozen=True, kw_only=True):
    """Units that were taken out of a registry for good."""

    serial: str
    vintage: str
    """The year of the reduction, or a span of years, as the registry writes it."""


class ShownProject(msgspec.Struct, frozen=True, kw_only=True):
    """One project's part. With neither a mass nor trees it is a contribution without a figure."""

    name: str
    mass_mg: int = 0
    trees: int = 0
    standing: Standing
    certification_status: str = ""
    """The label, for instance `standard 2023`."""
    registry: str = ""
    retirements: tuple[ShownRetirement, ...] = ()


class ShownCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that stands on a certificate, whatever its form."""

    number: str
    language: Language
    purchaser: str
    seller: str
    mass_mg: int
    """Of the certified and the external standard's projects together."""
    trees: int
    projects: tuple[ShownProject, ...]
    """Of any standing; uncertified ones are listed apart."""
    issued_at: datetime
    """Aware. It is also the time that the PDF says it was made."""
    verify_url: str
    """Where the QR code leads."""
    state: CertificateState = "genuine"
    is_sample: bool = False
    """Of test mode: marked SAMPLE all over."""
