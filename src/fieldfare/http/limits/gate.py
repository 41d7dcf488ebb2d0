"""Where each request is held against its limit, once it is known whose it is.

An account has one bucket for all its tokens; a test token has its own, because it may be published.
Whoever shows no good token is counted by address, and so is each look-up of a token that is not in
memory until it proves good: guessing tokens costs us a query each. What must hold: to refuse takes
no query, and the body is not read; what was refused made nothing and is kept under no key.

Addresses are counted by each process for itself. They guard it from strangers, and nothing of them
leaves its memory.
"""

import math
import time
from collections.abc import Sequence
from typing import Any

from fieldfare.http.auth import hash_token, read_token
from fieldfare.http.limits.addresses import bucket_of_client
from fieldfare.http.limits.buckets import MOST_ADDRESSES, Buckets, SharedBuckets
from fieldfare.http.principal import Principal
from fieldfare.kernel.buckets import Bucket, Limit
from fieldfare.kernel.errors import TooManyRequests
from fieldfare.settings import Network

HEADERS = "limit_headers"
"""In a request's state: what goes out with its answer, whatever that is."""


class Gate:
    """The limits of one process, and who has how much left."""

    def __init__(
        self, accounts: SharedBuckets, by_address: Limit, trusted_proxies: Sequence[Network] = ()
    ) -> None:
        self._accounts = accounts
        self._addresses: Buckets[str] = Buckets(by_address, most=MOST_ADDRESSES)
        self._trusted_proxies = trusted_proxies
        limit = accounts.limit
        self._policy = (
            b"ratelimit-policy",
            b'"default";q=%d;w=%d' % (limit.burst, limit.window_s),
        )

    def refuse_caller(self, scope: Any, principal: Principal) -> TooManyRequests | None:
        """Why a request of a known caller is not served, if it is not; its headers are laid by."""
        key = _bucket_of(scope, principal)
        bucket, is_let_in = self._accounts.take(key, time.monotonic())
        if is_let_in:
            left = bucket.remaining
            # Never more in this time than the rate: who spreads it evenly is not refused.
            within_s = -(-left // self._accounts.limit.per_second) or 1
            self._lay_by(scope, left, within_s)
            return None
        refusal = _refusal(bucket, "This account", self._accounts.limit)
        self._lay_by(scope, 0, refusal.retry_after_s)
        return refusal

    def refuse_stranger(self, scope: Any) -> TooManyRequests | None:
        """Why a request without a good token is not served, if it is not."""
        key = bucket_of_client(scope, self._trusted_proxies)
        now = time.monotonic()
        bucket = self._addresses.find(key, now)
        return None if bucket.take(now) else _refusal(bucket, "This address", self._addresses.limit)

    def pardon_stranger(self, scope: Any) -> None:
        """Undo that a request was let in as a stranger's: it is not one."""
        key = bucket_of_client(scope, self._trusted_proxies)
        self._addresses.find(key, time.monotonic()).give_back()

    def _lay_by(self, scope: Any, left: int, within_s: int) -> None:
        now = (b"ratelimit", b'"default";r=%d;t=%d' % (left, within_s))
        scope["state"][HEADERS] = (now, self._policy)


def _bucket_of(scope: Any, principal: Principal) -> int:
    if not principal.is_test:
        return principal.account_id
    header = next(value for name, value in scope["headers"] if name == b"authorization")
    sha256 = hash_token(read_token(header.decode("latin-1")))
    # Below zero, where no account is.
    return -1 - (int.from_bytes(sha256[:8], "big") >> 1)


def _refusal(bucket: Bucket, whose: str, limit: Limit) -> TooManyRequests:
    wait_s = max(1, math.ceil(bucket.wait_s))
    return TooManyRequests(
        f"{whose} sends more than {limit.per_second:,} requests a second, so nothing was done. "
        f"Send the same request again after {wait_s} s (Retry-After).",
        retry_after_s=wait_s,
    )
