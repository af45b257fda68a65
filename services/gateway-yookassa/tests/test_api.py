"""The client against a server that misbehaves: what is unclear must never look like an answer."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from aiohttp import web
from pydantic import SecretStr
from pytest_aiohttp.plugin import AiohttpServer
from yarl import URL

from gateway_yookassa.api import YooKassa
from gateway_yookassa.client import Shop
from shared.gateway import client
from shared.gateway.provider import (
    Missing,
    Page,
    ProviderPayment,
    ProviderRefund,
    RefundPage,
    Refused,
    Throttled,
    Unclear,
)

ID = "3294d482-000f-5000-8000-1a2b3c4d5e6f"
PAYMENT = {
    "id": ID,
    "status": "pending",
    "amount": {"value": "650.00", "currency": "RUB"},
    "recipient": {"account_id": "100500", "gateway_id": "2000001"},
    "created_at": "2026-11-22T10:15:30.123Z",
    "confirmation": {"type": "redirect", "confirmation_url": "https://yoomoney.ru/x"},
    "test": True,
    "paid": False,
    "refundable": False,
    "metadata": {},
}
NOON = datetime(2026, 11, 22, 9, tzinfo=UTC)
REFUND = {
    "id": "3294def0-0015-5000-8000-0a1b2c3d4e5f",
    "payment_id": ID,
    "status": "succeeded",
    "created_at": "2026-11-22T11:00:00.000Z",
    "amount": {"value": "150.00", "currency": "RUB"},
}
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Border:
    """YooKassa's side of the wire; `answers` is how it takes the next calls."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.calls: list[tuple[str, str, dict[str, str], bytes]] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.calls.append((request.method, request.path_qs, dict(request.headers), body))
        if self.answers:
            return await self.answers.pop(0)(request)
        return web.json_response(PAYMENT)


@pytest.fixture
def border() -> Border:
    return Border()


@pytest.fixture
def make_shop(aiohttp_server: AiohttpServer, border: Border) -> Callable[..., Any]:
    async def make(**changes: Any) -> YooKassa:
        app = web.Application()
        app.router.add_route("*", "/v3/{tail:.*}", border.answer)
        server = await aiohttp_server(app)
        how = {
            "account_id": "100500",
            "secret_key": SecretStr("test_demo"),
            "api_url": f"http://127.0.0.1:{server.port}/v3",
            "test": True,
            "requests_per_second": 1000.0,
            # A machine that is busy is no provider that does not answer.
            "create_seconds": 30.0,
            "fetch_seconds": 30.0,
            "breaker_failures": 3,
            "breaker_pauses": (timedelta(milliseconds=50), timedelta(milliseconds=100)),
        }
        return YooKassa(Shop(**{**how, **changes}))

    return make


@pytest.fixture
async def shop(make_shop: Callable[..., Any]) -> AsyncIterator[YooKassa]:
    made = await make_shop()
    async with made.client.connected():
        yield made


@pytest.fixture
async def hasty_shop(make_shop: Callable[..., Any]) -> AsyncIterator[YooKassa]:
    """Return a client that soon gives up."""
    made = await make_shop(create_seconds=0.5, fetch_seconds=0.5)
    async with made.client.connected():
        yield made


def _status(status: int, body: bytes = b"", kind: str = "application/json") -> Answer:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=body, content_type=kind)

    return answer


