"""Certificates signed and verified: Ed25519 over the canonical form of JSON (RFC 8032, RFC 8785).

What must hold: a document verifies only as it was signed. Unknown and repeated names, numbers that
are not whole and a signature in another spelling are refused, so there is nothing in a document
that could be altered without being noticed. Nothing here asks the database: with a set of public
keys it works offline.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import msgspec
import rfc8785
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from fieldfare.impact.errors import CertificateKeyRefused
from fieldfare.impact.model import CertificateBody, Fault, SignedCertificate
from fieldfare.kernel import limits

SAMPLE_KID = "sample"
"""Of test mode's documents. No key is published under this name, so they verify nowhere."""


class JsonWebKey(msgspec.Struct, frozen=True, kw_only=True):
    """A public key as it is published (RFC 8037)."""

    kid: str
    x: str
    """The key's 32 bytes, base64url without padding."""
    kty: str = "OKP"
    crv: str = "Ed25519"
    alg: str = "EdDSA"
    use: str = "sig"


class KeySet(msgspec.Struct, frozen=True):
    """The published keys (RFC 7517, section 5)."""

    keys: tuple[JsonWebKey, ...]


class NotVerified(Exception):
    """A document is not proven to be ours; `fault` says why, and the message in a sentence."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault: Fault = fault


class Signer:
    """A private key that certificates are signed with."""

    def __init__(self, private_key: Ed25519PrivateKey) -> None:
        self._private_key = private_key
        self.public_key = private_key.public_key().public_bytes_raw()
        self.kid = kid_of(self.public_key)

    def sign(self, body: CertificateBody) -> SignedCertificate:
        """The document to hand out; the same for the same body."""
        return _signed(self._private_key, self.kid, body)


# --------------------------------------------------------------------------------------------- keys


def read_signer(text: str) -> Signer:
    """The private key of a PKCS #8 PEM, or of its base64 alone, for a setting on one line.

    Raises `CertificateKeyRefused`.
    """
    pem = text if text.startswith("-----") else _framed(text)
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CertificateKeyRefused(
            "This is no private key without a password in PEM. `fieldfare certificate-keys make "
            "FILE` makes one."
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise CertificateKeyRefused(
            "The private key is not of the kind Ed25519. `fieldfare certificate-keys make FILE` "
            "makes one that is."
        )
    return Signer(key)


def _framed(text: str) -> str:
    return f"-----BEGIN PRIVATE KEY-----\n{text.strip()}\n-----END PRIVATE KEY-----\n"


def make_private_key() -> bytes:
    """A new private key as PEM."""
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def kid_of(public_key: bytes) -> str:
    """What a public key is called: its thumbprint (RFC 7638)."""
    members = {"crv": "Ed25519", "kty": "OKP", "x": _base64url(public_key)}
    return _base64url(hashlib.sha256(rfc8785.dumps(members)).digest())


def key_set(public_keys: Mapping[str, bytes]) -> KeySet:
    """The public keys, by kid, as they are published."""
    return KeySet(
        keys=tuple(JsonWebKey(kid=kid, x=_base64url(key)) for kid, key in public_keys.items())
    )


def read_key_set(data: bytes) -> dict[str, bytes]:
    """The public keys of a published set, by kid; raises `CertificateKeyRefused`."""
    try:
        keys = msgspec.json.decode(data, type=KeySet).keys
        return {key.kid: _public_key(key.x) for key in keys if key.crv == "Ed25519"}
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise CertificateKeyRefused(
            "These are no keys of certificates. A shop publishes its own under "
            "/.well-known/fieldfare-certificate-keys.json."
        ) from error


def read_public_key(text: str) -> dict[str, bytes]:
    """One public key, given as its base64url `x` alone, by its kid; raises as `read_key_set`."""
    try:
        key = _public_key(text.strip())
    except ValueError as error:
        raise CertificateKeyRefused(
            "This is no public key: give the 43 characters of its `x`, as the published set has it."
        ) from error
    return {kid_of(key): key}


def _public_key(x: str) -> bytes:
    key = _strict_base64url(x)
    if key is None or len(key) != 32:
        raise ValueError("not 32 bytes in base64url")
    return key


# ---------------------------------------------------------------------------------------- documents


def sample_document(body: CertificateBody) -> SignedCertificate:
    """A document in the live shape that verifies nowhere."""
    seed = hashlib.sha256(b"A key that everybody knows signs nothing.").digest()
    return _signed(Ed25519PrivateKey.from_private_bytes(seed), SAMPLE_KID, body)


def _signed(key: Ed25519PrivateKey, kid: str, body: CertificateBody) -> SignedCertificate:
    unsigned = SignedCertificate(
        format="fieldfare-certificate-1", kid=kid, certificate=body, signature=""
    )
    return msgspec.structs.replace(
        unsigned, signature=_base64url(key.sign(canonical_form(unsigned)))
    )


def canonical_form(document: SignedCertificate) -> bytes:
    """The bytes that are signed: all but the signature, as RFC 8785 writes them."""
    fields = msgspec.to_builtins(document)
    del fields["signature"]
    return rfc8785.dumps(fields)


def verify_document(
    data: bytes, public_keys: Mapping[str, bytes], withdrawn: frozenset[str] = frozenset()
) -> CertificateBody:
    """What a document certifies, if one of these keys has signed just this; raises `NotVerified`.

    It proves who issued it, not that it still holds.
    """
    document = _read(data)
    if document.kid == SAMPLE_KID:
        raise NotVerified("sample", "It is a sample of test mode and certifies nothing.")
    if document.kid in withdrawn:
        raise NotVerified(
            "withdrawn_key",
            "The key that signed it was withdrawn; ask whoever gave it to you to download it anew.",
        )
    if document.kid not in public_keys:
        raise NotVerified(
            "unknown_key",
            f"It names the key {document.kid[:80]!r}, which is not among the issuer's public keys. "
            "Fetch the keys again, from the address of the shop that is to have issued it.",
        )
    _check_signature(document, public_keys[document.kid])
    return document.certificate


def _read(data: bytes) -> SignedCertificate:
    if len(data) > limits.CERTIFICATE_BYTES:
        raise NotVerified("malformed", f"It has over {limits.CERTIFICATE_BYTES:,} bytes.")
    try:
        document = msgspec.json.decode(data, type=SignedCertificate)
        json.loads(data, object_pairs_hook=_refuse_repeated)
    except (ValueError, RecursionError) as error:
        raise NotVerified(
            "malformed", f"It is not a signed certificate of the form that we issue: {error}."
        ) from error
    return document


def _refuse_repeated(pairs: list[tuple[str, Any]]) -> None:
    """Two readers could each see another value."""
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError("a name occurs twice in an object")


def _check_signature(document: SignedCertificate, public_key: bytes) -> None:
    altered = NotVerified(
        "altered", "It was altered after it was signed: the signature does not fit its words."
    )
    signature = _strict_base64url(document.signature)
    if signature is None:
        raise altered
    try:
        signed = canonical_form(document)
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, signed)
    except (InvalidSignature, rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise altered from error


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _strict_base64url(text: str) -> bytes | None:
    """The bytes of a text in the one spelling that `_base64url` gives them, else None."""
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, binascii.Error):
        return None
    return data if _base64url(data) == text else None
