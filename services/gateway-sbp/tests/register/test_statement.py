"""A statement: what its purposes say of SBP, and what could not be placed."""

from __future__ import annotations

import io
from datetime import date

import pytest

from gateway_sbp.registers import Expected, Sheet, read
from shared.gateway.provider import Kind
from shared.gateway.register import WrongRegister

MERCHANT = "MA0000099999"
EXPECTED = Expected({MERCHANT: "raiffeisen:MA0000099999"})
QR = "AD1000SIMULATEDQRID0000000000001"
IN, OUT = "ДатаПоступило=04.02.2026", "ДатаСписано=04.02.2026"


def document(amount: str, purpose: str, way: str = IN, number: str = "318") -> str:
    return (
        f"СекцияДокумент=Банковский ордер\nНомер={number}\nДата=04.02.2026\nСумма={amount}\n"
        f"{way}\n{purpose}\nКонецДокумента\n"
    )


PAID = document(
    "350.50",
    f"НазначениеПлатежа=900001 IPS {MERCHANT} Расч по операции СБП"
    f" [900001 - {QR} - 0079000000012] за 03/02/26. НДС не обл",
)
BACK = document(
    "100",
    f"НазначениеПлатежа=900002 RTRN {MERCHANT} Возврат [900002 - {QR} - 0079000000012]"
    " за 03/02/2026.",
    OUT,
)
FEE = document("1.40", "НазначениеПлатежа=IPS FEE 9999001 ON-US. Комиссии СБП за 03/02/26", OUT)
OTHER = document("650.00", "НазначениеПлатежа=Оплата по дог. 100245 за январь")
STRANGE = document("5.00", f"НазначениеПлатежа=IPS {MERCHANT} без скобок", number="77")
FOREIGN = document(
    "5.00", "НазначениеПлатежа=1 IPS MA0000000001 [1 - AS1000ANOTHERQRID - 00790] за 03/02/26"
)


def statement(*documents: str, end: str = "КонецФайла\n", totals: str = "") -> str:
    head = "1CClientBankExchange\nВерсияФормата=1.03\nКодировка=Windows\nДатаНачала=04.02.2026\n"
    account = f"СекцияРасчСчет\nНачальныйОстаток=0\n{totals}КонецРасчСчет\n"
    return head + account + "".join(documents) + end


def taken(said: str | bytes) -> Sheet:
    body = said if isinstance(said, bytes) else said.replace("\n", "\r\n").encode("cp1251")
    return read(io.BytesIO(body), "statement.txt", EXPECTED)


def test_payments_and_refunds_gross_and_commissions_apart() -> None:
    sheet = taken(statement(PAID, BACK, FEE, FEE, OTHER))
    paid, back = sheet.entries
    assert (paid.kind, paid.amount_kopecks, paid.qr_id) == (Kind.PAYMENT, 35_050, QR)
    assert (paid.number, paid.day, paid.fee_kopecks) == ("900001", date(2026, 2, 3), None)
    assert (back.kind, back.amount_kopecks, back.day) == (Kind.REFUND, 10_000, date(2026, 2, 3))
    assert sheet.partial
    assert sheet.days == (date(2026, 2, 3),)
    assert [note.en for note in sheet.notes] == ["commissions of SBP: 2.80"]


def test_what_could_not_be_placed_is_said() -> None:
    said = [note.en for note in taken(statement(PAID, STRANGE, FOREIGN)).notes]
    assert said == [
        "lines of other merchants were left out: MA0000000001",
        "could not be placed, look at these documents: 77 (1)",
    ]


@pytest.mark.parametrize("encoding", ["cp1251", "utf-8", "utf-8-sig", "cp866"])
def test_encodings_whatever_is_declared(encoding: str) -> None:
    said = statement(PAID)
    if encoding == "cp866":
        said = said.replace("Кодировка=Windows", "Кодировка=DOS").replace("№", "N")
    assert taken(said.encode(encoding)).entries[0].amount_kopecks == 35_050


def test_a_last_document_without_its_end_and_a_purpose_in_pieces() -> None:
    pieces = PAID.replace("НазначениеПлатежа=", "НазначениеПлатежа1=").replace(
        "Расч по", "Расч\nНазначениеПлатежа2=по"
    )
    assert taken(statement(pieces)).entries[0].qr_id == QR
    open_ended = statement(BACK, PAID).replace("КонецДокумента\nКонецФайла", "КонецФайла")
    assert [entry.number for entry in taken(open_ended).entries] == ["900002", "900001"]


def test_the_day_of_a_purpose_that_names_none() -> None:
    assert taken(statement(PAID.replace("за 03/02/26", ""))).days == (date(2026, 2, 4),)


def test_without_its_last_line_a_statement_must_add_up() -> None:
    totals = "ВсегоПоступило=350.50\nВсегоСписано=100\n"
    assert taken(statement(PAID, BACK, end="", totals=totals)).entries
    for cut in ((PAID,), (BACK,), (PAID, BACK, FEE)):
        with pytest.raises(WrongRegister, match="cut off: Всего"):
            taken(statement(*cut, end="", totals=totals))
    assert taken(statement(PAID, end="")).entries


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        (statement(OTHER), "no payment through SBP of ours in this statement: nothing"),
        (statement(FOREIGN), r"in this statement \(of other merchants: MA0000000001\)"),
        (statement(PAID.replace("350.50", "350.505")), "line 8: “350.505” in “Сумма” is no"),
        (
            statement(PAID.replace("за 03/02/26", "").replace("04.02.2026", "никогда")),
            "line 8: a document without a date",
        ),
    ],
)
def test_what_is_refused(said: str, complaint: str) -> None:
    with pytest.raises(WrongRegister, match=complaint):
        taken(said)
