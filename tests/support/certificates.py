"""What tests of certificates share: the key that test shops sign with, and a document to alter."""

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fieldfare.impact.model import CertificateBody, Retirement, SignedProject
from fieldfare.impact.service.signing import Signer


def private_key_pem(seed: bytes) -> str:
    """The private key of 32 bytes as a setting has it."""
    return (
        Ed25519PrivateKey.from_private_bytes(seed)
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


CERTIFICATE_KEY = private_key_pem(bytes(range(32)))
SIGNER = Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
OTHER_SIGNER = Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
BODY = CertificateBody(
    issuer="https://sales.example",
    number="6K3M-Q9XD-2HTA",
    issued_at="2026-11-21T18:52:00.000Z",
    purchaser_hash="5f" * 32,
    mass_mg=450_000_000,
    trees=0,
    projects=(
        SignedProject(
            id=4, name="Aufforstung – «Tälesbach» 🌳", mass_mg=450_000_000, trees=0,
            standing="certified", certification_status="standard 2023", registry=None,
            retirements=(Retirement(serial="A-1", vintage="2023", url="https://r.example/1"),),
        ),
        SignedProject(
            id=31, name='"Rights" \\ & <law>', mass_mg=0, trees=0, standing="uncertified",
            certification_status="", registry="Registry", retirements=(),
        ),
    ),
)  # fmt: skip
