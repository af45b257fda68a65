"""The access controller: signatures as published, states by revision, faults by script."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from simulators.access import wire
from simulators.harness import Answer, Sandbox, running
from simulators.settings import ACCESS_SECRET


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with running() as each:
        yield each


def test_the_published_example_is_taken() -> None:
    wire.check(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        {
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        },
        b'{"test": 2432232314}',
        1614265330,
    )


def body(revision: int = 1, **changes: Any) -> dict[str, Any]:
    """Return what is said of a contract; odd revisions block it."""
    blocked = bool(revision % 2)
    data = {
        "contract": "100245",
        "blocked": blocked,
        "revision": revision,
        "reason": "below_zero",
        "available": "-200.00",
        "currency": "RUB",
    }
    kind = "contract.blocked" if blocked else "contract.unblocked"
    return {"type": kind, "timestamp": "2026-11-22T09:00:00Z", "data": data | changes}


async def send(sandbox: Sandbox, said: Any, age: int = 0, **changes: str) -> Answer:
    """Send a webhook as the specification has it, with other headers where they are given."""
    text, moment = json.dumps(said).encode(), str(int(time.time()) - age)
    key = base64.b64decode(ACCESS_SECRET[6:])
    made = hmac.digest(key, b"msg_1." + moment.encode() + b"." + text, hashlib.sha256)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{base64.b64encode(made).decode()}",
    }
    named = {name.replace("_", "-"): value for name, value in changes.items()}
    return await sandbox.call("POST", "/access", data=text, headers=headers | named)


async def known(sandbox: Sandbox) -> list[tuple[int, bool]]:
    """Return revision and state of what the controller knows."""
    items = (await sandbox.call("GET", "/access/state.json")).body["items"]
    return [(each["revision"], each["blocked"]) for each in items]


async def test_an_older_state_never_lands_after_a_newer_one(sandbox: Sandbox) -> None:
    assert (await sandbox.call("GET", "/access")).status == 200
    for revision, expected in ((1, (1, True)), (4, (4, False)), (3, (4, False)), (4, (4, False))):
        assert (await send(sandbox, body(revision))).status == 204
        assert await known(sandbox) == [expected]
    page = (await sandbox.call("GET", "/access/")).body
    assert "100245" in page
    assert "Работает" in page


@pytest.mark.parametrize(
    "changes",
    [
        {"webhook_id": "msg_2"},
        {"webhook_timestamp": "soon"},
        {"webhook_signature": "v1,AAAA v2,"},
        {"age": 301},
        {"age": -301},
    ],
)
async def test_what_is_not_signed_is_refused(sandbox: Sandbox, changes: dict[str, Any]) -> None:
    assert (await send(sandbox, body(), **changes)).status == 401
    assert await known(sandbox) == []


@pytest.mark.parametrize(
    "said", [[], {}, {"type": "ping", "data": {}}, body(1, blocked=False), body(1, currency="USD")]
)
async def test_what_says_nothing_is_refused(sandbox: Sandbox, said: Any) -> None:
    assert (await send(sandbox, said)).status == 400


async def test_answers_follow_the_script(sandbox: Sandbox) -> None:
    await sandbox.control("PUT", "/state", {"script": [500, 0, 410]}, of="access")
    assert [(await send(sandbox, body())).status for _ in range(4)] == [500, 204, 410, 204]
    assert (await sandbox.call("PUT", "/access/control/state", {"script": [7]})).status == 400
