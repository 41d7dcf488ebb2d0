"""Who calls, and with what: the key, the version, the parameters, and how many calls there are."""

import base64
import binascii
import hmac
import re
import time

from fieldfare.simulators.stripe import faults
from fieldfare.simulators.stripe.errors import invalid, request_error
from fieldfare.simulators.stripe.messages import Request
from fieldfare.simulators.stripe.shapes import API_VERSION
from fieldfare.simulators.stripe.world import World

FORM = "application/x-www-form-urlencoded"
_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z]+)?", re.ASCII)


def check_caller(secret_key: str, header: str) -> None:
    """Raise `ApiError` (401) unless the header carries the key, as Bearer or Basic."""
    scheme, _, value = header.strip().partition(" ")
    if scheme.lower() == "basic":
        try:
            value = base64.b64decode(value, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            value = ""
    if scheme.lower() not in {"bearer", "basic"} or not value:
        raise request_error(
            401,
            "You did not provide an API key. You need to provide your API key in the Authorization "
            "header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
        )
    value = value.strip()
    if not hmac.compare_digest(value.encode(), secret_key.encode()):
        hidden = f"{value[:8]}{'*' * 8}{value[-4:]}" if len(value) > 16 else "*" * 8
        raise request_error(401, f"Invalid API Key provided: {hidden}")


def version_of(request: Request) -> str:
    """The API version that is asked for; raises `ApiError` (400) for what is none."""
    version = request.headers.get("stripe-version") or API_VERSION
    if not _VERSION.fullmatch(version):
        raise invalid(f"Invalid Stripe API version: {version[:80]}")
    return version


def parameters_of(request: Request) -> str:
    """The form-encoded parameters, of query and body together; raises `ApiError` (400)."""
    if not request.body:
        return request.query
    kind = request.headers.get("content-type", FORM).partition(";")[0].strip().lower()
    if kind != FORM:
        raise invalid(f"Invalid request: v1 endpoints take {FORM}, not {kind[:80]}.")
    try:
        body = request.body.decode("ascii")
    except UnicodeDecodeError as error:
        raise invalid("Invalid request: the body is not form encoded.") from error
    return f"{request.query}&{body}" if request.query else body


def check_rate(world: World) -> None:
    """Count the call; raise `ApiError` (429) if there are too many in this second."""
    if world.config.rate_per_s == 0:
        return
    at, recent = time.monotonic(), world.recent_calls
    while recent and recent[0] <= at - 1:
        recent.popleft()
    if len(recent) >= world.config.rate_per_s:
        raise faults.rate_limited()
    recent.append(at)
