"""The daily register is read whole and exactly, or refused with the line and what to do."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from gateway_sbp.registers import Expected, Sheet, read
from shared.clock import MOSCOW
from shared.gateway.provider import Kind
from shared.gateway.register import WrongRegister

MERCHANT = "MA0000099999"
EXPECTED = Expected({MERCHANT: "raiffeisen:MA0000099999"})
HEADER = (
    "Мерчант;Дата операции МСК;Тип;id заказа;id возврата;Комментарий;Способ оплаты;Данные оплаты;"
    "id клиента;Сумма;Комиссия;Дополнительные поля"
)
TITLE = "Instant Payments report for 03/02/2026 / Отчет по СБП за 03/02/2026;;;;;;;;;;;"
QR = "AD1000SIMULATEDQRID0000000000001"
PAID = (
    f"{MERCHANT};03.02.2026 0:23;Payment;1a;;;Instant Payment QR;{QR};0079******12;3806.00;15.22;"
)
MORE = f"{MERCHANT};03.02.2026 14:05;Payment;c-1;;;Instant Payment QR;{QR}X;0079;3923.5;15.69;"
BACK = f"{MERCHANT};03.02.2026 15:10;Refund;1a;rf-1;;Instant Payment QR;{QR};0079;100.00;0.00;"
CARD = "1784123401;03.02.2026 12:12;Payment;25405;;;VISA;291|034;427000******359;15.00;0.41;"


def text(*rows: str, total: str = "7729.50;30.91;", title: str = TITLE) -> str:
    return "\r\n".join([title, ";" * 11, HEADER, *rows, f"ИТОГО;;;;;;;;;{total}", ""])


def taken(said: str | bytes, name: str = "register.csv") -> Sheet:
    body = said if isinstance(said, bytes) else said.encode("cp1251")
    return read(io.BytesIO(body), name, EXPECTED)


def refused(said: str | bytes) -> str:
    with pytest.raises(WrongRegister) as raised:
        taken(said)
    assert raised.value.text.ru
    return raised.value.text.en


def test_a_register_as_the_bank_writes_it() -> None:
    sheet = taken(text(PAID, MORE))
    first, second = sheet.entries
    assert (first.kind, first.order, first.qr_id) == (Kind.PAYMENT, "1a", QR)
    assert (first.amount_kopecks, first.fee_kopecks) == (380_600, 1_522)
    assert first.at == datetime(2026, 2, 3, 0, 23, tzinfo=MOSCOW)
    assert first.at.tzinfo is UTC
    assert (first.day, second.amount_kopecks) == (date(2026, 2, 3), 392_350)
    assert (sheet.shops, sheet.days) == (("raiffeisen:MA0000099999",), (date(2026, 2, 3),))
    assert (sheet.partial, sheet.notes) == (False, ())


@pytest.mark.parametrize("encoding", ["cp1251", "utf-8", "utf-8-sig"])
@pytest.mark.parametrize(
    "total",
    ["7729.50;30.91;", "7 729.50;30.91;", "7\u00a0729,50;30,91;", "7729.5;;", "7729.50;30.91"],
)
def test_what_a_total_may_look_like(total: str, encoding: str) -> None:
    assert len(taken(text(PAID, MORE, total=total).encode(encoding)).entries) == 2


def test_a_comma_and_ends_of_lines_of_others() -> None:
    said = text(PAID.replace("3806.00", "3806,00"), MORE).replace("\r\n", "\n").rstrip("\n")
    assert taken(said).entries[0].amount_kopecks == 380_600


def test_the_variant_with_cards_has_more_columns_and_counts_them_in_its_total() -> None:
    said = text(PAID, CARD, MORE, total="7 744.50;31.32;")
    wider = "".join(f"{line};;;\r\n" for line in said.splitlines())
    sheet = taken(wider)
    assert [entry.qr_id for entry in sheet.entries] == [QR, f"{QR}X"]
    assert [note.en for note in sheet.notes] == ["rows of cards that were left out: 1"]


@pytest.mark.parametrize(
    ("row", "total"),
    [
        (BACK, "3906.00;15.22;"),
        (BACK, "3706.00;15.22;"),
        (BACK, "3806.00;15.22;"),
        (BACK.replace("Refund", "Возврат"), "3906.00;15.22;"),
        (BACK.replace("Refund", "RETURN"), "3906.00;15.22;"),
        (BACK.replace("100.00", "-100.00"), "3706.00;15.22;"),
        (BACK.replace("Refund", "Payment").replace("100.00", "-100.00"), "3706.00;15.22;"),
        (BACK.replace("Refund", "Кредит"), "3906.00;15.22;"),
    ],
)
def test_a_refund_by_any_likely_word_and_sign(row: str, total: str) -> None:
    _, back = taken(text(PAID, row, total=total)).entries
    assert (back.kind, back.refund, back.amount_kopecks) == (Kind.REFUND, "rf-1", 10_000)


def test_a_day_without_operations_is_a_day_all_the_same() -> None:
    sheet = taken(text(total="0.00;0.00;"))
    assert (sheet.entries, sheet.days) == ((), (date(2026, 2, 3),))
    assert sheet.shops == ("raiffeisen:MA0000099999",)
    untitled = text(total="0.00;0.00;", title=";;;")
    assert taken(untitled.encode("cp1251"), "report_03.02.2026.csv").days == (date(2026, 2, 3),)
    assert "does not say its day" in refused(untitled)


def test_a_period_is_every_day_of_it() -> None:
    title = "report from 01/02/2026 to 04/02/2026 / Отчет с 01/02/2026 по 04/02/2026;"
    assert [day.day for day in taken(text(PAID, MORE, title=title)).days] == [1, 2, 3, 4]
    long = title.replace("04/02/2026", "04/02/2028")
    assert "more than 366 days" in refused(text(PAID, MORE, title=long))


def test_wherever_a_file_is_cut_off_it_is_refused_whole() -> None:
    whole = text(PAID, MORE).encode("cp1251").rstrip(b"\r\n;")
    accepted = []
    for length in range(len(whole)):
        try:
            sheet = taken(whole[:length])
        except WrongRegister:
            continue
        accepted.append((len(sheet.entries), whole[length - 8 : length]))
    # Both rows and their total are there; the total of commissions may be left out.
    assert accepted == [(2, b";;7729.5"), (2, b";7729.50"), (2, b"7729.50;")]


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        (text(PAID), "line 5: the total of “сумма” says 7729.50, the rows give 3806.00"),
        (text(PAID, MORE, total="7729.50;30.90;"), "line 6: the total of “комиссия” says 30.90"),
        (text(PAID, MORE, total=";30.91;"), "the total of “сумма” says -"),
        (text(PAID, MORE).replace("ИТОГО", "Итого: нет"), ""),
        (text(PAID, MORE) + PAID, "line 7: a row below the total"),
        (text(PAID, MORE).split("ИТОГО")[0], "cut off after 2 rows, “ИТОГО” is missing"),
        (text(PAID, MORE.replace(MERCHANT, "MA0000000001")), "line 5: the register of another"),
        (text(PAID, MORE[:60]), "line 5: 7 cells instead of 11, the line is cut off"),
        (text(PAID, MORE.replace("3923.5", "3923.555")), "line 5: “3923.555” in “сумма” is no"),
        (text(PAID, MORE.replace("3923.5", "0.00")), "line 5: a row without an amount"),
        (text(PAID, MORE.replace("03.02.2026", "31.02.2026")), "line 5: “31.02.2026 14:05” is no"),
        (text(PAID, MORE.replace("Payment;", "Chargeback;")), "line 5: “chargeback” is neither"),
        (text(PAID, MORE).replace("Данные оплаты", "Данные"), "line 3: no such column: данные"),
        ("one;two\r\n" * 3, "no line with the names of the columns"),
        ("one;two\r\n" * 40, "line 31: no line with the names of the columns"),
        (f'{TITLE}\r\n"open', "a quotation mark is not closed"),
        ("", "the file is empty"),
        (b"PK\x03\x04", "this is no text"),
        (b"\0\0", "this is no text"),
        (b"\x98" * 10, "neither UTF-8 nor Windows-1251"),
    ],
)
def test_what_is_refused(said: str | bytes, complaint: str) -> None:
    if complaint:
        assert complaint in refused(said)
    else:
        assert taken(said).entries


def test_a_register_without_rows_of_two_accounts_says_nothing() -> None:
    both = replace(EXPECTED, merchants={**EXPECTED.merchants, "MA2": "raiffeisen:MA2"})
    body = io.BytesIO(text(total="0;0;").encode("cp1251"))
    with pytest.raises(WrongRegister, match="does not say its merchant"):
        read(body, "register.csv", both)


def test_a_minute_is_cut_not_rounded() -> None:
    (entry, _) = taken(text(PAID.replace("0:23", "0:23:59"), MORE)).entries
    assert entry.at.astimezone(MOSCOW).time().minute == 23
    assert entry.at == datetime(2026, 2, 2, 21, 23, tzinfo=UTC)
