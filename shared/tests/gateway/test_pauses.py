"""Pauses, turns and hands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.gateway import gateway
from shared.gateway.bucket import Bucket
from shared.gateway.gateway import pause
from shared.gateway.pool import Pool

PAUSES = (timedelta(seconds=2), timedelta(seconds=10))


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 2), (2, 10), (3, 10), (99, 10)])
def test_the_last_pause_repeats(attempt: int, seconds: int) -> None:
    assert pause(PAUSES, attempt) == timedelta(seconds=seconds)


def test_a_longer_wish_is_granted_and_a_shorter_one_not() -> None:
    assert pause(PAUSES, 1, timedelta(seconds=30)) == timedelta(seconds=30)
    assert pause(PAUSES, 2, timedelta(seconds=1)) == timedelta(seconds=10)


def test_pauses_are_spread_by_a_tenth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "SPREAD", 0.1)
    pauses = {pause(PAUSES, 2) for _ in range(50)}
    assert len(pauses) > 1
    assert timedelta(seconds=10) <= min(pauses) < max(pauses) <= timedelta(seconds=11)


@pytest.fixture
def now() -> list[float]:
    return [100.0]


@pytest.fixture
def make_bucket(now: list[float]) -> Callable[[float], Bucket]:
    return lambda rate: Bucket(rate, now=lambda: now[0])


def test_a_second_of_turns_may_be_saved_up(make_bucket: Callable[[float], Bucket]) -> None:
    bucket = make_bucket(5)
    waits = [bucket.reserve(60) for _ in range(7)]
    assert waits == pytest.approx([0, 0, 0, 0, 0, 0.2, 0.4])


def test_turns_come_back_with_time(
    make_bucket: Callable[[float], Bucket], now: list[float]
) -> None:
    bucket = make_bucket(1)
    assert bucket.reserve(60) == 0
    assert bucket.reserve(60) == pytest.approx(1)
    now[0] += 10
    assert bucket.reserve(60) == 0


def test_a_turn_too_far_away_is_not_taken(make_bucket: Callable[[float], Bucket]) -> None:
    bucket = make_bucket(1)
    assert [bucket.reserve(1.5) for _ in range(4)] == [0, 1, None, None]


def test_a_provider_that_has_enough_is_left_alone(
    make_bucket: Callable[[float], Bucket],
) -> None:
    bucket = make_bucket(10)
    bucket.rest(timedelta(seconds=3))
    assert bucket.reserve(60) == pytest.approx(3)
    bucket = make_bucket(10)
    bucket.rest(timedelta(hours=3))
    assert bucket.wait == timedelta(hours=1)
    assert bucket.reserve(60) is None
    bucket = make_bucket(10)
    bucket.rest(None)
    assert bucket.reserve(60) == pytest.approx(1)


def test_a_rest_is_a_little_longer_than_asked(
    make_bucket: Callable[[float], Bucket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.gateway.bucket.SPREAD", 0.1)
    waits = []
    for _ in range(50):
        bucket = make_bucket(10)
        bucket.rest(timedelta(seconds=10))
        waits.append(bucket.wait)
    assert timedelta(seconds=10) <= min(waits) < max(waits) <= timedelta(seconds=11)


def test_more_turns_may_be_saved_up(now: list[float]) -> None:
    bucket = Bucket(1, now=lambda: now[0], saved_seconds=3)
    assert [bucket.reserve(0) for _ in range(4)] == [0, 0, 0, None]
    now[0] += 1
    assert [bucket.reserve(0) for _ in range(2)] == [0, None]


def test_a_bucket_without_turns_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least some"):
        Bucket(0)


@given(rate=st.floats(0.1, 50), steps=st.lists(st.floats(0, 3), min_size=1, max_size=60))
def test_no_second_sees_more_than_twice_its_turns(rate: float, steps: list[float]) -> None:
    now = [0.0]
    bucket = Bucket(rate, now=lambda: now[0])
    taken: list[float] = []
    for step in steps:
        now[0] += step
        wait = bucket.reserve(1e9)
        assert wait is not None
        assert wait >= 0
        taken.append(now[0] + wait)
    assert taken == sorted(taken)
    for moment in taken:
        within = sum(moment <= other < moment + 1 for other in taken)
        assert within <= 2 * max(1.0, rate) + 1


async def test_a_turn_is_waited_for() -> None:
    bucket = Bucket(20)
    loop = asyncio.get_running_loop()
    began = loop.time()
    for _ in range(22):
        assert await bucket.turn(5)
    assert loop.time() - began >= 0.09
    assert not await bucket.turn(0.01)


async def test_a_pool_holds_no_more_than_its_size() -> None:
    pool, gate, running = Pool(2), asyncio.Event(), [0, 0]

    async def work() -> None:
        running[0] += 1
        running[1] = max(running)
        await gate.wait()
        running[0] -= 1

    for _ in range(2):
        pool.spawn(work())
    await asyncio.sleep(0)
    assert pool.free == 0
    waiting = asyncio.create_task(pool.room())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    gate.set()
    assert await waiting >= 1
    await pool.drain()
    assert (pool.free, running[1]) == (2, 2)


async def test_a_failure_in_a_pool_frees_its_hand() -> None:
    pool = Pool(1)

    async def fail() -> None:
        raise RuntimeError("as told")

    task = pool.spawn(fail())
    await asyncio.wait({task})
    await pool.drain()
    assert pool.free == 1
    assert task.exception() is None


async def test_what_hangs_is_cut_off_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.gateway.pool.DRAIN_SECONDS", 0.01)
    pool = Pool(1)
    task = pool.spawn(asyncio.Event().wait())  # type: ignore[arg-type]
    await pool.drain()
    assert task.cancelled()
