"""The queues and the list of those out of reach over HTTP, and as a command."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web as aiohttp_web
from aiohttp.test_utils import TestClient, TestServer

from notifier import progress, web, web_preferences
from notifier.choosing import Choosing
from notifier.reach import DEFAULT_REACHING
from notifier.settings import Settings
from notifier.web_progress import ProgressView, UnreachablePage
from shared import problem
from shared.clock import ManualClock
from shared.crypto import Signer, token_hash
from shared.outbox import Producer
from shared.settings import ApiToken
from shared.topology import Topology

if TYPE_CHECKING:
    from conftest import Said, World

MAY = {"Authorization": "Bearer may"}


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """One database is enough: the SQL is tried on both elsewhere."""
    return f"sqlite+aiosqlite:///{tmp_path}/notifier.db"


@pytest.fixture
async def client(world: World, clock: ManualClock) -> AsyncIterator[TestClient[Any, Any]]:
    """A client of the mounted API."""
    token = ApiToken(name="crm", scopes=("messages:read",))
    api = web.api.application({token_hash("may"): token})
    producer = Producer(
        "notifier", Topology(frozenset({"notifier"})), Signer(["sixteen-characters"])
    )
    api[web.DB], api[web.VAULT] = world.db, world.vault
    api[web_preferences.CHOOSING] = Choosing(
        world.db, world.vault, clock, DEFAULT_REACHING, producer, 10_000, "Связь", {}
    )
    root = aiohttp_web.Application(middlewares=[problem.middleware])
    root.add_subapp(web.PREFIX, api)
    async with TestClient(TestServer(root)) as client:
        yield client


async def test_the_list_is_paged_and_exported(
    world: World, said: Said, client: TestClient[Any, Any]
) -> None:
    numbers = ("=1+1", "b", "c")
    await world.hear(said.subscriber(phone="", email=""))
    await world.hear(*(said.contract(number) for number in numbers))
    answer = await client.get("/notifier/v1/unreachable?limit=2", headers=MAY)
    first = await answer.json()
    assert UnreachablePage.model_validate(first).next_cursor is not None
    rest = await client.get(
        f"/notifier/v1/unreachable?limit=2&cursor={first['next_cursor']}", headers=MAY
    )
    pages = first["contracts"] + (await rest.json())["contracts"]
    assert [one["contract"] for one in pages] == list(numbers)
    assert {fault["reason"] for fault in pages[0]["faults"]} == {"no_email", "no_phone"}
    assert not pages[0]["reachable"]
    wrong = await client.get("/notifier/v1/unreachable?cursor=%00", headers=MAY)
    assert wrong.status == 422
    export = await client.get("/notifier/v1/unreachable.csv", headers=MAY)
    lines = (await export.text()).splitlines()
    assert lines[0] == "contract,channel,reason,since,message_id"
    assert len(lines) == 7
    assert lines[1].startswith("'=1+1,email,no_email,")


async def test_progress_is_told(world: World, said: Said, client: TestClient[Any, Any]) -> None:
    await world.hear(said.contract(), said.subscriber(), said.payment())
    await world.prepare()
    body = await (await client.get("/notifier/v1/messages/progress", headers=MAY)).json()
    assert ProgressView.model_validate(body).doubtful == 0
    assert {(w["channel"], w["urgency"], w["state"], w["count"]) for w in body["waiting"]} == {
        ("email", "soon", "ready", 1),
        ("sms", "soon", "ready", 1),
    }
    assert body["paces"][0]["seconds_left"] is None


async def test_the_command_prints_the_queues(
    world: World,
    said: Said,
    database_url: str,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await world.hear(said.contract(), said.subscriber(), said.payment())
    for name, value in {**environment, "SALDO_DATABASE_URL": database_url}.items():
        monkeypatch.setenv(name, value)
    assert await progress.run(Settings(), argparse.Namespace()) == 0
    told = capsys.readouterr().out
    assert "email    soon   new           1" in told
    assert "perhaps sent twice in the last day: 0" in told
