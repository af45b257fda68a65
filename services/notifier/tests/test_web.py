"""The journal over HTTP: what was told, with masked recipients, to those who may see it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from aiohttp import web as aiohttp_web
from aiohttp.test_utils import TestClient, TestServer
from openapi_spec_validator import validate

from notifier import access_leases, web
from notifier.web_access import AccessPage
from shared import problem
from shared.clock import ManualClock
from shared.crypto import token_hash
from shared.db import transaction
from shared.settings import ApiToken

if TYPE_CHECKING:
    from conftest import Said, World

TOKENS = {
    token_hash("may"): ApiToken(name="crm", scopes=("messages:read",)),
    token_hash("may-not"): ApiToken(name="shop", scopes=("payments:write",)),
}
MAY = {"Authorization": "Bearer may"}
LIST = "/notifier/v1/messages"
ACCESS = "/notifier/v1/access"


@pytest.fixture
async def client(world: World) -> AsyncIterator[TestClient[Any, Any]]:
    """A client of the mounted API."""
    api = web.api.application(TOKENS)
    api[web.DB] = world.db
    api[web.VAULT] = world.vault
    root = aiohttp_web.Application(middlewares=[problem.middleware])
    root.add_subapp(web.PREFIX, api)
    async with TestClient(TestServer(root)) as client:
        yield client


async def test_messages_are_listed_with_masked_recipients(
    world: World, said: Said, client: TestClient[Any, Any]
) -> None:
    await world.hear(said.contract(), said.subscriber(), said.payment())
    await world.prepare()
    await world.deliver(world.sms)
    answer = await client.get(LIST, headers=MAY)
    body = await answer.json()
    assert answer.status == 200
    by_channel = {view["channel"]: view for view in body["messages"]}
    assert by_channel["sms"] == {
        "id": str(world.sms.taken[0].key),
        "kind": "payment",
        "channel": "sms",
        "contract": "100245",
        "state": "sent",
        "reason": None,
        "recipient": "+7***4567",
        "attempts": 1,
        "provider_id": f"at-provider-{world.sms.taken[0].key}",
        "event_id": str(said.payment().id),
        "correlation_id": "c-77",
        "created_at": "2026-11-22T09:00:00Z",
        "done_at": "2026-11-22T09:00:00Z",
        "doubtful": False,
        "report": None,
        "delivered_at": None,
    }
    assert by_channel["email"]["recipient"] == "a***@example.org"
    assert (by_channel["email"]["state"], by_channel["email"]["done_at"]) == ("ready", None)
    assert body["next_cursor"] is None


async def test_one_message_shows_its_text(
    world: World, said: Said, client: TestClient[Any, Any]
) -> None:
    await world.hear(said.contract(), said.subscriber(), said.payment(), said.payment("2"))
    await world.prepare()
    mail = await world.row(channel="email", contract="100245")
    shown = await (await client.get(f"{LIST}/{mail.id}", headers=MAY)).json()
    assert shown["subject"].startswith("Зачислено 650,00 ₽ на договор 100245")
    assert "Анна" in shown["text"]
    assert shown["recipient"] == "a***@example.org"
    waiting = await world.row(channel="sms", contract="2")
    shown = await (await client.get(f"{LIST}/{waiting.id}", headers=MAY)).json()
    assert (shown["text"], shown["subject"], shown["recipient"]) == (None, None, None)


async def test_pages_hold_every_message_once_newest_first(
    world: World, said: Said, clock: ManualClock, client: TestClient[Any, Any]
) -> None:
    for n in range(5):
        await world.hear(said.payment(payment=f"p-{n}"), said.payment(payment=f"q-{n}"))
        clock.advance(timedelta(microseconds=1))
    pages, cursor = [], ""
    while True:
        link = f"{LIST}?limit=3" + (f"&cursor={cursor}" if cursor else "")
        body = await (await client.get(link, headers=MAY)).json()
        pages.append([view["id"] for view in body["messages"]])
        cursor = body["next_cursor"]
        if cursor is None:
            break
    assert [len(page) for page in pages] == [3, 3, 3, 3, 3, 3, 2]
    rows = sorted(await world.rows(), key=lambda r: (r.created_at, _order(r.id)), reverse=True)
    assert [UUID(this) for page in pages for this in page] == [row.id for row in rows]


def _order(this: UUID) -> str:
    return this.hex


async def test_filters(world: World, said: Said, client: TestClient[Any, Any]) -> None:
    await world.hear(said.contract(), said.subscriber(phone=""), said.payment())
    await world.hear(said.payment("2"))
    await world.prepare()
    for query, expected in (
        ("contract=100245", 2),
        ("contract=2&state=new", 2),
        ("state=skipped", 1),
        ("contract=nobody", 0),
    ):
        body = await (await client.get(f"{LIST}?{query}", headers=MAY)).json()
        assert len(body["messages"]) == expected


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("state=lost", "state"),
        ("cursor=!!", "cursor"),
        ("cursor=MjAyNi0xMS0yMlQwOTowMDowMHx4", "cursor"),
        (
            "cursor=MjAyNi0xMS0yMlQwOTowMDowMHwwMDAwMDAwMC0wMDAwLTUwMDAtODAwMC0wMDAwMDAwMDAwMDE=",
            "cursor",
        ),
        ("contract=", "contract"),
        ("colour=red", "colour"),
    ],
)
async def test_a_wrong_query_names_its_field(
    client: TestClient[Any, Any], query: str, field: str
) -> None:
    answer = await client.get(f"{LIST}?{query}", headers=MAY)
    assert answer.status == 422
    assert [error["field"] for error in (await answer.json())["errors"]] == [field]


async def test_who_may_see(client: TestClient[Any, Any]) -> None:
    for path in (LIST, f"{LIST}/{uuid4()}", ACCESS):
        for headers, status in (
            ({}, 401),
            ({"Authorization": "Bearer wrong"}, 401),
            ({"Authorization": "Bearer may-not"}, 403),
        ):
            assert (await client.get(path, headers=headers)).status == status


@pytest.mark.parametrize("this", ["00000000-0000-5000-8000-000000000001", "1", "x" * 300])
async def test_an_unknown_message_is_not_found(client: TestClient[Any, Any], this: str) -> None:
    assert (await client.get(f"{LIST}/{this}", headers=MAY)).status == 404


async def test_access_is_listed_with_what_the_controller_knows(
    world: World, said: Said, client: TestClient[Any, Any]
) -> None:
    await world.hear(said.access("100245", 11, balance_kopecks=-120_050), said.access("2", 4))
    async with transaction(world.db) as tx:
        (leased,) = await access_leases.lease(tx, said.NOON, until=said.NOON, limit=1)
        await access_leases.succeed(tx, leased, 204, said.NOON)
    told = leased.contract
    body = await (await client.get(f"{ACCESS}?contract=100245", headers=MAY)).json()
    (view,) = body["states"]
    assert view["since"] == "2026-11-22T09:00:00Z"
    assert (view["blocked"], view["revision"], view["balance"]) == (True, 11, "-1200.50")
    assert view["delivered_revision"] == (11 if told == "100245" else None)
    for query, expected in (
        ("blocked=false", {"2"}),
        ("undelivered=false", {told}),
        ("undelivered=true", {"100245", "2"} - {told}),
        ("contract=nobody", set()),
    ):
        body = await (await client.get(f"{ACCESS}?{query}", headers=MAY)).json()
        assert {view["contract"] for view in body["states"]} == expected


async def test_pages_hold_the_access_of_every_contract_once(
    world: World, said: Said, client: TestClient[Any, Any]
) -> None:
    await world.hear(*(said.access(f"ц-{n}") for n in range(5)))
    seen, cursor = [], ""
    while True:
        link = f"{ACCESS}?limit=2" + (f"&cursor={cursor}" if cursor else "")
        page = AccessPage.model_validate_json(await (await client.get(link, headers=MAY)).read())
        seen += [view.contract for view in page.states]
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
    assert seen == [f"ц-{n}" for n in range(5)]


@pytest.mark.parametrize("query", ["cursor=!!", "cursor=_w==", "cursor=AA==", "limit=0", "owed=1"])
async def test_a_wrong_query_of_access_is_refused(client: TestClient[Any, Any], query: str) -> None:
    answer = await client.get(f"{ACCESS}?{query}", headers=MAY)
    assert answer.status == 422


async def test_a_message_no_key_reads_is_still_listed(
    world: World, said: Said, client: TestClient[Any, Any]
) -> None:
    await world.hear(said.contract(), said.subscriber(), said.payment())
    await world.prepare()
    row = await world.row(channel="sms")
    async with world.db.engine.begin() as tx:
        await tx.exec_driver_sql("UPDATE message SET sealed = 'gAAAA'")
    shown = await (await client.get(f"{LIST}/{row.id}", headers=MAY)).json()
    assert (shown["state"], shown["recipient"], shown["text"]) == ("ready", None, None)


async def test_the_document_is_openapi(client: TestClient[Any, Any]) -> None:
    document = await (await client.get("/notifier/openapi.json")).json()
    validate(document)
    assert {LIST, LIST + "/{id}", ACCESS} <= set(document["paths"])
