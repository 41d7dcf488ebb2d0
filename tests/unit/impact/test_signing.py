"""A certificate verifies only as it was signed, by a key that was published for it."""

import base64
import json
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey

from fieldfare.http.encoding import encode_json
from fieldfare.impact.errors import CertificateKeyRefused
from fieldfare.impact.service.signing import (
    NotVerified,
    canonical_form,
    key_set,
    kid_of,
    make_private_key,
    read_key_set,
    read_public_key,
    read_signer,
    sample_document,
    verify_document,
)
from fieldfare.kernel import limits
from tests.support.certificates import BODY, CERTIFICATE_KEY, OTHER_SIGNER, SIGNER

KEYS = {SIGNER.kid: SIGNER.public_key}
DOCUMENT = encode_json(SIGNER.sign(BODY))


def fault(data: bytes, keys: dict[str, bytes] = KEYS, **more: Any) -> str:
    """Why a document is not verified, in a word."""
    with pytest.raises(NotVerified) as refused:
        verify_document(data, keys, **more)
    assert str(refused.value).endswith(".")
    return refused.value.fault


def changed(**fields: Any) -> bytes:
    """The document with other fields at its top."""
    return json.dumps({**json.loads(DOCUMENT), **fields}).encode()


def test_what_was_signed_verifies_and_says_the_same() -> None:
    assert verify_document(DOCUMENT, KEYS) == BODY
    assert encode_json(SIGNER.sign(BODY)) == DOCUMENT


def test_however_its_json_is_laid_out() -> None:
    loose = json.dumps(json.loads(DOCUMENT), indent=4, sort_keys=True)
    assert verify_document(loose.encode(), KEYS) == BODY


@pytest.mark.parametrize("name", [*json.loads(DOCUMENT)])
def test_no_member_of_it_can_be_left_out(name: str) -> None:
    left = {key: value for key, value in json.loads(DOCUMENT).items() if key != name}
    assert fault(json.dumps(left).encode()) == "malformed"


@pytest.mark.parametrize("name", [*json.loads(DOCUMENT)["certificate"]])
def test_no_member_of_what_it_says_can_be_left_out(name: str) -> None:
    said = json.loads(DOCUMENT)["certificate"]
    del said[name]
    assert fault(changed(certificate=said)) == "malformed"


def test_no_bit_of_it_can_be_altered() -> None:
    assert "🌳".encode() in DOCUMENT
    for place in range(len(DOCUMENT)):
        for bit in range(8):
            altered = bytearray(DOCUMENT)
            altered[place] ^= 1 << bit
            with pytest.raises(NotVerified):
                verify_document(bytes(altered), KEYS)


def test_no_byte_can_be_left_out_or_put_in() -> None:
    for place in range(len(DOCUMENT)):
        fault(DOCUMENT[:place] + DOCUMENT[place + 1 :])
        fault(DOCUMENT[:place] + b"0" + DOCUMENT[place:])


def test_the_signature_is_over_the_canonical_form() -> None:
    """As anybody's library writes RFC 8785: sorted names, no blanks, plain UTF-8."""
    fields = json.loads(DOCUMENT)
    del fields["signature"]
    plain = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical_form(SIGNER.sign(BODY)) == plain.encode()


def test_it_holds_whole_numbers_and_nothing_of_money_or_persons() -> None:
    def kinds(value: Any) -> set[type]:
        inner = value.values() if isinstance(value, dict) else value
        is_plain = not isinstance(value, dict | list)
        return {type(value)} if is_plain else set().union(*map(kinds, inner))

    fields = json.loads(DOCUMENT)
    assert kinds(fields) == {str, int, type(None)}
    assert set(fields["certificate"]) == {
        "issuer", "number", "issuedAt", "purchaserHash", "massMg", "trees", "projects",
    }  # fmt: skip


def test_a_key_of_somebody_else_proves_nothing() -> None:
    assert fault(DOCUMENT, {OTHER_SIGNER.kid: OTHER_SIGNER.public_key}) == "unknown_key"
    assert fault(DOCUMENT, {SIGNER.kid: OTHER_SIGNER.public_key}) == "altered"
    forged = OTHER_SIGNER.sign(BODY)
    assert fault(encode_json(forged)) == "unknown_key"
    assert fault(encode_json(msgspec.structs.replace(forged, kid=SIGNER.kid))) == "altered"


