"""What falls due when, by the calendar alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core_billing.fee_calendar import Charge, Charging, Plan, Stretch, charges, month_of

DAY = timedelta(days=1)
PRICES = st.integers(0, 1_000_000)
DAYS = st.dates(date(2023, 12, 1), date(2024, 4, 30))


def plan(
    charging: Charging = "monthly",
    price: int = 65_000,
    start: date = date(2026, 11, 1),
    *later: tuple[date, int],
    ends_on: date | None = None,
) -> Plan:
    stretches = [(start, price), *later]
    return Plan(
        service_id=7,
        contract_id=3,
        label="internet",
        charging=charging,
        stretches=tuple(Stretch(since, f"T{n}", k) for n, (since, k) in enumerate(stretches)),
        charged_through=start - DAY,
        ends_on=ends_on,
    )


def due(asked: Plan, until: date) -> list[tuple[str, int]]:
    return [(one.period, one.kopecks) for one in charges(asked, until)]


@st.composite
def plans(draw: st.DrawFn, charging: Charging | None = None) -> Plan:
    start = draw(DAYS)
    turns = sorted(draw(st.sets(DAYS.filter(lambda day: day > start), max_size=4)))
    later = [(day, draw(PRICES)) for day in turns]
    ends_on = draw(st.none() | st.integers(0, 90).map(lambda n: start + n * DAY))
    kind = charging or draw(st.sampled_from(("monthly", "daily")))
    return plan(kind, draw(PRICES), start, *later, ends_on=ends_on)


def price_on(asked: Plan, day: date) -> int:
    return [each.month_kopecks for each in asked.stretches if each.since <= day][-1]


def test_a_month_is_charged_on_its_first_day_at_exactly_its_price() -> None:
    assert due(plan(), date(2026, 10, 31)) == []
    assert due(plan(), date(2026, 11, 1)) == [("2026-11", 65_000)]
    assert due(plan(), date(2026, 11, 30)) == [("2026-11", 65_000)]
    assert due(plan(), date(2026, 12, 1)) == [("2026-11", 65_000), ("2026-12", 65_000)]


def test_a_service_that_begins_within_a_month_pays_for_the_days_left() -> None:
    assert due(plan(start=date(2026, 11, 16)), date(2026, 11, 16)) == [("2026-11", 32_500)]


def test_a_service_that_ends_within_a_month_pays_until_its_last_day() -> None:
    ending = plan(ends_on=date(2026, 12, 1))
    assert due(ending, date(2027, 3, 1)) == [("2026-11", 65_000), ("2026-12", 2_097)]


def test_half_a_kopeck_is_rounded_up_once_for_the_whole_charge() -> None:
    # 15 of 30 days at 1 kopeck and 15 at 2: 1.5 kopecks; each by itself would be 0.5 and 1.
    assert due(plan("monthly", 1, date(2026, 11, 1), (date(2026, 11, 16), 2)), date(2026, 11, 1))[
        0
    ] == ("2026-11", 2)


def test_a_planned_change_within_a_month_is_charged_with_it_in_advance() -> None:
    changing = plan("monthly", 30_000, date(2026, 11, 1), (date(2026, 11, 11), 60_000))
    [charge] = charges(changing, date(2026, 11, 1))
    assert (charge.kopecks, charge.tariff) == (10_000 + 40_000, "T0")


def test_the_days_of_a_daily_tariff_fall_due_one_by_one() -> None:
    assert due(plan("daily", 100), date(2026, 11, 3)) == [
        ("2026-11-01", 3),
        ("2026-11-02", 3),
        ("2026-11-03", 4),
    ]


@given(PRICES, DAYS)
def test_the_days_of_a_month_sum_to_its_price(price: int, day: date) -> None:
    first, last = month_of(day)
    assert sum(one.kopecks for one in charges(plan("daily", price, first), last)) == price


@settings(max_examples=60)
@given(plans(), st.integers(0, 150))
def test_no_day_is_charged_twice_or_missed(asked: Plan, days: int) -> None:
    until = asked.charged_through + days * DAY
    made = list(charges(asked, until))
    at = asked.charged_through
    for one in made:
        assert one.start == at + DAY <= until
        assert one.end >= one.start
        assert month_of(one.start) == month_of(one.end)
        at = one.end
    assert at >= (until if asked.ends_on is None else min(until, asked.ends_on))
    assert asked.ends_on is None or at <= asked.ends_on
    assert len({one.period for one in made}) == len(made)


@settings(max_examples=60)
@given(plans("monthly"), st.integers(0, 150))
def test_a_monthly_fee_is_its_days_at_their_prices_within_half_a_kopeck(
    asked: Plan, days: int
) -> None:
    for one in charges(asked, asked.charged_through + days * DAY):
        length = month_of(one.start)[1].day
        covered = [one.start + n * DAY for n in range((one.end - one.start).days + 1)]
        exact = sum((Fraction(price_on(asked, day), length) for day in covered), Fraction())
        assert -Fraction(1, 2) < one.kopecks - exact <= Fraction(1, 2)
        assert one.kopecks <= max(price_on(asked, day) for day in covered)


@settings(max_examples=60)
@given(plans(), st.integers(0, 60), st.integers(0, 60))
def test_charging_in_two_runs_is_charging_in_one(asked: Plan, first: int, second: int) -> None:
    half = asked.charged_through + first * DAY
    whole: list[Charge] = list(charges(asked, half + second * DAY))
    before = list(charges(asked, half))
    through = before[-1].end if before else asked.charged_through
    resumed = replace(asked, charged_through=through)
    assert before + list(charges(resumed, half + second * DAY)) == whole


@pytest.mark.parametrize("charging", ["monthly", "daily"])
def test_nothing_falls_due_after_the_end(charging: Charging) -> None:
    over = replace(plan(charging, ends_on=date(2026, 11, 30)), charged_through=date(2026, 11, 30))
    assert due(over, date(2027, 1, 1)) == []
