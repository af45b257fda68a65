"""Notifications: what is sent, until when, and what may befall them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from simulators.harness import Sandbox, order, running

CLOSED = "http://127.0.0.1:9/closed"
QUICK = 0.001
"""Makes the documented 42 seconds 42 milliseconds."""


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with running(time_scale=QUICK, webhook_offsets=(0, 10, 42, 84)) as each:
        yield each


async def until(sandbox: Sandbox, heard: int) -> None:
    """Wait until so many notifications have arrived."""
    async with asyncio.timeout(5.0):
        while len(sandbox.heard) < heard:
            sandbox.bell.clear()
            await sandbox.bell.wait()


def bodies(sandbox: Sandbox) -> list[dict[str, Any]]:
    return [json.loads(each["body"]) for each in sandbox.heard]


async def deliveries(sandbox: Sandbox, **filters: str) -> list[dict[str, Any]]:
    query = "&".join(f"{name}={value}" for name, value in filters.items())
    answer = await sandbox.control("GET", f"/deliveries?{query}")
    items: list[dict[str, Any]] = answer["items"]
    return items


async def settled(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Wait until nothing is to be delivered any more and return the log."""
    async with asyncio.timeout(5.0):
        while True:
            log = await deliveries(sandbox)
            if log and all(each["state"] not in {"waiting", "sending"} for each in log):
                return log
            await asyncio.sleep(0.005)


async def test_success_is_told_once_with_the_object_of_that_moment(sandbox: Sandbox) -> None:
    created = await sandbox.create()
    paid = await sandbox.pay(created["id"])
    await settled(sandbox)
    told = {"type": "notification", "event": "payment.succeeded", "object": paid}
    assert bodies(sandbox) == [told]
    assert sandbox.heard[0]["signature"].startswith("v1 ")
    assert sandbox.heard[0]["from"] == "127.0.0.1"


async def test_a_hold_and_its_capture_are_two_events(sandbox: Sandbox) -> None:
    created = await sandbox.create(capture=False)
    await sandbox.pay(created["id"])
    await settled(sandbox)
    await sandbox.api("POST", f"/payments/{created['id']}/capture")
    await settled(sandbox)
    events = [(each["event"], each["object"]["status"]) for each in bodies(sandbox)]
    assert events == [
        ("payment.waiting_for_capture", "waiting_for_capture"),
        ("payment.succeeded", "succeeded"),
    ]


@pytest.mark.parametrize("status", [201, 204, 301, 400, 500])
async def test_only_200_ends_the_redelivery(sandbox: Sandbox, status: int) -> None:
    sandbox.answers = [status, status]
    created = await sandbox.create()
    await sandbox.pay(created["id"])
    (log,) = await settled(sandbox)
    assert log["state"] == "done"
    assert [each["status"] for each in log["tries"]] == [status, status, 200]
    assert len({each["body"] for each in sandbox.heard}) == 1


async def test_redelivery_keeps_the_schedule_and_gives_up(sandbox: Sandbox) -> None:
    sandbox.answers = [500] * 10
    created = await sandbox.create()
    await sandbox.pay(created["id"])
    (log,) = await settled(sandbox)
    assert (log["state"], log["attempts"]) == ("given_up", 4)
    first = log["tries"][0]["at"]
    for attempt, offset in zip(log["tries"], (0, 10, 42, 84), strict=True):
        # Both moments are cut to whole milliseconds, and a timer may be one early.
        assert attempt["at"] - first >= offset - 2


async def test_an_unacknowledged_event_comes_after_newer_ones(sandbox: Sandbox) -> None:
    sandbox.answers = [500]
    created = await sandbox.create(capture=False)
    await sandbox.pay(created["id"])
    await sandbox.api("POST", f"/payments/{created['id']}/capture")
    await settled(sandbox)
    assert bodies(sandbox)[-1]["event"] == "payment.waiting_for_capture"


async def test_nobody_listening_is_tried_again() -> None:
    async with running(time_scale=QUICK, callback_url=CLOSED, webhook_offsets=(0, 10)) as sandbox:
        created = await sandbox.create()
        await sandbox.pay(created["id"])
        (log,) = await settled(sandbox)
        assert log["tries"][0]["status"] is None
        url = sandbox.url.removesuffix("/sandbox") + "/heard"
        await sandbox.control("PUT", "/callback", {"url": url})
        await sandbox.control("POST", "/deliveries/hasten", {"all": True})
        await until(sandbox, 1)


async def test_duplicates(sandbox: Sandbox) -> None:
    await sandbox.control("PUT", "/mischief", {"duplicate": 1.0})
    created = await sandbox.create()
    await sandbox.pay(created["id"])
    await settled(sandbox)
    assert len(sandbox.heard) == 2
    assert bodies(sandbox)[0] == bodies(sandbox)[1]