async def _silence(_request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(5)
    return web.Response()


async def _slow_payment(_request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(0.02)
    return web.json_response(PAYMENT)


async def _hang_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def _cut_off(request: web.Request) -> web.StreamResponse:
    """Promise more than is sent."""
    response = web.StreamResponse(headers={"Content-Length": "5000"})
    await response.prepare(request)
    await response.write(orjson.dumps(PAYMENT)[:50])
    assert request.transport is not None
    request.transport.close()
    return response


async def _endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(100):
        await response.write(b" " * 65_536)
    return response


async def _trickle(request: web.Request) -> web.StreamResponse:
    """Never silent for long, never done."""
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(100):
        await response.write(b" ")
        await asyncio.sleep(0.05)
    return response


async def _redirect(_request: web.Request) -> web.StreamResponse:
    raise web.HTTPTemporaryRedirect("/v3/elsewhere")


UNCLEAR: dict[str, Answer] = {
    "silence": _silence,
    "reset": _hang_up,
    "cut off": _cut_off,
    "endless": _endless,
    "trickle": _trickle,
    "redirect": _redirect,
    "500": _status(500, b'{"type":"error","code":"internal_server_error"}'),
    "502 in HTML": _status(502, b"<html>Bad gateway</html>", "text/html"),
    "503": _status(503),
    "202": _status(202, b'{"type":"processing","retry_after":1800}'),
    "200 in HTML": _status(200, b"<html>Maintenance</html>", "text/html"),
    "200 truncated": _status(200, orjson.dumps(PAYMENT)[:-40]),
    "200 empty": _status(200),
    "200 of something else": _status(200, b'{"type":"list","items":[]}'),
    "200 without amount": _status(200, orjson.dumps({**PAYMENT, "amount": None})),
    "204": _status(204),
}


@pytest.mark.parametrize("kind", sorted(UNCLEAR))
async def test_an_unclear_creation_is_unclear_and_sent_once(
    hasty_shop: YooKassa, border: Border, kind: str
) -> None:
    await hasty_shop.fetch(ID)
    border.answers = [UNCLEAR[kind]]
    assert isinstance(await hasty_shop.create("k", b"{}"), Unclear)
    assert [method for method, *_ in border.calls] == ["GET", "POST"]


@pytest.mark.parametrize("kind", sorted(UNCLEAR))
async def test_an_unclear_question_is_unclear(
    hasty_shop: YooKassa, border: Border, kind: str
) -> None:
    # aiohttp itself asks once more where a kept connection turns out to be dead.
    border.answers = [UNCLEAR[kind]] * 2
    assert isinstance(await hasty_shop.fetch(ID), Unclear)


async def test_nobody_there_is_unclear(make_shop: Callable[..., Any]) -> None:
    shop = await make_shop(api_url="http://127.0.0.1:1/v3")
    async with shop.client.connected():
        assert isinstance(await shop.create("k", b"{}"), Unclear)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (400, Refused("invalid_request")),
        (401, Refused("invalid_request", ours=True, locked_out=True)),
        (403, Refused("invalid_request", ours=True)),
        (404, Refused("invalid_request")),
        (429, Throttled()),
    ],
)
async def test_a_clear_no_is_one(shop: YooKassa, border: Border, status: int, outcome: Any) -> None:
    border.answers = [_status(status, b'{"type":"error","code":"invalid_request"}')]
    assert await shop.create("k", b"{}") == outcome


async def test_a_payment_that_is_not_there_is_missing(shop: YooKassa, border: Border) -> None:
    border.answers = [_status(404, b'{"type":"error","code":"not_found"}')]
    assert await shop.fetch(ID) == Missing()


async def test_another_payment_than_asked_for_is_unclear(shop: YooKassa) -> None:
    assert await shop.fetch("3294d482-000f-5000-8000-000000000000") == Unclear("another_payment")


async def test_a_request_goes_out_as_it_was_stored(shop: YooKassa, border: Border) -> None:
    made = await shop.create("key-1", b'{"amount": 1 }')
    assert isinstance(made, ProviderPayment)
    assert made.id == ID
    method, path, headers, body = border.calls[0]
    assert (method, path, body) == ("POST", "/v3/payments", b'{"amount": 1 }')
    assert headers["Idempotence-Key"] == "key-1"
    assert headers["Content-Type"] == "application/json"
    kind, _, given = headers["Authorization"].partition(" ")
    assert (kind, b64decode(given)) == ("Basic", b"100500:test_demo")


async def test_a_question_names_the_payment(shop: YooKassa, border: Border) -> None:
    await shop.fetch(ID)
    assert border.calls[0][:2] == ("GET", f"/v3/payments/{ID}")


