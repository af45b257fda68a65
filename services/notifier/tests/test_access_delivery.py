"""Telling the access controller: a real receiver that loses answers, is slow, refuses and dies."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web as aiohttp_web
from aiohttp.test_utils import TestServer, unused_port
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from notifier import access, access_command, access_delivery, access_leases, webhook
from notifier.access_delivery import Lane, Target
from shared.clock import ManualClock
from shared.db import Database, reading, transaction
from shared.errors import Poison
from shared.events_billing import ContractBlocked
from shared.inbox import Outcome
from shared.loop import Loop, run_loop
from shared.metrics import ACCESS_UNDELIVERED, ALARMS

if TYPE_CHECKING:
    from conftest import Said, World

KEY = bytes(range(24))
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"
DELAYS = tuple(timedelta(seconds=s) for s in (5, 30, 120))
TIMEOUT = timedelta(seconds=15)
Body = dict[str, Any]
Reply = Callable[[Body], Awaitable[aiohttp_web.Response]]


async def accept(_said: Body) -> aiohttp_web.Response:
    """Take what is said."""
    return aiohttp_web.Response(status=204)


async def lose(_said: Body) -> aiohttp_web.Response:
    """Take what is said, and let the answer be lost."""
    raise ConnectionResetError


def refuse(status: int, **headers: str) -> Reply:
    """Answer with a status."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def reply(_said: Body) -> aiohttp_web.Response:
        return aiohttp_web.Response(status=status, headers=named, text="no")

    return reply


