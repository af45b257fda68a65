"""Changing a setting: what is refused, and the row that is written.

A change holds from today or from a later day: what was done under an earlier value stays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final

from pydantic import ValidationError

from core_billing import categories, policy_rows
from core_billing.policies import (
    BY_NAME,
    CLOSED_BEFORE,
    DEFAULT_CATEGORY,
    PAYMENT_MAX,
    PAYMENT_MIN,
    TRANSFER_CATEGORY,
    Policy,
    Scope,
)
from core_billing.policy_rows import EVERYBODY, Kept
from core_billing.rules import Rules
from shared.complaints import complaint
from shared.db import Tx
from shared.errors import FieldError, Refusal, SaldoError

SETTING_UNKNOWN: Final = Refusal(
    "setting_unknown",
    404,
    "There is no setting {name}: look at the list",
    "Настройки {name} нет: посмотрите список",
    "name",
)
SETTING_WRONG_VALUE: Final = Refusal(
    "setting_wrong_value",
    422,
    "The setting {name} cannot have this value: {complaint}",
    "У настройки {name} не может быть такого значения: {complaint}",
    "value",
)
SETTING_IN_PAST: Final = Refusal(
    "setting_in_past",
    422,
    "A setting changes from today ({today}) or later: what was done before stays",
    "Настройка меняется с сегодняшнего дня ({today}) или позже: сделанное раньше остаётся",
    "valid_from",
)
SETTING_SCOPE: Final = Refusal(
    "setting_scope",
    422,
    "The setting {name} may stand for: everybody{allowed}; choose one of them",
    "Настройка {name} может быть задана для: всех (everybody){allowed}; выберите одно",
    "scope",
)
SETTING_CONFLICT: Final = Refusal(
    "setting_conflict",
    409,
    "{manager} has changed {name} at {when} (revision {revision}): look at it and try again",
    "{manager} изменил(а) {name} {when} (версия {revision}): посмотрите и повторите",
)
SETTING_CONTRADICTS: Final = Refusal(
    "setting_contradicts",
    422,
    "payment_min would be {min} and payment_max {max}: no sum would be between them",
    "payment_min станет {min}, а payment_max {max}: между ними нет ни одной суммы",
    "value",
)
PERIOD_IN_FUTURE: Final = Refusal(
    "closed_before_in_future",
    422,
    "The first day open may be {today} at the latest: later than that no payment could be taken",
    "Первым открытым днём может быть самое позднее {today}: иначе не принять ни одного платежа",
    "value",
)
REFUSALS: Final = (
    *(SETTING_CONTRADICTS, PERIOD_IN_FUTURE),
    *(SETTING_UNKNOWN, SETTING_WRONG_VALUE, SETTING_IN_PAST, SETTING_SCOPE, SETTING_CONFLICT),
    categories.CATEGORY_UNKNOWN,
)
_COMPLAINTS_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class Change:
    """What a manager wants a setting to be."""

    name: str
    value: Any
    """As JSON has it."""
    scopes: tuple[tuple[Scope, str], ...]
    """Whose it is to be; none for everybody."""
    valid_from: date | None
    reason: str
    revision: int
    """The newest one that the manager has seen; zero where there was none."""


def known(name: str) -> Policy[Any]:
    """Return the setting of a name; raises `setting_unknown`."""
    if name not in BY_NAME:
        raise SETTING_UNKNOWN(name=name)
    return BY_NAME[name]


def scope_of(policy: Policy[Any], scopes: tuple[tuple[Scope, str], ...]) -> str:
    """Return the one scope that is meant; raises `setting_scope` for one it may not have."""
    if not scopes:
        return EVERYBODY
    kind, name = scopes[0]
    if len(scopes) > 1 or kind not in policy.scopes:
        allowed = "".join(f", {one}" for one in policy.scopes)
        raise replace(SETTING_SCOPE, field=kind)(name=policy.name, allowed=allowed)
    return f"{kind}:{name}"


async def apply(tx: Tx, rules: Rules, change: Change, actor: str, at: datetime) -> Kept:
    """Write a change of a setting; raises one of `REFUSALS`."""
    policy = known(change.name)
    scope = scope_of(policy, change.scopes)
    today = rules.day(at)
    valid_from = change.valid_from or today
    if valid_from < today:
        raise SETTING_IN_PAST(today=today)
    value = _read(policy, change.value)
    if policy is CLOSED_BEFORE and value is not None and value > valid_from:
        raise PERIOD_IN_FUTURE(today=valid_from)
    if policy in (PAYMENT_MIN, PAYMENT_MAX):
        await _refuse_empty_range(tx, policy, value, valid_from)
    if policy in (DEFAULT_CATEGORY, TRANSFER_CATEGORY):
        await categories.lock(tx)
        await categories.require(tx, value, "value")
    before = await policy_rows.newest(tx, policy.name, scope)
    if before is not None and before.revision != change.revision:
        raise _conflict(rules, before)
    kept = Kept(
        id=0,
        name=policy.name,
        scope=scope,
        revision=(0 if before is None else before.revision) + 1,
        valid_from=valid_from,
        value=policy.write(value),
        set_at=at,
        set_by=actor,
        reason=change.reason,
    )
    added = await policy_rows.add(tx, kept)
    if added is None:
        # Somebody else's row has appeared since `before` was read.
        raise _conflict(rules, await policy_rows.newest(tx, policy.name, scope) or kept)
    return added


async def _refuse_empty_range(tx: Tx, policy: Policy[Any], value: Any, valid_from: date) -> None:
    """Raise `setting_contradicts` where no sum would be left between the least and the greatest."""
    held = await policy_rows.load(tx, valid_from)
    least = value if policy is PAYMENT_MIN else held.get(PAYMENT_MIN)
    most = value if policy is PAYMENT_MAX else held.get(PAYMENT_MAX)
    if least > most:
        raise SETTING_CONTRADICTS(min=least, max=most)


def _read(policy: Policy[Any], raw: Any) -> Any:
    try:
        return policy.read(raw)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[:_COMPLAINTS_MAX]
        raise _wrong(
            policy, [complaint({**item, "loc": _within(item)}) for item in found]
        ) from error


def _within(item: Any) -> tuple[str | int, ...]:
    return ("value", *(part for part in item["loc"] if part not in ("function-after", "union")))


def _wrong(policy: Policy[Any], fields: list[FieldError]) -> SaldoError:
    said = fields[0]
    error = SETTING_WRONG_VALUE(name=policy.name, complaint=f"{said.field}: {said.text.en}")
    ru = SETTING_WRONG_VALUE.ru.format(name=policy.name, complaint=f"{said.field}: {said.text.ru}")
    error.detail = error.detail._replace(ru=ru)
    error.fields = tuple(replace(one, code=SETTING_WRONG_VALUE.code) for one in fields)
    return error


def _conflict(rules: Rules, by: Kept) -> SaldoError:
    when = f"{by.set_at.astimezone(rules.zone):%d.%m.%Y %H:%M}"
    return SETTING_CONFLICT(manager=by.set_by, name=by.name, when=when, revision=by.revision)
