"""The whole notifier with real peers: what leaves, what is reported, and what the journal says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession
from sqlalchemy import Row, select

from notifier import app, journal
from notifier.settings import Settings
from shared.clock import system_clock
from shared.db import Database, open_database, reading
from shared.events import encode, sign
from shared.memory import MemoryBus
from shared.outbox import Letter
from shared.service import Process, running
from shared.settings import read
from simulators import harness
from simulators.smpp import peer as centre
from simulators.smpp.peer import Peer
from simulators.smsru.app import API_ID

if TYPE_CHECKING:
    from conftest import MailServer, Said

SECRET = "abcdefgh12345678"
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Notifier:
    """A running notifier, as its neighbours see it."""

    def __init__(self, settings: Settings, bus: MemoryBus, url: str) -> None:
        self.settings = settings
        self.bus = bus
        self.url = url

    async def hear(self, *events: Any) -> None:
        """Let it hear events from the bus."""
        signer = self.settings.signer()
        for event in events:
            body = encode(event)
            letter = Letter(event.id, event.type, body, sign(signer, body))
            assert await self.bus.publish([letter]) == [None]

    async def until(
        self, holds: Callable[[Mapping[str, Row[Any]]], bool]
    ) -> Mapping[str, Row[Any]]:
        """Wait until the messages, by channel, are as wanted; return them."""
        db = open_database(str(self.settings.database_url))
        try:
            async with asyncio.timeout(20):
                while True:
                    async with reading(db) as tx:
                        rows = (await tx.execute(select(journal.message))).all()
                    found = {row.channel: row for row in rows}
                    if holds(found):
                        return found
                    await asyncio.sleep(0.02)
        finally:
            await db.close()


Start = Callable[..., Any]


@pytest.fixture
def start(
    db: Database,
    database_url: str,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    mail_server: MailServer,
) -> Start:
    """Run the notifier with further settings."""

    @asynccontextmanager
    async def run(**given: str) -> AsyncIterator[Notifier]:
        fixed = {
            "SALDO_DATABASE_URL": database_url,
            "SALDO_SERVICES": "notifier",
            "SMTP_URL": f"smtp://robot:right@127.0.0.1:{mail_server.port}",
            "NOTIFIER_REPORT_SECRET": SECRET,
        }
        for name, value in {**environment, **fixed, **given}.items():
            monkeypatch.setenv(name, value)
        settings = read(Settings)
        bus = MemoryBus(settings.topology(), settings.signer(), system_clock)
        process = Process([app.build(settings)], bus, system_clock)
        async with running(process, "127.0.0.1", 0) as port:
            yield Notifier(settings, bus, f"http://127.0.0.1:{port}")

    return run


def sent(channel: str, report: str | None = None) -> Callable[[Mapping[str, Row[Any]]], bool]:
    """Return whether a channel's message is sent, and reported so."""

    def holds(rows: Mapping[str, Row[Any]]) -> bool:
        row = rows.get(channel)
        return row is not None and (row.state, row.report) == ("sent", report)

    return holds


async def test_a_message_centre_and_a_mail_server(
    start: Start, said: Said, mail_server: MailServer
) -> None:
    async with centre.running(Peer(receipts=True)) as peer:
        given = {
            "SMS_PROVIDER": "smpp",
            "SMPP_URL": f"smpp://saldo@127.0.0.1:{peer.port}",
            "SMPP_PASSWORD": "secret",
            "SMPP_SENDER": "SALDO",
        }
        async with start(**given) as notifier:
            facts = (said.contract(), said.subscriber(), said.payment(occurred_at=system_clock()))
            await notifier.hear(*facts)
            rows = await notifier.until(sent("sms", "delivered"))
            await notifier.until(sent("email"))
    ((number, text),) = peer.texts()
    assert number == "79161234567"
    assert "550,00" in text
    assert rows["sms"].provider_id == peer.taken[-1].id
    assert rows["sms"].delivered_at is not None
    assert (peer.binds, peer.unbinds, peer.answered) == (1, 1, [0])
    assert len(mail_server.mails) == 1


@pytest.mark.parametrize(("status", "state"), [(103, "sent"), (104, "undelivered")])
async def test_smsru_reports_to_our_address(
    start: Start, said: Said, status: int, state: str
) -> None:
    async with harness.running() as sandbox:
        given = {
            "SMS_PROVIDER": "smsru",
            "SMSRU_API_URL": f"{sandbox.url}/smsru",
            "SMSRU_API_ID": API_ID,
        }
        async with start(**given) as notifier, ClientSession() as session:
            facts = (said.contract(), said.subscriber(), said.payment(occurred_at=system_clock()))
            await notifier.hear(*facts)
            row = (await notifier.until(sent("sms")))["sms"]
            report = {
                "url": f"{notifier.url}/notifier/reports/smsru?key={SECRET}",
                "reports": [["000000-1", 103], [row.provider_id, status]],
            }
            answer = await sandbox.control("POST", "/report", report, of="smsru")
            assert answer == {"status": 200, "body": "100"}
            row = (await notifier.until(lambda rows: rows["sms"].report is not None))["sms"]
            report["api_id"] = "another"
            forged = await sandbox.control("POST", "/report", report, of="smsru")
            async with session.post(f"{notifier.url}/notifier/reports/smsru") as refused:
                assert (forged["status"], refused.status) == (403, 403)
            async with session.post(f"{notifier.url}/notifier/reports/nobody") as refused:
                assert refused.status == 404
    assert (row.state, row.report) == (state, "delivered" if status == 103 else "expired")


async def test_smsc_reports_to_our_address(start: Start, said: Said) -> None:
    async with harness.running() as sandbox:
        given = {
            "SMSC_API_URL": f"{sandbox.url}/smsc",
            "SMSC_PASSWORD": "demo",
        }
        async with start(**given) as notifier:
            facts = (said.contract(), said.subscriber(), said.payment(occurred_at=system_clock()))
            await notifier.hear(*facts)
            row = (await notifier.until(sent("sms")))["sms"]
            report = {
                "url": f"{notifier.url}/notifier/reports/smsc?key={SECRET}",
                "id": row.provider_id,
                "status": 20,
                "err": 1,
            }
            answer = await sandbox.control("POST", "/report", report, of="smsc")
            assert answer == {"status": 200, "body": "OK"}
            rows = await notifier.until(lambda rows: rows["sms"].report is not None)
    assert (rows["sms"].state, rows["sms"].reason) == ("undelivered", "smsc status 20 err 1")
