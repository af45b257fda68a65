"""Which terms can be agreed to, and what is said of the others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from autopay.mandate import Limits, MethodName, Terms, Trigger, check
from shared.errors import Invalid

LIMITS = Limits(1_000, 1_500_000)
CARD = MethodName("yookassa:100500", "m-1")
SBP = MethodName("raiffeisen:MA1", "m-2")
BALANCE = Terms(Trigger.BALANCE, 300_000, CARD, threshold_kopecks=10_000)
FEE = Terms(Trigger.FEE, 300_000, CARD, SBP, days_before=3)
DAY = Terms(Trigger.DAY, 300_000, CARD, day_of_month=31, amount_kopecks=65_000)


@pytest.mark.parametrize(
    "terms",
    [
        BALANCE,
        FEE,
        DAY,
        replace(BALANCE, threshold_kopecks=-50_000, timezone="Asia/Kamchatka"),
        replace(BALANCE, amount_kopecks=300_000),
        replace(BALANCE, threshold_kopecks=300_000),
    ],
)
def test_terms_that_can_be_agreed_to(terms: Terms) -> None:
    check(terms, LIMITS)


@pytest.mark.parametrize(
    ("terms", "changes", "field"),
    [
        (BALANCE, {"threshold_kopecks": 300_001}, "threshold"),
        (BALANCE, {"threshold_kopecks": None}, "threshold"),
        (BALANCE, {"threshold_kopecks": -(10**13)}, "threshold"),
        (BALANCE, {"days_before": 3}, "days_before"),
        (BALANCE, {"amount_kopecks": 300_001}, "amount"),
        (BALANCE, {"amount_kopecks": 999}, "amount"),
        (BALANCE, {"amount_kopecks": 1_500_001, "cap_kopecks": 2_000_000}, "amount"),
        (BALANCE, {"cap_kopecks": 999, "threshold_kopecks": 0}, "cap"),
        (BALANCE, {"cap_kopecks": 10**13}, "cap"),
        (BALANCE, {"reserve": CARD}, "reserve"),
        (BALANCE, {"timezone": "Europe/Atlantis"}, "timezone"),
        (BALANCE, {"timezone": "../etc/passwd"}, "timezone"),
        (BALANCE, {"timezone": ""}, "timezone"),
        (FEE, {"days_before": 0}, "days_before"),
        (FEE, {"days_before": 29}, "days_before"),
        (FEE, {"days_before": None}, "days_before"),
        (DAY, {"day_of_month": 32}, "day_of_month"),
        (DAY, {"day_of_month": 0}, "day_of_month"),
        (DAY, {"amount_kopecks": None}, "amount"),
        (DAY, {"threshold_kopecks": 10_000}, "threshold"),
    ],
)
def test_terms_that_cannot_name_the_field(
    terms: Terms, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        check(replace(terms, **changes), LIMITS)
    assert [error.field for error in caught.value.fields] == [field]
    assert all(error.text.ru and error.text.en for error in caught.value.fields)


def test_every_wrong_field_is_named_at_once() -> None:
    terms = replace(DAY, day_of_month=40, amount_kopecks=None, reserve=CARD)
    with pytest.raises(Invalid) as caught:
        check(terms, LIMITS)
    assert {error.field for error in caught.value.fields} == {"day_of_month", "amount", "reserve"}
