"""Lists: pages, filters, and what cannot be read."""

from collections.abc import AsyncIterator

import pytest

from simulators.harness import Sandbox, running


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with running() as each:
        yield each


async def pages(sandbox: Sandbox, query: str) -> list[list[str]]:
    found, cursor = [], ""
    while True:
        answer = await sandbox.api("GET", f"/payments?{query}{cursor}")
        assert answer.body["type"] == "list"
        found.append([each["id"] for each in answer.body["items"]])
        if "next_cursor" not in answer.body:
            return found
        cursor = f"&cursor={answer.body['next_cursor']}"


async def test_pages_are_newest_first_and_miss_nothing(sandbox: Sandbox) -> None:
    made = []
    for _ in range(7):
        made += (await sandbox.control("POST", "/payments", {"count": 3}))["ids"]
    shown = await pages(sandbox, "limit=4")
    assert [len(page) for page in shown] == [4, 4, 4, 4, 4, 1]
    flat = [each for page in shown for each in page]
    assert sorted(flat) == sorted(made)
    moments = [
        each["created_at"]
        for each in (await sandbox.api("GET", "/payments?limit=100")).body["items"]
    ]
    assert moments == sorted(moments, reverse=True)
    assert len((await sandbox.api("GET", "/payments")).body["items"]) == 10


async def test_a_page_that_ends_the_list_has_no_cursor(sandbox: Sandbox) -> None:
    await sandbox.control("POST", "/payments", {"count": 4})
    assert [len(page) for page in await pages(sandbox, "limit=4")] == [4]


async def test_filters(sandbox: Sandbox) -> None:
    early = await sandbox.create()
    await sandbox.pay(early["id"])
    await sandbox.control("POST", "/clock", {"advance_seconds": 60})
    late = await sandbox.create()
    await sandbox.pay(late["id"])
    pending = await sandbox.create()
    at = late["created_at"]
    for query, wanted in (
        ("status=pending", [pending]),
        ("status=succeeded", [late, early]),
        (f"created_at.lt={at}", [early]),
        (f"created_at.lte={at}", [late, early]),
        (f"created_at.gte={at}&status=succeeded", [late]),
        (f"captured_at.gte={at.replace('Z', '%2B00:00')}", [late]),
        (f"captured_at.lt={at}", [early]),
        ("payment_method=bank_card", [late, early]),
        ("payment_method=sbp", []),
    ):
        assert (await pages(sandbox, query))[0] == [each["id"] for each in wanted], query


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("cursor=nonsense", "cursor"),
        ("created_at.gte=yesterday", "created_at.gte"),
        ("captured_at.lt=2026-11-22T10:00:00", "captured_at.lt"),
    ],
)
async def test_an_unreadable_parameter_is_named(
    sandbox: Sandbox, query: str, parameter: str
) -> None:
    refused = await sandbox.api("GET", f"/payments?{query}")
    assert (refused.status, refused.body["parameter"]) == (400, parameter)
