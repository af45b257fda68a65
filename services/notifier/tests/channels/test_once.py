"""From the fact to the provider: a lost answer makes no second SMS, a refusal no lost one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from notifier.channels.smsc import Smsc
from shared.clock import ManualClock

if TYPE_CHECKING:
    from conftest import Said, SmsServer, World


@pytest.fixture
async def smsc(sms_server: SmsServer) -> AsyncIterator[Smsc]:
    """The channel, open."""
    channel = Smsc(sms_server.url, "demo", "secret", "", timeout_seconds=5)
    async with channel.opened():
        yield channel


@pytest.fixture
async def ready(world: World, said: Said) -> World:
    """A notifier with one payment ready."""
    await world.hear(said.contract(), said.subscriber(), said.payment())
    await world.prepare()
    return world


async def test_an_answer_lost_on_the_way(
    ready: World, smsc: Smsc, sms_server: SmsServer, clock: ManualClock
) -> None:
    sms_server.lose_answer = True
    await ready.deliver(smsc)
    assert (await ready.row(channel="sms")).doubtful
    sms_server.lose_answer = False
    clock.advance(timedelta(minutes=1))
    await ready.deliver(smsc)
    assert (await ready.row(channel="sms")).state == "sent"
    assert len(sms_server.sent) == 1


async def test_while_the_status_cannot_be_asked_nothing_is_sent(
    ready: World, smsc: Smsc, sms_server: SmsServer, clock: ManualClock
) -> None:
    sms_server.lose_answer = True
    await ready.deliver(smsc)
    url, smsc._api_url = smsc._api_url, "http://127.0.0.1:1"
    clock.advance(timedelta(minutes=1))
    await ready.deliver(smsc)
    row = await ready.row(channel="sms")
    assert (row.state, row.doubtful) == ("ready", True)
    smsc._api_url = url
    sms_server.lose_answer = False
    clock.advance(timedelta(minutes=10))
    await ready.deliver(smsc)
    assert (await ready.row(channel="sms")).state == "sent"
    assert len(sms_server.sent) == 1


@pytest.mark.parametrize(
    ("code", "state"), [(3, "ready"), (2, "ready"), (9, "ready"), (7, "failed"), (6, "failed")]
)
async def test_refusals_by_class(
    ready: World, smsc: Smsc, sms_server: SmsServer, code: int, state: str
) -> None:
    sms_server.refuse_with = code
    await ready.deliver(smsc)
    row = await ready.row(channel="sms")
    assert row.state == state
    assert row.reason.startswith(f"smsc {code}")
    assert row.doubtful is (code == 9)


async def test_an_account_filled_again_sends_what_waited(
    ready: World, smsc: Smsc, sms_server: SmsServer, clock: ManualClock
) -> None:
    sms_server.refuse_with = 3
    await ready.deliver(smsc)
    sms_server.refuse_with = None
    clock.advance(timedelta(minutes=1))
    await ready.deliver(smsc)
    assert (await ready.row(channel="sms")).state == "sent"
    assert sms_server.asked == []
