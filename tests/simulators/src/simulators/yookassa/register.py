"""The daily registers that YooKassa mails to a shop: what was paid and refunded on a Moscow day.

Their shape is known from three independent parsers and one fixture, not from a published format:
`;` between fields, UTF-8 or Windows-1251, a dot or a comma before the kopecks, footers with the
totals; or a workbook.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from io import BytesIO
from typing import Literal
from zoneinfo import ZoneInfo

from openpyxl import Workbook

from simulators.clock import DAY
from simulators.record import load
from simulators.store import Store
from simulators.yookassa.payment import Payment
from simulators.yookassa.refund import Refund

MOSCOW = ZoneInfo("Europe/Moscow")
CODES = {
    "bank_card": "AC",
    "yoo_money": "PC",
    "sbp": "CP",
    "sberbank": "SB",
    "tinkoff_bank": "TB",
    "alfa_pay": "AP",
}
PAYMENT_COLUMNS = (
    "Идентификатор платежа;Сумма платежа;Валюта платежа;Сумма за вычетом комиссии и НДС;"
    "Сумма комиссии без НДС;Время платежа;Идентификатор платежного средства;Описание;Тип платежа;"
    "НДС с комиссии"
)
REFUND_COLUMNS = (
    "Идентификатор возврата;Идентификатор платежа;Сумма возврата;Валюта возврата;Время возврата"
)


@dataclass(frozen=True, slots=True)
class Register:
    """Which register is wanted, and how it is written."""

    kind: Literal["payments", "refunds"]
    shop_id: str
    day: date
    decimal: Literal[".", ","] = "."
    totals: bool = True
    form: Literal["csv", "xlsx"] = "csv"

    @property
    def name(self) -> str:
        """Return the file's name."""
        return f"yoomoney-{self.kind}-{self.shop_id}-{self.day}.{self.form}"

    def span(self) -> tuple[int, int]:
        """Return the day's beginning and end in milliseconds: midnights of Moscow."""
        midnight = datetime.combine(self.day, time(), MOSCOW)
        begins = int(midnight.timestamp()) * 1_000
        return begins, begins + DAY


@dataclass(frozen=True, slots=True)
class Table:
    """A register before it is a file: what stands above, the columns, the rows, the totals."""

    head: Sequence[str]
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    tail: Sequence[str]

    def csv(self) -> str:
        """Return it as text; `;` between fields."""
        rows = (";".join(map(_quoted, row)) for row in (self.columns, *self.rows))
        return "".join(f"{line}\r\n" for line in (*self.head, *rows, "", *self.tail))

    def xlsx(self) -> bytes:
        """Return it as a workbook of one sheet; amounts are numbers there."""
        book = Workbook(write_only=True)
        sheet = book.create_sheet("Реестр")
        amounts = [name.startswith(("Сумма", "НДС")) for name in self.columns]
        for line in self.head:
            sheet.append([line])
        sheet.append(list(self.columns))
        for row in self.rows:
            sheet.append([_number(c) if n else c for c, n in zip(row, amounts, strict=True)])
        sheet.append([])
        for line in self.tail:
            sheet.append([line])
        body = BytesIO()
        book.save(body)
        return body.getvalue()


def table(store: Store, wanted: Register) -> Table:
    """Return the register; an empty day has its header and its totals of nothing."""
    found = _payments(store, wanted) if wanted.kind == "payments" else _refunds(store, wanted)
    return found if wanted.totals else replace(found, tail=())


def _payments(store: Store, wanted: Register) -> Table:
    rows = store.all(
        "SELECT * FROM payment WHERE shop_id = ? AND status = 'succeeded' "
        "AND captured_at >= ? AND captured_at < ? ORDER BY captured_at, id",
        wanted.shop_id,
        *wanted.span(),
    )
    payments = [load(Payment, row) for row in rows]
    gross = sum(each.amount_kopecks for each in payments)
    net = sum(each.income_kopecks or 0 for each in payments)
    return Table(
        head=[
            f"РЕЕСТР ПЛАТЕЖЕЙ ПО ДОГОВОРУ НБ-1 ({wanted.shop_id})",
            f"Дата платежей: {wanted.day}",
        ],
        columns=PAYMENT_COLUMNS.split(";"),
        rows=[_payment_cells(each, wanted.decimal) for each in payments],
        tail=[
            f"Сумма принятых платежей: {_sum(gross, '.')} RUB",
            f"Сумма принятых платежей за вычетом комиссии и НДС: {_sum(net, '.')} RUB",
            f"Число платежей: {len(payments)}",
        ],
    )


def _payment_cells(paid: Payment, decimal: str) -> list[str]:
    net = paid.income_kopecks or 0
    # The fee and 22 % VAT on it are what is missing; the VAT is the remainder, so all adds up.
    fee = (paid.amount_kopecks - net) * 100 // 122
    tax = paid.amount_kopecks - net - fee
    return [
        paid.id,
        _sum(paid.amount_kopecks, decimal),
        paid.currency,
        _sum(net, decimal),
        _sum(fee, decimal),
        _moment(paid.captured_at or 0),
        "",
        paid.description or "",
        CODES.get(paid.method_type or "", "AC"),
        _sum(tax, decimal),
    ]


def _refunds(store: Store, wanted: Register) -> Table:
    rows = store.all(
        "SELECT * FROM refund WHERE shop_id = ? AND status = 'succeeded' "
        "AND created_at >= ? AND created_at < ? ORDER BY created_at, id",
        wanted.shop_id,
        *wanted.span(),
    )
    refunds = [load(Refund, row) for row in rows]
    total = sum(each.amount_kopecks for each in refunds)
    return Table(
        head=[
            f"РЕЕСТР ВОЗВРАТОВ ПО ДОГОВОРУ НБ-1 ({wanted.shop_id})",
            f"Дата возвратов: {wanted.day}",
        ],
        columns=REFUND_COLUMNS.split(";"),
        rows=[
            [
                each.id,
                each.payment_id,
                _sum(each.amount_kopecks, wanted.decimal),
                each.currency,
                _moment(each.created_at),
            ]
            for each in refunds
        ],
        tail=[f"Сумма возвратов: {_sum(total, '.')} RUB", f"Число возвратов: {len(refunds)}"],
    )


def _number(amount: str) -> float:
    return float(amount.replace(",", "."))


def _sum(kopecks: int, decimal: str) -> str:
    return f"{kopecks // 100}{decimal}{kopecks % 100:02d}"


def _moment(moment: int) -> str:
    return f"{datetime.fromtimestamp(moment // 1_000, UTC).astimezone(MOSCOW):%d.%m.%Y %H:%M:%S}"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if set(text) & set(';"\r\n') else text
