"""The settings that managers change: what each means, what it may be and what it is by default.

Those of the process stand in the environment (`settings`). These are kept with their history in
`policy_rows`, hold from a day on, and may differ by operator, group of subscribers or manager.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Final, Generic, Literal, TypeVar

from pydantic import Field, TypeAdapter

from core_billing.policy_values import (
    BlockCalendar,
    BlockMode,
    BlockRule,
    CategoryId,
    Day,
    Flag,
    Mode,
    Positive,
    PromiseRule,
    Recommended,
)
from shared.errors import Text
from shared.gateway.vat import Vat
from shared.money import Money
from shared.openapi import JsonSchema

__all__ = ["BlockCalendar", "BlockMode", "BlockRule", "Mode", "PromiseRule", "Recommended"]

Value = TypeVar("Value")

Scope = Literal["operator", "group", "manager"]


@dataclass(frozen=True)
class Policy(Generic[Value]):
    """A setting: its name, its values, and whose it may be beside everybody's."""

    name: str
    kind: TypeAdapter[Value]
    default: Value
    text: Text
    scopes: tuple[Scope, ...] = ()

    def read(self, raw: Any) -> Value:
        """Read a value as JSON has it; raises pydantic's ValidationError."""
        return self.kind.validate_python(raw)

    def write(self, value: Value) -> Any:
        """Return a value as JSON has it."""
        return self.kind.dump_python(value, mode="json")

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of a value."""
        return self.kind.json_schema(schema_generator=JsonSchema)


VAT: Final = Policy(
    "vat",
    TypeAdapter(Vat),
    Vat.BASE,
    Text(
        "VAT that a legal entity pays: base, 10, 7, 5, 0 or none; the percent follows the law",
        "НДС юридического лица: base, 10, 7, 5, 0 или none; процент меняется вместе с законом",
    ),
    ("operator",),
)
CLOSED_BEFORE: Final = Policy[date | None](
    "closed_before",
    TypeAdapter(Day | None),
    None,
    Text(
        "closed period: the first day that a payment may bear",
        "закрытый период: первый день, которым можно датировать платёж",
    ),
    ("operator",),
)
PAYMENTS_CHANGEABLE: Final = Policy(
    "payments_changeable",
    TypeAdapter(Flag),
    True,
    Text("may posted payments be corrected", "можно ли исправлять проведённые платежи"),
)
CASH_ONLY_TODAY: Final = Policy(
    "cash_only_today",
    TypeAdapter(Flag),
    False,
    Text("cash is taken with today's date only", "наличные принимаются только сегодняшним числом"),
)
DOCUMENT_MASK: Final = Policy(
    "document_mask",
    TypeAdapter(Annotated[str, Field(max_length=64)]),
    "",
    Text(
        "mask of receipt numbers: A is a letter, # a digit, other characters stand for themselves",
        "маска номера квитанции: A - буква, # - цифра, остальные знаки - сами по себе",
    ),
)
DEFAULT_CATEGORY: Final = Policy(
    "default_category",
    TypeAdapter(CategoryId),
    0,
    Text("category of payments that name none", "категория платежей, где она не указана"),
    ("manager",),
)
TRANSFER_CATEGORY: Final = Policy(
    "transfer_category",
    TypeAdapter(CategoryId),
    0,
    Text("category of transfers that name none", "категория переносов, где она не указана"),
)
PAYMENT_MIN: Final = Policy(
    "payment_min",
    TypeAdapter(Positive),
    Money(1),
    Text("least sum of a manager's payment", "наименьшая сумма платежа менеджера"),
)
PAYMENT_MAX: Final = Policy(
    "payment_max",
    TypeAdapter(Positive),
    Money(100_000_000),
    Text("greatest sum of a manager's payment", "наибольшая сумма платежа менеджера"),
)
DISTRIBUTE: Final = Policy(
    "distribute_to_subordinates",
    TypeAdapter(Flag),
    True,
    Text(
        "money on a main contract covers the debts of those below it",
        "деньги на главном договоре гасят долги подчинённых",
    ),
)
RECOMMENDED: Final = Policy(
    "recommended",
    TypeAdapter(Recommended),
    Recommended(),
    Text("how the recommended payment is computed", "как считается рекомендуемый платёж"),
    ("group",),
)
PROMISE: Final = Policy(
    "promise",
    TypeAdapter(PromiseRule),
    PromiseRule(),
    Text("who may promise to pay, and how much", "кому и сколько можно обещать заплатить"),
    ("group",),
)
BLOCK: Final = Policy(
    "block",
    TypeAdapter(BlockRule),
    BlockRule(),
    Text("when a contract is cut off", "когда договор блокируется"),
    ("group",),
)
BLOCK_CALENDAR: Final = Policy(
    "block_calendar",
    TypeAdapter(BlockCalendar),
    BlockCalendar(),
    Text("when nobody is cut off", "когда никого не блокируют"),
)
EXPORT_ENCODING: Final = Policy[Literal["utf-8", "cp1251"]](
    "export_encoding",
    TypeAdapter(Literal["utf-8", "cp1251"]),
    "utf-8",
    Text("encoding of CSV files", "кодировка файлов CSV"),
    ("manager",),
)

ALL: Final[tuple[Policy[Any], ...]] = (
    *(VAT, CLOSED_BEFORE, PAYMENTS_CHANGEABLE, CASH_ONLY_TODAY, DOCUMENT_MASK),
    *(DEFAULT_CATEGORY, TRANSFER_CATEGORY, PAYMENT_MIN, PAYMENT_MAX, DISTRIBUTE),
    *(RECOMMENDED, PROMISE, BLOCK, BLOCK_CALENDAR, EXPORT_ENCODING),
)
BY_NAME: Final = {policy.name: policy for policy in ALL}


def of_operator(name: str) -> str:
    """Return the scope of a legal entity."""
    return f"operator:{name}"


def of_group(name: str) -> str:
    """Return the scope of a group of subscribers."""
    return f"group:{name}"


def of_manager(name: str) -> str:
    """Return the scope of a manager."""
    return f"manager:{name}"