class Controller:
    """An access controller that checks signatures by itself and applies states as they arrive."""

    def __init__(self) -> None:
        self.reply: Reply = accept
        self.arrived: list[tuple[str, int]] = []
        self.ids: list[str] = []
        self.blocked: dict[str, bool] = {}
        self.here: Counter[str] = Counter()
        self.most_at_once = 0

    async def hear(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        """Take one webhook."""
        body = await request.read()
        this, moment = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        made = hmac.new(KEY, f"{this}.{moment}.".encode() + body, hashlib.sha256).digest()
        expected = f"v1,{base64.b64encode(made).decode()}"
        assert expected in request.headers["webhook-signature"].split(" ")
        said = json.loads(body)["data"]
        contract = said["contract"]
        self.here[contract] += 1
        self.most_at_once = max(self.most_at_once, self.here[contract])
        self.arrived.append((contract, said["revision"]))
        self.ids.append(this)
        self.blocked[contract] = said["blocked"]
        try:
            return await self.reply(said)
        except ConnectionResetError:
            assert request.transport is not None
            request.transport.abort()
            raise
        finally:
            self.here[contract] -= 1


@pytest.fixture
async def controller() -> Controller:
    """An access controller."""
    return Controller()


@pytest.fixture
async def url(controller: Controller) -> AsyncIterator[str]:
    """Where the access controller listens."""
    app = aiohttp_web.Application()
    app.router.add_post("/access", controller.hear)
    async with TestServer(app) as server:
        yield str(server.make_url("/access"))


def target(url: str, **given: Any) -> Target:
    """Return the target of a test."""
    how = {"timeout": TIMEOUT, "delays": DELAYS, "parallel": 4}
    return Target(url=url, secrets=(KEY,), **{**how, **given})


@asynccontextmanager
async def opened(world: World, url: str, **given: Any) -> AsyncIterator[Lane]:
    """Open a lane as the runner does."""
    lane = Lane(world.db, world.clock, target(url, **given))
    async with access_delivery.opened(lane):
        yield lane


@pytest.fixture
async def lane(world: World, url: str) -> AsyncIterator[Lane]:
    """The lane of one replica."""
    async with opened(world, url) as lane:
        yield lane


async def tell(lane: Lane) -> None:
    """Send what is due, to the end."""
    while True:
        await access_delivery.step(lane)
        if not lane.tasks:
            return
        await access_delivery.drain(lane)


async def row(db: Database, contract: str = "1") -> Any:
    """Return the state of a contract."""
    async with reading(db) as tx:
        found = await tx.execute(select(access.access).where(access.access.c.contract == contract))
        return found.one()


def raised(kind: str) -> float:
    """Return how many alarms of a kind there have been."""
    value: float = ALARMS.labels(kind)._value.get()
    return value


async def test_the_newest_state_is_told_once(
    world: World, said: Said, controller: Controller, lane: Lane
) -> None:
    await world.hear(
        said.access("1", 3), said.access("1", 2), said.access("2", 1), said.access("1", 3)
    )
    await world.hear(said.access("1", 1), said.access("2", 2))
    await tell(lane)
    await tell(lane)
    assert sorted(controller.arrived) == [("1", 3), ("2", 2)]
    assert controller.blocked == {"1": True, "2": False}
    known = await row(world.db)
    assert (known.revision, known.delivered_revision, known.due_at) == (3, 3, None)
    assert (known.last_status, known.last_error, known.attempts) == (204, None, 0)


async def test_a_state_without_a_contract_is_no_state(world: World, said: Said) -> None:
    for contract in (None, "", "x" * 65):
        event = said.access("1", 1)
        body = ContractBlocked.of(event).model_copy(update={"contract": contract})
        bad = body.event("core-billing", subject="1", revision=1, correlation_id="c")
        with pytest.raises(Poison, match="names no contract"):
            async with transaction(world.db) as tx:
                await access.keep(tx, [bad], world.clock())


async def test_a_subscriber_is_told_beside_the_controller(world: World, said: Said) -> None:
    assert await world.hear(said.access("1", 1)) == [Outcome.DONE]
    assert {(row.kind, row.state) for row in await world.rows()} == {("blocked", "new")}


async def test_a_lost_answer_is_repeated_under_the_same_id(
    world: World, said: Said, controller: Controller, lane: Lane, clock: ManualClock
) -> None:
    await world.hear(said.access("1", 1))
    controller.reply = lose
    await tell(lane)
    assert (await row(world.db)).last_error.startswith("no answer")
    controller.reply = accept
    clock.advance(DELAYS[0])
    await tell(lane)
    assert controller.arrived == [("1", 1)] * 2
    assert len(set(controller.ids)) == 1
    assert (await row(world.db)).delivered_revision == 1


async def test_what_is_repeated_is_the_newest_state_and_at_once(
    world: World, said: Said, controller: Controller, lane: Lane, clock: ManualClock
) -> None:
    await world.hear(said.access("1", 1))
    controller.reply = refuse(500)
    await tell(lane)
    controller.reply = accept
    await world.hear(said.access("1", 2))
    await tell(lane)
    clock.advance(timedelta(hours=1))
    await tell(lane)
    assert controller.arrived == [("1", 1), ("1", 2)]
    assert controller.blocked == {"1": False}


async def test_a_newer_state_waits_for_the_attempt_on_its_way(
    world: World, said: Said, controller: Controller, lane: Lane, url: str
) -> None:
    gate, reached = asyncio.Event(), asyncio.Event()

    async def hold(_said: Body) -> aiohttp_web.Response:
        reached.set()
        await gate.wait()
        return aiohttp_web.Response(status=200)

    controller.reply = hold
    await world.hear(said.access("1", 1))
    await access_delivery.step(lane)
    await reached.wait()
    await world.hear(said.access("1", 2))
    async with opened(world, url) as other:
        await access_delivery.step(lane)
        await access_delivery.step(other)
        assert len(lane.tasks) == 1
        assert not other.tasks, "one request about a contract at a time"
        gate.set()
        await access_delivery.drain(lane)
        assert (await row(world.db)).delivered_revision == 1
        await tell(other)
    assert controller.arrived == [("1", 1), ("1", 2)]
    assert controller.most_at_once == 1
    assert (await row(world.db)).due_at is None


async def test_a_slow_contract_holds_nobody_up(
    world: World, said: Said, controller: Controller, url: str
) -> None:
    gate = asyncio.Event()

    async def slow(said: Body) -> aiohttp_web.Response:
        if said["contract"] == "slow":
            await gate.wait()
        return aiohttp_web.Response(status=200)

    controller.reply = slow
    async with opened(world, url, parallel=2) as lane:
        await world.hear(said.access("slow", 1))
        await access_delivery.step(lane)
        (held,) = lane.tasks
        for n in range(4):
            await world.hear(said.access(f"{n}", 1), said.access(f"{n}", 2))
            world.db.signal(access.SIGNAL).clear()
            await access_delivery.step(lane)
            assert len(lane.tasks) == 2, "the lane is bounded"
            await world.db.signal(access.SIGNAL).wait()
            assert (await row(world.db, f"{n}")).delivered_revision == 2
        assert not held.done()
        gate.set()
    assert (await row(world.db, "slow")).delivered_revision == 1


async def test_an_answer_has_its_time(
    world: World, said: Said, controller: Controller, url: str, clock: ManualClock
) -> None:
    async def never(_said: Body) -> aiohttp_web.Response:
        await asyncio.sleep(30)
        return aiohttp_web.Response(status=200)

    controller.reply = never
    await world.hear(said.access("1", 1))
    async with opened(world, url, timeout=timedelta(seconds=0.1)) as lane:
        await tell(lane)
    known = await row(world.db)
    assert (known.last_status, known.last_error) == (None, "no answer in time")
    assert known.due_at == clock() + DELAYS[0]


async def test_fresh_states_go_before_those_that_failed(
    world: World, said: Said, controller: Controller, url: str, clock: ManualClock
) -> None:
    controller.reply = refuse(500)
    async with opened(world, url, parallel=1) as lane:
        await world.hear(said.access("1", 1))
        await tell(lane)
        clock.advance(timedelta(minutes=1))
        await world.hear(said.access("2", 1))
        await tell(lane)
    assert [contract for contract, _ in controller.arrived] == ["1", "2", "1"]


async def test_who_has_paid_goes_before_those_who_are_cut_off(
    world: World, said: Said, controller: Controller, url: str, clock: ManualClock
) -> None:
    async with opened(world, url, parallel=1) as lane:
        await world.hear(*(said.access(f"{n}", 1) for n in range(4)))
        clock.advance(timedelta(seconds=1))
        await world.hear(said.access("paid", 2))
        await tell(lane)
    assert controller.arrived[0] == ("paid", 2)
    assert len(controller.arrived) == 5


async def test_what_is_heard_is_told_at_once(
    world: World, said: Said, controller: Controller, lane: Lane
) -> None:
    told = asyncio.Event()

    async def ring(_said: Body) -> aiohttp_web.Response:
        told.set()
        return aiohttp_web.Response(status=200)

    controller.reply = ring
    stopping = asyncio.Event()
    step = partial(access_delivery.step, lane)
    loop = Loop("access", step, 60.0, world.db.signal(access.SIGNAL))
    running = asyncio.create_task(run_loop(loop, "notifier", stopping))
    async with asyncio.timeout(10):
        for revision in (1, 2):
            told.clear()
            await world.hear(said.access("1", revision))
            await told.wait()
    stopping.set()
    await running
    await access_delivery.drain(lane)
    assert controller.arrived == [("1", 1), ("1", 2)]


async def test_pauses_grow_and_the_last_one_repeats_for_ever(
    world: World, said: Said, controller: Controller, lane: Lane, clock: ManualClock
) -> None:
    controller.reply = refuse(404)
    await world.hear(said.access("1", 1))
    pauses = []
    for _ in range(5):
        await tell(lane)
        pauses.append((await row(world.db)).due_at - clock())
        clock.advance(pauses[-1])
    assert pauses == [*DELAYS, DELAYS[-1], DELAYS[-1]]
    assert (await row(world.db)).last_error == "HTTP 404"


async def test_ten_minutes_of_failure_raise_one_alarm(
    world: World, said: Said, controller: Controller, lane: Lane, clock: ManualClock
) -> None:
    before = raised("webhook_undelivered")
    controller.reply = refuse(500)
    await world.hear(said.access("1", 1), said.access("2", 1))
    await tell(lane)
    clock.advance(timedelta(minutes=9, seconds=59))
    await access_delivery.watch(lane)
    assert raised("webhook_undelivered") == before
    assert ACCESS_UNDELIVERED._value.get() == 2
    clock.advance(timedelta(seconds=1))
    for _ in range(2):
        await world.hear(said.access("1", 2))
        await access_delivery.watch(lane)
    assert raised("webhook_undelivered") == before + 1
    controller.reply = accept
    await tell(lane)
    await access_delivery.watch(lane)
    assert ACCESS_UNDELIVERED._value.get() == 0
    assert not (await row(world.db)).alarmed


async def test_410_stops_the_lane_until_somebody_asks(
    world: World, said: Said, controller: Controller, lane: Lane, clock: ManualClock, url: str
) -> None:
    before = raised("webhook_gone")
    controller.reply = refuse(410)
    await world.hear(said.access("1", 1))
    await tell(lane)
    await world.hear(said.access("2", 1))
    clock.advance(timedelta(days=1))
    controller.reply = accept
    await tell(lane)
    assert len(controller.arrived) == 1
    assert raised("webhook_gone") == before + 1
    async with opened(world, f"{url}?another=address") as moved:
        await tell(moved)
    assert len(controller.arrived) == 3, "another address has not said that it is gone"
    async with transaction(world.db) as tx:
        assert await access_leases.gone_since(tx) is not None
        assert await access_leases.reopen(tx)
    await world.hear(said.access("1", 2))
    await tell(lane)
    assert controller.arrived[-1] == ("1", 2)


async def test_429_holds_everything_back_and_503_its_own_contract(
    world: World, said: Said, controller: Controller, lane: Lane, clock: ManualClock
) -> None:
    controller.reply = refuse(503, Retry_After="20")
    await world.hear(said.access("1", 1))
    await tell(lane)
    assert (await row(world.db)).due_at == clock() + timedelta(seconds=20)
    controller.reply = refuse(429, Retry_After="3600")
    await world.hear(said.access("2", 1))
    await tell(lane)
    assert (await row(world.db, "2")).due_at == clock() + webhook.RETRY_AFTER_MAX
    controller.reply = accept
    await world.hear(said.access("3", 1))
    clock.advance(access_delivery.HOLD_MAX - timedelta(seconds=1))
    await tell(lane)
    assert "3" not in controller.blocked
    clock.advance(timedelta(seconds=1))
    await tell(lane)
    assert controller.blocked == {"1": True, "2": True, "3": True}
    assert controller.arrived.count(("1", 1)) == 2
    assert controller.arrived.count(("2", 1)) == 1


async def test_redirects_are_failures_and_long_answers_are_cut(
    world: World, said: Said, controller: Controller, lane: Lane, clock: ManualClock
) -> None:
    controller.reply = refuse(307, Location="/access")
    await world.hear(said.access("1", 1))
    await tell(lane)
    assert ((await row(world.db)).last_status, len(controller.arrived)) == (307, 1)

    async def verbose(_said: Body) -> aiohttp_web.Response:
        return aiohttp_web.Response(body=b"x" * 5_000_000)

    controller.reply = verbose
    clock.advance(DELAYS[0])
    await tell(lane)
    assert (await row(world.db)).delivered_revision == 1


async def test_a_controller_that_is_back_is_told_at_once(
    world: World, said: Said, clock: ManualClock, controller: Controller
) -> None:
    port = unused_port()
    app = aiohttp_web.Application()
    app.router.add_post("/access", controller.hear)
    async with opened(world, f"http://127.0.0.1:{port}/access") as lane:
        await world.hear(said.access("1", 1))
        for _ in range(3):
            await tell(lane)
            clock.advance(DELAYS[1])
        assert (await row(world.db)).last_error == "cannot connect"
        assert (await row(world.db)).due_at > clock()
        async with TestServer(app, port=port):
            await world.hear(said.access("2", 1))
            await tell(lane)
            assert controller.arrived == [("2", 1), ("1", 1)]


async def test_a_worker_that_dies_is_followed_when_its_lease_ends(
    world: World, said: Said, controller: Controller, lane: Lane, clock: ManualClock, url: str
) -> None:
    reached = asyncio.Event()

    async def never(_said: Body) -> aiohttp_web.Response:
        reached.set()
        await asyncio.sleep(30)
        return aiohttp_web.Response(status=200)

    controller.reply = never
    await world.hear(said.access("1", 1))
    await access_delivery.step(lane)
    await reached.wait()
    for task in lane.tasks:
        task.cancel()
    await access_delivery.drain(lane)
    await world.hear(said.access("1", 2))
    controller.reply = accept
    async with opened(world, url) as other:
        clock.advance(2 * TIMEOUT - timedelta(seconds=1))
        await tell(other)
        assert len(controller.arrived) == 1
        clock.advance(timedelta(seconds=1))
        await tell(other)
    assert controller.arrived == [("1", 1), ("1", 2)]


async def test_a_late_worker_neither_sends_nor_overwrites(
    world: World, said: Said, controller: Controller, lane: Lane, clock: ManualClock
) -> None:
    await world.hear(said.access("1", 1))
    async with transaction(world.db) as tx:
        (late,) = await access_leases.lease(tx, clock(), until=clock() + 2 * TIMEOUT, limit=1)
    clock.advance(TIMEOUT + timedelta(seconds=1))
    await access_delivery._deliver(lane, late)
    assert controller.arrived == [], "the lease would end before the attempt does"
    assert (await row(world.db)).attempts == 0
    async with transaction(world.db) as tx:
        (late,) = await access_leases.lease(tx, clock(), until=clock() + 2 * TIMEOUT, limit=1)
    clock.advance(2 * TIMEOUT)
    await tell(lane)
    await world.hear(said.access("1", 2))
    async with transaction(world.db) as tx:
        assert not await access_leases.fail(tx, late, 500, "late", clock() + timedelta(days=1))
        assert not await access_leases.succeed(tx, late, 200, clock())
    await tell(lane)
    assert controller.arrived == [("1", 1), ("1", 2)]


async def test_what_an_attempt_dies_of_reaches_the_loop(world: World, said: Said, url: str) -> None:
    lane = Lane(world.db, world.clock, target(url))
    await world.hear(said.access("1", 1))
    await access_delivery.step(lane)
    await asyncio.wait(lane.tasks)
    with pytest.raises(RuntimeError, match="not open"):
        await access_delivery.step(lane)
    assert not lane.tasks


async def test_a_controller_that_lost_its_memory_is_told_again(
    world: World,
    said: Said,
    controller: Controller,
    lane: Lane,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(access, "RESEND_MAX", 2)
    monkeypatch.setattr(access.numbers, "__defaults__", (2,))
    await world.hear(*(said.access(f"{n}", 1) for n in range(5)))
    await tell(lane)
    first = set(controller.ids)
    assert await access_command.resend_all(world.db, clock) == 5
    assert (await row(world.db)).delivered_revision == 1
    await tell(lane)
    assert len(controller.arrived) == 10
    assert set(controller.ids) == first


async def test_what_is_asked_again_during_an_attempt_is_sent_again(
    world: World, said: Said, controller: Controller, lane: Lane, clock: ManualClock
) -> None:
    async def ask_again(_said: Body) -> aiohttp_web.Response:
        controller.reply = accept
        async with transaction(world.db) as tx:
            assert await access.resend(tx, clock(), ["1"]) == 1
        return aiohttp_web.Response(status=200)

    controller.reply = ask_again
    await world.hear(said.access("1", 1))
    await tell(lane)
    assert controller.arrived == [("1", 1)] * 2


REPLIES = [accept, lose, refuse(500), refuse(429, Retry_After="2"), refuse(503), refuse(302)]
STEPS = st.one_of(
    st.tuples(st.just("hear"), st.lists(st.integers(0, 11), min_size=1, max_size=4)),
    st.tuples(st.just("begin"), st.integers(0, 1)),
    st.tuples(st.just("answer"), st.integers(0, len(REPLIES) - 1)),
    st.tuples(st.just("kill"), st.integers(0, 1)),
    st.tuples(st.just("wait"), st.sampled_from([1, 6, 31, 200])),
)
NAMES = itertools.count()


class Play:
    """Two replicas before one controller, which answers when it is told to."""

    def __init__(
        self, world: World, said: Said, controller: Controller, lanes: tuple[Lane, Lane]
    ) -> None:
        self.world, self.controller, self.lanes = world, controller, lanes
        name = next(NAMES)
        self.events = [said.access(f"{name}-{c}", r) for c in range(2) for r in range(1, 7)]
        self.heard: dict[str, int] = {}
        self.begun = len(controller.arrived)
        self.answer_now = asyncio.Event()
        self.last: Reply = accept
        controller.reply = self.reply

    async def reply(self, said: Body) -> aiohttp_web.Response:
        """Answer a request once the play goes on."""
        await self.answer_now.wait()
        return await self.last(said)

    async def hear(self, which: list[int]) -> None:
        """Let the events come, some of them again."""
        await self.world.hear(*(self.events[n] for n in which))
        for n in which:
            contract = str(self.events[n].data["contract"])
            self.heard[contract] = max(n % 6 + 1, self.heard.get(contract, 0))

    async def begin(self, lane: int) -> None:
        """Let one replica begin what is due, without an answer yet."""
        self.answer_now.clear()
        await access_delivery.step(self.lanes[lane])
        await asyncio.sleep(0.002)

    async def answer(self, reply: int) -> None:
        """Answer everything that is on its way, and what is sent next, in one manner."""
        self.last = REPLIES[reply]
        self.answer_now.set()
        for lane in self.lanes:
            await tell(lane)

    async def kill(self, lane: int) -> None:
        """Let one replica die."""
        for task in self.lanes[lane].tasks:
            task.cancel()
        await self.wait(0)

    async def wait(self, seconds: int) -> None:
        """Let time pass, in which attempts end."""
        self.answer_now.set()
        for lane in self.lanes:
            await access_delivery.drain(lane)
        self.world.clock.advance(timedelta(seconds=seconds))

    async def end(self) -> None:
        """Let everything be well, for long enough."""
        for _ in range(3):
            await self.answer(0)
            self.world.clock.advance(timedelta(minutes=15))

    async def judge(self) -> None:
        """Compare what has arrived with what was heard."""
        arrived = self.controller.arrived[self.begun :]
        assert {number for number, _ in arrived} == set(self.heard)
        for contract, newest in self.heard.items():
            mine = [revision for number, revision in arrived if number == contract]
            assert mine == sorted(mine), "nothing older arrives after something newer was sent"
            assert mine[-1] == newest
            assert self.controller.blocked[contract] == bool(newest % 2)
            known = await row(self.world.db, contract)
            assert (known.delivered_revision, known.due_at) == (newest, None)
        assert self.controller.most_at_once <= 1


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=12))
@example(steps=[("hear", [0]), ("begin", 0), ("hear", [1]), ("begin", 1), ("answer", 2)])
@example(
    steps=[("hear", [0]), ("begin", 0), ("kill", 0), ("hear", [1]), ("wait", 31), ("begin", 1)]
)
async def test_whatever_happens_the_last_word_is_the_newest(
    world: World, said: Said, controller: Controller, url: str, steps: list[tuple[str, Any]]
) -> None:
    """Any order and repetition, lost answers, refusals, deaths in mid-flight.

    The model is a controller that applies what arrives as it arrives.
    """
    async with opened(world, url, parallel=2) as one, opened(world, url, parallel=2) as two:
        play = Play(world, said, controller, (one, two))
        for what, given_ in steps:
            await getattr(play, what)(given_)
        await play.end()
        await play.judge()
