"""The addresses of blocks, as a manager's program calls them."""

import csv
import io
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from core_billing.web import api
from shared import problem
from shared.crypto import token_hash
from shared.settings import ApiToken

TOKENS = {
    token_hash("reader"): ApiToken(name="reader", scopes=("blocks:read",)),
    token_hash("other"): ApiToken(name="other", scopes=("contracts:read",)),
}
PATHS = ("blocks", "blocks/state", "blocks/dry-run", "contracts/A/block", "contracts/A/blocks")

pytestmark = pytest.mark.parametrize("db", ["sqlite"], indirect=True)


Call = Callable[..., Awaitable[tuple[int, Any]]]


@pytest.fixture
async def call(books: Any, aiohttp_client: Any) -> Call:
    """Call the API in Russian; returns status and body, of a file its bytes."""
    root = web.Application(middlewares=[problem.middleware])
    root.add_subapp(api.PREFIX, api.application(books.core, TOKENS))
    client = await aiohttp_client(root)

    async def send(path: str, token: str = "reader") -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token}", "Accept-Language": "ru"}
        answer = await client.get(f"/api/v1/{path}", headers=headers)
        is_json = "json" in answer.content_type
        return answer.status, await (answer.json() if is_json else answer.read())

    return send


async def test_a_block_is_seen_from_every_side(books: Any, desk: Any, call: Call) -> None:
    await books.open(*(books.asked(name, "-5.00") for name in "ABC"), "D")
    assert (await call("contracts/A/block"))[1]["reason"] is None
    assert (await call("blocks/state"))[1]["allowed"] is False
    await desk.step()
    status, shown = await call("contracts/A/block")
    assert (status, shown["blocked"], shown["revision"]) == (200, True, 1)
    assert (shown["reason"], shown["balance"]) == ("below_zero", "-5.00")
    assert shown["detail"] == "доступный остаток меньше нуля"
    first = (await call("blocks?limit=2"))[1]
    assert [one["contract"] for one in first["items"]] == ["A", "B"]
    last = (await call(f"blocks?limit=2&cursor={first['next_cursor']}"))[1]
    assert ([one["contract"] for one in last["items"]], last["next_cursor"]) == (["C"], None)
    await books.arrive(books.paid("p1", 500, ("A", 500)))
    assert (await call("contracts/A/block"))[1]["detail"] == "деньги снова есть"
    newest = (await call("contracts/A/blocks?limit=1"))[1]
    assert [(one["revision"], one["blocked"]) for one in newest["items"]] == [(2, False)]
    older = (await call(f"contracts/A/blocks?cursor={newest['next_cursor']}"))[1]
    assert [(one["revision"], one["reason"]) for one in older["items"]] == [(1, "below_zero")]
    assert older["next_cursor"] is None
    assert (await call("contracts/D/blocks"))[1]["items"] == []


async def test_what_withholds_blocks_is_told(books: Any, desk: Any, call: Call) -> None:
    await books.open(books.asked("A", "-5.00"))
    await desk.step()
    state = (await call("blocks/state"))[1]
    assert (state["allowed"], state["withheld"]) == (True, [])
    assert [one["service"] for one in state["signs"]] == ["core-billing", "gateway-yookassa"]
    books.clock.advance(timedelta(minutes=5))
    [one] = (await call("blocks/state"))[1]["withheld"]
    assert (one["guard"], one["service"]) == ("gateway_silent", "gateway-yookassa")
    assert "проверьте" in one["detail"]


async def test_the_whole_base_is_foretold_in_pages_and_files(
    books: Any, desk: Any, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core_billing.block_dry_run.PAGE_MAX", 3)
    names = [f"N{n}" for n in range(8)]
    await books.open(
        *(books.asked(name, "-5.00" if n % 2 else "5.00") for n, name in enumerate(names))
    )
    seen, cursor = [], ""
    for _ in range(9):
        status, page = await call(f"blocks/dry-run?limit=1{cursor}")
        assert status == 200
        seen += [one["contract"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == ["N1", "N3", "N5", "N7"]
    assert page["date"] == "2026-11-23"
    status, body = await call("blocks/dry-run?format=csv")
    assert body[:3] == b"\xef\xbb\xbf"
    rows = list(csv.reader(io.StringIO(body.decode("utf-8-sig")), delimiter=";"))
    assert [row[0] for row in rows] == ["Договор", *seen]
    assert rows[1][2:6] == ["доступный остаток меньше нуля", "-5,00", "-5,00", "5,00"]
    status, body = await call("blocks/dry-run?format=csv&encoding=cp1251&lang=en")
    assert body.decode("cp1251").startswith('"Contract"')


async def test_refusals(call: Call) -> None:
    for path, status, code in (
        ("blocks/dry-run?date=2026-11-21", 422, "dry_run_date_past"),
        ("blocks/dry-run?date=2027-03-01", 422, "dry_run_date_too_far"),
        ("contracts/nobody/block", 404, "contract_unknown"),
        ("contracts/nobody/blocks", 404, "contract_unknown"),
        ("blocks?cursor=9999999999", 422, None),
    ):
        answered, body = await call(path)
        assert (answered, body.get("code")) == (status, code)
    for path in PATHS:
        status, body = await call(path, token="other")
        assert (status, body["code"]) == (403, "right_missing")
