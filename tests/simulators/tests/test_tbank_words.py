"""T-Bank's tokens: the published examples, our own, and what a request may hold."""

from typing import Any

import pytest

from simulators.tbank.words import Refusal, genuine, number, read, token, whole

NOTICE = {
    "TerminalKey": "1234567890DEMO",
    "OrderId": "000000",
    "Success": True,
    "Status": "AUTHORIZED",
    "PaymentId": "0000000",
    "ErrorCode": "0",
    "Amount": 1111,
    "CardId": "000000",
    "Pan": "200000******0000",
    "ExpDate": "1111",
    "RebillId": "000000",
}
CONFIRMED = {
    "TerminalKey": "1700000000001DEMO",
    "OrderId": "top-0001",
    "Success": True,
    "Status": "CONFIRMED",
    "PaymentId": 4000000001,
    "ErrorCode": "0",
    "Amount": 35050,
    "Data": {"Source": "sbpqr"},
}
LINKED = {
    "TerminalKey": "1700000000001DEMO",
    "RequestKey": "9f0c0000-0000-4000-8000-000000000001",
    "Success": True,
    "Status": "ACTIVE",
    "AccountToken": "tok_sim_0001",
    "BankMemberId": "100000000111",
    "BankMemberName": "Sim Bank",
    "ErrorCode": "0",
    "NotificationType": "LINKACCOUNT",
}


def test_the_published_example_of_init() -> None:
    fields = {
        "TerminalKey": "MerchantTerminalKey",
        "Amount": 19200,
        "OrderId": "00000",
        "Description": "Подарочная карта на 1000 рублей",
    }
    expected = "72dd466f8ace0a37a1f740ce5fb78101712bc0665d91a8108c7c8a0ccd426db2"
    assert token(fields, "11111111111111") == expected


@pytest.mark.parametrize(
    ("fields", "password", "expected"),
    [
        (NOTICE, "11111111111", "1c0964277d0213349243065a0d5b838b8e90d2d25f740d0f2767836e710e80c8"),
        (
            CONFIRMED,
            "SimPassw0rd",
            "db806bf97057b4af3bc2874ef9aa4b5b722c1c9a2fe6a50acef99ead28566c54",
        ),
        (LINKED, "SimPassw0rd", "5b85c68d947c4fa45050e7a1087576d429971cd7c173849dbbb10027dcb86988"),
    ],
)
def test_notifications(fields: dict[str, Any], password: str, expected: str) -> None:
    assert token(fields, password) == expected
    assert genuine({**fields, "Token": expected}, password)
    assert not genuine({**fields, "Token": expected.upper()}, password)
    assert not genuine({**fields, "Token": expected, "New": 1}, password)


@pytest.mark.parametrize(
    ("fields", "password", "starts", "ends"),
    [
        ({"Amount": 123, "TerminalKey": "TestBank"}, "TestPassword", "cdc3ced3", "7a44"),
        (
            {
                "TerminalKey": "TinkoffBankTest",
                "Amount": 1000,
                "OrderId": "15",
                "Description": "test",
            },
            "TinkoffBankTest",
            "8ee842bf",
            "0fb7",
        ),
        (
            {"TerminalKey": "TinkoffBankTest", "Amount": 1000, "OrderId": "15"},
            "TinkoffBankTest",
            "5e71b996",
            "6ec6",
        ),
        (
            {
                "Amount": "100000",
                "Description": "test",
                "OrderId": "TokenExample",
                "TerminalKey": "TinkoffBankTest",
            },
            "TinkoffBankTest",
            "48d4ca82",
            "eb21",
        ),
    ],
)
def test_examples_of_the_sdk(fields: dict[str, Any], password: str, starts: str, ends: str) -> None:
    found = token(fields, password)
    assert (found[:8], found[-4:]) == (starts, ends)


def test_what_is_null_or_nested_has_no_part_in_it() -> None:
    bare = {"Amount": 100, "TerminalKey": "T"}
    more = {**bare, "Receipt": {"Email": "a@b.ru"}, "Shops": [1], "Nothing": None, "Token": "x"}
    assert token(more, "p") == token(bare, "p")
    assert token({**bare, "Recurrent": True}, "p") != token({**bare, "Recurrent": "True"}, "p")


def test_numbers_of_a_request_stay_the_texts_that_they_were() -> None:
    assert read(b'{"Amount": 1.50, "PaymentId": 4000000001}') == {
        "Amount": "1.50",
        "PaymentId": "4000000001",
    }


@pytest.mark.parametrize("raw", [b"", b"[]", b'"x"', b"{", b"[" * 5000, b'{"a": "\\ud800"}'])
def test_what_is_no_object_is_refused(raw: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        read(raw)
    assert refused.value.code == "308"


@pytest.mark.parametrize("value", ["-1", "0", "1.0", "1e3", "²", "9" * 16, "", None, True, 5])
def test_what_is_no_whole_number_is_refused(value: Any) -> None:
    with pytest.raises(Refusal):
        whole({"Amount": value}, "Amount")


def test_whole_numbers() -> None:
    assert (number("0"), number("35050"), number("x")) == (0, 35050, None)
