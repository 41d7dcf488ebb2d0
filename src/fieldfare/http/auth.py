"""From an Authorization header to a `Principal`, cached.

Only the SHA-256 of a token is compared or kept. Known tokens are cached as long as the change feed
says that no token changed; unknown ones in a bounded cache of their own, so that a client that
retries a wrong token for ever costs one query a change. Without a fresh reading of the feed
nothing cached is used: a revocation holds in every process within a second. An expiry raises no
revision, so each cached principal has a deadline of its own; it was reckoned by the database, and
counted from before it was asked, so that clocks which differ from host to host do no harm.
"""

import base64
import hashlib
import math
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from fieldfare.db.changes import ChangeFeed
from fieldfare.http.principal import Principal
from fieldfare.kernel.errors import AccessRefused

PRINCIPAL_TOPIC = "tokens"
TEST_PREFIX = "wren_test_"
KNOWN_TOKENS = 50_000
UNKNOWN_TOKENS = 10_000

_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_TOKEN = re.compile(f"(?:{TEST_PREFIX})?{_UUID}", re.ASCII)

_NOT_CACHED: tuple[None, float] = (None, math.inf)

FindPrincipal = Callable[[bytes], Awaitable[Principal | None]]


def hash_token(token: str) -> bytes:
    """The SHA-256 by which a token is known; 32 bytes."""
    return hashlib.sha256(token.encode()).digest()


def read_token(authorization: str | None) -> str:
    """The token of a Bearer or Basic header in lower case; raises `AccessRefused` without one.

    Basic carries it as the user name with an empty password. Blanks and line ends around the token
    are forgiven: they come from copying and from `echo TOKEN | base64`.
    """
    header = (authorization or "").strip()
    scheme, _, rest = header.partition(" ")
    token = ""
    if scheme.lower() == "bearer":
        token = rest
    elif scheme.lower() == "basic":
        token = _user_name(rest.strip())
    token = token.strip().lower()
    if not header:
        raise AccessRefused(
            "An API token is needed. Send it as 'Authorization: Bearer TOKEN', "
            "or by Basic auth as the user name with an empty password.",
            code="token_missing",
        )
    if not _TOKEN.fullmatch(token):
        raise AccessRefused(
            "The Authorization header holds no API token. Send 'Authorization: Bearer TOKEN', "
            f"where TOKEN is a UUID, or '{TEST_PREFIX}' and a UUID for test mode.",
            code="token_malformed",
        )
    return token


def _user_name(credentials: str) -> str:
    try:
        decoded = base64.b64decode(credentials, validate=True).decode("ascii")
    except ValueError:
        return ""
    name, _, password = decoded.strip().partition(":")
    return name if not password.strip() else ""


class TokenCache:
    """Principals by token hash, as of one revision of the topic `tokens`."""

    def __init__(
        self,
        feed: ChangeFeed,
        find: FindPrincipal,
        *,
        max_known: int = KNOWN_TOKENS,
        max_unknown: int = UNKNOWN_TOKENS,
    ) -> None:
        self._feed = feed
        self._find = find
        self._max_known = max_known
        self._max_unknown = max_unknown
        self._revision: int | None = None
        self._known: OrderedDict[bytes, tuple[Principal, float]] = OrderedDict()
        self._unknown: OrderedDict[bytes, None] = OrderedDict()

    def find_cached(self, authorization: str | None) -> Principal | None:
        """Who sent this header, as far as it can be told without a query."""
        try:
            sha256 = hash_token(read_token(authorization))
        except AccessRefused:
            return None
        self._check_revision()
        return self._find_known(sha256)

    async def get_principal(self, authorization: str | None) -> Principal:
        """Who sent this header; raises `AccessRefused` (403) for anybody we do not know."""
        sha256 = hash_token(read_token(authorization))
        revision = self._check_revision()
        principal = self._find_known(sha256)
        if principal is None and sha256 not in self._unknown:
            asked_at = time.monotonic()
            principal = await self._find(sha256)
            # Kept only if no token changed while we looked, or we might keep what was just revoked.
            if revision is not None and revision == self._feed.revision(PRINCIPAL_TOPIC):
                self._keep(sha256, principal, asked_at)
        if principal is None:
            raise AccessRefused(
                "This API token is not known here: it may be mistyped, revoked or expired. "
                "Make a new one in the dashboard, or ask the operator for one.",
                code="token_unknown",
            )
        return principal

    def _check_revision(self) -> int | None:
        """The present revision; what was kept under another one is gone."""
        revision = self._feed.revision(PRINCIPAL_TOPIC)
        if revision is None or revision != self._revision:
            self._known.clear()
            self._unknown.clear()
            self._revision = revision
        return revision

    def _find_known(self, sha256: bytes) -> Principal | None:
        principal, deadline = self._known.get(sha256, _NOT_CACHED)
        if principal is not None and time.monotonic() >= deadline:
            del self._known[sha256]
            return None
        return principal

    def _keep(self, sha256: bytes, principal: Principal | None, asked_at: float) -> None:
        if principal is None:
            self._unknown[sha256] = None
            if len(self._unknown) > self._max_unknown:
                self._unknown.popitem(last=False)
        else:
            expires_in_s = principal.expires_in_s
            deadline = math.inf if expires_in_s is None else asked_at + expires_in_s
            self._known[sha256] = (principal, deadline)
            if len(self._known) > self._max_known:
                self._known.popitem(last=False)
