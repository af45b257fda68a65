"""The retry calendar: each reason's way, the limits, and what no calendar may ever do."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autopay.reasons import WAYS, Way
from autopay.retries import Decision, MethodName, Rules, Situation, Try, after, begin
from autopay.retry_limits import SCHEME_DAY_MAX, SCHEME_MONTH_MAX, free_at
from autopay.retry_settings import RetrySettings
from autopay.schedule import day_of, month_of
from shared.clock import MOSCOW
from shared.events_gateway import FailureClass

CARD = MethodName(provider="yookassa:1", method_ref="card")
RESERVE = MethodName(provider="yookassa:1", method_ref="reserve")
ACCOUNT = MethodName(provider="tbank:2", method_ref="account")
RULES = Rules()
SOFT, HARD, SHOP, STALE = FailureClass
ZONES = [MOSCOW, ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kamchatka"), ZoneInfo("America/Havana")]


def at(written: str) -> datetime:
    """Read a moment of Moscow, such as ``12-01 10:00`` of 2026."""
    return datetime.fromisoformat(f"2026-{written}:00+03:00")


def failed(when: str, reason: str, failure: FailureClass = SOFT, method: MethodName = CARD) -> Try:
    return Try(at(when), method, reason, failure)


def decided(
    tries: Sequence[Try],
    methods: Sequence[MethodName] = (CARD,),
    blocks_on: date | None = None,
    rules: Rules = RULES,
) -> Decision:
    """Decide a minute after the last try of a need that began with the first one."""
    seen = Situation(tries, methods, MOSCOW, tries[0].at, blocks_on)
    return after(seen, rules, tries[-1].at + timedelta(minutes=1))


@pytest.mark.parametrize(
    ("reason", "failure", "again"),
    [
        ("insufficient_funds", SOFT, "12-02 10:00"),
        ("1051", SOFT, "12-02 10:00"),
        ("declined", SOFT, "12-02 10:00"),
        ("payment_method_limit_exceeded", SOFT, "12-02 10:00"),
        ("issuer_unavailable", SOFT, "12-01 14:00"),
        ("internal_timeout", SOFT, "12-01 12:15"),
        ("general_decline", SOFT, "12-02 10:00"),
        ("call_issuer", SOFT, "12-02 10:00"),
        ("a_reason_of_tomorrow", SOFT, "12-02 10:00"),
        ("not_after", STALE, "12-01 12:15"),
        ("charging_paused", SHOP, "12-01 13:00"),
        ("canceled_by_merchant", SHOP, "12-02 10:00"),
    ],
)
def test_when_a_reason_has_it_tried_again(reason: str, failure: FailureClass, again: str) -> None:
    found = decided([failed("12-01 12:00", reason, failure)])

    assert (found.again_at, found.method, found.reserve) == (at(again), CARD, False)
    assert (found.stop, found.needs) == (False, "nothing")
    assert (found.pause_until is not None) == (reason == "charging_paused")


@pytest.mark.parametrize(
    ("reason", "failure"),
    [
        ("card_expired", HARD),
        ("permission_revoked", HARD),
        ("insufficient_funds", HARD),
        ("fraud_suspected", SOFT),
        ("3d_secure_failed", HARD),
    ],
)
def test_a_method_that_will_not_work_is_stopped(reason: str, failure: FailureClass) -> None:
    tries = [failed("12-01 12:00", reason, failure)]

    assert decided(tries) == Decision(stop=True, needs="new_method")
    found = decided(tries, (CARD, RESERVE))
    assert found == Decision(
        at("12-01 12:01"), RESERVE, reserve=True, stop=True, needs="new_method"
    )
    assert begin(
        Situation(tries, (CARD,), MOSCOW, at("12-20 12:00")), RULES, at("12-20 12:00")
    ) == (Decision(needs="new_method"))


def test_without_money_it_is_tried_after_paydays() -> None:
    # The 5th is a Saturday: wages come on Friday the 4th. 20 is a Sunday: on Friday the 18th.
    days = ["12-01", "12-02", "12-05", "12-11", "12-16"]
    tries = [failed(f"{day} 10:00", "insufficient_funds") for day in days]

    found = [decided(tries[: n + 1]).again_at for n in range(5)]

    assert found == [*(at(f"{day} 10:00") for day in days[1:]), None]
    assert decided(tries).needs == "promise"


def test_a_promise_is_offered_where_the_next_try_comes_after_the_block() -> None:
    tries = [
        failed("12-01 10:00", "insufficient_funds"),
        failed("12-02 10:00", "insufficient_funds"),
    ]

    assert decided(tries, blocks_on=date(2026, 12, 5)).needs == "promise"
    assert decided(tries, blocks_on=date(2026, 12, 6)).needs == "nothing"


def test_a_decline_without_detail_is_tried_once_more() -> None:
    tries = [failed("12-01 10:00", "general_decline"), failed("12-02 10:00", "general_decline")]

    assert decided(tries) == Decision(needs="new_method")


def test_an_outage_is_waited_for_longer_and_longer() -> None:
    tries = [failed("12-01 10:00", "internal_timeout")]
    for expected in ("12-01 10:15", "12-01 11:15", "12-01 15:15", "12-02 10:00"):
        found = decided(tries)
        assert found.again_at == at(expected)
        tries.append(Try(found.again_at, CARD, "internal_timeout", SOFT))

    assert decided(tries) == Decision(needs="promise")


def test_a_shop_at_fault_pauses_and_blames_nobody() -> None:
    tries = [failed("12-01 10:00", "shop_not_configured", SHOP)]
    for hours in (1, 3, 12, 24, 24):
        found = decided(tries)
        assert found.pause_until == tries[-1].at + timedelta(hours=hours)
        assert found.again_at == found.pause_until
        tries.append(Try(found.pause_until, CARD, "shop_not_configured", SHOP))

    tries.append(Try(tries[-1].at + timedelta(hours=1), CARD, "insufficient_funds", SOFT))
    assert decided(tries).again_at is not None


def test_asked_again_later_the_answer_is_the_same() -> None:
    for reason, failure in (("insufficient_funds", SOFT), ("x", SHOP), ("not_after", STALE)):
        tries = [failed("12-01 12:00", reason, failure)]
        seen = Situation(tries, (CARD,), MOSCOW, tries[0].at)
        first = after(seen, RULES, at("12-01 12:01"))
        assert first.again_at is not None
        assert after(seen, RULES, first.again_at).again_at == first.again_at
        later = first.again_at + timedelta(hours=5)
        assert after(seen, RULES, later) == Decision(later, CARD)


def test_the_reserve_follows_after_the_first_tries() -> None:
    tries = [failed("12-01 10:00", "insufficient_funds")]
    assert decided(tries, (CARD, RESERVE)).method == CARD

    tries.append(failed("12-02 10:00", "insufficient_funds"))
    found = decided(tries, (CARD, RESERVE))
    assert (found.again_at, found.method, found.reserve) == (at("12-02 10:01"), RESERVE, True)

    # Of both the one that is free first, so that the payday serves both.
    tries.append(failed("12-02 10:01", "insufficient_funds", method=RESERVE))
    tries.append(failed("12-03 10:00", "insufficient_funds", method=RESERVE))
    assert decided(tries, (CARD, RESERVE)).method == CARD


def test_a_paused_shop_leads_to_another_account_only() -> None:
    tries = [failed("12-01 10:00", "x", SHOP), failed("12-01 11:00", "x", SHOP)]

    assert decided(tries, (CARD, RESERVE)).method == CARD
    assert decided(tries, (CARD, RESERVE, ACCOUNT)).method == ACCOUNT


def test_another_need_of_the_same_month_keeps_the_limit() -> None:
    tries = [failed(f"12-0{day} 10:00", "insufficient_funds") for day in range(1, 6)]
    later = at("12-20 12:00")

    found = begin(Situation(tries, (CARD,), MOSCOW, later), RULES, later)
    assert found.again_at == datetime(2027, 1, 1, 7, tzinfo=UTC)
    found = begin(Situation(tries, (CARD, RESERVE), MOSCOW, later), RULES, later)
    assert (found.again_at, found.method) == (later, RESERVE)


def test_it_takes_a_try_to_go_on_after_one() -> None:
    with pytest.raises(ValueError, match="nothing has been tried"):
        after(Situation((), (CARD,), MOSCOW, at("12-01 10:00")), RULES, at("12-01 10:00"))


REASONS = st.one_of(st.sampled_from(sorted(WAYS)), st.just("a_reason_of_tomorrow"))
outcomes = st.tuples(
    REASONS, st.sampled_from([SOFT, SOFT, SOFT, SHOP, STALE, HARD]), st.integers(0, 5_000)
)
calendars = st.builds(
    Rules,
    day_max=st.integers(1, 3),
    month_max=st.integers(1, 15),
    reserve_after=st.integers(1, 4),
    paydays=st.lists(st.integers(1, 31), max_size=6).map(tuple),
    ways=st.just(WAYS) | st.just(dict.fromkeys(WAYS, Way.NEXT_DAY)),
)
starts = st.datetimes(
    datetime.fromisoformat("2026-01-01"),
    datetime.fromisoformat("2028-12-31"),
    timezones=st.just(UTC),
)


@settings(max_examples=60)
@given(st.data(), calendars, starts, st.sampled_from(ZONES), st.integers(1, 3))
def test_no_run_of_failures_breaks_a_limit(
    data: st.DataObject, rules: Rules, start: datetime, zone: ZoneInfo, count: int
) -> None:
    """Three needs of money, one after the other, tried until the calendar gives up."""
    methods = (CARD, ACCOUNT, RESERVE)[:count]
    tries: list[Try] = []
    now = start
    for _ in range(3):
        since = now
        found = begin(Situation(tries, methods, zone, since), rules, now)
        while found.again_at is not None:
            assert found.method is not None
            assert found.again_at >= now
            assert (
                found.again_at <= since + rules.within
                or found.again_at == since
                or not any(one.at >= since for one in tries)
            )
            reason, failure, late = data.draw(outcomes)
            now = found.again_at
            since = max(since, now) if not any(one.at >= since for one in tries) else since
            tries.append(Try(now, found.method, reason, failure))
            now += timedelta(seconds=late)
            found = after(Situation(tries, methods, zone, since), rules, now)
            assert len(tries) < 400
        assert found.needs != "nothing"
        now += timedelta(days=1)
    for method in methods:
        _keeps_limits([one for one in tries if one.method == method], rules, zone)


def _keeps_limits(tries: Sequence[Try], rules: Rules, zone: ZoneInfo) -> None:
    counted = [one for one in tries if one.counts]
    stops = [place for place, one in enumerate(tries) if one.way(rules) is Way.STOP]
    assert stops in ([], [len(tries) - 1])
    for one in counted:
        begins, ends = month_of(one.at, zone)
        assert sum(begins <= other.at < ends for other in counted) <= rules.month_max
        day, month = one.at - timedelta(hours=24), one.at - timedelta(days=30)
        assert sum(day < other.at <= one.at for other in counted) <= SCHEME_DAY_MAX
        assert sum(month < other.at <= one.at for other in counted) <= SCHEME_MONTH_MAX
    patient = {Way.HOURS, Way.SOON}
    declined = [day_of(one.at, zone) for one in counted if one.way(rules) not in patient]
    assert all(declined.count(day) <= rules.day_max for day in set(declined))


@given(st.lists(st.integers(-40 * 24, 5 * 24), max_size=25), starts, st.sampled_from(ZONES))
def test_a_method_is_free_as_soon_as_the_limits_allow(
    hours: list[int], now: datetime, zone: ZoneInfo
) -> None:
    tries = [Try(now + timedelta(hours=h), CARD, "declined", SOFT) for h in sorted(hours)]

    found = free_at(tries, CARD, RULES, now, zone)

    assert found >= now
    assert free_at(tries, CARD, RULES, found, zone) == found
    assert free_at(tries, RESERVE, RULES, now, zone) == now


def test_the_calendar_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    written = {
        "TIME": "08:30",
        "PAYDAYS": "5, 20,last",
        "MONTH_MAX": "3",
        "SOON": "5m,1h",
        "WAYS": '{"general_decline": "never"}',
    }
    assert RetrySettings().retry_rules() == Rules()
    for name, value in written.items():
        monkeypatch.setenv(f"AUTOPAY_RETRY_{name}", value)

    rules = RetrySettings().retry_rules()

    assert (rules.morning, rules.paydays, rules.month_max) == (time(8, 30), (5, 20, 31), 3)
    assert rules.soon == (timedelta(minutes=5), timedelta(hours=1))
    assert rules.ways == {**WAYS, "general_decline": Way.NEVER}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TIME", "25:00"),
        ("PAYDAYS", "0"),
        ("PAYDAYS", "5,soon"),
        ("MONTH_MAX", "16"),
        ("DAY_MAX", "0"),
        ("SOON", ""),
        ("PAUSES", "0s"),
        ("WAYS", '{"general_decline": "perhaps"}'),
        ("WAYS", "{"),
    ],
)
def test_a_calendar_that_cannot_be_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"AUTOPAY_RETRY_{name}", value)

    with pytest.raises(ValueError, match=f"AUTOPAY_RETRY_{name}"):
        RetrySettings()
