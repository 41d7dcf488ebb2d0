"""Certificates on paper and as an image, set by typst with the fonts in `fonts`.

What must hold: a name in any script is legible and shows as it stands, nothing is read from outside
this folder, and the same certificate gives the same bytes.
"""

from fieldfare.integrations.typst.model import (
    CertificateState,
    ShownCertificate,
    ShownProject,
    ShownRetirement,
    Standing,
)
from fieldfare.integrations.typst.rendering import Typesetter

__all__ = [
    "CertificateState",
    "ShownCertificate",
    "ShownProject",
    "ShownRetirement",
    "Standing",
    "Typesetter",
]
