"""Loops: woken by a signal or by time, never tired out by a failure, stopped between steps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from shared import loop as loops
from shared.loop import PAUSE_SECONDS_MAX, Loop, run_loop


@dataclass
class World:
    """A loop whose waits are noted; each wait asks the test what has happened meanwhile."""

    answers: list[bool | Exception] = field(default_factory=list)
    steps: int = 0
    waits: list[tuple[bool, float]] = field(default_factory=list)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def step(self) -> bool:
        self.steps += 1
        answer = self.answers.pop(0)
        if not self.answers:
            self.stopping.set()
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def wait(
        self, _stopping: asyncio.Event, signal: asyncio.Event | None, seconds: float
    ) -> None:
        self.waits.append((signal is not None, seconds))


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., World]:
    """Returns a world whose step gives these answers one after the other."""

    def make(*answers: bool | Exception) -> World:
        world = World(list(answers))
        monkeypatch.setattr(loops, "_wait", world.wait)
        return world

    return make


async def run(world: World) -> None:
    loop = Loop("test", world.step, 7.0, asyncio.Event())
    await asyncio.wait_for(run_loop(loop, "service", world.stopping), 10)


async def test_while_more_work_waits_it_does_not_pause(scripted: Callable[..., World]) -> None:
    world = scripted(True, True, False, True, False)
    await run(world)
    assert world.steps == 5
    assert world.waits == [(True, 7.0)] * 2


async def test_failures_are_counted_and_pauses_grow_to_a_bound(
    scripted: Callable[..., World], counted: Any
) -> None:
    failing = [ValueError("x")] * 8
    world = scripted(*failing, False, ValueError("y"), False)
    await run(world)
    pauses = [seconds for _, seconds in world.waits]
    assert pauses == [1, 2, 4, 8, 16, PAUSE_SECONDS_MAX, 30, 30, 7, 1, 7]
    assert [woken for woken, _ in world.waits] == [False] * 8 + [True, False, True]
    assert counted("saldo_loop_failures_total", service="service", loop="test") == 9


async def test_a_signal_wakes_it_before_its_time() -> None:
    signal, stopping, stepped = asyncio.Event(), asyncio.Event(), asyncio.Semaphore(0)

    async def step() -> bool:
        stepped.release()
        return False

    task = asyncio.create_task(run_loop(Loop("a", step, 3600, signal), "s", stopping))
    for _ in range(3):
        await asyncio.wait_for(stepped.acquire(), 10)
        signal.set()
    await asyncio.wait_for(stepped.acquire(), 10)
    stopping.set()
    await asyncio.wait_for(task, 10)


async def test_a_signal_during_a_step_is_not_lost() -> None:
    signal, stopping = asyncio.Event(), asyncio.Event()
    steps = 0

    async def step() -> bool:
        nonlocal steps
        steps += 1
        if steps == 1:
            signal.set()
        else:
            stopping.set()
        return False

    await asyncio.wait_for(run_loop(Loop("a", step, 3600, signal), "s", stopping), 10)
    assert steps == 2


async def test_without_a_signal_it_is_woken_by_time() -> None:
    stopping = asyncio.Event()
    steps = 0

    async def step() -> bool:
        nonlocal steps
        steps += 1
        if steps == 3:
            stopping.set()
        return False

    await asyncio.wait_for(run_loop(Loop("a", step, 0.001), "s", stopping), 10)
    assert steps == 3


async def test_the_step_in_hand_is_finished_and_no_other_begun() -> None:
    stopping, begun, release = asyncio.Event(), asyncio.Event(), asyncio.Event()
    finished = 0

    async def step() -> bool:
        nonlocal finished
        begun.set()
        await release.wait()
        finished += 1
        return True

    task = asyncio.create_task(run_loop(Loop("a", step, 0), "s", stopping))
    await begun.wait()
    stopping.set()
    await asyncio.sleep(0)
    assert not task.done()
    release.set()
    await asyncio.wait_for(task, 10)
    assert finished == 1


async def test_stopping_ends_a_wait_and_a_pause_at_once() -> None:
    for outcome in (None, ValueError("x")):
        stopping, begun = asyncio.Event(), asyncio.Event()

        async def step(outcome: Exception | None = outcome, begun: Any = begun) -> bool:
            begun.set()
            if outcome is not None:
                raise outcome
            return False

        task = asyncio.create_task(run_loop(Loop("a", step, 3600), "s", stopping))
        await begun.wait()
        stopping.set()
        await asyncio.wait_for(task, 1)


async def test_a_loop_that_was_stopped_before_it_began_does_nothing() -> None:
    stopping = asyncio.Event()
    stopping.set()

    async def step() -> bool:
        raise AssertionError("not to be called")

    await run_loop(Loop("a", step, 1), "s", stopping)


async def test_a_signal_after_a_pause_is_answered_at_once_and_a_stream_of_them_is_paced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, slept, steps = 100.0, list[float](), 0
    stopping = asyncio.Event()

    async def sleep_until(moment: float) -> None:
        slept.append(max(0.0, moment - now))

    async def wait(*_: Any) -> None:
        nonlocal now
        now += (5.0, 0.25)[steps > 1]

    async def step() -> bool:
        nonlocal steps
        steps += 1
        if steps == 3:
            stopping.set()
        return False

    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
    monkeypatch.setattr(loops, "sleep_until", sleep_until)
    monkeypatch.setattr(loops, "_wait", wait)
    await run_loop(Loop("a", step, 60, asyncio.Event(), pace_seconds=1), "s", stopping)
    assert slept == [0.0, 0.75, 0.75]


async def test_sleeping_until_a_moment_that_has_passed_is_no_sleep() -> None:
    loop = asyncio.get_running_loop()
    await asyncio.wait_for(loops.sleep_until(loop.time() - 1), 1)
    begun = loop.time()
    await loops.sleep_until(begun + 0.01)
    assert loop.time() >= begun + 0.01
