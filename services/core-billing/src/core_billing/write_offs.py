"""Debt write-off: what a contract owes is given up, in whole or in part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from core_billing import accounts, categories, operations, revisions
from core_billing.accounts import Kept
from core_billing.categories import CATEGORY_UNKNOWN
from core_billing.correction_refusals import REASON_MISSING
from core_billing.drafts import Part, Payment
from core_billing.revisions import By
from core_billing.rules import Rules
from shared.db import Tx
from shared.errors import Refusal
from shared.money import Money

NO_DEBT: Final = Refusal(
    "no_debt",
    409,
    "The contract {number} owes nothing: its balance is {balance}",
    "Договор {number} ничего не должен: на нём {balance}",
)
ABOVE_DEBT: Final = Refusal(
    "above_debt",
    422,
    "The contract {number} owes {debt}: write off no more than that",
    "Долг договора {number} - {debt}: списать больше нельзя",
    "amount",
)
AMOUNT_ZERO: Final = Refusal(
    "amount_zero",
    422,
    "The sum must be above zero; without one the whole debt is written off",
    "Сумма должна быть больше нуля; без неё списывается весь долг",
    "amount",
)
AMOUNT_NEGATIVE: Final = Refusal("amount_negative", 422, AMOUNT_ZERO.en, AMOUNT_ZERO.ru, "amount")
REFUSALS: Final = (
    *(NO_DEBT, ABOVE_DEBT, AMOUNT_ZERO, AMOUNT_NEGATIVE),
    *(REASON_MISSING, CATEGORY_UNKNOWN),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a manager wants written off."""

    amount_kopecks: int | None
    """None for the whole debt."""
    category: int
    reason: str


@dataclass(frozen=True, slots=True)
class Written:
    """What has been written off, and the balance it left."""

    payment_id: int
    amount_kopecks: int
    balance_kopecks: int


async def write_off(tx: Tx, rules: Rules, number: str, wanted: Wanted, by: By) -> Written:
    """Give up what an existing contract owes: all of it, or an amount.

    A closed contract's debt is written off like any other. Raises the refusals of this module.
    """
    name = accounts.of_contract(number)
    kept = (await accounts.lock(tx, [name]))[name]
    if not wanted.reason:
        raise REASON_MISSING()
    amount = checked(number, kept, wanted.amount_kopecks)
    await categories.require(tx, wanted.category)
    shares = ((number, amount),)
    payment = Payment(
        accounts.WRITE_OFF, uuid4().hex, amount, shares, by.at, category=wanted.category
    )
    parts = [Part(1, name, amount)]
    receipt = await operations.carry_out(tx, rules, payment, parts, by.at, by.correlation_id)
    if receipt is None:
        raise AssertionError("unreachable: a fresh id is unknown")
    await revisions.add(tx, receipt.payment_id, revisions.WRITE_OFF, wanted.reason, by)
    return Written(receipt.payment_id, amount, receipt.credits[0].balance_kopecks)


def checked(number: str, kept: Kept, wanted: int | None) -> int:
    """Return the kopecks to write off of a locked contract; raise where it owes less."""
    debt = max(0, -kept.kopecks)
    if debt == 0:
        raise NO_DEBT(number=number, balance=Money(kept.kopecks))
    if wanted is None:
        return debt
    if wanted == 0:
        raise AMOUNT_ZERO()
    if wanted < 0:
        raise AMOUNT_NEGATIVE()
    if wanted > debt:
        raise ABOVE_DEBT(number=number, debt=Money(debt))
    return wanted
