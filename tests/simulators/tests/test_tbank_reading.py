"""What T-Bank reads beside tokens: terms, flags, texts, and receipts for the tax office."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from simulators.tbank import receipts
from simulators.tbank.words import Refusal, due, read, text, yes

NOW = 1_770_116_706_000
ITEM = {
    "Name": "Пополнение лицевого счёта",
    "Price": 35050,
    "Quantity": 1,
    "Amount": 35050,
    "Tax": "none",
    "PaymentMethod": "advance",
    "PaymentObject": "payment",
}
RECEIPT = {
    "Email": "a@example.org",
    "Taxation": "usn_income",
    "FfdVersion": "1.2",
    "Items": [ITEM],
}


@pytest.mark.parametrize("ahead", [timedelta(seconds=1), timedelta(days=90)])
def test_a_term(ahead: timedelta) -> None:
    said = (datetime.fromtimestamp(NOW / 1_000, UTC) + ahead).isoformat()
    assert due({"RedirectDueDate": said}, NOW) == NOW + ahead // timedelta(milliseconds=1)


def test_there_may_be_no_term() -> None:
    assert due({}, NOW) is None


@pytest.mark.parametrize(
    "said",
    ["2026-02-03T14:05:06+03:00", "2026-05-04T14:05:07+03:00", "2026-02-03T15:00:00", "soon", ""],
)
def test_a_term_that_is_none(said: str) -> None:
    with pytest.raises(Refusal) as refused:
        due({"RedirectDueDate": said}, NOW)
    assert refused.value.code == "12"


def test_flags() -> None:
    assert all(map(yes, (True, "true", "True")))
    assert not any(map(yes, (False, "false", None, "", 1, [])))


def test_texts_have_bounds() -> None:
    assert text({"OrderId": "x" * 50}, "OrderId", 50) == "x" * 50
    assert text({}, "OrderId", 50, needed=False) == ""
    for wrong in ({}, {"OrderId": ""}, {"OrderId": "x" * 51}, {"OrderId": ["x"]}):
        with pytest.raises(Refusal):
            text(wrong, "OrderId", 50)


@pytest.mark.parametrize(
    ("receipt", "kopecks"),
    [
        ({}, 35_050),
        ({"Email": None, "Phone": "+79031234567"}, 35_050),
        ({"FfdVersion": "1.05"}, 35_050),
        ({"Items": [ITEM, ITEM]}, 70_100),
        ({"Items": [ITEM | {"Price": 10_000, "Quantity": 3.5, "Amount": 35_000}]}, 35_000),
        ({"Items": [ITEM | {"Price": 100, "Quantity": 0.125, "Amount": 13}]}, 13),
    ],
)
def test_receipts(receipt: dict[str, Any], kopecks: int) -> None:
    said = _read(RECEIPT | receipt)
    receipts.check(said, kopecks, needed=True)
    with pytest.raises(Refusal):
        receipts.check(said, kopecks + 1, needed=True)


def test_a_receipt_where_nobody_needs_one() -> None:
    receipts.check({}, 35_050, needed=False)
    with pytest.raises(Refusal):
        receipts.check({}, 35_050, needed=True)


@pytest.mark.parametrize(
    "receipt",
    [
        [],
        RECEIPT | {"Email": ""},
        RECEIPT | {"Taxation": "none"},
        RECEIPT | {"Taxation": ["osn"]},
        RECEIPT | {"FfdVersion": "1.0"},
        RECEIPT | {"Items": []},
        RECEIPT | {"Items": [7]},
        *(
            RECEIPT | {"Items": [ITEM | wrong]}
            for wrong in (
                {"Name": ""},
                {"Name": "x" * 129},
                {"Tax": None},
                {"Price": -1},
                {"Amount": 35_049},
                {"Quantity": 2},
                {"Quantity": "1e9"},
            )
        ),
    ],
)
def test_a_wrong_receipt(receipt: Any) -> None:
    with pytest.raises(Refusal) as refused:
        receipts.check(_read(receipt), 35_050, needed=False)
    assert refused.value.code == "309"


def _read(receipt: Any) -> dict[str, Any]:
    return read(json.dumps({"Receipt": receipt}).encode())
