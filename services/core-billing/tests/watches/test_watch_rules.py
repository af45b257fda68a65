"""The rules of watches that count days, against what they mean. No database."""

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_billing.fee_calendar import Plan, Stretch
from core_billing.policy_values import BlockRule
from core_billing.position import Position
from core_billing.watch_rules import State, Uncovered, is_news, judged_days, uncovered

TODAY = date(2026, 11, 27)
DAY = timedelta(days=1)
ARMED = State(armed=True, crossing=0)


@pytest.mark.parametrize(
    ("before", "left", "after"),
    [
        (State(True, 4), 4, State(True, 4)),
        (State(True, 4), None, State(True, 4)),
        (State(True, 4), 3, State(False, 5)),
        (State(True, 4), 0, State(False, 5)),
        (State(False, 5), 3, State(False, 5)),
        (State(False, 5), 4, State(False, 5)),
        (State(False, 5), 5, State(True, 5)),
        (State(False, 5), None, State(True, 5)),
    ],
)
def test_three_days_to_the_day(before: State, left: int | None, after: State) -> None:
    assert judged_days(before, left, 3) == after


@given(st.lists(st.none() | st.integers(0, 70)), st.integers(0, 60))
def test_near_and_far_take_turns(lefts: list[int | None], days: int) -> None:
    """A model: what was said last, and the farthest block since; nothing is said twice."""
    state, said = ARMED, []
    for left in lefts:
        after = judged_days(state, left, days)
        if after != state:
            said.append(after)
        near = left is not None and left <= days
        far = left is None or left > days + 1
        assert after.armed is (far or (state.armed and not near))
        assert judged_days(after, left, days) == after
        state = after
    assert [one.armed for one in said] == [bool(n % 2) for n in range(len(said))]
    assert [one.crossing for one in said] == [1 + n // 2 for n in range(len(said))]


def position(balance: int, *plans: Plan, **more: Any) -> Position:
    """Return a contract with services."""
    about = {"contract_id": 1, "number": "A", "group": "default", "rule": BlockRule()}
    held = {"open": True, "credit_limit_kopecks": 0, **more}
    return Position(balance_kopecks=balance, plans=plans, **about, **held)


def plan(kopecks: int, charging: Any, through: date) -> Plan:
    """Return a service that has been charged through a day."""
    stretch = Stretch(date(2026, 1, 1), "tariff", kopecks)
    return Plan(1, 1, "internet", charging, (stretch,), through)


MONTHLY = plan(65_000, "monthly", date(2026, 11, 30))


@pytest.mark.parametrize(
    ("found", "day"),
    [
        (position(64_999, MONTHLY), date(2026, 12, 1)),
        (position(65_000, MONTHLY), None),
        (position(0, MONTHLY, credit_limit_kopecks=65_000), None),
        (position(0, MONTHLY, promised_kopecks=65_000, promise_ends=date(2026, 12, 5)), None),
        (
            position(0, MONTHLY, promised_kopecks=65_000, promise_ends=date(2026, 12, 1)),
            date(2026, 12, 1),
        ),
        (position(0, MONTHLY, blocked=True), None),
        (position(0, MONTHLY, open=False), None),
        (position(-5), None),
        (position(0, plan(65_000, "monthly", date(2026, 10, 31))), TODAY),
    ],
)
def test_which_day_of_fees_is_not_covered(found: Position, day: date | None) -> None:
    lacking = uncovered(found, TODAY, 4)
    assert (None if lacking is None else lacking.day) == day
    assert day is None or day == TODAY or lacking == Uncovered(day, 65_000)
    assert uncovered(found, TODAY, 3) is None or day == TODAY


@given(st.integers(-1_000, 100_000), st.integers(0, 20), st.integers(0, 100_000))
def test_days_charged_by_themselves(balance: int, days: int, month: int) -> None:
    """A daily price of which every kopeck is counted by hand."""
    found = uncovered(position(balance, plan(month * 30, "daily", TODAY)), TODAY, days)
    left, wanted = balance, None
    for n in range(1, days + 1):
        day = TODAY + n * DAY
        length = 30 if day.month == 11 else 31
        fee = month * 30 * day.day // length - month * 30 * (day.day - 1) // length
        left -= fee
        if fee and left < 0:
            wanted = Uncovered(day, fee)
            break
    assert found == wanted


@given(st.lists(st.integers(0, 40), min_size=1))
def test_days_in_a_row_are_one_shortage(offsets: list[int]) -> None:
    said_for, told = None, []
    for day in (TODAY + n * DAY for n in offsets):
        if is_news(said_for, day):
            told.append(day)
        said_for = day if said_for is None else max(said_for, day)
    assert all(later - earlier > DAY for earlier, later in pairwise(told))
    assert len(told) == len(set(told))
