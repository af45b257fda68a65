"""No test leaves the loopback."""

import asyncio
import socket
from pathlib import Path

import pytest

from servers.guard import Guard, OutsideConnection

# Reserved for documentation: nobody answers there even without the guard.
OUTSIDE = "192.0.2.1"


@pytest.fixture
def caught(socket_guard: Guard) -> Guard:
    """The guard, for a test that leaves the loopback on purpose and has to say so."""
    return socket_guard


def test_connection_outside_is_refused(caught: Guard) -> None:
    with socket.socket() as link, pytest.raises(OutsideConnection, match=OUTSIDE):
        link.connect((OUTSIDE, 443))
    assert caught.attempts == [OUTSIDE]
    caught.attempts.clear()


def test_datagram_outside_is_refused(caught: Guard) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link,
        pytest.raises(OutsideConnection),
    ):
        link.sendto(b"?", (OUTSIDE, 53))
    caught.attempts.clear()


async def test_asyncio_is_guarded(caught: Guard) -> None:
    with pytest.raises(OutsideConnection):
        await asyncio.open_connection(OUTSIDE, 443)
    caught.attempts.clear()


async def test_names_are_not_asked_for(caught: Guard) -> None:
    with pytest.raises(OutsideConnection, match=r"provider\.example"):
        await asyncio.open_connection("provider.example", 443)
    caught.attempts.clear()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.8.8.8"])
async def test_loopback_is_open(host: str) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), host, 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection(host, port)
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


def test_unix_sockets_are_open(tmp_path: object) -> None:
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(f"{tmp_path}/link")
        server.listen()
        client.connect(f"{tmp_path}/link")


def test_named_server_may_be_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that the developer named is asked for by name and reached by its address."""
    entry = (socket.AF_INET, socket.SOCK_STREAM, 6, "", (OUTSIDE, 5432))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [entry])
    monkeypatch.setattr(socket.socket, "connect", lambda *_: None)
    guard = Guard({"db.example"})
    guard.install()
    try:
        socket.getaddrinfo("db.example", 5432)
        with socket.socket() as link:
            link.connect((OUTSIDE, 5432))
    finally:
        guard.remove()


def test_swallowed_refusal_fails_the_test(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeconftest('pytest_plugins = ["servers.guard"]')
    pytester.makepyfile(f"""
        import contextlib, socket

        def test_careless():
            with socket.socket() as link, contextlib.suppress(Exception):
                link.connect(("{OUTSIDE}", 443))
    """)
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines([f"*left the loopback for {OUTSIDE}*"])
