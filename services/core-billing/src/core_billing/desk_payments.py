"""Taking a single payment at the desk: checked, let through the one door, and noted beside it."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import uuid4

from core_billing import accounts, categories, desk, desk_rules, payments, policy_rows
from core_billing.categories import CATEGORY_UNKNOWN
from core_billing.contracts import Contract
from core_billing.desk import Note
from core_billing.desk_rules import CASH, Wanted
from core_billing.drafts import Payment
from core_billing.payments import Arrival
from core_billing.policies import DEFAULT_CATEGORY, of_manager, of_operator
from core_billing.policy_rows import Policies
from core_billing.rules import Rules
from shared.db import Tx
from shared.errors import Refusal, SaldoError

CONTRACT_CLOSED: Final = Refusal(
    "contract_closed",
    409,
    "The contract {number} is closed: name an open one",
    "Договор {number} закрыт: укажите действующий",
    "contract",
)
RECEIPT_TAKEN: Final = Refusal(
    "receipt_taken",
    409,
    "The receipt {number} belongs to payment {payment}, taken by {manager} at {when}",
    "Квитанция {number} уже у платежа {payment}, его принял(а) {manager} {when}",
    "receipt_number",
)
REFUSALS: Final = (*desk_rules.REFUSALS, CONTRACT_CLOSED, RECEIPT_TAKEN, CATEGORY_UNKNOWN)


async def take(
    tx: Tx,
    rules: Rules,
    contract: Contract,
    wanted: Wanted,
    manager: str,
    at: datetime,
    correlation_id: str,
) -> tuple[Payment, Note]:
    """Post a manager's payment with all that follows, and note its document beside it.

    Raises one of `REFUSALS`. The contract stays locked until the transaction ends.
    """
    payment = await _checked(tx, rules, contract, wanted, manager, at)
    [receipt] = await payments.apply_payments(tx, rules, [Arrival(payment, correlation_id)], at)
    if receipt is None or not receipt.credits:
        raise AssertionError("the contract was locked and open, and money at a desk is never early")
    note = Note(
        payment_id=receipt.payment_id,
        receipt_number=wanted.receipt_number,
        payment_order_number=wanted.payment_order_number,
        comment=wanted.comment,
        manager=manager,
        operator=contract.operator,
    )
    if not await desk.add(tx, note):
        # Another manager has used this number since we looked.
        raise await _taken(tx, rules, wanted.receipt_number or "")
    return payment, note


async def _checked(
    tx: Tx, rules: Rules, contract: Contract, wanted: Wanted, manager: str, at: datetime
) -> Payment:
    """Return the payment as it will be posted, its contract locked."""
    scopes = of_operator(contract.operator), of_manager(manager)
    policies = await policy_rows.load(tx, rules.day(at), *scopes)
    desk_rules.check_document(policies, wanted)
    paid_at = desk_rules.paid_at(policies, rules, wanted, contract.operator, at)
    category = await _category(tx, policies, wanted, manager)
    if wanted.receipt_number is not None and await desk.find_receipt(tx, wanted.receipt_number):
        raise await _taken(tx, rules, wanted.receipt_number)
    cash = wanted.method == CASH
    source = accounts.CASH + manager if cash else accounts.BANK + contract.operator
    # As with other payments the contract is locked last: from then on others wait for us.
    await accounts.sources(tx, [source])
    name = accounts.of_contract(contract.number)
    kept = (await accounts.lock(tx, [name]))[name]
    if not kept.open:
        raise CONTRACT_CLOSED(number=contract.number)
    kopecks = desk_rules.amount_kopecks(policies, wanted, kept.kopecks)
    return Payment(
        source=source,
        external_id=uuid4().hex,
        amount_kopecks=kopecks,
        allocations=((contract.number, kopecks),),
        paid_at=paid_at,
        method=wanted.method,
        category=category,
    )


async def _category(tx: Tx, policies: Policies, wanted: Wanted, manager: str) -> int:
    if wanted.category is None:
        return policies.get(DEFAULT_CATEGORY, of_manager(manager))
    return (await categories.require(tx, wanted.category)).id


async def _taken(tx: Tx, rules: Rules, number: str) -> SaldoError:
    first = await desk.find_receipt(tx, number)
    if first is None:
        raise AssertionError("a number that is refused as taken has its payment")
    when = f"{first.registered_at.astimezone(rules.zone):%d.%m.%Y %H:%M}"
    return RECEIPT_TAKEN(number=number, payment=first.payment_id, manager=first.manager, when=when)
