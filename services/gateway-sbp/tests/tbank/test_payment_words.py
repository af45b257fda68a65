"""What the bank says of a payment, and what that means: pure tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from gateway_sbp import exact
from gateway_sbp.acquirers.tbank.wire import payments
from gateway_sbp.acquirers.tbank.wire.payments import GRACE, Known
from gateway_sbp.acquirers.tbank.wire.words import Unreadable, order_of, payment_id
from shared.events import Allocation
from shared.events_gateway import FailureClass
from shared.gateway.provider import Order, ProviderPayment, Status

SHOP = "tbank:1700000000001DEMO"
OURS = UUID("0d0e0f00-0000-4000-8000-000000000001")
MADE = datetime(2026, 11, 28, 10, 0, tzinfo=UTC)
ENDS = MADE + timedelta(minutes=30)
KNOWN = Known(35_050, MADE, ENDS)
ASKED = {"TerminalKey": "1700000000001DEMO", "OrderId": OURS.hex, "Amount": exact.Number("35050")}


def said(status: str, **more: Any) -> Any:
    """Return an answer of `GetState`, read as the gateway reads it."""
    answer = {
        "Success": True,
        "ErrorCode": "0",
        "TerminalKey": "1700000000001DEMO",
        "OrderId": OURS.hex,
        "PaymentId": "4000000001",
        "Status": status,
        "Amount": 35_050,
        **more,
    }
    return exact.read(orjson.dumps(answer))


def read(
    status: str, known: Known | None = KNOWN, at: datetime = MADE, **more: Any
) -> ProviderPayment:
    """Return a payment that the bank says this of."""
    return payments.payment(SHOP, said(status, **more), known, at, test=False)


WAITS = (
    *("NEW", "FORM_SHOWED", "AUTHORIZING", "AUTHORIZED", "CONFIRMING", "PREAUTHORIZING"),
    *("CONFIRM_CHECKING", "CANCEL_CHECKING", "REVERSING", "REVERSED", "PARTIAL_REVERSED"),
    *("UNKNOWN", "DEADLINE_EXPIRED", "REJECTED", "AUTH_FAIL", "A_WORD_OF_NEXT_YEAR"),
)
UNPAID = ("NEW", "FORM_SHOWED", "REJECTED", "AUTH_FAIL", "DEADLINE_EXPIRED")
UNDER_WAY = tuple(word for word in WAITS if word not in (*UNPAID, "REVERSED"))


@pytest.mark.parametrize("word", ["CONFIRMED", "REFUNDING", "ASYNC_REFUNDING"])
def test_only_confirmed_is_money(word: str) -> None:
    found = read(word)

    assert (found.status, found.said, found.amount_kopecks) == (Status.SUCCEEDED, word, 35_050)
    assert found.paid_at is not None
    assert found.payment_id == OURS


@pytest.mark.parametrize("word", WAITS)
@pytest.mark.parametrize("at", [MADE, ENDS, ENDS + GRACE])
def test_a_code_that_may_still_be_paid_is_waited_for(word: str, at: datetime) -> None:
    found = read(word, at=at)

    assert (found.status, found.paid_at, found.reason) == (Status.PENDING, None, "")


def test_only_these_words_say_that_the_payer_has_confirmed() -> None:
    confirmed = [word for word in (*WAITS, "CONFIRMED", "CANCELED") if read(word).confirmed]

    assert confirmed == ["AUTHORIZED", "CONFIRMING", "CONFIRM_CHECKING"]


@pytest.mark.parametrize("word", UNPAID)
def test_after_its_end_and_a_grace_a_code_is_over(word: str) -> None:
    found = read(word, at=ENDS + GRACE + timedelta(seconds=1))

    assert (found.status, found.reason) == (Status.CANCELED, payments.EXPIRED)


@pytest.mark.parametrize("word", UNDER_WAY)
def test_what_is_under_way_is_never_given_up(word: str) -> None:
    assert read(word, at=ENDS + timedelta(days=30)).status is Status.PENDING


@pytest.mark.parametrize("word", UNPAID)
def test_a_payment_whose_end_nobody_knows_is_waited_for(word: str) -> None:
    assert read(word, known=None, at=ENDS + timedelta(days=30)).status is Status.PENDING


def test_a_late_success_is_a_success() -> None:
    assert read("CONFIRMED", at=ENDS + timedelta(days=3)).status is Status.SUCCEEDED


def test_what_we_have_ended_is_over_at_once() -> None:
    found = read("CANCELED")

    assert (found.status, found.reason) == (Status.CANCELED, payments.CANCELED)


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        *((code, FailureClass.SOFT) for code in ("1051", "116", "103", "5060", "7777", "0")),
        *((code, FailureClass.HARD) for code in ("3012", "3015", "5031")),
        *((code, FailureClass.SHOP) for code in ("3013", "3001")),
    ],
)
@pytest.mark.parametrize("word", ["REJECTED", "AUTH_FAIL"])
def test_a_charge_that_is_refused_is_over_at_once(
    word: str, code: str, failure: FailureClass
) -> None:
    order = order_of(OURS, charge=True)
    found = read(word, OrderId=order, ErrorCode=code, Success=False)

    assert (found.status, found.failure, found.payment_id) == (Status.CANCELED, failure, OURS)
    assert found.reason == (payments.DECLINED if code == "0" else code)


def test_our_orders_fit_and_are_known_again() -> None:
    for charge in (False, True):
        order = order_of(OURS, charge=charge)
        assert len(order) <= 36
        assert payment_id(order) == OURS
    for foreign in ("top-0001", OURS.hex.upper(), f"b{OURS.hex}", f"{OURS.hex}0", ""):
        assert payment_id(foreign) is None


REFUNDED_WAYS = [
    # What stands in Amount after a refund is not said anywhere: what is left, or what was paid.
    ("PARTIAL_REFUNDED", {"Amount": 25_050}, 10_000),
    ("PARTIAL_REFUNDED", {"Amount": 35_050, "NewAmount": 25_050}, 10_000),
    ("PARTIAL_REFUNDED", {"Amount": 25_050, "OriginalAmount": 35_050}, 10_000),
    ("REFUNDED", {"Amount": 0}, 35_050),
    ("REFUNDED", {"Amount": 35_050}, 35_050),
    ("REFUNDED", {"Amount": None}, 35_050),
    ("CONFIRMED", {}, 0),
    ("ASYNC_REFUNDING", {}, 0),
]


@pytest.mark.parametrize(("word", "more", "returned"), REFUNDED_WAYS)
def test_the_sum_that_was_paid_survives_refunds(
    word: str, more: dict[str, Any], returned: int
) -> None:
    found = read(word, **more)

    assert (found.status, found.amount_kopecks) == (Status.SUCCEEDED, 35_050)
    assert found.refunded_kopecks == returned


def test_where_the_rest_is_not_told_our_own_refunds_count() -> None:
    ours = replace(KNOWN, returned_kopecks=10_000)

    assert read("PARTIAL_REFUNDED", known=ours).refunded_kopecks == 10_000


def test_the_sum_before_the_second_refund_is_not_the_sum_that_was_paid() -> None:
    """The bank calls what stood before the last step original, too."""
    found = read("PARTIAL_REFUNDED", OriginalAmount=25_050, NewAmount=20_050, Amount=20_050)

    assert (found.amount_kopecks, found.refunded_kopecks) == (35_050, 15_000)


def test_an_amount_that_is_another_is_told_as_it_is() -> None:
    assert read("CONFIRMED", Amount=99).amount_kopecks == 99


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("Amount", value) for value in (0, None, "x", 1.5, -1, [])),
        *(("PaymentId", value) for value in (None, "", "../1", "1" * 21)),
        *(("Status", value) for value in (None, "", {})),
    ],
)
def test_what_makes_no_sense_is_no_payment(name: str, value: Any) -> None:
    answer = {**said("CONFIRMED"), name: exact.read(orjson.dumps(value))}

    with pytest.raises(Unreadable):
        payments.payment(SHOP, answer, KNOWN, MADE, test=False)


def order(**changes: Any) -> Order:
    """Return what is to be paid."""
    wanted = Order(OURS, (Allocation(contract="Л/С 7", amount_kopecks=35_050),), 35_050, None)
    return replace(wanted, **changes)


def test_what_init_is_asked() -> None:
    url = "https://pay.example/back"
    notify = "https://pay.example/sbp/callbacks/tbank"
    asked = orjson.loads(payments.request(order(return_url=url), "T", ENDS, notify))

    assert asked["OrderId"] == OURS.hex
    assert asked["Amount"] == 35_050
    assert asked["TerminalKey"] == "T"
    assert asked["Description"]
    assert asked["SuccessURL"] == asked["FailURL"] == url
    assert asked["NotificationURL"] == notify
    assert datetime.fromisoformat(asked["RedirectDueDate"]) == ENDS
    assert "Receipt" not in asked


def test_a_long_description_is_cut() -> None:
    many = tuple(Allocation(contract=f"Договор {n}", amount_kopecks=1) for n in range(99))
    asked = orjson.loads(payments.request(order(allocations=many), "T", ENDS, None))

    assert len(asked["Description"]) <= 140
    assert not {"SuccessURL", "FailURL", "NotificationURL"} & set(asked)


@pytest.mark.parametrize(
    "answer", [{"OrderId": "another"}, {"TerminalKey": "another"}, {"Amount": 35_051}]
)
def test_an_answer_about_something_else_is_not_believed(answer: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        payments.made(ASKED, said("NEW", **answer))


@pytest.mark.parametrize("amount", [35_050, "35050"])
def test_an_answer_about_what_was_asked_is_believed(amount: Any) -> None:
    assert payments.made({**ASKED, "Amount": 35_050}, said("NEW", Amount=amount)) == "4000000001"


def test_the_payment_of_an_order() -> None:
    def listed(*states: str) -> Any:
        found = [{"PaymentId": n, "Status": state} for n, state in enumerate(states, 1)]
        return exact.read(orjson.dumps({"OrderId": OURS.hex, "Payments": found}))

    assert payments.of_order(ASKED, listed()) is None
    assert payments.of_order(ASKED, {"OrderId": OURS.hex}) is None
    assert payments.of_order(ASKED, listed("REJECTED", "NEW")) == "2"
    assert payments.of_order(ASKED, listed("CONFIRMED", "REJECTED")) == "1"
    with pytest.raises(Unreadable):
        payments.of_order(ASKED, {"OrderId": "another", "Payments": []})
    with pytest.raises(Unreadable):
        payments.of_order(ASKED, {"Payments": ["x"]})
