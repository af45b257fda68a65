"""The daily registers that YooKassa mails to a shop: what was paid and refunded on a Moscow day.

Their shape is known from three independent parsers and one fixture, not from a published format:
`;` between fields, UTF-8 or Windows-1251, a dot or a comma before the kopecks, footers with the
totals.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Literal
from zoneinfo import ZoneInfo

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

    @property
    def name(self) -> str:
        """Return the file's name."""
        return f"yoomoney-{self.kind}-{self.shop_id}-{self.day}.csv"

    def span(self) -> tuple[int, int]:
        """Return the day's beginning and end in milliseconds: midnights of Moscow."""
        midnight = datetime.combine(self.day, time(), MOSCOW)
        begins = int(midnight.timestamp()) * 1_000
        return begins, begins + DAY


def write(store: Store, wanted: Register) -> str:
    """Return the register as text; an empty day has its header and its totals of nothing."""
    if wanted.kind == "payments":
        return _payments(store, wanted)
    return _refunds(store, wanted)


def _payments(store: Store, wanted: Register) -> str:
    rows = store.all(
        "SELECT * FROM payment WHERE shop_id = ? AND status = 'succeeded' "
        "AND captured_at >= ? AND captured_at < ? ORDER BY captured_at, id",
        wanted.shop_id,
        *wanted.span(),
    )
    payments = [load(Payment, row) for row in rows]
    gross = sum(each.amount_kopecks for each in payments)
    net = sum(each.income_kopecks or 0 for each in payments)
    head = [
        f"РЕЕСТР ПЛАТЕЖЕЙ ПО ДОГОВОРУ НБ-1 ({wanted.shop_id})",
        f"Дата платежей: {wanted.day}",
        PAYMENT_COLUMNS,
    ]
    tail = [
        "",
        f"Сумма принятых платежей: {_sum(gross, '.')} RUB",
        f"Сумма принятых платежей за вычетом комиссии и НДС: {_sum(net, '.')} RUB",
        f"Число платежей: {len(payments)}",
    ]
    return _text([*head, *(_payment_line(each, wanted.decimal) for each in payments), *tail])


def _payment_line(paid: Payment, decimal: str) -> str:
    net = paid.income_kopecks or 0
    # The fee and 22 % VAT on it are what is missing; the VAT is the remainder, so all adds up.
    fee = (paid.amount_kopecks - net) * 100 // 122
    tax = paid.amount_kopecks - net - fee
    fields = [
        paid.id,
        _sum(paid.amount_kopecks, decimal),
        paid.currency,
        _sum(net, decimal),
        _sum(fee, decimal),
        _moment(paid.captured_at or 0),
        "",
        _quoted(paid.description or ""),
        CODES.get(paid.method_type or "", "AC"),
        _sum(tax, decimal),
    ]
    return ";".join(fields)


def _refunds(store: Store, wanted: Register) -> str:
    rows = store.all(
        "SELECT * FROM refund WHERE shop_id = ? AND status = 'succeeded' "
        "AND created_at >= ? AND created_at < ? ORDER BY created_at, id",
        wanted.shop_id,
        *wanted.span(),
    )
    refunds = [load(Refund, row) for row in rows]
    total = sum(each.amount_kopecks for each in refunds)
    head = [
        f"РЕЕСТР ВОЗВРАТОВ ПО ДОГОВОРУ НБ-1 ({wanted.shop_id})",
        f"Дата возвратов: {wanted.day}",
        REFUND_COLUMNS,
    ]
    lines = [
        ";".join(
            [
                each.id,
                each.payment_id,
                _sum(each.amount_kopecks, wanted.decimal),
                each.currency,
                _moment(each.created_at),
            ]
        )
        for each in refunds
    ]
    tail = ["", f"Сумма возвратов: {_sum(total, '.')} RUB", f"Число возвратов: {len(refunds)}"]
    return _text([*head, *lines, *tail])


def _text(lines: Iterable[str]) -> str:
    return "\r\n".join(lines) + "\r\n"


def _sum(kopecks: int, decimal: str) -> str:
    return f"{kopecks // 100}{decimal}{kopecks % 100:02d}"


def _moment(moment: int) -> str:
    return f"{datetime.fromtimestamp(moment // 1_000, UTC).astimezone(MOSCOW):%d.%m.%Y %H:%M:%S}"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if set(text) & set(';"\r\n') else text
