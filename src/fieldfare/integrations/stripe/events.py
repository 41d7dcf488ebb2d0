"""Messages of the processor: who signed them, and when.

The signature is HMAC-SHA256 over `t.body` (the processor's scheme `v1`), compared in constant time
by the SDK. A message older than five minutes, or more than a minute ahead of us, is refused: a
recorded one must not be played again. So the time that is looked at must be the one that is signed:
a header that names more than one is refused.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from fieldfare.integrations.stripe.model import Event, EventRefused
from fieldfare.integrations.stripe.sdk import stripe

OLDEST = timedelta(minutes=5)
EARLIEST = timedelta(minutes=1)
SECONDS_DIGITS = 11
"""Of a Unix time: enough until the year 5138."""


class _Data(msgspec.Struct):
    object: dict[str, Any]


class _Message(msgspec.Struct):
    id: str
    type: str
    created: int
    data: _Data


_decoder = msgspec.json.Decoder(_Message)


def verify_event(payload: bytes, signature: str | None, secret: str, now: datetime) -> Event:
    """The event in a raw body; raises `EventRefused` unless the processor signed it just now."""
    signed_at = _signed_at(signature or "")
    if not now - OLDEST <= signed_at <= now + EARLIEST:
        raise EventRefused("the signature's time is not now")
    try:
        text = payload.decode("utf-8")
        # No tolerance here: the SDK would take the machine's clock for `now`.
        stripe.WebhookSignature.verify_header(text, signature or "", secret, tolerance=None)
    except (stripe.SignatureVerificationError, UnicodeDecodeError) as error:
        raise EventRefused("the signature does not fit the body") from error
    return read_event(payload)


def read_event(payload: bytes) -> Event:
    """The event in a body whose signature was checked before."""
    try:
        message = _decoder.decode(payload)
    except msgspec.DecodeError as error:
        raise EventRefused(f"the body is no event: {error}") from error
    return Event(
        event_id=message.id,
        kind=message.type,
        created_at=datetime.fromtimestamp(message.created, UTC),
        subject=message.data.object,
    )


def _signed_at(signature: str) -> datetime:
    if not signature.isascii():
        raise EventRefused("there is no signature")
    parts = [part.partition("=") for part in signature.split(",")]
    times = [value for name, _, value in parts if name.strip() == "t"]
    if len(times) != 1 or not times[0].isdigit() or len(times[0]) > SECONDS_DIGITS:
        raise EventRefused("there is no signature")
    return datetime.fromtimestamp(int(times[0]), UTC)
