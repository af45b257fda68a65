"""Who is really calling: the peer, or the address that a trusted proxy has written down."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from aiohttp import web

HOPS_MAX: Final = 10

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def client_address(request: web.BaseRequest, trusted: Sequence[Network]) -> Address | None:
    """Return the caller's address; None where it cannot be known, which callers treat as foreign.

    ``X-Forwarded-For`` is believed only as far as trusted proxies wrote it: read from the right,
    the first address that is no trusted proxy is the client.
    """
    peer = _address(request.remote or "")
    if peer is None or not contains(trusted, peer):
        return peer
    hops = ",".join(request.headers.getall("X-Forwarded-For", [])).split(",")
    for hop in reversed(hops[-HOPS_MAX:]):
        address = _address(hop.strip())
        if address is None or not contains(trusted, address):
            return address if hop.strip() else peer
    return peer


def contains(networks: Sequence[Network], address: Address) -> bool:
    """Say whether an address lies in one of the networks."""
    return any(address in network for network in networks)


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