async def test_the_list_is_asked_between_two_moments(shop: YooKassa, border: Border) -> None:
    border.answers = [
        _status(200, orjson.dumps({"type": "list", "items": [PAYMENT], "next_cursor": "c"})),
        _status(200, orjson.dumps({"type": "list", "items": []})),
    ]
    page = await shop.listed(NOON, NOON + timedelta(hours=1), None)
    assert isinstance(page, Page)
    assert ([truth.id for truth in page.payments], page.next_cursor) == ([ID], "c")
    last = await shop.listed(NOON, NOON + timedelta(hours=1), "c")
    assert isinstance(last, Page)
    assert last.next_cursor is None
    first, second = (path for _, path, _, _ in border.calls)
    assert "created_at.gte=2026-11-22T09:00:00.000Z" in first
    assert "created_at.lte=2026-11-22T10:00:00.000Z" in first
    assert "limit=100" in first
    assert second == f"{first}&cursor=c"


async def test_one_unreadable_payment_does_not_hide_the_others(
    shop: YooKassa, border: Border
) -> None:
    odd = {**PAYMENT, "amount": {"value": "NaN", "currency": "RUB"}}
    border.answers = [_status(200, orjson.dumps({"type": "list", "items": [{}, PAYMENT, odd]}))]
    page = await shop.listed(NOON, NOON, None)
    assert isinstance(page, Page)
    assert ([truth.id for truth in page.payments], page.unreadable) == ([ID], 2)


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"items":{}}', b"<html>"])
async def test_a_list_that_is_none_is_unclear(shop: YooKassa, border: Border, body: bytes) -> None:
    border.answers = [_status(200, body)]
    assert isinstance(await shop.listed(NOON, NOON, None), Unclear)


async def test_requests_keep_their_pace(make_shop: Callable[..., Any], border: Border) -> None:
    shop = await make_shop(requests_per_second=20.0)
    loop = asyncio.get_running_loop()
    async with shop.client.connected():
        began = loop.time()
        await asyncio.gather(*(shop.fetch(ID) for _ in range(26)))
    assert loop.time() - began >= 0.28, "20 may come at once, 6 more follow one by one"
    assert len(border.calls) == 26


async def test_whoever_would_wait_too_long_is_told_so(
    make_shop: Callable[..., Any], border: Border, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "TURN_SECONDS_MAX", 0.0)
    shop = await make_shop(requests_per_second=1.0)
    async with shop.client.connected():
        outcomes = await asyncio.gather(*(shop.fetch(ID) for _ in range(5)))
    assert [type(outcome) for outcome in outcomes].count(Throttled) == 4
    assert len(border.calls) == 1, "what is throttled by us is not sent"


async def test_after_too_many_requests_nothing_is_sent_for_a_while(
    make_shop: Callable[..., Any], border: Border, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "TURN_SECONDS_MAX", 0.0)
    shop = await make_shop()
    async with shop.client.connected():
        border.answers = [_status(429, b'{"type":"error","retry_after":30000}')]
        assert await shop.fetch(ID) == Throttled(timedelta(seconds=30))
        again = await shop.fetch(ID)
    assert isinstance(again, Throttled)
    assert again.retry_after is not None
    assert timedelta(seconds=29) < again.retry_after <= timedelta(seconds=33)
    assert len(border.calls) == 1


async def test_a_provider_that_does_not_answer_is_left_alone_and_tried_again(
    shop: YooKassa, border: Border
) -> None:
    border.answers = [_status(503)] * 3
    outcomes = [await shop.fetch(ID) for _ in range(4)]
    assert outcomes[:3] == [Unclear("http_503")] * 3
    held = outcomes[3]
    assert isinstance(held, Unclear)
    assert (held.reason, held.unsent, len(border.calls)) == ("breaker_open", True, 3)
    assert held.retry_after is not None
    assert timedelta(0) < held.retry_after <= timedelta(milliseconds=50)
    await asyncio.sleep(held.retry_after.total_seconds())
    border.answers = [_slow_payment]
    outcomes = list(await asyncio.gather(*(shop.fetch(ID) for _ in range(5))))
    kinds = [type(outcome) for outcome in outcomes]
    assert (kinds.count(ProviderPayment), len(border.calls)) == (1, 4), "one probe at a time"
    assert isinstance(await shop.fetch(ID), ProviderPayment)


