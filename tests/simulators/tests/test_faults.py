"""Faults: each kind, before and after the commit, on demand and by chance."""

import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from simulators.harness import Sandbox, order, running


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with running() as each:
        yield each


async def suffer(sandbox: Sandbox, kind: str, **fault: object) -> None:
    wish = {"kind": kind, "calls": ["create_payment"], "times": 1} | fault
    await sandbox.control("POST", "/faults", {"faults": [wish]})


async def count(sandbox: Sandbox) -> int:
    return len((await sandbox.api("GET", "/payments")).body["items"])


@pytest.mark.parametrize(("kind", "created"), [("drop_before", 0), ("drop_after", 1)])
async def test_dropped_connection(sandbox: Sandbox, kind: str, created: int) -> None:
    await suffer(sandbox, kind)
    with pytest.raises(aiohttp.ClientError):
        await sandbox.api("POST", "/payments", order(), key="k")
    assert await count(sandbox) == created
    assert (await sandbox.api("POST", "/payments", order(), key="k")).status == 200
    assert await count(sandbox) == 1


@pytest.mark.parametrize(
    ("kind", "status", "created"),
    [
        ("error_before", 500, 0),
        ("error_after", 500, 1),
        ("too_many", 429, 0),
        ("processing", 202, 1),
        ("bad_gateway_before", 502, 0),
        ("bad_gateway_after", 502, 1),
        ("unauthorized", 401, 0),
        ("forbidden", 403, 0),
    ],
)
async def test_refusal(sandbox: Sandbox, kind: str, status: int, created: int) -> None:
    await suffer(sandbox, kind)
    answer = await sandbox.api("POST", "/payments", order(), key="k")
    assert answer.status == status
    assert isinstance(answer.body, str) == kind.startswith("bad_gateway")
    assert await count(sandbox) == created
    assert (await sandbox.api("POST", "/payments", order(), key="k")).status == 200
    assert await count(sandbox) == 1


@pytest.mark.parametrize("kind", ["too_many", "processing"])
async def test_retry_after(sandbox: Sandbox, kind: str) -> None:
    await suffer(sandbox, kind, retry_after=250)
    answer = await sandbox.api("POST", "/payments", order())
    assert answer.body["retry_after"] == 250


async def test_truncated_json(sandbox: Sandbox) -> None:
    await suffer(sandbox, "truncated")
    with pytest.raises(json.JSONDecodeError):
        await sandbox.api("POST", "/payments", order())
    assert await count(sandbox) == 1


async def test_stale_get(sandbox: Sandbox) -> None:
    created = await sandbox.create()
    paid = await sandbox.pay(created["id"])
    await suffer(sandbox, "stale", calls=["get_payment"])
    assert (await sandbox.api("GET", f"/payments/{created['id']}")).body == created
    assert (await sandbox.api("GET", f"/payments/{created['id']}")).body == paid


async def test_a_seeded_chance_repeats_itself() -> None:
    runs = []
    for _ in range(2):
        async with running(seed=7) as sandbox:
            await suffer(sandbox, "error_before", times=None, probability=0.5)
            runs.append(
                [(await sandbox.api("POST", "/payments", order())).status for _ in range(40)]
            )
    assert runs[0] == runs[1]
    assert 8 < runs[0].count(500) < 32


async def test_faults_are_listed_and_cleared(sandbox: Sandbox) -> None:
    await suffer(sandbox, "error_before")
    await sandbox.api("POST", "/payments", order())
    listed = await sandbox.control("GET", "/faults")
    assert (listed["faults"][0]["kind"], listed["faults"][0]["hits"]) == ("error_before", 1)
    assert "drop_after" in listed["kinds"]
    assert (await sandbox.control("DELETE", "/faults"))["faults"] == []


@pytest.mark.parametrize(
    "wish",
    [{"kind": "plague"}, {"kind": "stale", "calls": ["sing"]}, {"kind": "stale", "x": 1}, {}],
)
async def test_an_impossible_fault(sandbox: Sandbox, wish: dict[str, object]) -> None:
    answer = await sandbox.call("POST", "/yookassa/control/faults", {"faults": [wish]})
    assert answer.status == 400
    assert answer.body["error"]


async def test_a_request_may_ask_for_its_own_fault(sandbox: Sandbox) -> None:
    headers = {"X-Sandbox-Fault": "error_after"}
    for key, created in (("a", 1), ("b", 2)):
        answer = await sandbox.api("POST", "/payments", order(), key=key, headers=headers)
        assert answer.status == 500
        assert await count(sandbox) == created
    assert (await sandbox.api("POST", "/payments", order(), key="a")).status == 200
    assert await count(sandbox) == 2


async def test_a_requests_own_fault_may_have_members(sandbox: Sandbox) -> None:
    headers = {"X-Sandbox-Fault": "too_many; retry_after=1500"}
    answer = await sandbox.api("GET", "/payments", headers=headers)
    assert (answer.status, answer.body["retry_after"]) == (429, 1500)


@pytest.mark.parametrize("wish", ["flood", "too_many; hue=7", "latency_after; delay=soon"])
async def test_a_fault_that_there_is_not_is_refused(sandbox: Sandbox, wish: str) -> None:
    headers = {"X-Sandbox-Fault": wish}
    answer = await sandbox.api("POST", "/payments", order(), headers=headers)
    assert (answer.status, "error" in answer.body) == (400, True)
    assert await count(sandbox) == 0
