"""Whose address a request counts for, behind proxies that are trusted and others that are not."""

from ipaddress import ip_network
from typing import Any

import pytest

from fieldfare.http.limits.addresses import MOST_HOPS, bucket_of_client

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"), ip_network("192.0.2.7"))
FOR = "X-Forwarded-For"


def scope(peer: str | None, *headers: tuple[str, str]) -> Any:
    """A request of a peer."""
    return {
        "client": None if peer is None else (peer, 1),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
    }


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ((FOR, "203.0.113.9"),),
        (("Forwarded", "for=203.0.113.9"),),
        (("X-Real-IP", "203.0.113.9"), (FOR, "10.0.0.1, 203.0.113.9")),
    ],
)
@pytest.mark.parametrize("trusted", [(), TRUSTED])
def test_a_stranger_s_headers_change_nothing(headers: Any, trusted: Any) -> None:
    assert bucket_of_client(scope("198.51.100.1", *headers), trusted) == "198.51.100.1"


@pytest.mark.parametrize(
    ("peer", "said", "client"),
    [
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, 10.2.3.4", "203.0.113.9"),
        # What stands left of the right-most stranger is what that stranger says.
        ("10.0.0.1", "1.1.1.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "10.9.9.9, 203.0.113.9, 192.0.2.7", "203.0.113.9"),
        ("10.0.0.1", " 203.0.113.9:4711 ", "203.0.113.9"),
        ("10.0.0.1", "10.7.7.7", "10.7.7.7"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9, unknown", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9, _hidden, 10.2.3.4", "10.2.3.4"),
        ("10.0.0.1", "203.0.113.9,", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9" + ", 10.0.0.2" * MOST_HOPS, "10.0.0.2"),
        ("::ffff:10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
        ("fd00::1", "[2001:db8:1:2:3::4]:4711", "2001:db8:1:2::/64"),
        ("fd00::1", "2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
    ],
)
def test_a_trusted_proxy_s_right_most_stranger_counts(peer: str, said: str, client: str) -> None:
    assert bucket_of_client(scope(peer, (FOR, said)), TRUSTED) == client


def test_several_headers_are_one_list() -> None:
    headers = ((FOR, "1.1.1.1"), (FOR, "203.0.113.9"), (FOR, "10.0.0.9"))
    assert bucket_of_client(scope("10.0.0.1", *headers), TRUSTED) == "203.0.113.9"
    # `Forwarded` may be the client's own words, handed on.
    forwarded = ("Forwarded", "for=1.1.1.1")
    assert bucket_of_client(scope("10.0.0.1", forwarded), TRUSTED) == "10.0.0.1"


@pytest.mark.parametrize(
    ("peer", "client"),
    [
        ("2001:db8:1:2:aaaa:bbbb:cccc:dddd", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:198.51.100.1", "198.51.100.1"),
        ("a path, not an address", "a path, not an address"),
        ("a path: not an address", "a path: not an address"),
        (None, ""),
    ],
)
def test_an_ipv6_address_counts_by_its_64(peer: str | None, client: str) -> None:
    assert bucket_of_client(scope(peer), ()) == client