async def test_a_refusal_and_too_many_requests_are_answers(shop: YooKassa, border: Border) -> None:
    for _ in range(3):
        border.answers = [_status(503), _status(503), _status(401)]
        for _ in range(3):
            await shop.fetch(ID)
    border.answers = [_status(503), _status(503), _status(429, b'{"retry_after":1}')]
    for _ in range(3):
        await shop.fetch(ID)
    assert isinstance(await shop.create("k", b"{}"), ProviderPayment)


async def test_a_broken_off_probe_lets_the_next_one_try(shop: YooKassa, border: Border) -> None:
    border.answers = [_status(503)] * 3
    for _ in range(3):
        await shop.fetch(ID)
    await asyncio.sleep(0.06)
    asked = asyncio.Event()

    async def silence(request: web.Request) -> web.StreamResponse:
        asked.set()
        return await _silence(request)

    border.answers = [silence]
    probe = asyncio.create_task(shop.fetch(ID))
    await asked.wait()
    probe.cancel()
    await asyncio.wait({probe})
    assert isinstance(await shop.fetch(ID), ProviderPayment)


async def test_connections_are_limited(
    make_shop: Callable[..., Any], border: Border, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "CONNECTIONS_MAX", 3)
    busy, most = 0, 0

    async def slowly(_request: web.Request) -> web.StreamResponse:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(0.02)
        busy -= 1
        return web.json_response(PAYMENT)

    border.answers = [slowly] * 12
    shop = await make_shop()
    async with shop.client.connected():
        outcomes = await asyncio.gather(*(shop.fetch(ID) for _ in range(12)))
    assert most <= 3
    assert {type(outcome) for outcome in outcomes} == {ProviderPayment}


async def test_a_client_that_is_not_open_says_so(make_shop: Callable[..., Any]) -> None:
    shop = await make_shop()
    with pytest.raises(RuntimeError, match="not connected"):
        await shop.fetch(ID)


def _told(value: Any) -> Answer:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.json_response(value)

    return answer


async def test_a_refund_is_asked_for_under_its_key(shop: YooKassa, border: Border) -> None:
    border.answers = [_told(REFUND)]
    made = await shop.create_refund("key-1", b"{}")
    assert isinstance(made, ProviderRefund)
    ((method, path, headers, body),) = border.calls
    assert (method, path, body) == ("POST", "/v3/refunds", b"{}")
    assert headers["Idempotence-Key"] == "key-1"


async def test_another_refund_than_asked_for_is_unclear(shop: YooKassa, border: Border) -> None:
    border.answers = [_told(REFUND), _told(REFUND)]
    assert isinstance(await shop.fetch_refund(REFUND["id"]), ProviderRefund)
    assert await shop.fetch_refund("another") == Unclear("another_refund")


async def test_an_unknown_refund_is_missing(shop: YooKassa, border: Border) -> None:
    async def gone(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"type": "error", "code": "not_found"}, status=404)

    border.answers = [gone, gone]
    assert await shop.fetch_refund(ID) == Missing()
    listed = await shop.refunds_listed(NOON, NOON, None)
    assert listed == Unclear("missing"), "a list is there, even if it is empty"


async def test_the_refunds_of_one_payment_are_listed(shop: YooKassa, border: Border) -> None:
    border.answers = [_told({"items": [REFUND]})]
    page = await shop.refunds_listed(NOON, NOON, "c", ID)
    assert isinstance(page, RefundPage)
    assert [refund.id for refund in page.refunds] == [REFUND["id"]]
    query = border.calls[0][1].partition("?")[2]
    assert f"payment_id={ID}" in query
    assert "cursor=c" in query


async def test_what_was_captured_is_listed_by_the_moment_of_capture(
    shop: YooKassa, border: Border
) -> None:
    border.answers = [_told({"items": []})]
    moscow = NOON.astimezone(ZoneInfo("Europe/Moscow"))
    page = await shop.captured(moscow, moscow, None)
    assert isinstance(page, Page)
    query = URL(border.calls[0][1]).query
    moment = NOON.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert query["captured_at.gte"] == query["captured_at.lte"] == moment
    assert query["status"] == "succeeded"
    assert "created_at.gte" not in query
