"""Masks, dates and sums of a manager's payment, without a database."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core_billing import desk_rules
from core_billing.desk_rules import Wanted
from core_billing.policies import BY_NAME
from core_billing.policy_rows import Kept, Policies
from core_billing.rules import Rules
from shared.crypto import Signer
from shared.errors import SaldoError
from shared.money import Money
from shared.outbox import Producer
from shared.topology import SERVICES, Topology

# 23:30 in Moscow, where it is another day than in UTC's morning.
AT = datetime(2026, 11, 22, 20, 30, tzinfo=UTC)
TODAY = date(2026, 11, 22)
RULES = Rules(
    Producer("core-billing", Topology(frozenset(SERVICES)), Signer(["a key of tests"])), 0, 0, None
)
WANTED = Wanted("100245", 100, None, "cash", "1", None, None, None, "")


def held(scope: str = "", **values: Any) -> Policies:
    """Return these settings as they would be kept."""
    kept = {
        (name, scope): Kept(1, name, scope, 1, TODAY, BY_NAME[name].write(value), AT, "anna", "")
        for name, value in values.items()
    }
    return Policies(TODAY, kept)


def refused(call: Any, *given: Any) -> str | None:
    """Return the code of the refusal, or None where there is none."""
    try:
        call(*given)
    except SaldoError as error:
        return error.code
    return None


@pytest.mark.parametrize(
    ("mask", "number", "fits"),
    [
        ("", "anything - at all", True),
        ("AA-####", "АБ-0042", True),
        ("AA-####", "ab-0042", True),
        ("AA-####", "ab-004", False),
        ("AA-####", "ab-00422", False),
        ("AA-####", "a1-0042", False),
        ("AA-####", "ab_0042", False),
        ("A", "ё", True),
        ("A", "Є", True),
        ("A", "ß", False),
        ("A", "文", False),
        ("A", "A", True),
        ("#", "٣", False),
        ("#", "#", False),
        ("a#", "a7", True),
        ("a#", "A7", False),
    ],
)
def test_a_mask_has_letters_digits_and_itself(mask: str, number: str, fits: bool) -> None:
    assert desk_rules.fits(mask, number) is fits


@given(st.text("A#-/1a", min_size=1, max_size=12), st.data())
@settings(max_examples=50, deadline=None)
def test_a_number_made_by_the_mask_fits_it(mask: str, data: Any) -> None:
    signs = {"A": st.sampled_from("ZzЯёA"), "#": st.sampled_from("0789")}
    number = "".join(data.draw(signs.get(kind, st.just(kind))) for kind in mask)
    assert desk_rules.fits(mask, number)
    assert not desk_rules.fits(mask, number + "0")


@pytest.mark.parametrize(
    ("wanted", "values", "code"),
    [
        ({"receipt_number": None}, {}, "no_document"),
        ({"receipt_number": None, "payment_order_number": "318"}, {}, None),
        ({"receipt_number": None, "payment_order_number": "318"}, {"document_mask": "A#"}, None),
        ({"receipt_number": "17"}, {"document_mask": "A#"}, "receipt_mask"),
        ({"receipt_number": "Я7"}, {"document_mask": "A#"}, None),
    ],
)
def test_a_payment_needs_its_document(
    wanted: dict[str, Any], values: dict[str, Any], code: str | None
) -> None:
    assert refused(desk_rules.check_document, held(**values), replace(WANTED, **wanted)) == code


DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("method", "paid_on", "values", "code"),
    [
        ("cash", None, {}, None),
        ("cash", TODAY, {"cash_only_today": True}, None),
        ("cash", TODAY - DAY, {"cash_only_today": True}, "cash_not_today"),
        ("cash", TODAY - DAY, {"cash_only_today": False}, None),
        ("cashless", TODAY - DAY, {"cash_only_today": True}, None),
        ("cashless", TODAY + DAY, {}, "paid_on_future"),
        ("cashless", TODAY - DAY, {"closed_before": TODAY}, "period_closed"),
        ("cashless", TODAY - DAY, {"closed_before": TODAY - DAY}, None),
        ("cashless", None, {"closed_before": TODAY + DAY}, "period_closed"),
    ],
)
def test_a_date_is_judged(
    method: str, paid_on: date | None, values: dict[str, Any], code: str | None
) -> None:
    wanted = replace(WANTED, method=method, paid_on=paid_on)
    assert refused(desk_rules.paid_at, held(**values), RULES, wanted, "north", AT) == code


def test_an_operator_closes_its_own_period_and_the_first_day_is_named() -> None:
    wanted = replace(WANTED, paid_on=date(2026, 10, 31))
    closed = held("operator:north", closed_before=date(2026, 11, 1))
    assert refused(desk_rules.paid_at, closed, RULES, wanted, "south", AT) is None
    with pytest.raises(SaldoError) as refusal:
        desk_rules.paid_at(closed, RULES, wanted, "north", AT)
    assert "2026-11-01" in refusal.value.detail.ru


def test_a_past_day_gets_the_clock_time_of_now() -> None:
    def paid_at(day: date | None) -> datetime:
        wanted = replace(WANTED, paid_on=day)
        return desk_rules.paid_at(held(), RULES, wanted, "north", AT)

    assert paid_at(None) == paid_at(TODAY) == AT
    assert paid_at(date(2026, 11, 1)) == datetime(2026, 11, 1, 20, 30, tzinfo=UTC)
    # Moscow was at UTC+4 then.
    assert paid_at(date(2012, 7, 1)) == datetime(2012, 7, 1, 19, 30, tzinfo=UTC)
    assert RULES.day(paid_at(date(2012, 7, 1))) == date(2012, 7, 1)


@pytest.mark.parametrize(
    ("amount", "target", "balance", "expected"),
    [
        (100, None, -500, 100),
        (None, 0, -500, 500),
        (None, 500, -500, 1000),
        (None, -500, -500, "nothing_to_pay"),
        (None, -501, -500, "amount_negative"),
        (None, None, 0, "amount_or_target"),
        (100, 100, 0, "amount_or_target"),
        (0, None, 0, "amount_zero"),
        (-1, None, 0, "amount_negative"),
        (49, None, 0, "amount_below_min"),
        (50, None, 0, 50),
        (2000, None, 0, 2000),
        (2001, None, 0, "amount_above_max"),
        (None, 2001, 0, "amount_above_max"),
    ],
)
def test_a_sum_is_said_or_follows_from_the_balance(
    amount: int | None, target: int | None, balance: int, expected: int | str
) -> None:
    policies = held(payment_min=Money(50), payment_max=Money(2000))
    wanted = replace(WANTED, amount_kopecks=amount, target_kopecks=target)
    if isinstance(expected, str):
        assert refused(desk_rules.amount_kopecks, policies, wanted, balance) == expected
    else:
        assert desk_rules.amount_kopecks(policies, wanted, balance) == expected
