"""Whose address a request counts for: the peer's, or what a trusted proxy says of it.

Anybody can write `X-Forwarded-For`, so it is read only if the peer is a proxy that the operator
trusts, and from the right: each proxy adds whom it heard from at the end, so the right-most address
that is no trusted proxy's was seen by one, and what stands left of it is hearsay. `Forwarded` is
not read: a proxy that writes the one header hands the other on as its client wrote it.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from fieldfare.settings import Network

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

MOST_HOPS = 20
_FORWARDED_FOR = b"x-forwarded-for"


def bucket_of_client(scope: Any, trusted: Sequence[Network]) -> str:
    """What tells the client of a request apart: its IPv4 address, or the /64 of its IPv6 address.

    Who has an IPv6 address usually has all of its /64.
    """
    peer = scope["client"][0] if scope.get("client") else ""
    if not trusted and ":" not in peer:
        return str(peer)
    address = _parse(peer)
    if address is None:
        return str(peer)
    if trusted and _is_in(address, trusted):
        address = _behind_proxies(address, _forwarded_for(scope["headers"]), trusted)
    if address.version == 6:
        return f"{ipaddress.IPv6Address(int(address) >> 64 << 64)}/64"
    return str(address)


def _behind_proxies(proxy: Address, said: str, trusted: Sequence[Network]) -> Address:
    """The first address that is no trusted proxy's, or the last one that can be read."""
    address = proxy
    for hop in reversed(said.rsplit(",", MOST_HOPS)[-MOST_HOPS:]):
        heard = _parse(_without_port(hop.strip()))
        if heard is None:
            return address
        address = heard
        if not _is_in(address, trusted):
            return address
    return address


def _forwarded_for(headers: Iterable[tuple[bytes, bytes]]) -> str:
    # Sent as several headers, it is one list in their order.
    return ",".join(value.decode("latin-1") for name, value in headers if name == _FORWARDED_FOR)


def _without_port(hop: str) -> str:
    """`192.0.2.1:80` and `[2001:db8::1]:80` are written by some proxies."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def _parse(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    # A socket for both families tells of IPv4 clients in this way.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)
