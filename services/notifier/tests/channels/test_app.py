"""The notifier as it runs: from the bus to a phone and a mailbox, and into its journal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientSession
from sqlalchemy import select

from notifier import app, journal
from notifier.settings import Settings
from shared.clock import system_clock
from shared.crypto import token_hash
from shared.db import Database, open_database, reading, transaction
from shared.events import Event, encode, sign
from shared.memory import MemoryBus
from shared.outbox import Letter
from shared.service import Process, running
from shared.settings import read

if TYPE_CHECKING:
    from conftest import MailServer, Said, SmsServer


@pytest.fixture
def settings(
    db: Database,
    database_url: str,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    mail_server: MailServer,
    sms_server: SmsServer,
) -> Settings:
    """Settings that lead to the servers of the test."""
    token = {"name": "crm", "scopes": ["messages:read"]}
    given = {
        "SALDO_DATABASE_URL": database_url,
        "SALDO_SERVICES": "notifier",
        "SALDO_API_TOKENS": json.dumps({token_hash("may"): token}),
        "SMTP_URL": f"smtp://robot:right@127.0.0.1:{mail_server.port}",
        "SMSC_API_URL": sms_server.url,
    }
    for name, value in {**environment, **given}.items():
        monkeypatch.setenv(name, value)
    return read(Settings)


def letters(settings: Settings, events: Sequence[Event]) -> list[Letter]:
    """Sign events as their producer's relay does."""
    signer = settings.signer()
    bodies = [(event, encode(event)) for event in events]
    return [Letter(e.id, e.type, body, sign(signer, body)) for e, body in bodies]


@pytest.fixture
async def bus(settings: Settings) -> MemoryBus:
    """A bus for this one service."""
    return MemoryBus(settings.topology(), settings.signer(), system_clock)


@pytest.fixture
async def address(settings: Settings, bus: MemoryBus) -> AsyncIterator[str]:
    """The address of the running notifier."""
    process = Process([app.build(settings)], bus, system_clock)
    async with running(process, "127.0.0.1", 0) as port:
        yield f"http://127.0.0.1:{port}"


async def test_a_payment_is_told_by_sms_and_mail(
    settings: Settings,
    bus: MemoryBus,
    address: str,
    said: Said,
    sms_server: SmsServer,
    mail_server: MailServer,
) -> None:
    now = system_clock()
    facts = [said.payment(occurred_at=now), said.contract(), said.subscriber()]
    for letter in letters(settings, facts):
        assert await bus.publish([letter]) == [None]
    async with asyncio.timeout(30):
        await sms_server.arrived.wait()
        await mail_server.arrived.wait()
    assert sms_server.sent[0]["mes"].endswith("Баланс −550,00 ₽, не хватает ещё 550,00 ₽")
    assert mail_server.mails[0]["X-Correlation-Id"] == "c-77"
    headers = {"Authorization": "Bearer may"}
    async with ClientSession(headers=headers) as session:
        async with session.get(f"{address}/notifier/v1/messages") as answer:
            listed = await answer.json()
        async with session.get(f"{address}/metrics") as answer:
            metrics = await answer.text()
        async with session.get(f"{address}/readyz") as answer:
            assert answer.status == 200
    assert {view["channel"] for view in listed["messages"]} == {"sms", "email"}
    assert 'saldo_messages_total{channel="sms",outcome=' in metrics


async def test_what_stands_in_the_journal_at_the_start_is_sent(
    settings: Settings, db: Database, said: Said, sms_server: SmsServer, mail_server: MailServer
) -> None:
    """The process died after the event was consumed: the row is all that is left of it."""
    service = app.build(settings)
    async with transaction(db) as tx:
        events = [said.contract(), said.subscriber(), said.payment(occurred_at=system_clock())]
        await service.consumers[0].handle(tx, events)
    bus = MemoryBus(settings.topology(), settings.signer(), system_clock)
    async with running(Process([service], bus, system_clock), "127.0.0.1", 0), asyncio.timeout(30):
        await sms_server.arrived.wait()
        await mail_server.arrived.wait()
    again = open_database(str(settings.database_url))
    async with reading(again) as tx:
        states = (await tx.execute(select(journal.message.c.state))).scalars().all()
    await again.close()
    assert states == ["sent", "sent"], "a stop finishes what is held"


async def test_without_providers_messages_go_to_the_log(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, sms_server: SmsServer
) -> None:
    monkeypatch.setenv("SMS_PROVIDER", "log")
    monkeypatch.setenv("SMTP_URL", "log://")
    service = app.build(read(Settings))
    assert [loop.name for loop in service.loops] == [
        "prepare",
        "deliver-sms",
        "deliver-email",
        "prune",
        "reports",
        "unreachable",
    ]
    await service.db.close()
