"""Autopay's addresses over SQLite: most of what is asked over HTTP is the same on both."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient
from sqlalchemy import event as listening

from autopay import app, charges, consumer, links, mandates
from autopay.autopay import Autopay
from autopay.case import IN_FLIGHT, Charge
from autopay.mandate import Mandate
from autopay.migrations import SCHEMAS
from autopay.settings import Settings
from servers.processes import run_aside
from shared import inbox, problem
from shared.clock import ManualClock
from shared.crypto import new_encryption_key, token_hash
from shared.db import open_database, reading, transaction
from shared.events import ContractChanged, EventData, SubscriberChanged
from shared.events_billing import FeeUpcoming, NeededLine
from shared.events_gateway import PaymentMethodRevoked, PaymentMethodSaved

AT = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
"""Noon in Moscow."""
CORE, GATEWAY = "core-billing", "gateway-yookassa"
SHOP = "yookassa:100500"
HTML = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
TOKENS = {
    token_hash(name): {"name": name, "scopes": scopes}
    for name, scopes in (("office", ["mandates:write"]), ("reader", ["mandates:read"]))
}
FEES_ON = date(2026, 12, 1)
LINES = (
    NeededLine(ru="Домашний 100, декабрь", en="Home 100, December", kopecks=90_000),
    NeededLine(ru="Уже на балансе", en="On the balance already", kopecks=-12_050),
)
METHOD = {"provider": SHOP, "method_ref": "m-1"}
CONSENT = {"version": "offer-7", "given_at": "2026-11-28T08:59:00Z", "address": "203.0.113.9"}


@dataclass
class World:
    """Autopay without its loops: the test says what is heard, and asks over HTTP."""

    autopay: Autopay
    clock: ManualClock
    client: TestClient[web.Request, web.Application]
    text: str = ""
    """The page that was answered last."""

    async def hear(self, *bodies: tuple[EventData, str, str | int]) -> None:
        """Consume events, each given with who says it and its revision."""
        events = [
            body.event(who, subject=body.contract or "s-1", revision=revision, correlation_id="c")
            for body, who, revision in bodies
        ]
        listening = consumer.make(self.autopay)
        done = await inbox.apply(listening, events, self.clock)
        assert {result.outcome for result in done} <= {inbox.Outcome.DONE, inbox.Outcome.REPEAT}

    async def contract(self, number: str = "100245", **given: Any) -> None:
        """Let core say a contract and its subscriber."""
        state = {"revision": 1, "operator": "Связь", "status": "open", "subscriber_id": "s-1"}
        state |= {name: given.pop(name) for name in ("revision", "status") if name in given}
        person = {"revision": 1, "subscriber_id": "s-1", "occurred_at": self.clock(), **given}
        await self.hear(
            (ContractChanged(contract=number, occurred_at=self.clock(), **state), CORE, number),
            (SubscriberChanged(**person), CORE, str(person)),
        )

    async def save(self, ref: str = "m-1", contract: str = "100245", **given: Any) -> None:
        """Let the gateway say that a card was saved."""
        titles = {"m-1": "Visa •4477", "m-2": "Мир •0021"}
        body = PaymentMethodSaved(
            contract=contract,
            occurred_at=self.clock(),
            revision=1,
            provider=SHOP,
            method_ref=ref,
            kind="bank_card",
            **{"title": titles.get(ref, ref), "expires": "2027-04", **given},
        )
        await self.hear((body, GATEWAY, f"{ref}:1"))

    async def unlink(self, ref: str = "m-1", contract: str = "100245") -> None:
        """Let the gateway say that a card was unlinked."""
        body = PaymentMethodRevoked(
            contract=contract,
            occurred_at=self.clock(),
            revision=2,
            provider=SHOP,
            method_ref=ref,
        )
        await self.hear((body, GATEWAY, f"{ref}:2"))

    async def fee(self, contract: str = "100245", needed: int = 77_950) -> None:
        """Let core say that fees are coming and money is missing."""
        body = FeeUpcoming(
            contract=contract,
            occurred_at=self.clock(),
            watcher="autopay",
            fees_on=FEES_ON,
            fee_kopecks=90_000,
            balance_kopecks=12_050,
            available_kopecks=12_050,
            needed_kopecks=needed,
            lines=LINES,
        )
        await self.hear((body, CORE, f"{FEES_ON}:{contract}"))

    async def call(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        """Ask the API as the office, or as another token."""
        token = options.pop("token", "office")
        headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
        answer = await self.client.request(method, f"/autopay{path}", headers=headers, **options)
        text = await answer.text()
        return answer.status, json.loads(text) if "json" in answer.content_type else text

    def body(self, **changed: Any) -> dict[str, Any]:
        """Return a mandate as the API would be asked for it; None leaves a field out."""
        asked = {
            "contract": "100245",
            "trigger": "fee",
            "days_before": 2,
            "cap": "2000.00",
            "method": METHOD,
            "consent": CONSENT,
            **changed,
        }
        return {name: value for name, value in asked.items() if value is not None}

    async def made(self, **changed: Any) -> dict[str, Any]:
        """Make a mandate over the API."""
        status, made = await self.call("POST", "/v1/mandates", json=self.body(**changed))
        assert status == 201, made
        found: dict[str, Any] = made
        return found

    def link(self, contract: str = "100245", route: str = "") -> str:
        """Return the path of a contract's page."""
        url = links.mandate_url(self.autopay, contract, self.clock())
        return url.removeprefix(self.autopay.public_url).replace("/?", f"/{route}?")

    def skip_link(self, charge: str) -> str:
        """Return the path of a charge's page."""
        url = links.skip_url(self.autopay, charge, self.clock())
        return url.removeprefix(self.autopay.public_url)

    async def get(self, path: str, **headers: str) -> ClientResponse:
        """Open a page, as a browser does."""
        return await self._send("GET", path, headers)

    async def post(self, path: str, form: dict[str, str], **headers: str) -> ClientResponse:
        """Send a form, as a browser does from a page of ours."""
        return await self._send(
            "POST", path, {"Sec-Fetch-Site": "same-origin", **headers}, data=form
        )

    def form(self, action: str, **typed: str) -> tuple[str, dict[str, str]]:
        """Return where the page's form leads, and its fields with what is typed."""
        for found in re.finditer(r'<form[^>]+action="([^"]+)".*?</form>', self.text, re.DOTALL):
            if f"/{action}?" in found[1]:
                break
        else:
            raise AssertionError(f"the page has no form for {action}: {self.text}")
        fields: dict[str, str] = {}
        for field in re.findall(r"<input[^>]*>", found[0]):
            name = re.search(r'name="(\w+)"', field)
            value = re.search(r'value="([^"]*)"', field)
            chosen = "checked" in field or not re.search(r'type="(radio|checkbox)"', field)
            if name is not None and chosen:
                fields[name[1]] = unescape(value[1]) if value else ""
        return unescape(found[1]), {**fields, **typed}

    async def submit(self, action: str, **typed: str) -> ClientResponse:
        """Send the page's form of that name, and follow where it leads."""
        path, fields = self.form(action, **typed)
        answer = await self.post(path, fields)
        if answer.status == 303:
            return await self.get(answer.headers["Location"])
        return answer

    async def live(self, contract: str = "100245") -> Mandate | None:
        """Return the mandate of a contract that holds now."""
        async with reading(self.autopay.db) as tx:
            return await mandates.of_contract(tx, contract)

    async def charge(self, contract: str = "100245") -> Charge:
        """Return the newest charge of a contract."""
        async with reading(self.autopay.db) as tx:
            [found] = await charges.page(tx, limit=1, contract=contract)
        return found

    async def conclude(self, state: str) -> None:
        """Have the newest charge gone on its way, without what goes with it."""
        newest = (await self.charge()).id
        done = None if state in IN_FLIGHT else self.clock()
        async with transaction(self.autopay.db) as tx:
            await tx.execute(
                charges.charge.update()
                .where(charges.charge.c.id == newest)
                .values(state=state, requested_at=self.clock(), concluded_at=done)
            )

    async def journal(self, mandate: Mandate) -> list[Any]:
        """Return the acts of a mandate."""
        async with reading(self.autopay.db) as tx:
            return list(await mandates.history(tx, mandate.id))

    async def _send(
        self, method: str, path: str, given: dict[str, str], **options: Any
    ) -> ClientResponse:
        headers = {**HTML, "Accept-Language": "ru", **given}
        answer = await self.client.request(
            method, path, headers=headers, allow_redirects=False, **options
        )
        self.text = await answer.text()
        return answer

    @property
    def words(self) -> str:
        """What the page says, without its marks."""
        bare = re.sub(r"<[^>]+>", " ", self.text)
        return " ".join(unescape(bare).replace("\u00a0", " ").split())


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with autopay's tables, to be copied: making them takes longer than most tests."""
    path = tmp_path_factory.mktemp("autopay") / "autopay.db"
    run_aside(_create_tables(f"sqlite+aiosqlite:///{path}"))
    return path


