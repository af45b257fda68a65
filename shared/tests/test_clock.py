"""The clock: time is aware, in UTC, and stands still until a test moves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared.clock import MOSCOW, ManualClock, system_clock

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_the_system_clock_says_the_present_moment_in_utc() -> None:
    before = datetime.now(UTC)
    said = system_clock()
    assert before <= said <= datetime.now(UTC)
    assert said.tzinfo is UTC


def test_a_manual_clock_stands_still_until_it_is_moved() -> None:
    clock = ManualClock(NOON)
    assert (clock(), clock()) == (NOON, NOON)
    clock.advance(timedelta(days=1, microseconds=1))
    assert clock() == NOON + timedelta(days=1, microseconds=1)
    clock.advance(timedelta(0))
    assert clock() == NOON + timedelta(days=1, microseconds=1)


def test_a_manual_clock_speaks_utc_whatever_it_was_given() -> None:
    clock = ManualClock(NOON.astimezone(timezone(timedelta(hours=3))))
    assert clock().tzinfo is UTC
    assert clock() == NOON


def test_a_moment_without_a_zone_is_no_moment() -> None:
    with pytest.raises(ValueError, match="aware"):
        ManualClock(datetime(2026, 11, 22, 12, 0))  # noqa: DTZ001 - that is the point


def test_time_does_not_run_backwards() -> None:
    clock = ManualClock(NOON)
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(timedelta(microseconds=-1))
    assert clock() == NOON


def test_a_banks_day_begins_at_nine_in_the_evening_in_utc() -> None:
    midnight = datetime(2026, 11, 23, tzinfo=MOSCOW)
    assert midnight.astimezone(UTC) == datetime(2026, 11, 22, 21, tzinfo=UTC)
