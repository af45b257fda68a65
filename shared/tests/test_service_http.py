"""What a process does with every request: an id, a count, a bounded body, errors as problems."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from doubles import NOW, PRODUCER, SIGNER
from shared import conflict, inbox, outbox
from shared import log as logs
from shared.clock import ManualClock
from shared.db import Database, transaction
from shared.errors import Conflict, Text
from shared.memory import MemoryBus
from shared.root import BODY_BYTES_MAX
from shared.service import Process, Service, running
from shared.topology import Topology


def pages() -> web.Application:
    async def page(request: web.Request) -> web.StreamResponse:
        number = request.match_info["number"]
        if number == "302":
            raise web.HTTPFound("/elsewhere")
        if number == "409":
            raise Conflict(Text("taken", "занято"))
        if number == "500":
            raise ValueError("a fault of ours: 4111 1111 1111 1111")
        if number == "503":
            raise ConnectionResetError("the database went away")
        return web.Response(text=(await request.text()) or logs.correlation_id())

    app = web.Application()
    app.router.add_get("/page/{number}", page)
    app.router.add_post("/page/{number}", page)
    return app


class Browser:
    """Asks a running process, following nothing."""

    def __init__(self, session: aiohttp.ClientSession, address: str) -> None:
        self._session = session
        self.address = address

    async def ask(
        self, path: str, method: str = "GET", **options: Any
    ) -> tuple[int, Any, Mapping[str, str]]:
        options = {"allow_redirects": False, **options}
        async with self._session.request(method, self.address + path, **options) as answer:
            is_json = "json" in answer.content_type
            content = await (answer.json() if is_json else answer.text())
            return answer.status, content, answer.headers


@pytest.fixture
async def browser(sqlite_db: Database) -> AsyncIterator[Browser]:
    async with transaction(sqlite_db) as tx:
        for schema in (outbox.schema, inbox.schema, conflict.schema):
            await tx.run_sync(schema.create_all)
    one = Service("notifier", sqlite_db, PRODUCER, {"/api": pages()})
    bus = MemoryBus(Topology(frozenset()), SIGNER, ManualClock(NOW))
    process = Process(
        [one], bus, ManualClock(NOW), mounts={"/sandbox": pages()}, home="/api/page/1"
    )
    async with running(process, "127.0.0.1", 0) as port, aiohttp.ClientSession() as session:
        yield Browser(session, f"http://127.0.0.1:{port}")


class TestCorrelation:
    async def test_a_callers_id_is_carried_through_and_given_back(self, browser: Browser) -> None:
        given = {"X-Correlation-Id": "order-77"}
        for path, status in (("/api/page/1", 200), ("/api/page/302", 302), ("/nothing", 404)):
            found, content, headers = await browser.ask(path, headers=given)
            assert (found, headers["X-Correlation-Id"]) == (status, "order-77")
            if status == 200:
                assert content == "order-77"
            if status == 404:
                assert content["correlation_id"] == "order-77"

    async def test_without_a_harmless_one_it_is_made(self, browser: Browser) -> None:
        made = set()
        for given in ({}, {"X-Correlation-Id": "a b"}, {"X-Correlation-Id": "x" * 65}):
            _, content, headers = await browser.ask("/api/page/1", headers=given)
            assert headers["X-Correlation-Id"] == content
            made.add(content)
        assert len(made) == 3
        assert {len(value) for value in made} == {32}

    async def test_requests_at_once_do_not_mix_theirs(self, browser: Browser) -> None:
        ids = [f"id-{number}" for number in range(20)]
        answers = await asyncio.gather(
            *(browser.ask("/api/page/1", headers={"X-Correlation-Id": value}) for value in ids)
        )
        assert [content for _, content, _ in answers] == ids


class TestCounting:
    @pytest.mark.parametrize(
        ("path", "route", "status", "name"),
        [
            ("/api/page/17", "/api/page/{number}", "200", "notifier"),
            ("/api/page/302", "/api/page/{number}", "302", "notifier"),
            ("/api/page/409", "/api/page/{number}", "409", "notifier"),
            ("/api/page/500", "/api/page/{number}", "500", "notifier"),
            ("/sandbox/page/1", "/sandbox/page/{number}", "200", "process"),
            ("/api/none", "unknown", "404", "notifier"),
            ("/", "/", "302", "process"),
            ("/healthz", "/healthz", "200", "process"),
        ],
    )
    async def test_requests_are_counted_by_route_never_by_address(
        self, browser: Browser, counted: Any, path: str, route: str, status: str, name: str
    ) -> None:
        await browser.ask(path)
        labels = {"service": name, "method": "GET", "route": route, "status": status}
        assert counted("saldo_http_request_seconds_count", **labels) == 1

    async def test_prometheus_reads_them(self, browser: Browser) -> None:
        await browser.ask("/api/page/1")
        status, content, headers = await browser.ask("/metrics")
        assert status == 200
        assert headers["Content-Type"].startswith("text/plain")
        assert 'route="/api/page/{number}"' in content


POST = b"POST /api/page/1 HTTP/1.1\r\nHost: x\r\n"
MALFORMED = {
    "chunks": POST + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n\r\n",
    "compression": POST + b"Content-Encoding: deflate\r\nContent-Length: 4\r\n\r\nnope",
    "brotli": POST + b"Content-Encoding: br\r\nContent-Length: 4\r\n\r\nnope",
    "zstandard": POST + b"Content-Encoding: zstd\r\nContent-Length: 4\r\n\r\nnope",
    "two lengths": POST + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nnope",
    "zero byte": POST + b"X-Correlation-Id: a\x00b\r\n\r\n",
    "method": b"BREW /api/page/1 HTTP/1.1\r\nHost: x\r\n\r\n",
}


class TestErrors:
    async def test_what_is_expected_is_said(self, browser: Browser) -> None:
        status, content, headers = await browser.ask("/api/page/409")
        assert (status, content["detail"], content["title"]) == (409, "taken", "Conflict")
        assert headers["Content-Type"].startswith("application/problem+json")

    async def test_what_is_unexpected_betrays_nothing(self, browser: Browser) -> None:
        status, content, _ = await browser.ask("/api/page/500")
        assert status == 500
        assert "fault of ours" not in str(content)
        assert content["title"] == "Internal error"

    async def test_while_the_database_is_away_callers_hear_when_to_repeat(
        self, browser: Browser
    ) -> None:
        status, content, headers = await browser.ask("/api/page/503")
        assert (status, content["title"]) == (503, "Temporarily unavailable")
        assert int(headers["Retry-After"]) > 0

    async def test_addresses_and_methods_that_are_not_there(self, browser: Browser) -> None:
        assert (await browser.ask("/nothing"))[1]["status"] == 404
        status, content, headers = await browser.ask("/api/page/1", "DELETE")
        assert (status, content["status"]) == (405, 405)
        assert set(headers["Allow"].split(",")) == {"GET", "HEAD", "POST"}

    async def test_a_body_is_bounded_whoever_reads_it(self, browser: Browser) -> None:
        body = b"x" * BODY_BYTES_MAX
        assert (await browser.ask("/api/page/1", "POST", data=io.BytesIO(body)))[0] == 200
        larger = io.BytesIO(body + b"x")
        status, content, _ = await browser.ask("/api/page/1", "POST", data=larger)
        assert (status, content["title"]) == (413, "Body too large")

    @pytest.mark.parametrize("name", MALFORMED)
    async def test_a_malformed_request_is_the_callers_fault(
        self, browser: Browser, name: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        port = int(browser.address.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(MALFORMED[name])
        head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode()
        length = re.search(r"Content-Length: (\d+)", head)
        assert length is not None
        body = orjson.loads(await asyncio.wait_for(reader.readexactly(int(length[1])), 10))
        assert await asyncio.wait_for(reader.read(), 10) == b"", "nothing may follow such a request"
        writer.close()
        await writer.wait_closed()
        assert head.split()[1].startswith("4")
        assert "Content-Type: application/problem+json" in head
        assert f"X-Correlation-Id: {body['correlation_id']}" in head
        assert str(body["status"]) == head.split()[1]
        assert [record.exc_info for record in caplog.records if record.exc_info] == []


async def test_the_root_leads_home(browser: Browser) -> None:
    status, _, headers = await browser.ask("/")
    assert (status, headers["Location"]) == (302, "/api/page/1")


async def test_an_ipv6_address_is_written_with_brackets(sqlite_db: Database) -> None:
    bus = MemoryBus(Topology(frozenset()), SIGNER, ManualClock(NOW))
    process = Process([], bus, ManualClock(NOW))
    async with running(process, "[::1]", 0) as port, aiohttp.ClientSession() as session:
        status, _, _ = await Browser(session, f"http://[::1]:{port}").ask("/healthz")
    assert status == 200