def test_old_keys_go_on_verifying_unless_they_are_withdrawn() -> None:
    both = KEYS | {OTHER_SIGNER.kid: OTHER_SIGNER.public_key}
    assert verify_document(DOCUMENT, both) == BODY
    assert verify_document(encode_json(OTHER_SIGNER.sign(BODY)), both) == BODY
    assert fault(DOCUMENT, both, withdrawn=frozenset({SIGNER.kid})) == "withdrawn_key"


@pytest.mark.parametrize(
    "data",
    [
        b"", b"null", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"signed":1}',
        changed(surprise=1), changed(format="fieldfare-certificate-2"), changed(kid=5),
        DOCUMENT.replace(b'"massMg":450000000', b'"massMg":450000000.0'),
        DOCUMENT.replace(b'"massMg":450000000', b'"massMg":-1'),
        DOCUMENT.replace(b'"massMg":450000000', b'"massMg":' + b"9" * 5_000),
        DOCUMENT.replace(b'"trees":0', b'"trees":0,"trees":0'),
        DOCUMENT.replace(b'"registry":null', b'"registry":"\\ud800"'),
        DOCUMENT.ljust(limits.CERTIFICATE_BYTES + 1),
    ],
)  # fmt: skip
def test_what_is_no_certificate_is_told_so(data: bytes) -> None:
    assert fault(data) == "malformed"


@pytest.mark.parametrize("signature", ["", "=", "a", "é", "A" * 86, "A" * 85 + "B", "+" * 86])
def test_a_signature_of_another_form_fits_nothing(signature: str) -> None:
    assert fault(changed(signature=signature)) == "altered"


def test_a_signature_has_one_spelling() -> None:
    signature = json.loads(DOCUMENT)["signature"]
    data = base64.urlsafe_b64decode(signature + "==")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    others = [signature[:-1] + last for last in alphabet if last != signature[-1]]
    same = [one for one in others if base64.urlsafe_b64decode(one + "==") == data]
    assert same, "four bits are not of the signature"
    for spelling in (*same, signature + "==", f" {signature}"):
        assert fault(changed(signature=spelling)) == "altered"


def test_a_sample_verifies_nowhere() -> None:
    sample = encode_json(sample_document(BODY))
    assert fault(sample) == "sample"
    assert fault(sample, {"sample": SIGNER.public_key}) == "sample"


# --------------------------------------------------------------------------------------------- keys


def test_a_key_is_called_by_its_thumbprint() -> None:
    """The example of RFC 8037, appendix A.3."""
    key = read_public_key("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
    assert list(key) == ["kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"]


def test_the_published_set_is_read_back() -> None:
    published = encode_json(key_set(KEYS))
    assert read_key_set(published) == KEYS
    assert json.loads(published)["keys"][0] == {
        "kid": SIGNER.kid, "x": json.loads(published)["keys"][0]["x"], "kty": "OKP",
        "crv": "Ed25519", "alg": "EdDSA", "use": "sig",
    }  # fmt: skip
    assert kid_of(SIGNER.public_key) == SIGNER.kid


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"[]", b'{"keys":[{"kid":"a","x":"short"}]}', b'{"keys":[{"kid":"a"}]}']
)
def test_what_is_no_set_of_keys_is_refused(data: bytes) -> None:
    with pytest.raises(CertificateKeyRefused, match="well-known"):
        read_key_set(data)
    with pytest.raises(CertificateKeyRefused, match="43 characters"):
        read_public_key("short")


def test_a_private_key_is_read_from_a_file_or_from_one_line() -> None:
    pem = make_private_key().decode()
    line = "".join(pem.splitlines()[1:-1])
    assert read_signer(pem).kid == read_signer(line).kid
    assert read_signer(CERTIFICATE_KEY).kid == SIGNER.kid


def test_what_is_no_private_key_is_refused() -> None:
    other_kind = Ed448PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for text in ("", "secret", "-----BEGIN PRIVATE KEY-----", other_kind.decode()):
        with pytest.raises(CertificateKeyRefused, match="certificate-keys make"):
            read_signer(text)
