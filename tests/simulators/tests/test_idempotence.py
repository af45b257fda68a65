"""Idempotence-Keys: repetition, conflict, their day of life, and two at once."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from simulators.harness import Sandbox, order, running

DAY = 24 * 3_600


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with running() as each:
        yield each


async def test_a_repeat_is_one_payment_and_shows_its_present_state(sandbox: Sandbox) -> None:
    first = await sandbox.api("POST", "/payments", order(), key="k")
    body = dict(reversed(order().items()))
    assert (await sandbox.api("POST", "/payments", body, key="k")).body == first.body
    paid = await sandbox.pay(first.body["id"])
    assert (await sandbox.api("POST", "/payments", order(), key="k")).body == paid
    assert len((await sandbox.api("GET", "/payments")).body["items"]) == 1


async def test_a_repeat_may_show_the_first_answer() -> None:
    async with running(replay="original") as sandbox:
        first = await sandbox.api("POST", "/payments", order(), key="k")
        await sandbox.pay(first.body["id"])
        assert (await sandbox.api("POST", "/payments", order(), key="k")).body == first.body


async def test_other_data_under_a_key_are_refused(sandbox: Sandbox) -> None:
    first = await sandbox.api("POST", "/payments", order(capture=False), key="k")
    await sandbox.pay(first.body["id"])
    other = {"amount": {"value": "650.01", "currency": "RUB"}}
    for path, body in (
        ("/payments", order(capture=False, **other)),
        (f"/payments/{first.body['id']}/cancel", order(capture=False)),
    ):
        refused = await sandbox.api("POST", path, body, key="k")
        assert refused.status == 400
        assert refused.body["code"] == "invalid_request"
        assert refused.body["description"] == "Idempotence key duplicated"
        assert refused.body["parameter"] == "Idempotence-Key"


async def test_another_key_or_another_shop_is_another_payment(sandbox: Sandbox) -> None:
    ids = {(await sandbox.api("POST", "/payments", order(), key=key)).body["id"] for key in "ab"}
    sandbox.shop = ("100502", "test_plain")
    ids.add((await sandbox.api("POST", "/payments", order(), key="a")).body["id"])
    assert len(ids) == 3


async def test_a_key_lives_for_a_day(sandbox: Sandbox) -> None:
    first = await sandbox.api("POST", "/payments", order(), key="k")
    await sandbox.control("POST", "/clock", {"advance_seconds": DAY - 60})
    assert (await sandbox.api("POST", "/payments", order(), key="k")).body["id"] == first.body["id"]
    await sandbox.control("POST", "/clock", {"advance_seconds": 61})
    assert (await sandbox.api("POST", "/payments", order(), key="k")).body["id"] != first.body["id"]


async def test_a_refusal_leaves_nothing_under_its_key(sandbox: Sandbox) -> None:
    refused = await sandbox.api("POST", "/payments", order(amount=None), key="k")
    assert refused.status == 400
    assert (await sandbox.api("POST", "/payments", order(), key="k")).status == 200


@pytest.mark.parametrize(
    ("key", "description"),
    [
        ("", "Idempotence key is empty"),
        ("k" * 65, "Idempotence key is too long. Max. length is 64"),
        ("a b", "Idempotence key is illegal"),
    ],
)
async def test_wrong_keys(sandbox: Sandbox, key: str, description: str) -> None:
    refused = await sandbox.api("POST", "/payments", order(), headers={"Idempotence-Key": key})
    assert (refused.status, refused.body["description"]) == (400, description)
    assert refused.body["parameter"] == "Idempotence-Key"


async def test_two_at_once_are_one_payment(sandbox: Sandbox) -> None:
    slow = {"kind": "latency_before", "calls": ["create_payment"], "times": 1, "delay": 200}
    await sandbox.control("POST", "/faults", {"faults": [slow]})
    answers = await asyncio.gather(
        *(sandbox.api("POST", "/payments", order(), key="k") for _ in range(8))
    )
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body["id"] for answer in answers}) == 1
    keys = await sandbox.control("GET", "/keys")
    assert [(each["shop_id"], each["key"]) for each in keys["items"]] == [("100500", "k")]


async def test_the_truth_is_in_the_file_before_the_answer(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.db"
    async with running(store_path=str(path)) as sandbox:
        created = await sandbox.create()
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as reader:
            query = "SELECT status, amount_kopecks, paid, metadata ->> 'top_up_id' FROM payment"
            assert reader.execute(query).fetchall() == [("pending", 65_000, 0, "77")]
            await sandbox.pay(created["id"])
            assert reader.execute(query).fetchall() == [("succeeded", 65_000, 1, "77")]
        reader.close()
    async with running(store_path=str(path)) as again:
        assert (await again.api("GET", f"/payments/{created['id']}")).body["status"] == "succeeded"
