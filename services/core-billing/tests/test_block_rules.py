"""When a contract is cut off: every mode, every day that is excluded, every bound."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_billing.block_rules import TEXTS, Reason, Verdict, is_excluded, verdict
from core_billing.policies import BlockCalendar, BlockMode, BlockRule
from shared.money import Money

TODAY = date(2026, 9, 8)  # a Tuesday
SHORT = date(2026, 9, 1)
EVERY_DAY = BlockCalendar()
SEVEN_DAYS = BlockRule(mode=BlockMode.AFTER_DAYS, days=7)
ABOVE_300 = BlockRule(mode=BlockMode.ABOVE_SUM, sum=Money(30_000))


def said(
    rule: BlockRule, available: int, since: date | None = SHORT, today: date = TODAY, **more: Any
) -> Verdict:
    """Return the verdict on a day."""
    return verdict(rule, BlockCalendar(**more), available, since, today)


@pytest.mark.parametrize(("available", "blocks"), [(1, False), (0, False), (-1, True)])
def test_below_zero_is_less_than_nothing(available: int, blocks: bool) -> None:
    one = said(BlockRule(), available)
    assert one.block is blocks
    assert one.reason is (Reason.BELOW_ZERO if blocks else Reason.ENOUGH)


def test_seven_days_below_zero_end_when_the_eighth_starts() -> None:
    """A period ends on 31 August; with seven days it is cut off when 8 September starts."""
    assert said(SEVEN_DAYS, -1, SHORT, date(2026, 9, 7)) == Verdict(False, Reason.DAYS_LEFT, TODAY)
    assert said(SEVEN_DAYS, -1, SHORT, TODAY) == Verdict(True, Reason.AFTER_DAYS, TODAY)
    assert said(SEVEN_DAYS, 0, SHORT, TODAY).reason is Reason.ENOUGH


def test_a_shortage_nobody_noted_begins_today() -> None:
    later = TODAY + timedelta(days=7)
    assert said(SEVEN_DAYS, -1, None) == Verdict(False, Reason.DAYS_LEFT, later)
    at_once = BlockRule(mode=BlockMode.AFTER_DAYS, days=0)
    assert said(at_once, -1, None) == Verdict(True, Reason.AFTER_DAYS, TODAY)


def test_above_a_sum_is_more_than_it() -> None:
    assert said(ABOVE_300, -30_000) == Verdict(False, Reason.WITHIN_SUM)
    assert said(ABOVE_300, -30_001) == Verdict(True, Reason.ABOVE_SUM, SHORT)


def test_never_is_never() -> None:
    assert said(BlockRule(mode=BlockMode.NEVER), -(10**9)) == Verdict(False, Reason.NEVER)


@pytest.mark.parametrize(("available", "blocks"), [(-4999, False), (-5000, True)])
def test_the_least_debt_is_left_alone_below_it(available: int, blocks: bool) -> None:
    one = said(BlockRule(), available, minimum_debt=Money(5000))
    assert one.block is blocks
    assert blocks or one.reason is Reason.MINIMUM_DEBT


@pytest.mark.parametrize(
    "excluded", [{"weekdays": (2,)}, {"dates": (TODAY,)}, {"yearly": ("09-08",)}]
)
def test_an_excluded_day_postpones(excluded: dict[str, Any]) -> None:
    assert said(BlockRule(), -1, **excluded) == Verdict(False, Reason.EXCLUDED_DAY, SHORT)
    assert said(BlockRule(), -1, today=TODAY + timedelta(days=1), **excluded).block
    assert said(BlockRule(), 0, **excluded).reason is Reason.ENOUGH


def test_blocking_switched_off_blocks_nobody() -> None:
    assert said(BlockRule(), -1, enabled=False) == Verdict(False, Reason.DISABLED, SHORT)


RULES = st.builds(
    BlockRule,
    mode=st.sampled_from(BlockMode),
    days=st.integers(0, 20),
    sum=st.builds(Money, st.integers(0, 1000)),
)
CALENDARS = st.builds(
    BlockCalendar,
    enabled=st.booleans(),
    minimum_debt=st.builds(Money, st.integers(0, 500)),
    weekdays=st.lists(st.integers(1, 7), max_size=6, unique=True).map(tuple),
)
SINCE = st.none() | st.dates(date(2026, 8, 1), TODAY)


@given(RULES, CALENDARS, st.integers(-2000, 2000), SINCE)
def test_more_money_never_blocks(
    rule: BlockRule, calendar: BlockCalendar, available: int, since: date | None
) -> None:
    poor = verdict(rule, calendar, available, since, TODAY)
    rich = verdict(rule, calendar, available + 100, since, TODAY)
    assert poor.block or not rich.block
    assert not poor.block or available < 0
    assert not (poor.block and is_excluded(calendar, TODAY))


@given(RULES, st.integers(-2000, -1), SINCE)
def test_a_block_that_is_due_stays_due_until_the_money_comes(
    rule: BlockRule, available: int, since: date | None
) -> None:
    now = verdict(rule, EVERY_DAY, available, since, TODAY)
    later = verdict(rule, EVERY_DAY, available, since or TODAY, TODAY + timedelta(days=30))
    assert later.block or not now.block
    # Where a day is named, it is the first on which it happens.
    if now.since is not None:
        first = max(now.since, since or TODAY)
        assert verdict(rule, EVERY_DAY, available, since or TODAY, first).block


def test_every_reason_has_a_sentence() -> None:
    assert set(TEXTS) == set(Reason)
