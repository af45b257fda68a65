"""The columns of a file of payments."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from core_billing.export import Cell
from core_billing.search import Found
from core_billing.web.exporting import Language
from shared.errors import Text
from shared.money import Money

_KINDS: Final = {
    "online": Text("online", "онлайн"),
    "cash": Text("cash", "наличные"),
    "cashless": Text("cashless", "безналичные"),
    "opening": Text("opening balance", "начальный баланс"),
    "transfer": Text("transfer", "перенос"),
    "write_off": Text("debt written off", "списание долга"),
}
_STATUSES: Final = {
    "posted": Text("posted", "проведён"),
    "suspense": Text("held in suspense", "невыясненный"),
    "annulled": Text("annulled", "аннулирован"),
}


def _contracts(found: Found) -> str:
    return ", ".join(one.contract for one in found.holders if one.contract is not None)


def _held(found: Found) -> Money:
    """Return what contracts hold of it: less than the sum where some is in suspense or refunded."""
    held = [one.amount.kopecks for one in found.holders if one.contract is not None]
    return Money(sum(held))


_COLUMNS: Final[tuple[tuple[Text, Callable[[Found], Cell | Text]], ...]] = (
    (Text("Id", "Номер"), lambda one: int(one.id)),
    (Text("Paid", "Дата платежа"), lambda one: one.paid_at),
    (Text("Registered", "Дата регистрации"), lambda one: one.registered_at),
    (Text("Contract", "Договор"), _contracts),
    (Text("Amount", "Сумма"), lambda one: one.amount),
    (Text("On contracts", "На договорах"), _held),
    (Text("Status", "Состояние"), lambda one: _STATUSES[one.status]),
    (Text("Kind", "Вид"), lambda one: _KINDS.get(one.kind, Text(one.kind, one.kind))),
    (Text("Method", "Способ"), lambda one: one.method),
    (Text("Provider", "Провайдер"), lambda one: one.provider),
    (Text("Provider's id", "Номер у провайдера"), lambda one: one.provider_payment_id),
    (Text("Order", "Заказ"), lambda one: one.order_id),
    (Text("Category", "Категория"), lambda one: one.category_name or str(one.category)),
    (Text("Code of 1C", "Код 1С"), lambda one: one.category_code),
    (Text("Receipt", "Квитанция"), lambda one: one.receipt_number),
    (Text("Payment order", "Платёжное поручение"), lambda one: one.payment_order_number),
    (Text("Manager", "Менеджер"), lambda one: one.manager),
    (Text("Comment", "Комментарий"), lambda one: one.comment),
    (Text("Revision", "Версия"), lambda one: one.revision),
    (Text("Corrected by", "Исправил"), lambda one: one.corrected_by),
    (Text("Corrected", "Дата исправления"), lambda one: one.corrected_at),
    (Text("Reason", "Причина исправления"), lambda one: one.correction_reason),
)


def titles(language: Language) -> list[str]:
    """Return the first line of the file."""
    return [title.in_(language) for title, _ in _COLUMNS]


def line(found: Found, zone: ZoneInfo, language: Language) -> list[Cell]:
    """Return a payment's line; moments are those of the billing's day."""
    return [local(value(found), zone, language) for _, value in _COLUMNS]


def local(value: Cell | Text, zone: ZoneInfo, language: Language) -> Cell:
    """Return a cell as it is written for a reader: in their language and by the billing's clock."""
    if isinstance(value, Text):
        return value.in_(language)
    if isinstance(value, datetime):
        return value.astimezone(zone).replace(tzinfo=None, microsecond=0)
    return value
