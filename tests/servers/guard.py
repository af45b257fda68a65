"""Keeps tests on the loopback: whatever connects or asks for a name beyond it fails the test."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from servers.sources import NAMED_POSTGRES, NAMED_RABBITMQ

_INTERNET: Final = (socket.AF_INET, socket.AF_INET6)


class OutsideConnection(AssertionError):
    """A test tried to leave the loopback. No OSError: code that retries those would hide it."""


class Guard:
    """Stands in for the socket functions that reach other machines; named hosts may pass."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self.attempts: list[str] = []
        self._allowed = {"", "localhost", *allowed}
        self._patch = pytest.MonkeyPatch()
        self._look_up = socket.getaddrinfo

    def install(self) -> None:
        """Check every connection of this process from now on."""
        for name in ("connect", "connect_ex", "sendto"):
            self._patch.setattr(socket.socket, name, self._checked(name))
        self._patch.setattr(socket, "getaddrinfo", self._resolve)

    def remove(self) -> None:
        """Leave the socket functions as they were."""
        self._patch.undo()

    def _checked(self, name: str) -> Any:
        original = getattr(socket.socket, name)

        def call(link: socket.socket, *arguments: Any) -> Any:
            if link.family in _INTERNET and isinstance(arguments[-1], tuple):
                self._check(str(arguments[-1][0]))
            return original(link, *arguments)

        return call

    def _resolve(self, host: str | bytes | None, *arguments: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host or ""
        if name not in self._allowed:
            if _address(name) is None:
                self._refuse(name)
            return self._look_up(host, *arguments, **options)
        found = self._look_up(host, *arguments, **options)
        self._allowed |= {str(entry[4][0]) for entry in found}
        return found

    def _check(self, host: str) -> None:
        address = _address(host)
        near = address is not None and (address.is_loopback or address.is_unspecified)
        if not near and host not in self._allowed:
            self._refuse(host)

    def _refuse(self, host: str) -> None:
        self.attempts.append(host)
        raise OutsideConnection(f"tests stay on the loopback, this one wanted {host}")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def named_hosts() -> set[str]:
    """Return the hosts of the servers that the environment names for tests."""
    urls = (os.environ.get(name, "") for name in (NAMED_POSTGRES, NAMED_RABBITMQ))
    return {host for url in urls if (host := urlsplit(url).hostname)}


_GUARD = Guard(named_hosts())


def pytest_configure() -> None:
    """Guard the whole run: fixtures and threads, too."""
    _GUARD.install()


def pytest_unconfigure() -> None:
    """Take the guard away again."""
    _GUARD.remove()


@pytest.fixture(autouse=True)
def socket_guard() -> Iterator[Guard]:
    """Fail a test that wanted to leave the loopback, even where its code swallowed the error."""
    _GUARD.attempts.clear()
    yield _GUARD
    if _GUARD.attempts:
        pytest.fail(f"left the loopback for {', '.join(_GUARD.attempts)}", pytrace=False)
