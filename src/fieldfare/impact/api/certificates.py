"""Certificates for machines: an order's own, and verifying one by address, number or document."""

from typing import Any

from litestar import Response

from fieldfare.http.answers import bytes_answer, json_answer
from fieldfare.http.body import read_fields
from fieldfare.http.call import Call, OpenCall
from fieldfare.http.edge import edge_of
from fieldfare.http.encoding import encode_json
from fieldfare.impact.errors import SignedCertificateRefused
from fieldfare.impact.rules import (
    etag_of,
    has_already,
    read_number,
    show_number,
    state_of_number,
    verification_at_address,
)
from fieldfare.impact.schemas.certificates import (
    NumberAnswer,
    certificate_answer,
    read_signed_document,
    verification_answer,
)
from fieldfare.impact.service.certificates import CertificateDesk, LiveCertificateDesk
from fieldfare.impact.service.signing import key_set

TEST_PREFIX = "test_"
KEYS_MAX_AGE_S = 300


async def get_certificate(call: Call[CertificateDesk]) -> Response[bytes]:
    """`GET /api/offset-orders/certificate/by-group/{id}`."""
    group_id = call.request.path_params["group_id"]
    certificate = await call.desk.certificate_of_group(call.principal, group_id)
    return json_answer(certificate_answer(certificate))


async def verify_at_address(call: OpenCall[Any]) -> Response[bytes]:
    """`GET /api/certificates/{slug}/verify`."""
    slug = call.request.path_params["slug"]
    certificate = await desk_at(call, slug).certificate_at(slug)
    return _fresh(call, verification_answer(verification_at_address(certificate)))


async def get_state_of_number(call: OpenCall[Any]) -> Response[bytes]:
    """`GET /api/certificates/by-number/{number}`: the state, and nothing else."""
    number = read_number(call.request.path_params["number"])
    current = await _live_desk(call).certificate_of_number(number)
    state = state_of_number(number, current)
    return _fresh(call, NumberAnswer(certificate_number=show_number(number), state=state))


async def verify_document(call: OpenCall[Any]) -> Response[bytes]:
    """`POST /api/certificates/verify`: the document as the body, or in the field `signed`."""
    body = await call.request.body()
    fields = read_fields(call.request.headers.get("content-type"), body)
    document = read_signed_document(fields)
    if document is None and fields.json("signature") is not None:
        document = body
    if document is None:
        raise SignedCertificateRefused(
            "No signed certificate came. Post the object `signed` of a certificate as the body, or "
            "in a field of that name.",
            param="signed",
        )
    return json_answer(verification_answer(await _live_desk(call).verify(document)))


async def list_certificate_keys(call: OpenCall[Any]) -> Response[bytes]:
    """`GET /.well-known/fieldfare-certificate-keys.json`: a set of public keys (RFC 7517)."""
    published = await _live_desk(call).certificate_keys.current()
    return json_answer(
        key_set(published.keys),
        headers={"Cache-Control": f"public, max-age={KEYS_MAX_AGE_S}"},
    )


def desk_at(call: OpenCall[Any], slug: str) -> CertificateDesk:
    """Whose certificate is at an address is told by the address, whatever token came with it."""
    edge = edge_of(call.request)
    desk: CertificateDesk = edge.test_desk if slug.startswith(TEST_PREFIX) else edge.live_desk
    return desk


def _live_desk(call: OpenCall[Any]) -> LiveCertificateDesk:
    desk: LiveCertificateDesk = edge_of(call.request).live_desk
    return desk


def _fresh(call: OpenCall[Any], answer: Any) -> Response[bytes]:
    """An answer that is to be asked for again each time, because a refund may change it."""
    body = encode_json(answer)
    headers = {"ETag": etag_of(body), "Cache-Control": "no-cache"}
    if has_already(headers["ETag"], call.request.headers.get("if-none-match")):
        return Response(b"", status_code=304, headers=headers)
    return bytes_answer(body, headers=headers)
