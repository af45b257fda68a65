"""The calendar: short months, leap years, clocks that go forward and back, hours of a day."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopay.schedule import (
    Hours,
    Notice,
    charge_moment,
    day_in,
    day_of,
    last_within,
    moment,
    month_of,
    next_day,
    within_hours,
)
from shared.clock import MOSCOW

# Zones with all that clocks are known to do: whole hours, half an hour, at midnight, a lost day.
ZONES = [
    ZoneInfo(name)
    for name in (
        "Europe/Moscow", "Asia/Yekaterinburg", "Asia/Kamchatka", "Europe/Berlin", "America/Havana",
        "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "Asia/Beirut",
        "Africa/Casablanca", "America/St_Johns",
    )
]  # fmt: skip
BERLIN, APIA = ZoneInfo("Europe/Berlin"), ZoneInfo("Pacific/Apia")
KATHMANDU = ZoneInfo("Asia/Kathmandu")
zones = st.sampled_from(ZONES)
days = st.dates(date(2005, 1, 1), date(2045, 12, 31))
times = st.times().map(lambda at: at.replace(microsecond=0))
moments = st.datetimes(
    datetime.fromisoformat("2005-01-02"),
    datetime.fromisoformat("2045-12-30"),
    timezones=st.just(UTC),
)
hours = st.builds(Hours, times, times)
spans = st.integers(0, 72 * 60).map(lambda minutes: timedelta(minutes=minutes))
DAY = Hours.read("09:00-21:00")
NOTICE = Notice(timedelta(hours=24), timedelta(hours=1), DAY)


@pytest.mark.parametrize(
    ("month", "day", "expected"),
    [
        (date(2026, 11, 3), 31, date(2026, 11, 30)),
        (date(2026, 2, 1), 29, date(2026, 2, 28)),
        (date(2028, 2, 1), 29, date(2028, 2, 29)),
        (date(2028, 2, 29), 31, date(2028, 2, 29)),
        (date(2100, 2, 1), 30, date(2100, 2, 28)),
        (date(2026, 12, 31), 1, date(2026, 12, 1)),
    ],
)
def test_a_day_that_a_month_lacks_is_its_last(month: date, day: int, expected: date) -> None:
    assert day_in(month, day) == expected


@pytest.mark.parametrize("day", [0, 32, -1])
def test_no_month_has_such_a_day(day: int) -> None:
    with pytest.raises(ValueError, match="no day"):
        day_in(date(2026, 11, 1), day)


@given(days, st.integers(1, 31))
def test_a_day_of_the_month_comes_once_in_each_month(after: date, day: int) -> None:
    first = next_day(day, after)
    second = next_day(day, first)

    assert first > after
    assert first == day_in(first, day)
    assert second.year * 12 + second.month == first.year * 12 + first.month + 1
    assert not any(
        day_in(one, day) == one
        for one in (after + timedelta(n) for n in range(1, (first - after).days))
    )


@pytest.mark.parametrize(
    ("day", "at", "zone", "expected"),
    [
        # Moscow's clocks have stood at +3 since October 2014, and gone forward and back before.
        (date(2026, 3, 29), time(2, 30), MOSCOW, "2026-03-28T23:30Z"),
        (date(2014, 10, 26), time(1, 30), MOSCOW, "2014-10-25T21:30Z"),
        # 02:30 is not there, and comes as 03:30; the first of two 02:30.
        (date(2026, 3, 29), time(2, 30), BERLIN, "2026-03-29T01:30Z"),
        (date(2026, 10, 25), time(2, 30), BERLIN, "2026-10-25T00:30Z"),
        (date(2026, 10, 25), time(2, 30, fold=1), BERLIN, "2026-10-25T00:30Z"),
        # Samoa had no 30 December in 2011.
        (date(2011, 12, 30), time(12), APIA, "2011-12-30T22:00Z"),
    ],
)
def test_when_a_time_of_day_is(day: date, at: time, zone: ZoneInfo, expected: str) -> None:
    assert moment(day, at, zone) == datetime.fromisoformat(expected)


@given(days, times, zones)
def test_a_time_of_day_never_comes_early(day: date, at: time, zone: ZoneInfo) -> None:
    local = moment(day, at, zone).astimezone(zone)

    assert local.replace(tzinfo=None) >= datetime.combine(day, at)
    assert local.fold == 0
    assert moment(day, at, zone) <= moment(day + timedelta(1), at, zone)


@given(moments, zones)
def test_months_follow_each_other_without_a_gap(at: datetime, zone: ZoneInfo) -> None:
    begins, ends = month_of(at, zone)

    assert begins <= at < ends
    assert month_of(begins, zone) == (begins, ends)
    assert month_of(ends, zone)[0] == ends
    assert month_of(begins - timedelta(microseconds=1), zone)[1] == begins
    assert {day_of(begins, zone).month, day_of(ends - timedelta(seconds=1), zone).month} == {
        day_of(at, zone).month
    }


@pytest.mark.parametrize(
    ("written", "inside", "outside"),
    [
        ("09:00-21:00", ["09:00", "12:00", "20:59"], ["08:59", "21:00", "00:00"]),
        ("21:00-09:00", ["21:00", "23:59", "00:00", "08:59"], ["09:00", "20:59"]),
        ("10:00-24:00", ["10:00", "23:59"], ["00:00", "09:59"]),
        ("00:00-24:00", ["00:00", "23:59"], []),
        ("08:00-08:00", ["08:00", "07:59"], []),
    ],
)
def test_hours_hold_their_start_and_not_their_end(
    written: str, inside: list[str], outside: list[str]
) -> None:
    read = Hours.read(written)

    assert all(time.fromisoformat(at) in read for at in inside)
    assert not any(time.fromisoformat(at) in read for at in outside)


@pytest.mark.parametrize(
    "written", ["", "9-21", "09:00", "24:00-09:00", "09:60-21:00", "١٠:٠٠-21:00"]
)
def test_hours_are_written_one_way(written: str) -> None:
    with pytest.raises(ValueError, match="09:00-21:00"):
        Hours.read(written)


@given(moments, hours, zones)
def test_the_next_allowed_moment_is_the_first_one(
    at: datetime, allowed: Hours, zone: ZoneInfo
) -> None:
    found = within_hours(at, allowed, zone)

    assert found >= at
    if at.astimezone(zone).time() in allowed:
        assert found == at
    else:
        assert found - at <= timedelta(hours=49)
        step = (found - at) / 7
        waits = [(at + step * n).astimezone(zone).time() in allowed for n in range(7)]
        assert (
            not any(waits) or found.astimezone(zone).utcoffset() != at.astimezone(zone).utcoffset()
        )


@given(moments, hours, spans)
def test_the_last_allowed_moment_leaves_time(
    before: datetime, allowed: Hours, spare: timedelta
) -> None:
    found = last_within(before, allowed, KATHMANDU, spare)

    assert found <= before - spare
    assert found.astimezone(KATHMANDU).time() in allowed


@given(moments, moments, spans, zones, st.none() | days)
def test_a_charge_is_said_before_it_and_made_by_day(
    wanted: datetime, said: datetime, length: timedelta, zone: ZoneInfo, blocks_on: date | None
) -> None:
    notice = Notice(length, min(length, timedelta(hours=1)), DAY)

    found = charge_moment(wanted, said, notice, zone, blocks_on)

    assert found >= said + notice.least
    assert found.astimezone(zone).time() in DAY
    usual = charge_moment(wanted, said, notice, zone)
    assert usual >= max(wanted, said + length)
    assert found <= usual
    if found < usual and blocks_on is not None:
        assert usual > moment(blocks_on, time(), zone) - timedelta(hours=3, minutes=1)


@pytest.mark.parametrize(
    ("wanted", "said", "blocks_on", "expected"),
    [
        # Wanted in the night: in the morning, a day after it was said.
        ("2026-12-10 02:00", "2026-12-09 15:00", None, "2026-12-10 15:00"),
        ("2026-12-10 02:00", "2026-12-08 15:00", None, "2026-12-10 09:00"),
        ("2026-12-10 22:00", "2026-12-08 15:00", None, "2026-12-11 09:00"),
        # A block on the 11th: the evening before, with less notice than usual.
        ("2026-12-10 12:00", "2026-12-10 12:00", date(2026, 12, 11), "2026-12-10 20:00"),
        ("2026-12-12 12:00", "2026-12-08 12:00", date(2026, 12, 11), "2026-12-10 20:00"),
        # It cannot come before the block: soon after, then; at night nobody is told.
        ("2026-12-10 22:00", "2026-12-10 22:00", date(2026, 12, 11), "2026-12-11 10:00"),
        ("2026-12-11 10:00", "2026-12-11 10:00", date(2026, 12, 11), "2026-12-11 11:00"),
    ],
)
def test_when_a_charge_is_made(
    wanted: str, said: str, blocks_on: date | None, expected: str
) -> None:
    local = [
        datetime.fromisoformat(each).replace(tzinfo=MOSCOW) for each in (wanted, said, expected)
    ]

    assert charge_moment(local[0], local[1], NOTICE, MOSCOW, blocks_on) == local[2]
