"""The texts over HTTP: listed, written, refused with the place, shown filled in, and taken back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web as aiohttp_web
from aiohttp.test_utils import TestClient, TestServer

from notifier import app, template_store, web, web_templates
from notifier.content import unseal
from notifier.kinds import KIND_NAMES
from notifier.texts import LANGUAGES, PARTS, Key
from shared import problem
from shared.crypto import token_hash
from shared.db import open_database, reading, transaction
from shared.errors import Conflict
from shared.settings import ApiToken

if TYPE_CHECKING:
    from conftest import Said, World

TOKENS = {
    token_hash("editor"): ApiToken(name="Ольга", scopes=("templates:write", "messages:read")),
    token_hash("reader"): ApiToken(name="crm", scopes=("templates:read",)),
    token_hash("other"): ApiToken(name="shop", scopes=("messages:read",)),
}
EDITOR = {"Authorization": "Bearer editor"}
READER = {"Authorization": "Bearer reader"}
OTHER = {"Authorization": "Bearer other"}
ALL = "/notifier/v1/templates"
ONE = f"{ALL}/payment/ru/sms"
NOON = datetime(2026, 11, 22, 9, tzinfo=UTC)
assert web_templates in app.AREAS


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """SQLite alone; what differs on PostgreSQL has a test of its own below."""
    return f"sqlite+aiosqlite:///{tmp_path}/notifier.db"


@pytest.fixture
async def client(world: World) -> AsyncIterator[TestClient[Any, Any]]:
    """A client of the mounted API."""
    api = web.api.application(TOKENS)
    api[web.DB] = world.db
    api[web.VAULT] = world.vault
    api[web_templates.DESK] = web_templates.Desk(
        world.clock,
        "Связь",
        "https://pay.example.org/cabinet/",
        450,
        {"second": "Вторая сеть"},
    )
    root = aiohttp_web.Application(middlewares=[problem.middleware])
    root.add_subapp(web.PREFIX, api)
    async with TestClient(TestServer(root)) as client:
        yield client


async def write(
    client: TestClient[Any, Any], text: str, revision: int = 0, at: str = ONE
) -> tuple[int, Any]:
    """Write a text; return the status and the answer."""
    body = {"text": text, "revision": revision}
    answer = await client.put(at, json=body, headers={**EDITOR, "Accept-Language": "ru"})
    return answer.status, await answer.json()


async def post(client: TestClient[Any, Any], path: str, **body: Any) -> tuple[int, Any]:
    """Send a body; return the status and the answer."""
    answer = await client.post(path, json=body, headers=EDITOR)
    return answer.status, await answer.json()


async def test_everything_is_listed_with_what_it_may_say(client: TestClient[Any, Any]) -> None:
    body = await (await client.get(ALL, headers=READER)).json()
    assert [view["kind"] for view in body["kinds"]] == list(KIND_NAMES)
    for view in body["kinds"]:
        places = [(text["language"], text["part"]) for text in view["texts"]]
        assert places == [(language, part) for language in LANGUAGES for part in PARTS]
        assert {"contract", "name", "link"} <= {one["name"] for one in view["variables"]}
        assert all(text["text"] == text["default"] for text in view["texts"])
    assert body["filters"] == ["capital", "lower", "short", "upper"]
    query = {"kind": "fee_upcoming", "language": "en"}
    body = await (await client.get(ALL, params=query, headers=READER)).json()
    (view,) = body["kinds"]
    assert {text["language"] for text in view["texts"]} == {"en"}
    assert {"lines", "line.text", "line.sum"} <= {one["name"] for one in view["variables"]}


async def test_a_text_is_written_over_what_was_read_and_taken_back(
    client: TestClient[Any, Any],
) -> None:
    status, view = await write(client, "Пришло {{ amount }}")
    assert status == 200
    assert (view["text"], view["written"], view["revision"]) == ("Пришло {{ amount }}", True, 1)
    assert (view["changed_by"], view["changed_at"]) == ("Ольга", "2026-11-22T09:00:00Z")
    assert view["default"].startswith("{{ operator_short }}: зачислено")
    assert await write(client, "Пришло {{ amount }}") == (200, view), "said twice"
    status, refused = await write(client, "Другое {{ amount }}")
    assert (status, refused["code"]) == (409, "template_changed")
    assert "версия 1" in refused["detail"]
    assert (await write(client, "Другое {{ amount }}", 1))[1]["revision"] == 2
    assert (await write(client, "Другое {{ amount }}", 9))[0] == 409
    status, view = await post(client, f"{ONE}/reset", revision=2)
    assert (status, view["written"], view["revision"]) == (200, False, 3)
    assert view["text"] == view["default"]
    assert (await post(client, f"{ONE}/reset", revision=2)) == (200, view)
    body = await (await client.get(f"{ONE}/history", headers=READER)).json()
    assert [(one["revision"], one["text"]) for one in body["revisions"]] == [
        (3, None),
        (2, "Другое {{ amount }}"),
        (1, "Пришло {{ amount }}"),
    ]


UNUSABLE = [
    (
        "sms",
        "Здравствуйте!\nБаланс {{ balans }}",
        "unknown_variable",
        "строка 2, позиция 8: нет переменной balans; есть: balance",
    ),
    (
        "sms",
        "{{ skip_url }}",
        "unknown_variable",
        "строка 1, позиция 1: нет переменной skip_url",
    ),
    ("sms", "{{ amount|rub }}", "unknown_filter", "строка 1, позиция 1: нет фильтра rub"),
    ("text", "{{ amount", "stray", "строка 1, позиция 1: {{ без пары"),
    ("text", "x {% if missing %}", "not_closed", "строка 1, позиция 3: этот блок не закрыт"),
    ("text", "{{ ''.__class__ }}", "syntax", "{{ ''.__class__ }} не разобрать"),
    ("text", "{% for x in y %}", "unexpected", "for x in y здесь не ожидается"),
    ("html", "<p><script>x</script>", "markup", "строка 1, позиция 4: <script в письме"),
    ("subject", "{% if not amount %}x{% endif %}", "empty", "текст пуст"),
]


async def test_what_cannot_be_used_is_refused_at_its_place(
    client: TestClient[Any, Any],
) -> None:
    for part, text, code, said in UNUSABLE:
        status, body = await write(client, text, at=f"{ALL}/payment/ru/{part}")
        assert status == 422, text
        (error,) = body["errors"]
        assert (error["field"], error["code"]) == ("text", code)
        assert said in error["message"]
        asked = {"kind": "payment", part: text}
        again = await client.post(f"{ALL}/preview", json=asked, headers=READER)
        assert (again.status, (await again.json())["errors"][0]["field"]) == (422, part)


REFUSED: tuple[tuple[str, str, dict[str, str], dict[str, Any] | None, int], ...] = (
    ("GET", ALL, {}, None, 401),
    ("GET", ALL, OTHER, None, 403),
    ("GET", f"{ALL}?kind=nothing", READER, None, 422),
    ("PUT", ONE, READER, {"text": "x", "revision": 0}, 403),
    ("POST", f"{ONE}/reset", READER, {"revision": 0}, 403),
    ("PUT", ONE, EDITOR, {"text": "x"}, 422),
    ("PUT", ONE, EDITOR, {"text": "", "revision": 0}, 422),
    ("PUT", ONE, EDITOR, {"text": "x" * 10_001, "revision": 0}, 422),
    ("PUT", ONE, EDITOR, {"text": "x\x00", "revision": 0}, 422),
    ("PUT", ONE, EDITOR, {"text": "x", "revision": -1}, 422),
    ("PUT", f"{ALL}/payments/ru/sms", EDITOR, {"text": "x", "revision": 0}, 404),
    ("PUT", f"{ALL}/payment/de/sms", EDITOR, {"text": "x", "revision": 0}, 404),
    ("PUT", f"{ALL}/payment/ru/fax", EDITOR, {"text": "x", "revision": 0}, 404),
    ("GET", f"{ALL}/payment/ru/fax/history", READER, None, 404),
    ("POST", f"{ALL}/preview", READER, {"kind": "nothing"}, 422),
    ("POST", f"{ALL}/preview", READER, {"kind": "payment", "contract": "1"}, 403),
)


async def test_who_may_not_and_what_is_not_there(client: TestClient[Any, Any]) -> None:
    for method, path, headers, body, status in REFUSED:
        answer = await client.request(method, path, json=body, headers=headers)
        assert answer.status == status, (method, path, await answer.text())


async def test_a_preview_counts_what_an_sms_costs(client: TestClient[Any, Any]) -> None:
    status, body = await post(client, f"{ALL}/preview", kind="payment", language="en")
    assert (status, body["sample"]) == (200, True)
    assert body["sms"]["text"].startswith("Связь: received 650.00 RUB")
    assert (body["sms"]["encoding"], body["sms"]["price"]) == ("UCS-2", "9.00")
    _, body = await post(
        client, f"{ALL}/preview", kind="payment", language="en", sms="a{{ amount }}"
    )
    assert body["sms"] == {
        "text": "a650.00",
        "encoding": "GSM-7",
        "units": 7,
        "segments": 1,
        "price": "4.50",
    }
    assert body["bot"] == "a650.00\nhttps://pay.example.org/cabinet/\n"
    assert "<td>Amount</td><td>650.00 RUB</td>" in body["html"]


async def test_a_preview_shows_texts_for_a_contract(
    world: World, said: Said, client: TestClient[Any, Any]
) -> None:
    await world.hear(
        said.contract(), said.subscriber(name="<i>Анна</i>"), said.payment(amount_kopecks=12_300)
    )
    asked = {"kind": "payment", "contract": "100245", "text": "{{ name }}: {{ amount }}"}
    _, body = await post(client, f"{ALL}/preview", **asked)
    assert body["sample"] is False
    assert body["text"] == "<i>Анна</i>: 123,00\u00a0₽\n"
    assert "&lt;i&gt;Анна&lt;/i&gt;" in body["html"]
    assert "<i>" not in body["html"]
    _, body = await post(client, f"{ALL}/preview", kind="statement", contract="100245")
    assert (body["sample"], "Договор 100245" in body["subject"]) == (True, True)
    _, body = await post(client, f"{ALL}/preview", kind="payment", contract="none")
    assert body["subject"].endswith("договор none, не хватает ещё 50,00 ₽")


async def test_a_preview_for_a_contract_is_what_it_would_be_sent(
    world: World, said: Said, client: TestClient[Any, Any]
) -> None:
    await world.hear(said.contract(operator="second"), said.subscriber(), said.payment())
    await world.prepare()
    _, body = await post(client, f"{ALL}/preview", kind="payment", contract="100245")
    sms = unseal(world.vault, (await world.row(channel="sms")).sealed)
    mail = unseal(world.vault, (await world.row(channel="email")).sealed)
    assert sms.text.startswith("Вторая сеть:")
    assert body["sms"]["text"] == sms.text
    assert (body["subject"], body["text"], body["html"]) == (mail.subject, mail.text, mail.html)


async def test_a_broken_stored_text_is_shown_and_mended(
    world: World, client: TestClient[Any, Any]
) -> None:
    """A version before this one may have known other variables."""
    key = Key("payment", "ru", "sms")
    async with transaction(world.db) as tx:
        await template_store.change(tx, key, "{{ gone }}", 0, "Ольга", NOON)
    status, body = await post(client, f"{ALL}/preview", kind="payment")
    assert (status, body["sms"]["text"][:18]) == (200, "Связь: зачислено 6")
    assert (await write(client, "{{ amount }}", 1))[0] == 200


@pytest.mark.connected
@pytest.mark.postgres
async def test_of_two_who_write_at_once_one_is_told(prepared_postgres: str) -> None:
    db = open_database(prepared_postgres)
    key = Key("refund", "en", "bot")

    async def change(text: str) -> str:
        try:
            async with transaction(db) as tx:
                return str((await template_store.change(tx, key, text, 0, text, NOON)).text)
        except Conflict:
            return "told"

    async with transaction(db) as tx:
        await tx.execute(template_store.template.delete())
    outcomes = await asyncio.gather(*(change(text) for text in "abcdef"))
    async with reading(db) as tx:
        (row,) = await template_store.history(tx, key)
        stored = await template_store.stored(tx)
    assert sorted(outcomes) == sorted([row.text, *["told"] * 5])
    assert stored == {key: row.text}
    await db.close()
