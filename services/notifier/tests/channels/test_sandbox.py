"""Against the sandbox, which reads the provider's rules with eyes of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from notifier import access_delivery, webhook
from notifier.access_delivery import Lane, Target
from notifier.channels.port import Outcome, Outgoing
from notifier.channels.smsc import Smsc
from notifier.channels.smtp import Smtp, parse_url
from shared.clock import ManualClock, system_clock
from shared.crypto import Vault
from shared.db import Database
from simulators.harness import Sandbox, running
from simulators.settings import ACCESS_SECRET

if TYPE_CHECKING:
    from conftest import Said, World


class Killed(BaseException):
    """Stands in for SIGKILL: nothing after it runs."""


class Mortal(Smsc):
    """A worker that dies after each of its first sends."""

    deaths = 0

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Send, then die where a death is due."""
        outcome = await super().send(outgoing)
        if self.deaths:
            self.deaths -= 1
            raise Killed
        return outcome


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A sandbox of this test's own."""
    async with running() as started:
        yield started


@pytest.fixture
async def sms(sandbox: Sandbox) -> AsyncIterator[Mortal]:
    """The SMS channel into the sandbox."""
    channel = Mortal(f"{sandbox.url}/smsc", "demo", "demo", "SALDO", timeout_seconds=5)
    async with channel.opened():
        yield channel


@pytest.fixture
async def email(sandbox: Sandbox) -> AsyncIterator[Smtp]:
    """The e-mail channel into the sandbox."""
    server = parse_url(f"smtp://127.0.0.1:{sandbox.smtp_port}")
    channel = Smtp(server, "billing@provider.example", timeout_seconds=5)
    async with channel.opened():
        yield channel


@pytest.fixture
async def ready(world: World, said: Said) -> World:
    """A notifier with one payment ready."""
    await world.hear(said.contract(), said.subscriber(), said.payment())
    await world.prepare()
    return world


async def received(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    """Return the subscriber's only SMS and only e-mail, repeated ones counted, too."""
    answer = await sandbox.call("GET", "/messages.json?parked=1")
    items = answer.body["items"]
    by_channel = {item["channel"]: item for item in items}
    assert len(by_channel) == len(items), items
    return by_channel


async def test_both_messages_arrive(
    ready: World, sandbox: Sandbox, sms: Mortal, email: Smtp
) -> None:
    await ready.deliver(sms)
    await ready.deliver(email)
    told = await received(sandbox)
    assert told["sms"]["text"].endswith("Баланс −550,00 ₽, не хватает ещё 550,00 ₽")
    assert (told["sms"]["to"], told["sms"]["parts"]) == ("79161234567", 2)
    assert told["email"]["to"] == "anna@example.org"
    assert "не хватает ещё 550,00 ₽" in told["email"]["subject"]
    assert "550,00" in told["email"]["html"]
    rows = {row.channel: row for row in await ready.rows()}
    assert {row.state for row in rows.values()} == {"sent"}
    assert told["sms"]["id"] == rows["sms"].provider_id == str(rows["sms"].id)
    assert told["email"]["id"] == rows["email"].provider_id


async def test_a_death_after_sending_makes_no_second_sms(
    ready: World, sandbox: Sandbox, sms: Mortal, clock: ManualClock
) -> None:
    sms.deaths = 2
    for _ in range(2):
        with pytest.raises(Killed):
            await ready.deliver(sms)
        clock.advance(2 * ready.patience.timeout)
    await ready.deliver(sms)
    assert set(await received(sandbox)) == {"sms"}
    assert (await ready.row(channel="sms")).state == "sent"


async def test_an_empty_account_is_waited_for(
    ready: World, sandbox: Sandbox, sms: Mortal, clock: ManualClock
) -> None:
    await sandbox.call("PUT", "/smsc/control/state", {"balance_kopecks": 0})
    await ready.deliver(sms)
    row = await ready.row(channel="sms")
    assert (row.state, row.reason) == ("ready", "smsc 3: the account is out of money")
    await sandbox.call("PUT", "/smsc/control/state", {"balance_kopecks": 10_000})
    clock.advance(timedelta(minutes=1))
    await ready.deliver(sms)
    assert set(await received(sandbox)) == {"sms"}


@pytest.mark.parametrize(
    ("stage", "code", "state"),
    [("rcpt", 550, "failed"), ("rcpt", 451, "ready"), ("data", 452, "ready")],
)
async def test_refused_mail(
    ready: World, sandbox: Sandbox, email: Smtp, stage: str, code: int, state: str
) -> None:
    script = {"script": [{"stage": stage, "code": code}]}
    await sandbox.call("PUT", "/mail/control/state", script)
    await ready.deliver(email)
    row = await ready.row(channel="email")
    assert row.state == state
    assert str(code) in row.reason


async def test_the_access_controller_believes_us(
    db: Database, vault: Vault, said: Said, world: World, sandbox: Sandbox
) -> None:
    now = type(world)(db, vault, ManualClock(system_clock()))
    secrets = tuple(webhook.secret(f"whsec_{key}") for key in ("A" * 32, ACCESS_SECRET[6:]))
    target = Target(f"{sandbox.url}/access", secrets, timedelta(seconds=5), (timedelta(1),), 2)
    lane = Lane(db, now.clock, target)
    async with access_delivery.opened(lane):
        for event in (said.access("1", 3), said.access("2", 2), said.access("1", 4)):
            await now.hear(event)
            await access_delivery.step(lane)
            await access_delivery.drain(lane)
    items = (await sandbox.call("GET", "/access/state.json")).body["items"]
    states = {each["contract"]: (each["revision"], each["blocked"]) for each in items}
    assert states == {"1": (4, False), "2": (2, False)}
