"""How much to pay and when a block comes: by hand, by rules, and against a walk day by day."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_billing import position as positions_of
from core_billing.block_rules import verdict
from core_billing.fee_calendar import Plan, Stretch
from core_billing.forecast import Cause, Forecast, foresee, needed
from core_billing.policies import BlockCalendar, BlockMode, BlockRule, Mode, Recommended
from core_billing.position import Position
from core_billing.recommend import Kind, Recommendation, recommend
from shared.money import Money

TODAY = date(2026, 11, 22)
NOVEMBER = date(2026, 11, 30)


def service(roubles: int, tariff: str = "Домашний 100", **more: Any) -> Plan:
    """Return a service charged by the month, whose November has been charged."""
    number = more.pop("id", 1)
    label = more.pop("label", "internet")
    charging = more.pop("charging", "monthly")
    stretch = Stretch(date(2025, 1, 1), tariff, roubles * 100)
    later = more.pop("later", ())
    through = more.pop("charged_through", NOVEMBER)
    return Plan(number, 1, label, charging, (stretch, *later), through, **more)


def position(roubles: int = 0, *plans: Plan, **more: Any) -> Position:
    """Return a contract with a balance and services, blocked below zero."""
    kept: dict[str, Any] = {"credit_limit_kopecks": 0, "rule": BlockRule(), **more}
    return Position(1, "100245", "default", True, roubles * 100, plans=plans, **kept)


def paid(before: Position, kopecks: int) -> Position:
    """Return the position after a payment, which repays the promise it covers."""
    balance = before.balance_kopecks + kopecks
    left = max(0, before.promise_left_kopecks - kopecks)
    promised = before.promised_kopecks if left else 0
    return replace(
        before, balance_kopecks=balance, promise_left_kopecks=left, promised_kopecks=promised
    )


@st.composite
def _services(draw: st.DrawFn) -> tuple[Plan, ...]:
    made = []
    for number in range(draw(st.integers(0, 3))):
        prices = draw(st.lists(st.integers(0, 90_000), min_size=1, max_size=3))
        stretches = tuple(
            Stretch(date(2026, 1, 1) + timedelta(days=330 * place), f"tariff {place}", price)
            for place, price in enumerate(prices)
        )
        charging = draw(st.sampled_from(["monthly", "monthly", "daily"]))
        through = draw(st.dates(date(2026, 10, 20), date(2027, 1, 5)))
        ends_on = draw(st.none() | st.dates(date(2026, 11, 1), date(2027, 3, 1)))
        made.append(Plan(number, 1, f"s{number}", charging, stretches, through, ends_on))
    return tuple(made)


@st.composite
def positions(draw: st.DrawFn) -> Position:
    """Return any contract: services, a limit, a promise, a rule of its own."""
    promised = draw(st.sampled_from([0, 0, 10_000, 50_000]))
    rule = BlockRule(
        mode=draw(st.sampled_from(BlockMode)),
        days=draw(st.integers(0, 40)),
        sum=Money(draw(st.integers(0, 80_000))),
    )
    return Position(
        *(1, "100245", "default", True),
        balance_kopecks=draw(st.integers(-100_000, 300_000)),
        credit_limit_kopecks=draw(st.sampled_from([0, 0, 20_000])),
        rule=rule,
        plans=draw(_services()),
        promised_kopecks=promised,
        promise_left_kopecks=draw(st.integers(1, promised)) if promised else 0,
        promise_ends=draw(st.dates(TODAY, TODAY + timedelta(days=40))) if promised else None,
    )


HOME = service(650, "Домашний 100")
TV = service(199, "ТВ", id=2, label="tv")


def asked(mode: Mode = Mode.NEXT_PERIOD, **more: Any) -> Recommended:
    """Return the setting of a mode, with nothing added to what is due."""
    plain = {"surplus": Money(0), "round_up_to": Money(1), "minimum": Money(0)}
    return Recommended(mode=mode, **{**plain, **more})


def parts(one: Recommendation) -> list[tuple[str, int]]:
    """Return the lines in roubles."""
    assert sum(line.kopecks for line in one.lines) == one.kopecks
    return [(line.kind.value, line.kopecks // 100) for line in one.lines]


def test_a_debt_and_two_tariffs_are_each_a_line() -> None:
    one = recommend(position(-120, HOME, TV), asked(), TODAY)
    assert parts(one) == [("debt", 120), ("fee", 650), ("fee", 199)]
    assert [line.what.ru for line in one.lines] == [
        "Долг",
        "Домашний 100, 01.12.2026–31.12.2026",
        "ТВ, 01.12.2026–31.12.2026",
    ]
    assert one.lines[2].what.en == "ТВ, 2026-12-01 to 2026-12-31"
    assert (one.kopecks, one.covers_until) == (96_900, date(2026, 12, 31))


def test_what_is_left_is_taken_off() -> None:
    """«долг 120 + тариф 650 + ТВ 199 − остаток 40»: the debt is that of a contract below."""
    below = position(40, HOME, TV, subordinate_debt_kopecks=12_000)
    one = recommend(below, asked(), TODAY)
    assert parts(one) == [("subordinates", 120), ("fee", 650), ("fee", 199), ("balance", -40)]
    assert one.kopecks == 92_900


def test_what_is_left_never_makes_it_negative() -> None:
    one = recommend(position(5000, HOME), asked(surplus=Money(100), minimum=Money(100)), TODAY)
    assert parts(one) == [("fee", 650), ("balance", -650)]
    assert recommend(position(0), asked(minimum=Money(100)), TODAY).lines == ()


@pytest.mark.parametrize(
    ("mode", "more", "roubles"),
    [
        (Mode.DEBT, {}, 120),
        (Mode.TO_PERIOD_END, {}, 120),
        (Mode.NEXT_PERIOD, {}, 120 + 849),
        (Mode.N_PERIODS, {"periods": 3}, 120 + 3 * 849),
        (Mode.FIXED, {"fixed": Money(50_000)}, 500),
        (Mode.FIXED, {"fixed": Money(5000)}, 120),
    ],
)
def test_each_mode(mode: Mode, more: dict[str, Any], roubles: int) -> None:
    assert recommend(position(-120, HOME, TV), asked(mode, **more), TODAY).kopecks == roubles * 100


def test_to_the_end_of_the_period_is_what_is_still_to_be_charged_in_it() -> None:
    daily = service(300, "Посуточный", charging="daily", charged_through=date(2026, 11, 21))
    one = recommend(position(10, daily), asked(Mode.TO_PERIOD_END), TODAY)
    assert parts(one) == [("fee", 90), ("balance", -10)]
    assert one.lines[0].what.ru == "Посуточный, 22.11.2026–30.11.2026"


def test_a_fixed_payment_is_offered_to_who_owes_nothing_and_says_what_it_adds() -> None:
    setting = asked(Mode.FIXED, fixed=Money(50_000), surplus=Money(1000))
    assert parts(recommend(position(40), setting, TODAY)) == [("fixed", 500)]
    assert parts(recommend(position(-120), setting, TODAY)) == [("debt", 120), ("fixed", 380)]


def test_a_planned_tariff_and_a_planned_end_are_considered() -> None:
    dearer = service(650, "Старый", later=(Stretch(date(2026, 12, 1), "Новый", 80_000),))
    ending = service(310, "ТВ", id=2, ends_on=date(2026, 12, 10))
    one = recommend(position(0, dearer, ending), asked(), TODAY)
    assert parts(one) == [("fee", 800), ("fee", 100)]
    both = recommend(
        position(0, replace(dearer, charged_through=date(2026, 10, 31))), asked(), TODAY
    )
    assert parts(both) == [("fee", 800), ("fee", 650)]


def test_a_promise_is_no_money_and_is_repaid_in_full() -> None:
    promised = {"promised_kopecks": 50_000, "promise_left_kopecks": 50_000}
    inside = position(-120, HOME, promise_ends=TODAY, **promised)
    assert parts(recommend(inside, asked(Mode.DEBT), TODAY)) == [("debt", 120), ("promise", 380)]
    assert parts(recommend(inside, asked(), TODAY)) == [("debt", 120), ("fee", 650)]


def test_surplus_minimum_and_rounding_are_lines() -> None:
    odd = replace(position(0), balance_kopecks=-101)
    setting = asked(Mode.DEBT, surplus=Money(50), minimum=Money(1001), round_up_to=Money(500))
    one = recommend(odd, setting, TODAY)
    assert [(line.kind, line.kopecks) for line in one.lines] == [
        (Kind.DEBT, 101),
        (Kind.SURPLUS, 50),
        (Kind.MINIMUM, 850),
        (Kind.ROUNDING, 499),
    ]
    assert (one.kopecks, one.minimum_kopecks) == (1500, 1001)


def test_nothing_is_recommended_for_a_closed_contract() -> None:
    one = recommend(replace(position(-120, HOME), open=False), asked(), TODAY)
    assert (one.kopecks, one.lines) == (0, ())


SETTINGS = st.builds(
    Recommended,
    mode=st.sampled_from(Mode),
    periods=st.integers(1, 4),
    fixed=st.builds(Money, st.integers(0, 100_000)),
    surplus=st.builds(Money, st.integers(0, 5000)),
    round_up_to=st.builds(Money, st.sampled_from([1, 100, 5000])),
    minimum=st.builds(Money, st.integers(0, 20_000)),
)


@given(positions(), SETTINGS)
def test_the_lines_are_the_sum(before: Position, setting: Recommended) -> None:
    one = recommend(before, setting, TODAY)
    assert sum(line.kopecks for line in one.lines) == one.kopecks >= 0
    assert all(line.kopecks for line in one.lines)
    assert all((line.kopecks < 0) is (line.kind is Kind.BALANCE) for line in one.lines)
    assert one.kopecks >= max(-before.balance_kopecks, before.promise_left_kopecks)
    assert one.kopecks == 0 or one.kopecks >= setting.minimum.kopecks
    step = setting.round_up_to.kopecks
    assert one.kopecks % step == 0


@given(positions(), SETTINGS, st.integers(0, 100_000))
def test_who_has_more_is_never_advised_to_pay_more(
    before: Position, setting: Recommended, more: int
) -> None:
    richer = replace(before, balance_kopecks=before.balance_kopecks + more)
    poor, rich = (recommend(one, setting, TODAY).kopecks for one in (before, richer))
    assert rich <= poor


@given(positions(), SETTINGS)
def test_who_pays_it_is_not_blocked_before_the_period_is_over(
    before: Position, setting: Recommended
) -> None:
    one = recommend(before, setting, TODAY)
    after = foresee(paid(before, one.kopecks), BlockCalendar(), TODAY)
    covered = one.covers_until
    if covered is not None:
        assert after.blocks_on is None or after.blocks_on > covered
        assert after.short_on is None or after.short_on > covered


DECEMBER = date(2026, 12, 1)
JANUARY = date(2027, 1, 1)
ALWAYS = BlockCalendar()


def ahead(one: Position, calendar: BlockCalendar = ALWAYS) -> Forecast:
    """Return the forecast of today."""
    return foresee(one, calendar, TODAY)


def test_the_fee_that_cannot_be_paid_blocks() -> None:
    one = ahead(position(700, HOME))
    assert (one.blocks_on, one.short_on, one.cause) == (JANUARY, JANUARY, Cause.FEE)
    assert one.step is not None
    assert (one.step.tariff, one.step.kopecks, one.lacks_kopecks) == (
        "Домашний 100",
        65_000,
        60_000,
    )
    assert needed(position(700, HOME), one, TODAY) == (60_000, date(2027, 1, 31))


def test_a_limit_carries_further() -> None:
    assert ahead(position(0, HOME, credit_limit_kopecks=65_000)).blocks_on == JANUARY


def test_the_end_of_a_promise_blocks() -> None:
    promised = {"promised_kopecks": 50_000, "promise_left_kopecks": 50_000}
    one = ahead(position(-100, promise_ends=date(2026, 11, 26), **promised))
    assert (one.blocks_on, one.cause) == (date(2026, 11, 26), Cause.PROMISE_END)
    assert one.lacks_kopecks == 10_000


def test_who_lacks_already_is_blocked_today_for_the_debt() -> None:
    one = ahead(position(-1, short_since=date(2026, 11, 20)))
    assert (one.blocks_on, one.cause, one.step) == (TODAY, Cause.DEBT, None)
    assert one.short_on == date(2026, 11, 20)


def test_days_that_are_allowed_count_from_the_first_one_short() -> None:
    week = BlockRule(mode=BlockMode.AFTER_DAYS, days=7)
    assert ahead(position(0, HOME, rule=week)).blocks_on == date(2026, 12, 8)
    late = position(-1, rule=week, short_since=date(2026, 11, 20))
    assert ahead(late).blocks_on == date(2026, 11, 27)


def test_above_a_sum_is_reached_by_a_later_fee() -> None:
    above = BlockRule(mode=BlockMode.ABOVE_SUM, sum=Money(100_000))
    one = ahead(position(0, HOME, rule=above))
    assert (one.short_on, one.blocks_on) == (DECEMBER, JANUARY)


def test_excluded_days_postpone() -> None:
    holidays = BlockCalendar(yearly=tuple(f"01-{day:02}" for day in range(1, 9)), weekdays=(6, 7))
    assert ahead(position(700, HOME), holidays).blocks_on == date(2027, 1, 11)


@pytest.mark.parametrize(
    ("one", "calendar", "cause", "short_on"),
    [
        (position(0, HOME, rule=BlockRule(mode=BlockMode.NEVER)), ALWAYS, Cause.NEVER, DECEMBER),
        (position(0, HOME), BlockCalendar(enabled=False), Cause.DISABLED, DECEMBER),
        (position(0), ALWAYS, Cause.NO_SERVICES, None),
        (position(100_000, HOME), ALWAYS, Cause.ENOUGH_UNTIL, None),
        (position(-5), BlockCalendar(minimum_debt=Money(501)), Cause.WITHIN_RULE, TODAY),
        (position(-5, HOME, blocked=True), ALWAYS, Cause.BLOCKED, TODAY),
        (replace(position(5, HOME), open=False), ALWAYS, Cause.CLOSED, None),
    ],
)
def test_why_there_is_no_day(
    one: Position, calendar: BlockCalendar, cause: Cause, short_on: date | None
) -> None:
    found = ahead(one, calendar)
    assert (found.blocks_on, found.cause, found.short_on) == (None, cause, short_on)
    assert found.seen_until == TODAY + timedelta(days=400)


def test_a_closed_contract_needs_nothing() -> None:
    closed = replace(position(-5, HOME), open=False)
    assert needed(closed, ahead(closed), TODAY)[0] == 0


CALENDARS = st.builds(
    BlockCalendar,
    minimum_debt=st.builds(Money, st.sampled_from([0, 5000])),
    weekdays=st.sampled_from([(), (6, 7), (1, 2, 3, 4, 5, 6)]),
    dates=st.sampled_from([(), (DECEMBER,)]),
)


def walked(one: Position, calendar: BlockCalendar, days: int) -> date | None:
    """Return the first day on which the job would block, asking it on every day."""
    since = None
    for ahead_days in range(days + 1):
        day = TODAY + timedelta(days=ahead_days)
        taken = sum(charge.kopecks for charge in positions_of.charges(one, day))
        ended = one.promise_ends is not None and day >= one.promise_ends
        available = one.available_kopecks - taken - (one.promised_kopecks if ended else 0)
        since = (since or day) if available < 0 else None
        if verdict(one.rule, calendar, available, since, day).block:
            return day
    return None


@given(positions(), CALENDARS)
def test_it_is_the_day_on_which_the_job_would_block(one: Position, calendar: BlockCalendar) -> None:
    assert foresee(one, calendar, TODAY, 70).blocks_on == walked(one, calendar, 70)


@given(positions(), CALENDARS)
def test_who_pays_what_is_needed_is_not_blocked_until_then(
    one: Position, calendar: BlockCalendar
) -> None:
    kopecks, until = needed(one, foresee(one, calendar, TODAY), TODAY)
    # A promise that is not repaid ends all the same: what is needed counts with that.
    after = foresee(replace(one, balance_kopecks=one.balance_kopecks + kopecks), calendar, TODAY)
    assert after.blocks_on is None or after.blocks_on > until
    if kopecks:
        less = replace(one, balance_kopecks=one.balance_kopecks + kopecks - 1)
        short_on = foresee(less, calendar, TODAY, 440).short_on  # a month beyond the days seen
        assert short_on is not None
        assert short_on <= until


@given(positions(), st.integers(1, 100_000))
def test_money_never_brings_the_day_nearer(one: Position, more: int) -> None:
    before = foresee(one, ALWAYS, TODAY).blocks_on
    after = foresee(paid(replace(one, promised_kopecks=0), more), ALWAYS, TODAY).blocks_on
    base = foresee(replace(one, promised_kopecks=0), ALWAYS, TODAY).blocks_on
    assert base is None or before is None or base <= before
    assert after is None or (base is not None and after >= base)
