"""The address for callbacks: who may knock, and what is answered."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import orjson
import pytest

from shared.errors import Text, Unavailable
from shared.gateway import callbacks
from shared.gateway.provider import Nudge
from shared.metrics import CALLBACKS

ID = "3294d482-000f-5000-8000-1a2b3c4d5e6f"


def _counted(outcome: str) -> float:
    return CALLBACKS.labels("gateway-yookassa", outcome)._value.get()


async def test_a_callback_is_stored_and_counted(stand: Any, caller: Any) -> None:
    before = _counted("accepted")
    body = orjson.dumps({"id": ID, "event": "payment.succeeded", "phone": "+79161234567"})
    assert await caller.call(body) == 200
    (row,) = await stand.rows(callbacks.callback)
    assert (row.event, row.provider_payment_id) == ("payment.succeeded", ID)
    assert _counted("accepted") == before + 1


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\x00", b"[1]", b"null", b'{"id": 7}'])
async def test_garbage_is_refused_counted_and_not_stored(
    stand: Any, caller: Any, body: bytes
) -> None:
    before = _counted("malformed")
    assert await caller.call(body) == 400
    assert _counted("malformed") == before + 1
    assert await stand.rows(callbacks.callback) == []


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_beyond_the_limit_is_not_read(stand: Any, caller: Any, chunked: bool) -> None:
    body = b'{"id": "' + b"x" * 66_000 + b'"}'

    async def pieces() -> Any:
        yield body

    assert await caller.call(pieces() if chunked else body) == 413
    assert await stand.rows(callbacks.callback) == []


async def test_what_we_do_not_handle_is_counted_and_answered(stand: Any, caller: Any) -> None:
    before = _counted("ignored")
    assert await caller.call(orjson.dumps({"id": ID, "event": "refund.succeeded"})) == 200
    assert _counted("ignored") == before + 1
    assert await stand.rows(callbacks.callback) == []


@pytest.mark.parametrize(
    ("proxies", "forwarded", "status"),
    [
        ((), None, 403),
        ((), "185.71.76.1", 403),
        (("127.0.0.0/8",), "185.71.76.1", 200),
        (("127.0.0.0/8",), "185.71.76.1, 127.0.0.5", 200),
        (("127.0.0.0/8",), "185.71.76.1, 203.0.113.9", 403),
        (("127.0.0.0/8",), "203.0.113.9", 403),
        (("127.0.0.0/8",), "nonsense", 403),
        (("127.0.0.0/8",), None, 403),
    ],
)
async def test_only_the_providers_networks_are_let_in(
    stand: Any, make_caller: Any, proxies: Any, forwarded: str | None, status: int
) -> None:
    caller = await make_caller(allowed=("185.71.76.0/27",), trusted=proxies)
    before = _counted("refused")
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    body = orjson.dumps({"id": ID, "event": "payment.succeeded"})
    assert [await caller.call(body, headers) for _ in range(2)] == [status] * 2
    assert _counted("refused") == before + 2 * (status == 403)
    assert len(await stand.rows(callbacks.callback)) == (status == 200)


async def test_what_is_remembered_of_a_proxy_is_not_taken_for_its_clients(
    make_caller: Any,
) -> None:
    caller = await make_caller(allowed=("127.0.0.0/8",), trusted=("127.0.0.0/8",))
    body = orjson.dumps({"id": ID, "event": "payment.succeeded"})
    assert await caller.call(body) == 200
    assert await caller.call(body, {"X-Forwarded-For": "203.0.113.9"}) == 403
    assert await caller.call(body) == 200


async def test_a_callback_that_cannot_be_stored_is_503(
    stand: Any, caller: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(*_args: Any) -> Any:
        raise ConnectionResetError("as told")

    monkeypatch.setattr(callbacks, "store", down)
    before = _counted("full")
    body = orjson.dumps({"id": ID, "event": "payment.succeeded"})
    assert await caller.call(body) == 503
    assert _counted("full") == before + 1


async def test_two_hundred_callbacks_at_once(stand: Any, caller: Any) -> None:
    bodies = [
        orjson.dumps({"id": f"{ID}-{n % 50}", "event": "payment.succeeded"}) for n in range(200)
    ]
    assert set(await asyncio.gather(*(caller.call(body) for body in bodies))) == {200}
    assert len(await stand.rows(callbacks.callback)) == 50


async def test_a_foreign_signature_is_refused_counted_and_not_stored(
    stand: Any, caller: Any
) -> None:
    before = _counted("forged")
    body = orjson.dumps({"id": ID, "event": "payment.succeeded"})
    assert await caller.call(body, {"X-Fake-Signature": "other"}) == 403
    assert _counted("forged") == before + 1
    assert await stand.rows(callbacks.callback) == []


async def test_what_was_taken_is_answered_in_the_providers_words(caller: Any) -> None:
    body = orjson.dumps({"id": ID, "event": "payment.succeeded"})
    assert (await caller.call(body), caller.answer) == (200, b"taken")


async def test_what_is_proven_is_booked_and_not_asked_about(stand: Any, make_caller: Any) -> None:
    kept: list[Any] = []

    async def prove(nudge: Nudge, _at: datetime) -> None:
        kept.append(nudge.proof)

    caller = await make_caller(prove=prove)
    for event in ("payment.signed", "payment.succeeded"):
        assert await caller.call(orjson.dumps({"id": ID, "event": event})) == 200
    assert kept == [f"signed {ID}"]
    assert [row.event for row in await stand.rows(callbacks.callback)] == ["payment.succeeded"]


async def test_what_could_not_be_kept_comes_again(stand: Any, make_caller: Any) -> None:
    async def prove(_nudge: Nudge, _at: datetime) -> None:
        raise Unavailable(Text("later", "позже"))

    caller = await make_caller(prove=prove)
    assert await caller.call(orjson.dumps({"id": ID, "event": "payment.signed"})) == 503
    assert await stand.rows(callbacks.callback) == []