async def _create_tables(url: str) -> None:
    db = open_database(url)
    async with db.engine.begin() as connection:
        for schema in SCHEMAS:
            await connection.run_sync(schema.create_all)
    await db.close()


@pytest.fixture
def kept(request: pytest.FixtureRequest, empty_file: Path, tmp_path: Path) -> str:
    """The address of a database with tables: SQLite, or what a test asks for by name."""
    if getattr(request, "param", "sqlite") == "postgres":
        url: str = request.getfixturevalue("prepared_postgres")
        run_aside(_empty(url))
        return url
    shutil.copy(empty_file, tmp_path / "autopay.db")
    return f"sqlite+aiosqlite:///{tmp_path}/autopay.db"


@pytest.fixture
async def world(
    request: pytest.FixtureRequest, kept: str, aiohttp_client: AiohttpClient
) -> AsyncIterator[World]:
    """Autopay that knows nothing yet; a test may give settings of its own."""
    settings = Settings(
        database_url=kept,
        bus_url="memory://",
        public_url="http://127.0.0.1:8080",
        signing_keys=("a signing key of tests",),
        encryption_keys=(new_encryption_key(),),
        api_tokens=TOKENS,
        trusted_proxies=("127.0.0.0/8",),
        **getattr(request, "param", {}),
    )
    clock = ManualClock(AT)
    service = app.build(settings, clock)
    if not service.db.postgres:
        listening.listen(service.db.engine.sync_engine, "connect", _carelessly)
    root = web.Application(middlewares=[problem.middleware])
    [(prefix, mounted)] = service.mounts.items()
    root.add_subapp(prefix, mounted)
    autopay = Autopay(service.db, clock, service.producer, app.rules(settings), settings.public_url)
    yield World(autopay, clock, await aiohttp_client(root))
    await service.db.close()


async def _empty(url: str) -> None:
    db = open_database(url)
    async with db.engine.begin() as connection:
        for schema in SCHEMAS:
            for table in schema.sorted_tables:
                await connection.execute(table.delete())
    await db.close()


def _carelessly(connection: Any, _record: object) -> None:
    """No test pulls the plug, and disks are slow."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=OFF")
    cursor.close()


@pytest.fixture
async def known(world: World) -> World:
    """Autopay that knows a contract with one saved card."""
    await world.contract()
    await world.save()
    return world


@pytest.fixture
async def planned(known: World) -> World:
    """A contract whose fee is going to be charged for."""
    await known.made()
    await known.fee()
    return known
