"""A manager changes the terms of a contract: what may be asked, and who is told of whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from core_billing import accounts, contracts, policy_rows, terms
from core_billing.contracts import Contract
from core_billing.policies import PROMISE, of_group
from core_billing.revisions import By, shown
from core_billing.rules import Rules
from core_billing.terms import Terms
from shared.db import Tx
from shared.errors import Refusal, SaldoError

SUBORDINATES_MAX: Final = 1000
"""Below one main contract: a payment onto it looks at all of them."""
SIGNED_FIRST: Final = date(1990, 1, 1)
"""No contract is older: there was nobody to sign it with."""

MAIN_UNKNOWN: Final = Refusal(
    "main_unknown",
    422,
    "There is no contract {number}: name an existing one as the main contract",
    "Договора {number} нет: укажите главным существующий",
    "main",
)
MAIN_IS_ITSELF: Final = Refusal(
    "main_is_itself",
    422,
    "A contract is not its own main contract: name another one, or null for none",
    "Договор не может быть главным для себя: укажите другой или null",
    "main",
)
MAIN_IS_SUBORDINATE: Final = Refusal(
    "main_is_subordinate",
    422,
    "{number} is subordinate itself: name the contract above it",
    "{number} сам подчинённый: укажите его главный договор",
    "main",
)
MAIN_OTHER_OPERATOR: Final = Refusal(
    "main_other_operator",
    422,
    "{number} belongs to the legal entity {operator}: money does not pass between two",
    "{number} принадлежит юридическому лицу {operator}: деньги между ними не переходят",
    "main",
)
HAS_SUBORDINATES: Final = Refusal(
    "has_subordinates",
    409,
    "{number} is a main contract itself: free those below it first, there is one level only",
    "{number} сам главный: сначала отвяжите подчинённые, уровень только один",
)
TOO_MANY_SUBORDINATES: Final = Refusal(
    "too_many_subordinates",
    409,
    "{number} has {max} subordinate contracts already, the most there may be",
    "У {number} уже {max} подчинённых договоров, больше нельзя",
)
PROMISE_NOT_ALLOWED: Final = Refusal(
    "automatic_promise_not_allowed",
    422,
    "The setting promise of the group {group} allows no automatic promises",
    "Настройка promise группы {group} не разрешает автоматические обещанные платежи",
    "automatic_promise",
)
SIGNED_ON_OUT_OF_RANGE: Final = Refusal(
    "signed_on_out_of_range",
    422,
    "The contract was signed on a day from {first} to {last}: correct the day",
    "Договор подписан не раньше {first} и не позже {last}: исправьте дату",
    "signed_on",
)
CONFLICT: Final = Refusal(
    "terms_conflict",
    409,
    "{manager} has changed these terms at {at} (revision {revision}): look at them again",
    "{manager} изменил эти условия {at} (версия {revision}): посмотрите их снова",
)
REFUSALS: Final = (
    *(MAIN_UNKNOWN, MAIN_IS_ITSELF, MAIN_IS_SUBORDINATE, MAIN_OTHER_OPERATOR),
    *(HAS_SUBORDINATES, TOO_MANY_SUBORDINATES, PROMISE_NOT_ALLOWED),
    *(SIGNED_ON_OUT_OF_RANGE, CONFLICT),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to become of a contract's terms; what is not named stays."""

    fields: Mapping[str, Any]
    """Fields of `Terms` that need no contract to be looked up."""
    names_main: bool = False
    main: str | None = None
    """The number of the main contract; None with `names_main` for none."""


async def change(
    tx: Tx, rules: Rules, contract: Contract, seen: int, wanted: Wanted, by: By
) -> Terms:
    """Keep what is wanted as the next revision of a contract's terms, and return it.

    `seen` is the revision the manager has looked at. Raises the refusals of this module.
    """
    # Both stay locked: so no two can make each a subordinate of the other.
    numbers = [contract.number, *([wanted.main] if wanted.main else [])]
    await accounts.lock(tx, {accounts.of_contract(number) for number in numbers})
    before = await terms.find(tx, contract.id)
    if before.revision != seen:
        raise _conflict(rules, before)
    said = {"revision": seen + 1, "changed_by": by.manager, "changed_at": by.at}
    _check_signed_on(wanted.fields.get("signed_on"), rules.day(by.at))
    now = replace(before, **{**wanted.fields, **said})
    if wanted.names_main:
        main_id = None if wanted.main is None else await _main(tx, contract, wanted.main)
        now = replace(now, main_id=main_id)
    if wanted.fields.get("automatic_promise"):
        await _check_promise(tx, rules, now, by)
    await terms.put(tx, now)
    if now.main_id is not None:
        await accounts.tie(tx, now.main_id)
    return now


async def _main(tx: Tx, contract: Contract, number: str) -> int:
    """Return the id of the contract that may be the main one of another."""
    if number == contract.number:
        raise MAIN_IS_ITSELF()
    main = await contracts.find(tx, number)
    if main is None:
        raise MAIN_UNKNOWN(number=number)
    if main.operator != contract.operator:
        raise MAIN_OTHER_OPERATOR(number=number, operator=main.operator)
    if (await terms.find(tx, main.id)).main_id is not None:
        raise MAIN_IS_SUBORDINATE(number=number)
    if await terms.subordinates(tx, contract.id):
        raise HAS_SUBORDINATES(number=contract.number)
    if await terms.subordinates(tx, main.id) >= SUBORDINATES_MAX:
        raise TOO_MANY_SUBORDINATES(number=number, max=SUBORDINATES_MAX)
    return main.id


def _check_signed_on(day: date | None, today: date) -> None:
    if day is not None and not SIGNED_FIRST <= day <= today:
        first, last = f"{SIGNED_FIRST:%d.%m.%Y}", f"{today:%d.%m.%Y}"
        raise SIGNED_ON_OUT_OF_RANGE(first=first, last=last)


async def _check_promise(tx: Tx, rules: Rules, now: Terms, by: By) -> None:
    group = of_group(now.group_name)
    policies = await policy_rows.load(tx, rules.day(by.at), group)
    if not policies.get(PROMISE, group).automatic:
        raise PROMISE_NOT_ALLOWED(group=now.group_name)


def _conflict(rules: Rules, before: Terms) -> SaldoError:
    at = "" if before.changed_at is None else shown(rules, before.changed_at)
    return CONFLICT(manager=before.changed_by, at=at, revision=before.revision)
