"""The breaker: when it opens, whom it lets try, when it closes, and what it shows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import breaker as breakers
from shared.breaker import PROBING, Breaker, Pass, State
from shared.metrics import ALARMS, BREAKER_OPEN_SECONDS, BREAKER_STATE

SHOP = "bank:breaker"
SECOND = timedelta(seconds=1)


@pytest.fixture
def now() -> list[float]:
    return [1000.0]


@pytest.fixture
def breaker(now: list[float]) -> Breaker:
    return Breaker(SHOP, 3, (SECOND, 4 * SECOND), now=lambda: now[0])


def _call(breaker: Breaker, answered: bool | None) -> None:
    entered = breaker.enter()
    assert isinstance(entered, Pass)
    breaker.leave(entered, answered)


def _shown() -> float:
    return BREAKER_STATE.labels(SHOP)._value.get()


def test_it_opens_after_so_many_in_a_row_and_says_so_once(breaker: Breaker) -> None:
    before = ALARMS.labels("provider_breaker_open")._value.get()
    for answered in (False, False, True, False, False):
        _call(breaker, answered)
    assert breaker.state is State.CLOSED
    _call(breaker, False)
    assert (breaker.state, _shown()) == (State.OPEN, 2)
    assert breaker.enter() == SECOND
    assert ALARMS.labels("provider_breaker_open")._value.get() == before + 1


def test_it_opens_where_half_of_the_last_ones_are_unclear(breaker: Breaker) -> None:
    for _ in range(breakers.RECENT_MAX // 2 - 1):
        _call(breaker, False)
        _call(breaker, True)
    _call(breaker, True)
    assert breaker.state is State.CLOSED
    _call(breaker, False)
    assert breaker.state is State.OPEN


def test_one_probe_at_a_time_and_ever_longer_pauses(breaker: Breaker, now: list[float]) -> None:
    for _ in range(3):
        _call(breaker, False)
    for pause in (1.0, 4.0, 4.0):
        now[0] += pause - 0.25
        assert breaker.enter() == timedelta(seconds=0.25)
        now[0] += 0.25
        probe = breaker.enter()
        assert isinstance(probe, Pass)
        assert (breaker.state, _shown(), breaker.enter()) == (State.HALF_OPEN, 1, PROBING)
        breaker.leave(probe, False)
        assert breaker.state is State.OPEN
    now[0] += 4
    _call(breaker, True)
    assert (breaker.state, _shown()) == (State.CLOSED, 0)
    for _ in range(2):
        _call(breaker, False)
    assert breaker.state is State.CLOSED, "what was before it opened is forgotten"


def test_a_probe_that_is_broken_off_proves_nothing(breaker: Breaker, now: list[float]) -> None:
    for _ in range(3):
        _call(breaker, False)
    now[0] += 1
    _call(breaker, None)
    assert breaker.state is State.OPEN
    _call(breaker, True)
    assert breaker.state is State.CLOSED


def test_calls_begun_before_it_opened_change_nothing(breaker: Breaker) -> None:
    begun = [breaker.enter() for _ in range(5)]
    for _ in range(3):
        _call(breaker, False)
    for one, answered in zip(begun, (True, False, None, True, False), strict=True):
        assert isinstance(one, Pass)
        assert not breaker.holds(one)
        breaker.leave(one, answered)
    assert breaker.state is State.OPEN
    assert breaker.enter() == SECOND


def test_open_seconds_are_counted_until_it_closes(breaker: Breaker, now: list[float]) -> None:
    counter = BREAKER_OPEN_SECONDS.labels(SHOP)
    before = counter._value.get()
    now[0] += 50
    for _ in range(3):
        _call(breaker, False)
    for _ in range(4):
        now[0] += 0.2
        breaker.enter()
    assert counter._value.get() == pytest.approx(before + 0.8)
    now[0] += 0.2
    _call(breaker, True)
    now[0] += 100
    _call(breaker, True)
    assert counter._value.get() == pytest.approx(before + 1.0)


def test_a_breaker_without_limits_is_a_mistake() -> None:
    for failures, pauses in ((0, (SECOND,)), (1, ())):
        with pytest.raises(ValueError, match="a breaker needs"):
            Breaker(SHOP, failures, pauses)


@given(
    steps=st.lists(st.tuples(st.floats(0, 6), st.sampled_from([True, False, None])), max_size=80)
)
def test_it_never_stays_open_for_a_provider_that_answers(steps: list[Any]) -> None:
    now = [0.0]
    breaker = Breaker(SHOP, 3, (SECOND, 4 * SECOND), now=lambda: now[0])
    for passed, answered in steps:
        now[0] += passed
        entered = breaker.enter()
        if isinstance(entered, Pass):
            breaker.leave(entered, answered)
        else:
            assert timedelta(0) < entered <= 4 * SECOND
    now[0] += 4
    _call(breaker, True)
    assert breaker.state is State.CLOSED


def test_how_long_calls_wait(breaker: Breaker, now: list[float]) -> None:
    assert not breaker.wait()
    for _ in range(3):
        _call(breaker, False)
    assert breaker.wait() == SECOND
    now[0] += 1
    assert not breaker.wait(), "a probe may be made"
    breaker.enter()
    assert breaker.wait() == PROBING
