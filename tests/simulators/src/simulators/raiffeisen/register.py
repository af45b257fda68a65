"""The bank's daily register as CSV, and the lines of the statement as 1C reads them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal

from simulators.banks.bank import Bank
from simulators.raiffeisen.words import MOSCOW

DAY = 86_400_000
LIMIT = 1_000_000
FEE = Decimal("0.004")
TITLE = "Реестр операций / Register of operations"
HEADER = (
    "Мерчант;Дата операции МСК;Тип;id заказа;id возврата;Комментарий;Способ оплаты;"
    "Данные оплаты;id клиента;Сумма;Комиссия;Дополнительные поля"
)


def csv(bank: Bank, day: date, merchant: str) -> bytes | None:
    """Return a merchant's register of a Moscow day in cp1251; None for one without operations."""
    rows = _operations(bank, day, merchant)
    if not rows:
        return None
    lines = [TITLE + ";" * 11, ";" * 11, HEADER]
    gross = fees = 0
    for at, kind, order, refund, qr_id, kopecks in rows:
        fee = _fee(kopecks) if kind == "Payment" else 0
        gross, fees = gross + kopecks, fees + fee
        lines.append(
            f"{merchant};{_minute(at)};{kind};{order};{refund};;Instant Payment QR;"
            f"{qr_id};0079******12;{_roubles(kopecks)};{_roubles(fee)};"
        )
    lines.append(f"ИТОГО;;;;;;;;;{_grouped(gross)};{_grouped(fees)};")
    return ("\r\n".join(lines) + "\r\n").encode("cp1251")


def statement(bank: Bank, day: date, merchant: str) -> bytes:
    """Return a merchant's operations of the day as a file that 1C takes, in cp1251."""
    lines = ["1CClientBankExchange", "ВерсияФормата=1.03", "Кодировка=Windows"]
    rows = _operations(bank, day, merchant)
    for number, (at, kind, _, __, qr_id, kopecks) in enumerate(rows, 1):
        mark = "RTRN " if kind == "Refund" else ""
        purpose = f"{number} IPS {merchant} {mark}[{number} - {qr_id} - 0079000000012]"
        lines += [
            "СекцияДокумент=Банковский ордер",
            f"Номер={number}",
            f"Дата={_at(at):%d.%m.%Y}",
            f"Сумма={_roubles(kopecks)}",
            f"НазначениеПлатежа={purpose}",
            "КонецДокумента",
        ]
    return ("\r\n".join([*lines, "КонецФайла"]) + "\r\n").encode("cp1251")


Row = tuple[int, str, str, str, str, int]


def _operations(bank: Bank, day: date, merchant: str) -> list[Row]:
    begin = int(datetime(day.year, day.month, day.day, tzinfo=MOSCOW).timestamp()) * 1_000
    during = (merchant, begin, begin + DAY, LIMIT)
    paid = bank.store.all(
        "SELECT * FROM raiffeisen_payment WHERE status = 'SUCCESS' AND merchant = ? "
        "AND paid_at >= ? AND paid_at < ? LIMIT ?",
        *during,
    )
    back = bank.store.all(
        "SELECT * FROM raiffeisen_refund WHERE status = 'COMPLETED' AND merchant = ? "
        "AND done_at >= ? AND done_at < ? LIMIT ?",
        *during,
    )
    rows = [
        (r["paid_at"], "Payment", r["order_id"] or "", "", r["qr_id"], r["amount_kopecks"])
        for r in paid
    ]
    rows += [
        (r["done_at"], "Refund", r["order_id"] or "", r["id"], r["qr_id"], r["amount_kopecks"])
        for r in back
    ]
    return sorted(rows)


def _at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds // 1_000, UTC).astimezone(MOSCOW)


def _minute(milliseconds: int) -> str:
    at = _at(milliseconds)
    return f"{at:%d.%m.%Y} {at.hour}:{at:%M}"


def _fee(kopecks: int) -> int:
    return int((kopecks * FEE).quantize(Decimal(1), ROUND_HALF_UP))


def _roubles(kopecks: int) -> str:
    return f"{kopecks // 100}.{kopecks % 100:02d}"


def _grouped(kopecks: int) -> str:
    return f"{kopecks // 100:,}.{kopecks % 100:02d}".replace(",", " ")
