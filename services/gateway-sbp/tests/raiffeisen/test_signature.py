"""The signature by its published vectors, and by what developers stumble on."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from gateway_sbp.acquirers.raiffeisen.wire.signature import Signed, genuine, sign

SDK_KEY = (
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJNQTAwMDAwMDA1NTIiLCJqdGkiOiIwZTRhODI2ZC0zMTk"
    "3LTQ5YWUtYjRlYS0zZDllOGRkODIyOGEifQ.Q-AVaDBzvfkz6I8ZCVgvGIWpWTUgotRDmTcs4ysR0Qc"
)
SDK_AT = "2020-07-24T17:20:00.999232+03:00"
ECOM = ("order_id", "status_value", "status_date")
KEY = "sim-secret-key-000000000001"
AT = "2026-02-03T14:05:06+03:00"
AT_EXACTLY = "2026-02-03T14:05:06.123456+03:00"

VECTORS = [
    (
        SDK_KEY,
        "101.01|MA0000000552|dfe0ff08-4796-46bb-a9fb-93fcd99ce748|SUCCESS|" + SDK_AT,
        "1eca6a084ff8a5b4f5740e0eeab2a72d8ff981bce5b5dea75a53bf44944a8c8d",
    ),
    (
        "test_secret_key",
        "|".join(("1", "test_public_id", *(f"test_transaction_{name}" for name in ECOM))),
        "96c4b6fa97866f01acabcf32116e3e1347e0e5769b8587eeb877b79180eea4cb",
    ),
    (
        "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1Ni",
        "12500.5|000001780894001-80894001|order-test|SUCCESS|2019-07-11T17:45:13+03:00",
        "7388029f82e0d7c8d6a5b06d84edaa8c0d1b10bd74d6a582c75c305411cfab97",
    ),
    (
        KEY,
        f"1000|MA0000099999|C-100245|SUCCESS|{AT}",
        "4727a48ed68a05bac1759fdbd79b1febca3d6a34da0457d61fb9e40116b39d45",
    ),
    (
        KEY,
        f"350.5|MA0000099999|C-100245|SUCCESS|{AT}",
        "fde13ae2bb44762fbf361346743c87efb4f40f6036dd939fcf119ef918582eb6",
    ),
    (
        KEY,
        f"0.01|MA0000099999|C-100245|SUCCESS|{AT}",
        "b26e40c282cea78ec72670c34f284a525c64e367bafa1212f12f7f5507a97211",
    ),
    (
        KEY,
        f"350.5|MA0000099999|C-100245|SUCCESS|{AT_EXACTLY}",
        "d45357267c6aa3b96bb754186a42eb3a9f1d92e3bd6f68391ea559527dac499a",
    ),
    (
        KEY,
        f"350.50|MA0000099999|C-100245|SUCCESS|{AT_EXACTLY}",
        "8eaddb1425eda7f26c2e543fd19006686f06ac01ae6df50e44b14976ef9d1c15",
    ),
]
OF_350_5 = VECTORS[6][2]
OF_350_50 = VECTORS[7][2]
OF_1000 = VECTORS[3][2]


def _signed(amount: str, at: str = AT_EXACTLY) -> Signed:
    return Signed(amount, "MA0000099999", "C-100245", "SUCCESS", at)


@pytest.mark.parametrize(("key", "message", "signature"), VECTORS)
def test_published_vectors(key: str, message: str, signature: str) -> None:
    signed = Signed(*message.split("|"))
    assert sign(key, signed) == signature
    assert genuine(key, signed, signature)


@pytest.mark.parametrize("amount", ["350.5", "350.50", "350.500", "3505e-1", "3.505E+2"])
def test_a_number_is_signed_without_its_trailing_zeros(amount: str) -> None:
    assert genuine(KEY, _signed(amount), OF_350_5)


@pytest.mark.parametrize("amount", ["1000", "1000.0", "1000.00", "1E+3", "1e3"])
def test_a_whole_number_is_signed_as_such(amount: str) -> None:
    assert genuine(KEY, _signed(amount, AT), OF_1000)


def test_a_number_is_also_signed_as_it_was_written() -> None:
    assert genuine(KEY, _signed("350.50"), OF_350_50)


@pytest.mark.parametrize("amount", ["350.5", "350.51", "35050", "3505", "350,50", "", "350.5 "])
def test_and_not_as_anything_else(amount: str) -> None:
    assert not genuine(KEY, _signed(amount), OF_350_50)


@pytest.mark.parametrize("said", [OF_350_5.upper(), f" {OF_350_5}\n"])
def test_the_case_of_the_digits_does_not_matter(said: str) -> None:
    assert genuine(KEY, _signed("350.5"), said)


@pytest.mark.parametrize("said", ["", "0" * 64, OF_350_5[:-1], OF_350_5 + "0", "ключ", "\udcff"])
def test_what_is_no_signature_of_it(said: str) -> None:
    assert not genuine(KEY, _signed("350.5"), said)


@pytest.mark.parametrize("field", Signed._fields)
def test_each_of_the_five_is_covered(field: str) -> None:
    changed = _signed("350.5")._replace(**{field: "1"})
    assert not genuine(KEY, changed, OF_350_5)


def test_another_key_signs_otherwise() -> None:
    assert not genuine(KEY + " ", _signed("350.5"), OF_350_5)


def test_the_whole_body_is_not_what_is_signed() -> None:
    body = b'{"amount":350.5}'
    of_body = hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()
    assert not genuine(KEY, _signed("350.5"), of_body)


def test_half_a_character_is_no_error() -> None:
    assert not genuine(KEY, _signed("350.5")._replace(order="\ud800"), OF_350_5)
