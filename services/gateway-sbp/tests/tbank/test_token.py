"""The Token by its published vectors, and by what developers stumble on."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gateway_sbp import exact
from gateway_sbp.acquirers.tbank.wire.token import genuine, sealed, token

PASSWORD = "SimPassw0rd"
PAID = (
    '{"TerminalKey":"1700000000001DEMO","OrderId":"top-0001","Success":true,'
    '"Status":"CONFIRMED","PaymentId":4000000001,"ErrorCode":"0","Amount":35050,'
    '"Data":{"Amount":1,"Z":"z"}%s}'
)
PAID_TOKEN = "db806bf97057b4af3bc2874ef9aa4b5b722c1c9a2fe6a50acef99ead28566c54"

PUBLISHED: list[tuple[dict[str, Any], str, str, str]] = [
    (
        {
            "TerminalKey": "MerchantTerminalKey",
            "Amount": 19200,
            "OrderId": "00000",
            "Description": "Подарочная карта на 1000 рублей",
            "DATA": {"Phone": "+71234567890"},
            "Receipt": {"Items": []},
        },
        "11111111111111",
        "72dd466f8ace0a37a1f740ce5fb78101712bc0665d91a8108c7c8a0ccd426db2",
        "",
    ),
    (
        {
            "TerminalKey": "1234567890DEMO",
            "OrderId": "000000",
            "Success": True,
            "Status": "AUTHORIZED",
            "PaymentId": exact.Number("0000000"),
            "ErrorCode": "0",
            "Amount": 1111,
            "CardId": exact.Number("000000"),
            "Pan": "200000******0000",
            "ExpDate": "1111",
            "RebillId": exact.Number("000000"),
        },
        "11111111111",
        "1c0964277d0213349243065a0d5b838b8e90d2d25f740d0f2767836e710e80c8",
        "",
    ),
    (
        {
            "TerminalKey": "TinkoffBankTest",
            "Amount": "100000",
            "OrderId": "TokenExample",
            "Description": "test",
        },
        "TinkoffBankTest",
        "48d4ca82",
        "eb21",
    ),
    ({"Amount": 123, "TerminalKey": "TestBank"}, "TestPassword", "cdc3ced3", "7a44"),
    (
        {"TerminalKey": "TinkoffBankTest", "Amount": 1000, "OrderId": "15", "Description": "test"},
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
]


@pytest.mark.parametrize(("said", "password", "begins", "ends"), PUBLISHED)
def test_published_vectors(said: dict[str, Any], password: str, begins: str, ends: str) -> None:
    made = token(said, password)

    assert len(made) == 64
    assert made.startswith(begins)
    assert made.endswith(ends)


def test_a_notification_of_a_payment() -> None:
    said = exact.read((PAID % "").encode())

    assert token(said, PASSWORD) == PAID_TOKEN
    assert genuine({**said, "Token": PAID_TOKEN}, PASSWORD)


def test_a_notification_of_a_binding() -> None:
    said = {
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

    expected = "5b85c68d947c4fa45050e7a1087576d429971cd7c173849dbbb10027dcb86988"
    assert token(said, PASSWORD) == expected


@pytest.mark.parametrize("more", [',"Gift":null', ',"List":[1,2]', f',"Token":"{PAID_TOKEN}"'])
def test_what_is_not_signed(more: str) -> None:
    assert token(exact.read((PAID % more).encode()), PASSWORD) == PAID_TOKEN


@pytest.mark.parametrize("more", [',"New":"1"', ',"New":0', ',"New":false'])
def test_a_field_nobody_has_heard_of_is_signed(more: str) -> None:
    assert token(exact.read((PAID % more).encode()), PASSWORD) != PAID_TOKEN


def test_a_number_is_signed_as_it_was_written() -> None:
    written, plain = exact.read(b'{"Amount":350.50}'), exact.read(b'{"Amount":350.5}')

    assert token(written, PASSWORD) == token({"Amount": "350.50"}, PASSWORD)
    assert token(written, PASSWORD) != token(plain, PASSWORD)


def test_a_float_has_no_one_text() -> None:
    with pytest.raises(TypeError):
        token({"Amount": 350.5}, PASSWORD)


def test_a_password_in_the_body_replaces_nothing() -> None:
    said = {"Amount": 1, "Password": "of a forger"}

    assert token(said, PASSWORD) == token({"Amount": 1}, PASSWORD)


@pytest.mark.parametrize(
    "given", [None, "", 1, True, [], "ключ", PAID_TOKEN[:-1], PAID_TOKEN[:-1] + "5"]
)
def test_another_token_is_not_genuine(given: Any) -> None:
    said = exact.read((PAID % "").encode())

    assert not genuine({**said, "Token": given}, PASSWORD)


def test_case_and_spaces_of_a_token_do_not_matter() -> None:
    said = exact.read((PAID % "").encode())

    assert genuine({**said, "Token": f" {PAID_TOKEN.upper()} "}, PASSWORD)


def test_what_we_send_is_what_we_signed() -> None:
    sent = orjson.loads(sealed({"PaymentId": "1", "Receipt": {"Items": []}}, PASSWORD))

    assert sent["Token"] == token({"PaymentId": "1"}, PASSWORD)
    assert sent["Receipt"] == {"Items": []}
