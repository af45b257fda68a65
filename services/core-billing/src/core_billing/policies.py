"""The settings that managers change: what each means, what it may be and what it is by default.

Those of the process stand in the environment (`settings`). These are kept with their history in
`policy_rows`, hold from a day on, and may differ by operator, group of subscribers or manager.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Final, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from core_billing.amounts import TypedMoney
from shared.errors import Text
from shared.gateway.vat import Vat
from shared.money import Money

Value = TypeVar("Value")


class Mode(StrEnum):
    """How the recommended payment is computed, see `recommend`."""

    DEBT = "debt"
    TO_PERIOD_END = "debt_to_period_end"
    NEXT_PERIOD = "debt_plus_next_period"
    N_PERIODS = "n_periods"
    FIXED = "fixed"


class Recommended(BaseModel):
    """How much a subscriber is advised to pay."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Mode = Mode.NEXT_PERIOD
    periods: int = Field(1, ge=1, le=24)
    """For `n_periods`."""
    fixed: TypedMoney = Money(50_000)
    """For `fixed`."""
    surplus: TypedMoney = Money(0)
    """Added where anything is due at all."""
    round_up_to: TypedMoney = Money(100)
    minimum: TypedMoney = Money(100)
    """The least payment that is offered."""


class PromiseRule(BaseModel):
    """Under which conditions a group of subscribers may promise to pay."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by_subscriber: bool = False
    by_manager: bool = True
    automatic: bool = False
    """Whether a contract may opt in to be given one by itself before it is blocked."""
    min: TypedMoney = Money(0)
    max: TypedMoney = Money(0)
    """Both bounds must be above zero, else promises count as not configured."""
    within_fees: bool = False
    """Not more than the largest monthly fee on the contract."""
    debt_limit: TypedMoney | None = None
    """Refused to a contract that owes this much or more."""
    contract_days: int = Field(0, ge=0, le=3650)
    """Days a contract must exist before."""
    days: int = Field(3, ge=1, le=92)
    """Days within which it must be repaid."""
    days_per_year: int = Field(0, ge=0, le=31)
    """Further days for each full year of the contract, for an automatic promise."""
    pause_days: int = Field(0, ge=0, le=365)
    """Days after one that was overdue during which there is no other."""
    per_days: int = Field(0, ge=0, le=366)
    count: int = Field(0, ge=0, le=100)
    """At most `count` in `per_days` days; zero sets no bound."""
    fee: TypedMoney = Money(0)


class BlockMode(StrEnum):
    """When a contract is cut off."""

    BELOW_ZERO = "below_zero"
    AFTER_DAYS = "after_days"
    ABOVE_SUM = "above_sum"
    NEVER = "never"


MonthDay = Annotated[str, Field(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$")]


class BlockRule(BaseModel):
    """When a contract that has run out of money is cut off."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: BlockMode = BlockMode.BELOW_ZERO
    days: int = Field(0, ge=0, le=366)
    """For `after_days`: full days below zero before it is cut off."""
    sum: TypedMoney = Money(0)
    """For `above_sum`: cut off when it lacks more than this."""


class BlockCalendar(BaseModel):
    """When nobody is cut off, and for how little."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = True
    minimum_debt: TypedMoney = Money(0)
    """Who lacks less than this is left alone."""
    weekdays: tuple[Annotated[int, Field(ge=1, le=7)], ...] = Field((), max_length=7)
    """Days of the week on which nobody is cut off: 1 is Monday."""
    dates: tuple[date, ...] = Field((), max_length=400)
    yearly: tuple[MonthDay, ...] = Field((), max_length=366)
    """Days of every year, such as 01-01."""


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


CategoryId = Annotated[int, Field(ge=0, lt=2**31)]

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
    TypeAdapter(date | None),
    None,
    Text(
        "closed period: the first day that a payment may bear",
        "закрытый период: первый день, которым можно датировать платёж",
    ),
    ("operator",),
)
PAYMENTS_CHANGEABLE: Final = Policy(
    "payments_changeable",
    TypeAdapter(bool),
    True,
    Text("may posted payments be corrected", "можно ли исправлять проведённые платежи"),
)
CASH_ONLY_TODAY: Final = Policy(
    "cash_only_today",
    TypeAdapter(bool),
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
    TypeAdapter(TypedMoney),
    Money(1),
    Text("least sum of a manager's payment", "наименьшая сумма платежа менеджера"),
)
PAYMENT_MAX: Final = Policy(
    "payment_max",
    TypeAdapter(TypedMoney),
    Money(100_000_000),
    Text("greatest sum of a manager's payment", "наибольшая сумма платежа менеджера"),
)
DISTRIBUTE: Final = Policy(
    "distribute_to_subordinates",
    TypeAdapter(bool),
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
