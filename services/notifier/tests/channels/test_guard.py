"""The breaker of a channel: when it rests, what waits meanwhile, and that nothing is used up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from notifier.channels.guard import Guarded
from notifier.channels.port import (
    Accepted,
    Channel,
    ChannelName,
    Held,
    Outcome,
    Outgoing,
    Permanent,
    Temporary,
)
from shared.breaker import Breaker
from shared.clock import ManualClock
from shared.metrics import ALARMS, BREAKER_STATE

if TYPE_CHECKING:
    from conftest import Said, World

BROKEN = Temporary("no answer", channel=True)
PAUSES = (timedelta(seconds=30), timedelta(minutes=2))
Make = Callable[..., Outgoing]


@pytest.fixture
def now() -> list[float]:
    """The breaker's clock."""
    return [1000.0]


class Line:
    """A channel that answers as it is told."""

    name: ChannelName = "sms"
    parallel = 3
    outcome: Outcome = BROKEN

    async def send(self, _outgoing: Outgoing) -> Outcome:
        """Answer."""
        return self.outcome

    def opened(self) -> nullcontext[None]:
        """Nothing to hold."""
        return nullcontext()


class Hanging(Line):
    """A channel that never answers."""

    async def send(self, _outgoing: Outgoing) -> Outcome:
        """Hang."""
        await asyncio.sleep(60)
        return self.outcome


def behind(channel: Channel, now: list[float]) -> Guarded:
    """Return the channel behind a breaker that opens after three failures."""
    return Guarded(channel, Breaker("notifier:test", 3, PAUSES, now=lambda: now[0]))


@pytest.mark.parametrize(
    ("outcome", "rests"),
    [
        (BROKEN, True),
        (Temporary("no answer", unknown=True, channel=True), True),
        (Temporary("greylisted"), False),
        (Permanent("no such number", dead=True), False),
        (Accepted("1"), False),
    ],
)
async def test_only_the_channel_s_own_failures_count(
    outgoing: Make, now: list[float], outcome: Outcome, rests: bool
) -> None:
    line = Line()
    line.outcome = outcome
    guarded = behind(line, now)
    for _ in range(3):
        assert await guarded.send(outgoing()) == outcome
    assert (guarded.parallel == 0) is rests
    assert isinstance(await guarded.send(outgoing()), Held) is rests


async def test_a_hang_that_is_cut_off_counts(outgoing: Make, now: list[float]) -> None:
    guarded = behind(Hanging(), now)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await guarded.send(outgoing())
    assert guarded.parallel == 0


async def test_one_message_probes_and_pauses_grow(outgoing: Make, now: list[float]) -> None:
    line = Line()
    guarded = behind(line, now)
    alarms = ALARMS.labels("provider_breaker_open")._value.get()
    for _ in range(3):
        await guarded.send(outgoing())
    assert ALARMS.labels("provider_breaker_open")._value.get() == alarms + 1
    assert BREAKER_STATE.labels("notifier:test")._value.get() == 2
    for pause in (30, 120, 120):
        assert guarded.parallel == 0
        now[0] += pause
        assert guarded.parallel == 1
        assert await guarded.send(outgoing()) == BROKEN
    now[0] += 120
    line.outcome = Accepted("1")
    assert await guarded.send(outgoing()) == Accepted("1")
    assert guarded.parallel == line.parallel
    assert BREAKER_STATE.labels("notifier:test")._value.get() == 0


SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def queue(world: World, said: Said) -> World:
    """A notifier with ten messages ready, one each for ten contracts."""
    numbers = [str(number) for number in range(10)]
    events = [said.contract(number, subscriber_id=number) for number in numbers]
    events += [said.subscriber(number) for number in numbers]
    events += [said.payment(number, payment=number) for number in numbers]
    await world.hear(*events)
    while await world.prepare():
        pass
    return world


@SQLITE
async def test_messages_wait_for_a_channel_and_use_up_nothing(
    queue: World, now: list[float], clock: ManualClock
) -> None:
    guarded = behind(queue.sms, now)
    queue.sms.answer = lambda _outgoing: BROKEN
    for _ in range(25):
        await queue.deliver(guarded)
        clock.advance(timedelta(seconds=10))
        now[0] += 10
    rows = await queue.rows(channel="sms")
    assert {row.state for row in rows} == {"ready"}
    assert {row.attempts for row in rows} == {0}, "the tenth failure in a row is nobody's fault"
    assert len(queue.sms.taken) < 10, "a probe now and then, not everybody each time"
    queue.sms.answer = lambda _outgoing: Accepted("1")
    for _ in range(25):
        await queue.deliver(guarded)
        clock.advance(timedelta(seconds=10))
        now[0] += 10
    assert {row.state for row in await queue.rows(channel="sms")} == {"sent"}
