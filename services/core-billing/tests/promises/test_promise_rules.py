"""Who may promise, how much and until when: each rule that says no, and the order they have."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_billing import promise_rules
from core_billing.fee_calendar import Plan, Stretch
from core_billing.policies import PromiseRule
from core_billing.promise_rows import Origin, Promise
from core_billing.promise_rules import Candidate, Wish
from shared.errors import SaldoError

TODAY = date(2026, 11, 22)
AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
ENOUGH = Candidate(1, "100245", "home", True, "advance", False, date(2024, 5, 1), -30_000, 0)
OPEN = Promise(
    id=7,
    contract_id=1,
    amount_kopecks=50_000,
    fee_kopecks=0,
    paid_kopecks=20_000,
    granted_at=AT,
    until=AT + timedelta(days=3),
    origin="manager",
    granted_by="Анна",
    overdue_at=None,
    closed_at=None,
    closed_how=None,
    closed_by=None,
    repaid_by=None,
    ending_said_at=None,
    revision=1,
    number="100245",
)
LATE = replace(OPEN, overdue_at=AT)


def rule(**changed: Any) -> PromiseRule:
    """Return a rule that lets ENOUGH promise from 100 to 1000 roubles."""
    bounds = {"min": "100.00", "max": "1000.00", "by_subscriber": True}
    return PromiseRule.model_validate(bounds | changed)


def refused(
    held: PromiseRule, candidate: Candidate, amount: int = 50_000, **wish: Any
) -> tuple[str | None, str]:
    """Return the code and the Russian sentence of the rule that says no."""
    asked = Wish(wish.pop("origin", Origin.MANAGER), amount, **wish)
    with pytest.raises(SaldoError) as error:
        promise_rules.decide(held, candidate, asked, TODAY)
    return error.value.code, error.value.detail.ru


def test_a_promise_holds_for_the_days_of_the_rule_and_costs_its_fee() -> None:
    for origin in (Origin.SUBSCRIBER, Origin.MANAGER):
        made = promise_rules.decide(rule(fee="15.00"), ENOUGH, Wish(origin, 50_000), TODAY)
        assert made == promise_rules.Decision(50_000, 1_500, date(2026, 11, 25))


def test_a_manager_chooses_the_end_and_waives_the_fee() -> None:
    held = rule(fee="15.00", manager_days=10)
    for day in (TODAY, date(2026, 12, 2)):
        wish = Wish(Origin.MANAGER, 50_000, until=day, waive_fee=True)
        assert promise_rules.decide(held, ENOUGH, wish, TODAY).last_day == day
        assert promise_rules.decide(held, ENOUGH, wish, TODAY).fee_kopecks == 0


@pytest.mark.parametrize(
    ("code", "changed", "candidate", "says"),
    [
        ("contract_closed", {}, {"open": False}, "100245"),
        ("promise_credit_contract", {}, {"charging": "credit"}, "кредитный"),
        ("promise_contract_young", {"contract_days": 936}, {}, "с 23.11.2026"),
        ("promise_contract_young", {"contract_days": 1}, {"since": None}, "нет даты"),
        ("promise_contract_young", {"contract_days": 1}, {"since": date.max}, "31.12.9999"),
        ("promise_active", {}, {"current": OPEN}, "Анна"),
        ("promise_overdue", {}, {"current": LATE}, "300.00"),
        ("promise_not_configured", {"min": "0.00"}, {}, "home"),
        ("promise_not_configured", {"min": "0.00", "max": "0.00"}, {}, "home"),
        ("promise_by_manager_not_allowed", {"by_manager": False}, {}, "home"),
        ("promise_debt_above_limit", {"debt_limit": "300.00"}, {}, "300.00"),
        (
            "promise_pause",
            {"pause_days": 5},
            {"overdue_closed_on": date(2026, 11, 18)},
            "с 23.11.2026",
        ),
        (
            "promise_too_often",
            {"count": 2, "per_days": 28},
            {"granted_on": (date(2026, 11, 9), date(2026, 10, 26), date(2026, 1, 1))},
            "с 23.11.2026",
        ),
    ],
)
def test_each_rule_that_forbids_any_promise_says_which_it_is(
    code: str, changed: dict[str, Any], candidate: dict[str, Any], says: str
) -> None:
    said, sentence = refused(rule(**changed), replace(ENOUGH, **candidate))
    assert said == code
    assert says in sentence


@pytest.mark.parametrize(
    ("code", "changed", "wish", "says"),
    [
        ("promise_below_min", {}, {"amount": 9_999}, "100.00"),
        ("promise_above_max", {}, {"amount": 100_001}, "1000.00"),
        ("promise_above_fees", {"within_fees": True}, {"amount": 65_001}, "650.00"),
        ("promise_until_past", {}, {"until": date(2026, 11, 21)}, "22.11.2026"),
        ("promise_until_too_far", {}, {"until": date(2026, 12, 24)}, "23.12.2026"),
        ("promise_insufficient", {}, {"amount": 29_999}, "обещайте 300.00"),
        ("promise_insufficient", {"fee": "0.01"}, {"amount": 30_000}, "обещайте 301.00"),
        ("promise_manager_only", {}, {"origin": Origin.SUBSCRIBER, "until": TODAY}, "менеджер"),
        (
            "promise_manager_only",
            {},
            {"origin": Origin.SUBSCRIBER, "waive_fee": True},
            "менеджер",
        ),
        (
            "promise_by_subscriber_not_allowed",
            {"by_subscriber": False},
            {"origin": Origin.SUBSCRIBER},
            "home",
        ),
    ],
)
def test_each_rule_about_what_is_asked_says_which_it_is(
    code: str, changed: dict[str, Any], wish: dict[str, Any], says: str
) -> None:
    said, sentence = refused(rule(**changed), replace(ENOUGH, largest_fee_kopecks=65_000), **wish)
    assert said == code
    assert says in sentence


def test_the_rules_are_looked_at_in_their_order() -> None:
    held = rule(contract_days=1, min="0.00", debt_limit="1.00", pause_days=5)
    bad = replace(
        ENOUGH,
        open=False,
        charging="credit",
        since=TODAY,
        current=OPEN,
        overdue_closed_on=TODAY,
    )
    steps: list[tuple[str, PromiseRule, Candidate]] = [
        ("contract_closed", held, bad),
        ("promise_credit_contract", held, bad := replace(bad, open=True)),
        ("promise_contract_young", held, bad := replace(bad, charging="mixed")),
        ("promise_active", held, bad := replace(bad, since=date(2020, 1, 1))),
        ("promise_not_configured", held, bad := replace(bad, current=None)),
        ("promise_debt_above_limit", held := held.model_copy(update={"min": rule().min}), bad),
        ("promise_pause", held := held.model_copy(update={"debt_limit": None}), bad),
        ("promise_below_min", held.model_copy(update={"pause_days": 0}), bad),
    ]
    for code, under, candidate in steps:
        assert refused(under, candidate, 1)[0] == code


def test_a_bound_that_is_just_kept_says_nothing() -> None:
    held = rule(
        contract_days=935,
        debt_limit="300.01",
        pause_days=4,
        count=2,
        per_days=27,
        within_fees=True,
    )
    good = replace(
        ENOUGH,
        overdue_closed_on=date(2026, 11, 18),
        granted_on=(date(2026, 11, 9), date(2026, 10, 26)),
        largest_fee_kopecks=65_000,
    )
    for amount in (30_000, 65_000):
        wish = Wish(Origin.SUBSCRIBER, amount)
        assert promise_rules.decide(held, good, wish, TODAY).amount_kopecks == amount
    # Who is not in debt is below every limit, and a limit of nothing forbids every debt.
    rich = replace(good, balance_kopecks=0)
    none = rule(debt_limit="0.00")
    made = promise_rules.decide(none, rich, Wish(Origin.MANAGER, 10_000), TODAY)
    assert made.amount_kopecks == 10_000
    assert refused(none, replace(rich, balance_kopecks=-1))[0] == "promise_debt_above_limit"


def test_where_the_fees_allow_less_than_the_least_sum_no_sum_is_right() -> None:
    held = rule(within_fees=True)
    poor = replace(ENOUGH, largest_fee_kopecks=9_000, balance_kopecks=0)
    assert refused(held, poor, 10_000)[0] == "promise_above_fees"
    assert refused(held, poor, 9_000)[0] == "promise_below_min"


@pytest.mark.parametrize(
    ("since", "days"),
    [
        (date(2026, 11, 22), 3),
        (date(2025, 11, 23), 3),
        (date(2025, 11, 22), 4),
        (date(2016, 1, 1), 13),
        (None, 3),
    ],
)
def test_an_automatic_promise_is_longer_for_each_full_year(since: date | None, days: int) -> None:
    held = rule(days_per_year=1)
    candidate = replace(ENOUGH, since=since)
    for origin, expected in ((Origin.AUTOMATIC, days), (Origin.MANAGER, 3)):
        made = promise_rules.decide(held, candidate, Wish(origin, 50_000), TODAY)
        assert made.last_day == TODAY + timedelta(days=expected)


def test_a_leap_day_has_its_year_full_in_march() -> None:
    assert promise_rules.full_years(date(2024, 2, 29), date(2025, 2, 28)) == 0
    assert promise_rules.full_years(date(2024, 2, 29), date(2025, 3, 1)) == 1


@given(
    balance=st.integers(-200_000, 200_000),
    floor=st.integers(0, 50_000),
    fee=st.integers(0, 5_000),
)
def test_the_suggested_sum_is_the_least_that_is_not_refused(
    balance: int, floor: int, fee: int
) -> None:
    held = rule(max="5000.00", fee=f"{fee // 100}.{fee % 100:02}")
    candidate = replace(ENOUGH, balance_kopecks=balance, floor_kopecks=floor)
    amount = promise_rules.suggested(held, candidate, fee, TODAY)
    made = promise_rules.decide(held, candidate, Wish(Origin.SUBSCRIBER, amount), TODAY)
    assert made.amount_kopecks == amount
    if amount > 10_000:
        assert amount % 100 == 0
        wanted = refused(held, candidate, amount - 100, origin=Origin.SUBSCRIBER)[0]
        assert wanted in ("promise_insufficient", "promise_below_min")


@pytest.mark.parametrize(
    ("changed", "balance", "last_day", "amount"),
    [
        ({}, -30_000, date(2026, 11, 30), 30_000),
        ({}, -30_000, date(2026, 12, 1), 95_100),
        ({"max": "950.00"}, -30_000, date(2026, 12, 1), 95_000),
        ({"max": "200.00"}, -30_000, date(2026, 12, 1), 30_000),
        ({"within_fees": True}, -30_000, date(2026, 12, 1), 65_050),
        ({}, 25_040, date(2026, 12, 1), 40_100),
        ({}, 65_050, date(2026, 12, 1), 10_000),
        ({"max": "5000.00"}, -30_000, date(2027, 1, 1), 160_100),
    ],
)
def test_the_suggested_sum_covers_what_falls_due_until_its_last_day(
    changed: dict[str, Any], balance: int, last_day: date, amount: int
) -> None:
    price = (Stretch(date(2026, 1, 1), "100 Mbit", 65_050),)
    plan = Plan(3, 1, "internet", "monthly", price, date(2026, 11, 30))
    candidate = replace(ENOUGH, balance_kopecks=balance, largest_fee_kopecks=65_050, plans=(plan,))
    assert promise_rules.suggested(rule(**changed), candidate, 0, last_day) == amount


def test_a_refusal_names_the_sum_that_lasts_as_long_as_the_promise() -> None:
    price = (Stretch(date(2026, 1, 1), "daily", 30_000),)
    plan = Plan(3, 1, "internet", "daily", price, TODAY)
    wish = {"amount": 29_999, "until": date(2026, 11, 24)}
    said, sentence = refused(rule(), replace(ENOUGH, plans=(plan,)), **wish)
    assert (said, "обещайте 320.00" in sentence) == ("promise_insufficient", True)


def test_what_settles_a_promise_is_the_smaller_of_rest_and_debt() -> None:
    assert promise_rules.owed(OPEN, -50_000) == 30_000
    assert promise_rules.owed(OPEN, -12_345) == 12_345
    assert promise_rules.owed(OPEN, 1) == 0
    assert promise_rules.owed(replace(OPEN, closed_at=AT), -50_000) == 0
