"""Whose request it is: the peer's, unless a trusted proxy wrote down another address."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from shared.client import HOPS_MAX, client_address, contains

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
PROXY, CLIENT = "10.0.0.1", "203.0.113.7"


def seen(peer: str | None, *forwarded: str, trusted: object = TRUSTED) -> str | None:
    """Return the address that a request from this peer with these headers is taken to be of."""
    headers = CIMultiDict(("X-Forwarded-For", value) for value in forwarded)
    request = make_mocked_request("GET", "/", headers=headers).clone(remote=peer)  # type: ignore[arg-type]
    found = client_address(request, trusted)  # type: ignore[arg-type]
    return None if found is None else str(found)


def test_without_a_proxy_the_peer_is_the_client_whatever_it_claims() -> None:
    assert seen(CLIENT) == CLIENT
    assert seen(CLIENT, "185.71.76.1") == CLIENT
    assert seen(CLIENT, PROXY) == CLIENT


def test_nobody_is_trusted_unless_the_operator_says_so() -> None:
    assert seen(PROXY, CLIENT, trusted=()) == PROXY


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ([CLIENT], CLIENT),
        ([f"185.71.76.1, {CLIENT}"], CLIENT),
        (["185.71.76.1", CLIENT], CLIENT),
        ([f"{CLIENT}, 10.0.0.9"], CLIENT),
        ([f"185.71.76.1, {CLIENT}, 10.0.0.9, 10.0.0.8"], CLIENT),
        ([f"  {CLIENT}  "], CLIENT),
        (["2001:db8::1"], "2001:db8::1"),
        (["::ffff:203.0.113.7"], CLIENT),
        ([f"{CLIENT}, ::ffff:10.0.0.9"], CLIENT),
        ([], PROXY),
        ([""], PROXY),
        (["10.0.0.5"], PROXY),
        ([f"{CLIENT}, "], PROXY),
    ],
    ids=repr,
)
def test_a_proxy_is_believed_only_as_far_as_it_wrote(forwarded: list[str], expected: str) -> None:
    assert seen(PROXY, *forwarded) == expected


@pytest.mark.parametrize(
    "hop",
    ["unknown", "1.2.3", "1.2.3.4:80", "[::1]", "_hidden", "1.2.3.4 5.6.7.8", "٢.2.2.2", "\x00"],
)
def test_an_address_that_cannot_be_read_is_nobodys(hop: str) -> None:
    assert seen(PROXY, f"{CLIENT}, {hop}") is None


def test_a_chain_without_end_is_not_followed() -> None:
    chain = ", ".join(["10.0.0.9"] * HOPS_MAX)
    assert seen(PROXY, f"{CLIENT}, {chain}") == PROXY
    shorter = ", ".join(["10.0.0.9"] * (HOPS_MAX - 1))
    assert seen(PROXY, f"{CLIENT}, {shorter}") == CLIENT


@given(st.lists(st.text(st.characters(codec="ascii", exclude_characters="\r\n\0"), max_size=20)))
def test_nothing_a_client_writes_speaks_for_it(claims: list[str]) -> None:
    """The proxy appends the true address: whatever stands before it changes nothing."""
    assert seen(PROXY, ", ".join([*claims, CLIENT])) == CLIENT


@pytest.mark.parametrize("peer", [None, "", "/run/saldo.sock"])
def test_a_peer_without_address_is_nobody(peer: str | None) -> None:
    assert seen(peer, CLIENT) is None


def test_a_peer_of_ipv4_in_ipv6_clothes_is_recognised() -> None:
    assert seen("::ffff:10.0.0.1", CLIENT) == CLIENT
    assert seen("fd00::1", CLIENT) == CLIENT


def test_networks_hold_addresses_of_their_own_kind() -> None:
    networks: list[IPv4Network | IPv6Network] = [ip_network("0.0.0.0/0")]
    assert contains(networks, ip_address("203.0.113.7"))
    assert not contains(networks, ip_address("2001:db8::1"))
    assert not contains([], ip_address("203.0.113.7"))
