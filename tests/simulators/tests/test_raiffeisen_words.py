"""How Raiffeisen writes: signatures as published, numbers, moments, codes of NSPK."""

from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.banks import nspk
from simulators.raiffeisen.words import Refusal, kopecks, moment, number_text, sign

KEY = "sim-secret-key-000000000001"
JWT = (
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJNQTAwMDAwMDA1NTIiLCJqdGkiOiIwZTRhODI2ZC0zMTk3"
    "LTQ5YWUtYjRlYS0zZDllOGRkODIyOGEifQ.Q-AVaDBzvfkz6I8ZCVgvGIWpWTUgotRDmTcs4ysR0Qc"
)
OURS = "MA0000099999|C-100245|SUCCESS|2026-02-03T14:05:06"
SIGNED = {
    "1eca6a084ff8a5b4f5740e0eeab2a72d8ff981bce5b5dea75a53bf44944a8c8d": (
        JWT,
        (
            "101.01|MA0000000552|dfe0ff08-4796-46bb-a9fb-93fcd99ce748"
            "|SUCCESS|2020-07-24T17:20:00.999232+03:00"
        ),
    ),
    "96c4b6fa97866f01acabcf32116e3e1347e0e5769b8587eeb877b79180eea4cb": (
        "test_secret_key",
        (
            "1|test_public_id|test_transaction_order_id"
            "|test_transaction_status_value|test_transaction_status_date"
        ),
    ),
    "7388029f82e0d7c8d6a5b06d84edaa8c0d1b10bd74d6a582c75c305411cfab97": (
        "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1Ni",
        "12500.5|000001780894001-80894001|order-test|SUCCESS|2019-07-11T17:45:13+03:00",
    ),
    "4727a48ed68a05bac1759fdbd79b1febca3d6a34da0457d61fb9e40116b39d45": (KEY, f"1000|{OURS}+03:00"),
    "fde13ae2bb44762fbf361346743c87efb4f40f6036dd939fcf119ef918582eb6": (
        KEY,
        f"350.5|{OURS}+03:00",
    ),
    "b26e40c282cea78ec72670c34f284a525c64e367bafa1212f12f7f5507a97211": (KEY, f"0.01|{OURS}+03:00"),
    "d45357267c6aa3b96bb754186a42eb3a9f1d92e3bd6f68391ea559527dac499a": (
        KEY,
        f"350.5|{OURS}.123456+03:00",
    ),
}
"""The first three are the bank's own, out of the tests of its libraries."""
LINKS = {
    "AD100004BAL7227F9BNP6KNE007J9B3K?type=02&bank=100000000007&sum=1&cur=RUB": "AB75",
    "AS1A005HCS949R4298Q9Q6UM6NJREQK6?type=01&bank=100000000008": "8435",
    "AS100001ORTF4GAF80KPJ53K186D9A3G?type=01&bank=100000000007": "0C8A",
    "AS1000592TVC2NHL8U7OG5A3VG0P6FEV?type=01&bank=100000000217&sum=1000701&cur=RUB": "65AC",
    "AS10003P3RH0LJ2A9ROO038L6NT5RU1M?type=01&bank=000000000001&sum=10000&cur=RUB": "F3D0",
    "AD10006PTORDPC5D98HPT12HV37MMQ6G?type=02&bank=100000000284&sum=15590000&cur=RUB": "4C8A",
    "AS1A003RTQJV7SPH85OPSMRVK29EOS71?type=01&bank=100000000111": "2DDF",
    "AD1P00692H5LGNMM8IB9PBU8DTCRO7C7?type=02&bank=100000000259&sum=384000&cur=RUB": "112F",
    "AD10004F7SM1QOR38T1RNP592HT1U2MC?type=02&bank=100000000054&sum=4000&cur=RUB": "0B61",
    "AD10003B4EACO3648G89G25T6DLRGBLB?type=02&bank=100000000111&sum=100&cur=RUB": "1A23",
}
"""Codes met in public, of eight banks."""


@pytest.mark.parametrize(("signature", "signed"), SIGNED.items())
def test_signatures(signature: str, signed: tuple[str, str]) -> None:
    key, message = signed
    assert sign(key, *message.split("|")) == signature


@pytest.mark.parametrize(("link", "crc"), LINKS.items())
def test_checksums_of_real_codes(link: str, crc: str) -> None:
    assert nspk.crc(f"https://qr.nspk.ru/{link}") == crc


def test_the_checksum_is_the_one_of_its_name() -> None:
    assert nspk.crc("123456789") == "29B1"


@pytest.mark.parametrize(
    ("host", "qr_id", "kind", "kopecks", "rest"),
    [
        ("qr", "AD1000SIMULATEDQRID0000000000001", nspk.ONCE, 35050, "&sum=35050&cur=RUB&crc=B528"),
        ("qr", "AS1000SIMULATEDQRID0000000000001", nspk.MANY, None, "&crc=C2BC"),
        ("sub", "AS1000SIMULATEDSUBID000000000001", nspk.BINDING, None, "&crc=60EE"),
    ],
)
def test_payloads(host: str, qr_id: str, kind: str, kopecks: int | None, rest: str) -> None:
    made = nspk.payload(qr_id, kind, kopecks)
    assert made == f"https://{host}.nspk.ru/{qr_id}?type={kind}&bank=100000000007{rest}"
    assert nspk.id_of(made) == nspk.id_of(qr_id) == qr_id


@pytest.mark.parametrize("prefix", ["AD10", "AS10", "AS1R"])
def test_ids_have_32_characters(prefix: str) -> None:
    made = nspk.new_id(Random(1), prefix)
    assert len(made) == 32
    assert made.startswith(prefix)
    assert set(made) <= set(nspk.ALPHABET)
    assert nspk.new_id(Random(2), prefix) != made


@pytest.mark.parametrize(
    ("amount", "text"), [(1, "0.01"), (100, "1"), (35050, "350.5"), (100000, "1000"), (10, "0.1")]
)
def test_numbers_have_no_trailing_zeros(amount: int, text: str) -> None:
    assert number_text(amount) == text


@given(st.integers(1, 10**12))
def test_a_number_is_read_as_it_was_written(amount: int) -> None:
    assert kopecks(Decimal(number_text(amount))) == amount


@pytest.mark.parametrize(
    "value", [None, True, "350.50", 0, -1, Decimal("0.001"), Decimal("NaN"), Decimal("1e300")]
)
def test_what_is_no_sum_is_refused(value: Any) -> None:
    with pytest.raises(Refusal) as refused:
        kopecks(value)
    assert refused.value.code == "ERROR.INVALID_REQUEST"


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (6, "2026-02-03T14:05:06.123000+03:00"),
        (3, "2026-02-03T14:05:06.123+03:00"),
        (1, "2026-02-03T14:05:06.1+03:00"),
        (0, "2026-02-03T14:05:06+03:00"),
    ],
)
def test_moments_are_of_moscow(fraction: int, text: str) -> None:
    assert moment(1_770_116_706_123, fraction) == text
