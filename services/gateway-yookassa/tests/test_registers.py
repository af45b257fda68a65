"""Registers as files: what is taken, and what is refused with which sentence."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from gateway_yookassa.registers import Expected, read
from gateway_yookassa.registers.cells import UNPACKED_BYTES_MAX
from shared.gateway.provider import Kind
from shared.gateway.register import Register, Row, WrongRegister
from simulators.yookassa.register import PAYMENT_COLUMNS, REFUND_COLUMNS, Table

SHOP = "yookassa:100500"
NAME = "yoomoney-payments-100500-2026-11-22.csv"
FIRST = "3294d482-000f-5000-8000-1a2b3c4d5e6f"
SECOND = "3294d483-000f-5000-8000-1a2b3c4d5e6f"
TITLE = "РЕЕСТР ПЛАТЕЖЕЙ ПО ДОГОВОРУ НБ-1 (100500)"


def cells(payment_id: str, gross: str, net: str, fee: str, vat: str) -> list[str]:
    moment = "22.11.2026 13:16:02"
    return [payment_id, gross, "RUB", net, fee, moment, "", 'Счёт "5"; кв. 7', "AC", vat]


PAID = Table(
    head=[TITLE, "Дата платежей: 2026-11-22"],
    columns=PAYMENT_COLUMNS.split(";"),
    rows=[
        cells(FIRST, "650.00", "627.80", "18.20", "4,00"),
        cells(SECOND, "1 300,00", "1255.60", "36,40", "8.00"),
    ],
    tail=[
        "Сумма принятых платежей: 1950.00 RUB",
        "Сумма принятых платежей за вычетом комиссии и НДС: 1883,40 RUB",
        "Число платежей: 2",
    ],
)
REFUNDED = Table(
    head=["РЕЕСТР ВОЗВРАТОВ ПО ДОГОВОРУ НБ-1 (100500)", "Дата возвратов: 22.11.2026"],
    columns=REFUND_COLUMNS.split(";"),
    rows=[[SECOND, FIRST, "150.00", "RUB", "22.11.2026 14:00:00"]],
    tail=["Сумма возвратов: 150.00 RUB", "Число возвратов: 1"],
)
ROWS = [
    Row(Kind.PAYMENT, FIRST, FIRST, 65_000, 62_780, 1_820, 400),
    Row(Kind.PAYMENT, SECOND, SECOND, 130_000, 125_560, 3_640, 800),
]
WHOLE = Register(SHOP, Kind.PAYMENT, date(2026, 11, 22), 2, 195_000)


def take(body: bytes, name: str = NAME, **how: Any) -> tuple[Register, list[Row]]:
    rows: list[Row] = []
    expected = Expected(**{"shops": {SHOP}, **how})
    return read(io.BytesIO(body), name, expected, rows.append), rows


def refused(body: bytes, name: str = NAME, **how: Any) -> WrongRegister:
    with pytest.raises(WrongRegister) as caught:
        take(body, name, **how)
    text = caught.value.text
    assert text.en
    assert any("а" <= letter <= "я" for letter in text.ru)
    return caught.value


def zipped(**files: bytes) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return body.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "windows-1251"])
def test_a_csv_in_either_encoding_with_either_decimal_sign(encoding: str) -> None:
    assert take(PAID.csv().encode(encoding)) == (WHOLE, ROWS)


def test_a_workbook() -> None:
    assert take(PAID_SHEET.xlsx(), "payments.xlsx") == (WHOLE, ROWS)


PAID_SHEET = replace(
    PAID, rows=[[cell.replace(" ", "") if "," in cell else cell for cell in r] for r in PAID.rows]
)


def test_a_workbook_may_lack_its_totals() -> None:
    assert take(replace(PAID_SHEET, tail=()).xlsx(), "payments.xlsx") == (WHOLE, ROWS)


@pytest.mark.parametrize("make", [lambda: PAID.csv().encode(), PAID_SHEET.xlsx])
def test_a_zip_with_one_file(make: Callable[[], bytes]) -> None:
    assert take(zipped(register=make()), "register.zip") == (WHOLE, ROWS)


def test_refunds_name_their_payments() -> None:
    register, rows = take(REFUNDED.csv().encode(), "any.csv")
    assert register == Register(SHOP, Kind.REFUND, date(2026, 11, 22), 1, 15_000)
    assert rows == [Row(Kind.REFUND, SECOND, FIRST, 15_000)]


@given(st.permutations(range(10)))
def test_columns_stand_in_any_order(order: Sequence[int]) -> None:
    mixed = replace(
        PAID,
        columns=[PAID.columns[place] for place in order],
        rows=[[row[place] for place in order] for row in PAID.rows],
    )
    assert take(mixed.csv().encode()) == (WHOLE, ROWS)


def test_columns_that_decide_nothing_may_be_left_out() -> None:
    bare = replace(PAID, columns=PAID.columns[:2], rows=[row[:2] for row in PAID.rows])
    register, rows = take(bare.csv().encode())
    assert register == WHOLE
    assert rows == [replace(r, net_kopecks=None, fee_kopecks=None, vat_kopecks=None) for r in ROWS]


def test_the_name_of_the_file_stands_in_for_the_title() -> None:
    assert take(replace(PAID, head=()).csv().encode())[0] == WHOLE


def test_a_day_without_payments() -> None:
    tail = ["Сумма принятых платежей: 0.00 RUB", "Число платежей: 0"]
    register, rows = take(replace(PAID, rows=(), tail=tail).csv().encode())
    assert (register.rows, register.amount_kopecks, rows) == (0, 0, [])


def with_tail(*tail: str) -> bytes:
    return replace(PAID, tail=tail).csv().encode()


def with_row(*row: str) -> bytes:
    return replace(PAID, rows=[*PAID.rows, list(row)], tail=()).csv().encode()


@pytest.mark.parametrize(
    ("tail", "told"),
    [
        ("Сумма принятых платежей: 1950.01 RUB", "the total says 1950.01, the rows give 1950.00"),
        ("Число платежей: 3", "the total says 3, the rows give 2"),
        (
            "Сумма принятых платежей за вычетом комиссии и НДС: 1 RUB",
            "the total says 1.00, the rows give 1883.40",
        ),
    ],
)
def test_a_wrong_total(tail: str, told: str) -> None:
    what = tail.partition(":")[0]
    lines = [tail if line.startswith(f"{what}:") else line for line in PAID.tail]
    error = refused(with_tail(*lines))
    assert told in str(error)
    assert error.line == 7 + lines.index(tail)


def test_a_truncated_file_without_its_totals() -> None:
    assert "cut off after 2 rows" in str(refused(with_tail()))
    assert take(with_tail(), totals=False)[0] == WHOLE


@pytest.mark.parametrize("left", range(40, 560, 13))
def test_a_file_truncated_anywhere(left: int) -> None:
    body = PAID.csv().encode()
    assert refused(body[: len(body) - 60 - left])


def test_a_row_twice() -> None:
    error = refused(replace(PAID, rows=[*PAID.rows, PAID.rows[0]]).csv().encode())
    assert (error.line, "stands there twice" in str(error)) == (6, True)


def test_another_shops_file() -> None:
    error = refused(PAID.csv().encode(), shops={"yookassa:7"})
    assert "another shop, 100500" in str(error)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_another_encoding(encoding: str) -> None:
    assert "neither UTF-8 nor Windows-1251" in str(refused(PAID.csv().encode(encoding)))


def test_an_encoding_that_looks_like_ours() -> None:
    assert refused(PAID.csv().encode("koi8-r"), "register.csv")


@pytest.mark.parametrize("place", [0, 1, 3, 4, 9])
def test_a_formula_instead_of_a_value(place: int) -> None:
    row = cells("3294d484-000f-5000-8000-1a2b3c4d5e6f", "1.00", "1.00", "0.00", "0.00")
    row[place] = "=SUM(B4:B5)"
    error = refused(with_row(*row))
    assert (error.line, "formula" in str(error)) == (6, True)
    book = Workbook()
    book.active.append(list(PAID.columns))
    book.active.append(row)
    body = io.BytesIO()
    book.save(body)
    assert "formula" in str(refused(body.getvalue()))


def test_an_empty_file() -> None:
    assert "empty" in str(refused(b""))


@pytest.mark.parametrize("body", [b"\r\n" * 5, b"<html>502</html>", b"a;b;c\n" * 50])
def test_a_wrong_header(body: bytes) -> None:
    assert "names of the columns" in str(refused(body))


def test_a_missing_column() -> None:
    columns = [name.replace("Сумма платежа", "Итого") for name in PAID.columns]
    error = refused(replace(PAID, columns=columns).csv().encode())
    assert (error.line, "no such column: сумма платежа" in str(error)) == (3, True)


def test_a_column_twice() -> None:
    columns = [*PAID.columns[:-1], PAID.columns[1]]
    assert "stands there twice" in str(refused(replace(PAID, columns=columns).csv().encode()))


@pytest.mark.parametrize("amount", ["", "0.00", "-1.00", "1.001", "1e3", "NaN", "сто"])
def test_an_amount_that_is_none(amount: str) -> None:
    error = refused(with_row(*cells("3294d484", amount, "1.00", "0.00", "0.00")))
    assert error.line == 6


def test_another_currency() -> None:
    row = cells("3294d484", "1.00", "1.00", "0.00", "0.00")
    row[2] = "USD"
    assert "currency USD" in str(refused(with_row(*row)))


@pytest.mark.parametrize("odd", ["", "a b", "x" * 65, "'; DROP TABLE payment; --"])
def test_an_id_that_is_none(odd: str) -> None:
    assert refused(with_row(*cells(odd, "1.00", "1.00", "0.00", "0.00"))).line == 6


def test_a_row_that_ends_too_soon() -> None:
    assert "cut off" in str(refused(with_row(FIRST, "1.00")))


def test_rows_below_the_totals() -> None:
    body = PAID.csv() + ";".join(PAID.rows[0]) + "\r\n"
    assert "put together by hand" in str(refused(body.encode()))


def test_a_quotation_mark_that_is_not_closed() -> None:
    body = PAID.csv().replace('кв. 7"', "кв. 7", 1)
    assert refused(body.encode())


def test_several_days() -> None:
    head = [TITLE, "Дата платежей: 2026-11-01 - 2026-11-30"]
    assert "one day" in str(refused(replace(PAID, head=head).csv().encode()))


def test_a_day_that_does_not_exist() -> None:
    head = [TITLE, "Дата платежей: 2026-11-31"]
    assert "one day" in str(refused(replace(PAID, head=head).csv().encode()))


@pytest.mark.parametrize("name", ["register.csv", "yoomoney-payments-100500.csv"])
def test_no_day_and_no_shop(name: str) -> None:
    assert "does not say its shop" in str(refused(replace(PAID, head=()).csv().encode(), name))
    assert "does not say its day" in str(refused(replace(PAID, head=[TITLE]).csv().encode(), name))


def test_a_title_of_the_other_kind() -> None:
    mixed = replace(REFUNDED, head=PAID.head)
    assert "different registers" in str(refused(mixed.csv().encode()))


def test_a_zip_with_two_files() -> None:
    body = PAID.csv().encode()
    assert "holds 2 files" in str(refused(zipped(one=body, two=body)))


def test_a_zip_in_a_zip_in_a_zip() -> None:
    body = zipped(one=zipped(two=zipped(three=PAID.csv().encode())))
    assert "send one file" in str(refused(body))


def test_a_bomb_is_not_unpacked() -> None:
    body = io.BytesIO()
    with (
        zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("register.csv", "w", force_zip64=True) as part,
    ):
        for _ in range(UNPACKED_BYTES_MAX // 2**20 + 1):
            part.write(bytes(2**20))
    assert "unpacks to more" in str(refused(body.getvalue()))


@pytest.mark.parametrize("cut", [10, 100, 1000])
def test_a_damaged_workbook(cut: int) -> None:
    body = PAID_SHEET.xlsx()
    assert "damaged" in str(refused(body[:-cut]))
    assert refused(body[:200] + bytes(100) + body[300:])


def test_a_workbook_with_two_sheets() -> None:
    book = Workbook()
    book.create_sheet("second")
    body = io.BytesIO()
    book.save(body)
    assert "2 sheets" in str(refused(body.getvalue()))


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_with_a_sentence(noise: bytes) -> None:
    with pytest.raises(WrongRegister):
        take(noise, "register.csv")


@given(st.binary(min_size=1, max_size=8), st.integers(0, 1200))
def test_a_damaged_byte_is_refused_or_changes_no_money(noise: bytes, place: int) -> None:
    body = PAID.csv().encode()
    at = place % len(body)
    try:
        register, rows = take(body[:at] + noise + body[at + len(noise) :])
    except WrongRegister:
        return
    assert (register.rows, register.amount_kopecks) == (2, 195_000)
    assert sum(row.amount_kopecks for row in rows) == 195_000


@pytest.mark.parametrize(
    ("amounts", "agrees"),
    [
        ((65_000, 62_780, 1_820, 400), True),
        ((65_000, 62_780, 1_820, 399), False),
        ((65_000, 62_780, 1_820, None), True),
        ((65_000, 64_000, 1_820, None), False),
        ((65_000, None, None, None), True),
        ((65_000, 65_001, None, None), False),
    ],
)
def test_gross_is_net_and_fee_and_vat(amounts: tuple[Any, ...], agrees: bool) -> None:
    assert Row(Kind.PAYMENT, FIRST, FIRST, *amounts).adds_up is agrees
