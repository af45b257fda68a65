"""What the desk refuses: sums, documents and dates of a manager's payment. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final, Literal

from core_billing.policies import (
    CASH_ONLY_TODAY,
    CLOSED_BEFORE,
    DOCUMENT_MASK,
    PAYMENT_MAX,
    PAYMENT_MIN,
    of_operator,
)
from core_billing.policy_rows import Policies
from core_billing.rules import Rules
from shared.errors import Refusal
from shared.money import Money

Method = Literal["cash", "cashless"]
CASH: Final = "cash"

AMOUNT_OR_TARGET: Final = Refusal(
    "amount_or_target",
    422,
    "Give either the sum of the payment or the balance that it is to make",
    "Укажите либо сумму платежа, либо баланс, который должен получиться",
    "amount",
)
AMOUNT_ZERO: Final = Refusal(
    "amount_zero",
    422,
    "A payment of zero changes nothing: give its sum",
    "Нулевой платёж ничего не меняет: укажите сумму",
    "amount",
)
AMOUNT_NEGATIVE: Final = Refusal(
    "amount_negative",
    422,
    "A payment brings money, and this one would take {taken}: correct the payment that was wrong",
    "Платёж приносит деньги, а этот забрал бы {taken}: исправьте ошибочный платёж",
    "amount",
)
NOTHING_TO_PAY: Final = Refusal(
    "nothing_to_pay",
    422,
    "The balance is {balance} already: there is nothing to pay",
    "Баланс уже {balance}: платить нечего",
    "target_balance",
)
AMOUNT_BELOW_MIN: Final = Refusal(
    "amount_below_min",
    422,
    "{amount} is less than the least payment, {bound}",
    "{amount} меньше наименьшего платежа {bound}",
    "amount",
)
AMOUNT_ABOVE_MAX: Final = Refusal(
    "amount_above_max",
    422,
    "{amount} is more than the greatest payment, {bound}: check the sum, or take it in parts",
    "{amount} больше наибольшего платежа {bound}: проверьте сумму или примите частями",
    "amount",
)
NO_DOCUMENT: Final = Refusal(
    "no_document",
    422,
    "No confirming document: give the number of the receipt or of the payment order",
    "Нет подтверждающего документа: укажите номер квитанции или платёжного поручения",
    "receipt_number",
)
RECEIPT_MASK: Final = Refusal(
    "receipt_mask",
    422,
    "The number of a receipt looks like {mask}, where A is a letter and # a digit",
    "Номер квитанции имеет вид {mask}, где A - буква, а # - цифра",
    "receipt_number",
)
PAID_ON_FUTURE: Final = Refusal(
    "paid_on_future",
    422,
    "Today is {today}: a payment bears no later date",
    "Сегодня {today}: платёж нельзя датировать позже",
    "paid_on",
)
CASH_NOT_TODAY: Final = Refusal(
    "cash_not_today",
    422,
    "Cash is taken with today's date only: {today}",
    "Наличные принимаются только сегодняшним числом: {today}",
    "paid_on",
)
PERIOD_CLOSED: Final = Refusal(
    "period_closed",
    422,
    "The period is closed: the first day that a payment may bear is {first}",
    "Период закрыт: первый день, которым можно датировать платёж, - {first}",
    "paid_on",
)
REFUSALS: Final = (
    *(AMOUNT_OR_TARGET, AMOUNT_ZERO, AMOUNT_NEGATIVE, NOTHING_TO_PAY),
    *(AMOUNT_BELOW_MIN, AMOUNT_ABOVE_MAX, NO_DOCUMENT, RECEIPT_MASK),
    *(PAID_ON_FUTURE, CASH_NOT_TODAY, PERIOD_CLOSED),
)

_KINDS: Final[dict[str, Callable[[str], bool]]] = {
    "A": lambda sign: sign.isalpha() and _is_latin_or_cyrillic(sign),
    "#": lambda sign: sign.isascii() and sign.isdigit(),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A payment as a manager writes it down."""

    contract: str
    amount_kopecks: int | None
    target_kopecks: int | None
    """The balance that the payment is to make, where its sum is not said."""
    method: Method
    receipt_number: str | None
    payment_order_number: str | None
    category: int | None
    paid_on: date | None
    comment: str


def fits(mask: str, number: str) -> bool:
    """Say whether a document's number fits a mask; an empty one lets anything through.

    ``A`` is a Latin or Cyrillic letter, ``#`` a digit, any other character stands for itself.
    """
    if not mask:
        return True
    return len(mask) == len(number) and all(
        _KINDS[kind](sign) if kind in _KINDS else kind == sign
        for kind, sign in zip(mask, number, strict=True)
    )


def _is_latin_or_cyrillic(sign: str) -> bool:
    return sign.isascii() or "Ѐ" <= sign <= "ӿ"


def check_document(policies: Policies, wanted: Wanted) -> None:
    """Raise `no_document` or `receipt_mask`."""
    if wanted.receipt_number is None:
        if wanted.payment_order_number is None:
            raise NO_DOCUMENT()
        return
    mask = policies.get(DOCUMENT_MASK)
    if not fits(mask, wanted.receipt_number):
        raise RECEIPT_MASK(mask=mask)


def paid_at(
    policies: Policies, rules: Rules, wanted: Wanted, operator: str, at: datetime
) -> datetime:
    """Return when the payment was made: now, or on its own day at the clock time of now.

    Raises `paid_on_future`, `cash_not_today` or `period_closed`.
    """
    today = rules.day(at)
    day = wanted.paid_on or today
    if day > today:
        raise PAID_ON_FUTURE(today=today)
    if day != today and wanted.method == CASH and policies.get(CASH_ONLY_TODAY):
        raise CASH_NOT_TODAY(today=today)
    first = policies.get(CLOSED_BEFORE, of_operator(operator))
    if first is not None and day < first:
        raise PERIOD_CLOSED(first=first)
    if day == today:
        return at
    clock = at.astimezone(rules.zone).timetz().replace(tzinfo=None)
    return datetime.combine(day, clock, rules.zone).astimezone(UTC)


def amount_kopecks(policies: Policies, wanted: Wanted, balance_kopecks: int) -> int:
    """Return the sum of the payment, given the locked balance.

    Raises `amount_or_target`, `nothing_to_pay`, `amount_zero`, `amount_negative`,
    `amount_below_min` or `amount_above_max`.
    """
    kopecks = wanted.amount_kopecks
    if (kopecks is None) == (wanted.target_kopecks is None):
        raise AMOUNT_OR_TARGET()
    if wanted.target_kopecks is not None:
        kopecks = wanted.target_kopecks - balance_kopecks
        if kopecks == 0:
            raise NOTHING_TO_PAY(balance=Money(balance_kopecks))
    amount = Money(kopecks or 0)
    if amount.kopecks == 0:
        raise AMOUNT_ZERO()
    if amount.kopecks < 0:
        raise AMOUNT_NEGATIVE(taken=-amount)
    least, greatest = policies.get(PAYMENT_MIN), policies.get(PAYMENT_MAX)
    if amount < least:
        raise AMOUNT_BELOW_MIN(amount=amount, bound=least)
    if amount > greatest:
        raise AMOUNT_ABOVE_MAX(amount=amount, bound=greatest)
    return amount.kopecks
