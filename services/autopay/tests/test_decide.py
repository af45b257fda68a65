"""The decision itself, without a database: orders of events, months, zones, jumping clocks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autopay import standing
from autopay.acts import Requested
from autopay.autopay import Rules
from autopay.case import Account, Case, Cause, Charge, State
from autopay.decide import decide
from autopay.mandate import Mandate, MethodName, Terms, Trigger
from autopay.outcome import Outcome, conclude
from autopay.sums import spent
from shared.events_gateway import FailureClass

AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
CARD = MethodName("yookassa:100500", "m-1")
HOUR = timedelta(hours=1)


def mandate(day: int, zone: str) -> Mandate:
    terms = Terms(
        Trigger.DAY, 100_000, CARD, day_of_month=day, amount_kopecks=65_000, timezone=zone
    )
    return Mandate(UUID(int=1), "1", 1, "active", terms, None, False, AT, AT)


@settings(max_examples=40)
@given(
    st.integers(1, 31),
    st.sampled_from(["Europe/Moscow", "Asia/Kamchatka", "America/New_York", "Pacific/Kiritimati"]),
    st.lists(st.integers(-200, 900), min_size=30, max_size=60),
)
def test_each_day_is_charged_once_whatever_the_clock_does(
    rules: Rules, day: int, zone: str, jumps: list[int]
) -> None:
    case = Case("1", Account("1"), mandate(day, zone), date(2026, 11, 23), usable=frozenset({CARD}))
    now, asked = AT, []
    for jump in jumps:
        now += timedelta(hours=jump / 10)
        acts = decide(case, rules, Cause(), now)
        asked += [told.charge for told in acts.told if isinstance(told, Requested)]
        # What was asked for is paid at once, and its money seen.
        charges = [
            replace(each, state=State.SUCCEEDED, concluded_at=now, credited_at=now)
            if each.state is State.REQUESTED
            else each
            for each in acts.charges.values()
        ]
        occasions = [
            replace(each, state="closed") if each.key in {c.occasion for c in asked} else each
            for each in acts.occasions.values()
        ]
        case = replace(case, next_day=acts.next_day, charges=charges, occasions=occasions)
    assert len({charge.occasion for charge in asked}) == len(asked)
    for charge in asked:
        assert charge.requested_at is not None
        local = charge.requested_at.astimezone(ZoneInfo(zone))
        assert 9 <= local.hour < 21
        assert spent(mandate(day, zone), asked, charge.requested_at) <= 100_000


def test_every_month_of_two_years_has_its_day(rules: Rules) -> None:
    case = Case(
        "1",
        Account("1"),
        mandate(31, "Europe/Moscow"),
        date(2026, 11, 30),
        usable=frozenset({CARD}),
    )
    opened: set[str] = set()
    now = AT
    for _ in range(2 * 365):
        now += 24 * HOUR
        acts = decide(case, rules, Cause(), now)
        opened |= acts.occasions.keys()
        case = replace(case, next_day=acts.next_day)
    days = sorted(opened)
    assert len(days) == 24
    assert days[0] == "day:2026-11-30"
    assert {"day:2027-02-28", "day:2028-02-29", "day:2028-04-30"} <= opened


def test_a_clock_that_was_years_ahead_leaves_no_years_out(rules: Rules) -> None:
    ahead = date(2029, 1, 25)
    case = Case("1", Account("1"), mandate(25, "Europe/Moscow"), ahead, usable=frozenset({CARD}))
    acts = decide(case, rules, Cause(), AT + 48 * HOUR)
    assert (acts.next_day, list(acts.occasions)) == (date(2026, 12, 25), ["day:2026-11-25"])


def planned(state: State = State.REQUESTED) -> Charge:
    return Charge(
        id="c-1",
        contract="1",
        occasion="balance:1",
        number=1,
        mandate_id=UUID(int=1),
        why="balance",
        method=CARD,
        amount_kopecks=60_000,
        state=state,
        announce_at=None,
        charge_at=AT,
        created_at=AT,
        correlation_id="c-77",
        requested_at=AT,
        not_after=AT + HOUR,
    )


PAID = Outcome("c-1", "1", CARD.provider, 60_000, succeeded=True)
FAILED = Outcome(
    "c-1", "1", CARD.provider, 60_000, succeeded=False, reason="x", failure=FailureClass.SOFT
)
CANCELED = replace(FAILED, reason="y")


@pytest.mark.parametrize("order", list(permutations([PAID, FAILED, CANCELED, PAID])))
def test_money_is_money_in_any_order(order: tuple[Outcome, ...]) -> None:
    charge = planned()
    for said in order:
        charge = conclude(charge, said, AT).charge
    assert charge.state is State.SUCCEEDED


@pytest.mark.parametrize(("contract", "state"), [(None, "succeeded"), ("2", "requested")])
def test_a_charge_is_concluded_by_news_of_its_own_contract(contract: str, state: str) -> None:
    concluded = conclude(planned(), replace(PAID, contract=contract), AT)
    assert concluded.charge.state == state
    assert concluded.alarm == (None if contract is None else "autopay_charge_foreign")


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(-9, 9), st.integers(0, 9), st.booleans()),
        max_size=5,
    ).flatmap(lambda news: st.tuples(st.just(news), st.permutations(news)))
)
def test_no_order_of_the_news_matters(
    both: tuple[list[tuple[int, int, int, bool]], list[tuple[int, int, int, bool]]],
) -> None:
    ends = []
    for news in both:
        account = Account("1")
        for hours, balance, needed, due in news:
            at = AT + hours * HOUR
            account = standing.with_balance(account, balance, balance, at)
            if due:
                account = standing.with_needed(account, needed, balance, at)
        ends.append((account.balance_at, account.balance_kopecks, account.needed))
    assert ends[0] == ends[1]


@pytest.mark.parametrize(
    ("paid_after", "needed"), [(0, 60_000), (20_000, 40_000), (60_000, 0), (90_000, 0)]
)
def test_what_has_come_since_is_taken_off(paid_after: int, needed: int) -> None:
    account = standing.with_needed(
        standing.with_balance(Account("1"), 5_000, 5_000, AT), 60_000, 5_000, AT
    )
    balance = 5_000 + paid_after
    account = standing.with_balance(account, balance, balance, AT + HOUR)
    assert account.needed == needed


def test_a_fee_that_was_charged_meanwhile_adds_nothing() -> None:
    account = standing.with_needed(
        standing.with_balance(Account("1"), 5_000, 5_000, AT), 60_000, 5_000, AT
    )
    account = standing.with_balance(account, -60_000, -60_000, AT + HOUR)
    assert account.needed == 60_000


def test_access_is_ordered_by_its_revision() -> None:
    account = standing.with_access(Account("1"), blocked=True, revision=2)
    account = standing.with_access(account, blocked=False, revision=1)
    assert account.blocked
