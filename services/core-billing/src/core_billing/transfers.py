"""Transfers: a manager moves any sum from one contract to another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import uuid4

from core_billing import accounts, categories, operations, policy_rows, revisions
from core_billing.accounts import Kept
from core_billing.categories import CATEGORY_UNKNOWN
from core_billing.drafts import Part, Payment
from core_billing.policies import TRANSFER_CATEGORY
from core_billing.revisions import By
from core_billing.rules import Rules
from shared.db import Tx
from shared.errors import Refusal
from shared.money import Money

CONTRACT_UNKNOWN: Final = Refusal(
    "contract_unknown",
    422,
    "There is no contract {number}: name an existing one",
    "Договора {number} нет: укажите действующий",
    "from",
)
CLOSED: Final = Refusal(
    "contract_closed",
    422,
    "The contract {number} is closed and takes no money: name an open one",
    "Договор {number} закрыт и денег не принимает: укажите действующий",
    "to",
)
SAME_CONTRACT: Final = Refusal(
    "same_contract",
    422,
    "A transfer goes to another contract: name two different ones",
    "Перенос идёт на другой договор: укажите два разных",
    "to",
)
ABOVE_BALANCE: Final = Refusal(
    "transfer_above_balance",
    422,
    "The contract {number} has {balance}: transfer no more than that",
    "На договоре {number} сейчас {balance}: перенести больше нельзя",
    "amount",
)
AMOUNT_ZERO: Final = Refusal(
    "amount_zero", 422, "The sum must be above zero", "Сумма должна быть больше нуля", "amount"
)
AMOUNT_NEGATIVE: Final = Refusal(
    "amount_negative",
    422,
    "The sum must be above zero: swap the contracts instead",
    "Сумма должна быть больше нуля: поменяйте договоры местами",
    "amount",
)
REFUSALS: Final = (
    *(CONTRACT_UNKNOWN, CLOSED, SAME_CONTRACT, ABOVE_BALANCE),
    *(AMOUNT_ZERO, AMOUNT_NEGATIVE, CATEGORY_UNKNOWN),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a manager wants moved."""

    sender: str
    receiver: str
    amount_kopecks: int
    category: int | None
    """None for that of all transfers, a setting."""
    comment: str


@dataclass(frozen=True, slots=True)
class Transferred:
    """What has been moved, and the balances it left."""

    payment_id: int
    category: int
    sender_kopecks: int
    receiver_kopecks: int


async def transfer(tx: Tx, rules: Rules, wanted: Wanted, by: By) -> Transferred:
    """Move money from one contract to another, and do what follows.

    A closed contract may give, so that its rest is not lost; it must hold what it gives, and its
    credit limit does not count. Raises the refusals of this module.
    """
    _check_amount(wanted)
    sender, receiver = (accounts.of_contract(n) for n in (wanted.sender, wanted.receiver))
    kept = await accounts.lock(tx, {sender, receiver})
    _check_contracts(wanted, kept)
    category = await _category(tx, rules, wanted, by.at)
    payment = Payment(accounts.TRANSFER, uuid4().hex, 0, (), by.at, category=category)
    parts = [Part(1, sender, -wanted.amount_kopecks), Part(2, receiver, wanted.amount_kopecks)]
    receipt = await operations.carry_out(tx, rules, payment, parts, by.at, by.correlation_id)
    if receipt is None:
        raise AssertionError("unreachable: a fresh id is unknown")
    await revisions.add(tx, receipt.payment_id, revisions.TRANSFER, wanted.comment, by)
    left, got = (credit.balance_kopecks for credit in receipt.credits)
    return Transferred(receipt.payment_id, category, left, got)


def _check_amount(wanted: Wanted) -> None:
    if wanted.amount_kopecks == 0:
        raise AMOUNT_ZERO()
    if wanted.amount_kopecks < 0:
        raise AMOUNT_NEGATIVE()
    if wanted.sender == wanted.receiver:
        raise SAME_CONTRACT()


def _check_contracts(wanted: Wanted, kept: Mapping[str, Kept]) -> None:
    sender = kept.get(accounts.of_contract(wanted.sender))
    receiver = kept.get(accounts.of_contract(wanted.receiver))
    if sender is None:
        raise CONTRACT_UNKNOWN(number=wanted.sender)
    if receiver is None:
        raise replace(CONTRACT_UNKNOWN, field="to")(number=wanted.receiver)
    if not receiver.open:
        raise CLOSED(number=wanted.receiver)
    check_balance(wanted.sender, sender, wanted.amount_kopecks)


def check_balance(number: str, sender: Kept, kopecks: int) -> None:
    """Raise where a locked contract does not hold what it is to give."""
    if kopecks > sender.kopecks:
        raise ABOVE_BALANCE(number=number, balance=Money(sender.kopecks))


async def _category(tx: Tx, rules: Rules, wanted: Wanted, at: datetime) -> int:
    if wanted.category is None:
        return (await policy_rows.load(tx, rules.day(at))).get(TRANSFER_CATEGORY)
    await categories.require(tx, wanted.category)
    return wanted.category