async def test_loss_of_all_attempts_and_of_one(sandbox: Sandbox) -> None:
    await sandbox.control("PUT", "/mischief", {"loss": 1.0})
    created = await sandbox.create()
    await sandbox.pay(created["id"])
    (log,) = await settled(sandbox)
    assert (log["state"], log["tries"], sandbox.heard) == ("lost", [], [])
    await sandbox.control("PUT", "/mischief", {"attempt_loss": 1.0})
    await sandbox.control("POST", "/deliveries/hasten", {"all": True})
    (log,) = await settled(sandbox)
    assert (log["state"], log["attempts"], sandbox.heard) == ("given_up", 4, [])


async def test_jitter_reorders(sandbox: Sandbox) -> None:
    await sandbox.control("PUT", "/mischief", {"jitter": 200})
    ids = (await sandbox.control("POST", "/payments", {"count": 20}))["ids"]
    for payment_id in ids:
        await sandbox.pay(payment_id)
    await settled(sandbox)
    told = [each["object"]["id"] for each in bodies(sandbox)]
    assert sorted(told) == sorted(ids)
    assert told != ids


async def test_forgeries_come_from_elsewhere_and_once(sandbox: Sandbox) -> None:
    await sandbox.control("PUT", "/mischief", {"forge": 1.0})
    sandbox.answers = [403]
    created = await sandbox.create()
    (log,) = await settled(sandbox)
    assert (log["kind"], log["state"], log["attempts"]) == ("forged", "given_up", 1)
    assert sandbox.heard[0]["from"] == "127.0.0.66"
    assert bodies(sandbox)[0]["event"] == "payment.succeeded"
    assert (await sandbox.api("GET", f"/payments/{created['id']}")).body["status"] == "pending"


async def test_a_forgery_of_ones_own(sandbox: Sandbox) -> None:
    lie = {"body": "not even JSON", "times": 2, "outside": False}
    await sandbox.control("POST", "/deliveries/forge", lie)
    await until(sandbox, 2)
    assert {(each["body"], each["from"]) for each in sandbox.heard} == {
        ("not even JSON", "127.0.0.1")
    }


async def test_notified_before_the_creation_is_answered(sandbox: Sandbox) -> None:
    first = {"kind": "webhook_first", "calls": ["create_payment"], "times": 1}
    await sandbox.control("POST", "/faults", {"faults": [first]})
    answer = await sandbox.api("POST", "/payments", order())
    assert answer.body["status"] == "pending"
    assert [each["event"] for each in bodies(sandbox)] == ["payment.succeeded"]
    assert bodies(sandbox)[0]["object"]["id"] == answer.body["id"]


async def test_a_bent_payment_can_be_told(sandbox: Sandbox) -> None:
    created = await sandbox.create()
    await sandbox.pay(created["id"])
    await settled(sandbox)
    bent = {"test": False, "account_id": "666", "currency": "KZT", "amount": "1.00"}
    shown = await sandbox.control("PATCH", f"/payments/{created['id']}", bent)
    assert (shown["test"], shown["recipient"]["account_id"]) == (False, "666")
    assert shown["amount"] == {"value": "1.00", "currency": "KZT"}
    await sandbox.control("POST", "/deliveries/repeat", {"payment_id": created["id"], "times": 2})
    await settled(sandbox)
    assert (
        bodies(sandbox)[1:]
        == [{"type": "notification", "event": "payment.succeeded", "object": shown}] * 2
    )


async def test_at_most_so_many_at_a_time() -> None:
    open_now, most = 0, 0
    handlers: set[asyncio.Task[Any] | None] = set()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now, most
        handlers.add(asyncio.current_task())
        try:
            while await reader.readline():
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line.split(b":")[1])
                    for line in head.lower().split(b"\r\n")
                    if line.startswith(b"content-length")
                )
                await reader.readexactly(length)
                open_now += 1
                most = max(most, open_now)
                await asyncio.sleep(0.02)
                open_now -= 1
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(slow, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with running(webhook_concurrency=3) as sandbox:
        await sandbox.control("PUT", "/callback", {"url": f"http://127.0.0.1:{port}/"})
        await sandbox.control("POST", "/payments", {"count": 12, "paid": True})
        await settled(sandbox)
    server.close()
    await asyncio.gather(*filter(None, handlers), return_exceptions=True)
    assert most == 3


async def test_the_callback_stays_on_this_machine(sandbox: Sandbox) -> None:
    wrong = {"url": "http://192.0.2.1/callbacks"}
    answer = await sandbox.call("PUT", "/yookassa/control/callback", wrong)
    assert answer.status == 400
    with pytest.raises(ValueError, match="only talks to this machine"):
        async with running(callback_url="http://isp.example/callbacks"):
            pass
