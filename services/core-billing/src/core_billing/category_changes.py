"""Making, changing and deleting payment categories, and what is refused.

Every change locks the categories, so that of two managers the second sees what the first has done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from core_billing import categories, policy_rows
from core_billing.categories import BUILT_IN, CATEGORY_UNKNOWN, Category
from core_billing.policies import DEFAULT_CATEGORY, TRANSFER_CATEGORY
from core_billing.rules import Rules
from shared.db import Tx
from shared.errors import Refusal, SaldoError

CATEGORY_BUILT_IN: Final = Refusal(
    "category_built_in",
    409,
    "Category 0 is built in: it is neither deleted nor renamed",
    "Категория 0 встроенная: её нельзя удалить или переименовать",
)
CATEGORY_NAME_TAKEN: Final = Refusal(
    "category_name_taken",
    409,
    "Category {id} is called {name} already: choose another name",
    "Название «{name}» уже у категории {id}: выберите другое",
    "name",
)
CATEGORY_CODE_TAKEN: Final = Refusal(
    "category_code_taken",
    409,
    "Category {id} ({name}) has this code already: choose another code",
    "Этот код уже у категории {id} («{name}»): выберите другой",
    "external_code",
)
CATEGORY_IN_USE_AS_DEFAULT: Final = Refusal(
    "category_in_use_as_default",
    409,
    "The setting {setting} ({scope}) names this category: change the setting first",
    "Категорию называет настройка {setting} ({scope}): сначала измените настройку",
)
CATEGORY_CONFLICT: Final = Refusal(
    "category_conflict",
    409,
    "{manager} has changed the category at {when} (revision {revision}): look at it again",
    "{manager} изменил(а) категорию {when} (версия {revision}): посмотрите её снова",
)
SAYING: Final = (CATEGORY_NAME_TAKEN, CATEGORY_CODE_TAKEN)
CHANGING: Final = (*SAYING, CATEGORY_UNKNOWN, CATEGORY_BUILT_IN, CATEGORY_CONFLICT)
DELETING: Final = (
    *(CATEGORY_UNKNOWN, CATEGORY_BUILT_IN, CATEGORY_IN_USE_AS_DEFAULT, CATEGORY_CONFLICT),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a manager says about a category; what is left out stays."""

    name: str
    said: Mapping[str, Any]
    """Its description and its code of 1C, those that were said."""


async def create(tx: Tx, wanted: Wanted, actor: str, at: datetime) -> Category:
    """Make a category; raises one of `SAYING`."""
    await categories.lock(tx)
    made = Category(-1, wanted.name, "", None, 1, actor, at)
    made = replace(made, **dict(wanted.said))
    await _refuse_same(tx, made)
    return await categories.add(tx, made)


async def change(
    tx: Tx, rules: Rules, category_id: int, seen: int, wanted: Wanted, actor: str, at: datetime
) -> Category:
    """Say a category anew, whose revision the caller has seen; raises one of `CHANGING`."""
    before = await _locked(tx, rules, category_id, seen)
    if before.id == BUILT_IN and wanted.name != before.name:
        raise replace(CATEGORY_BUILT_IN, field="name")()
    now = replace(
        before,
        name=wanted.name,
        revision=before.revision + 1,
        changed_by=actor,
        changed_at=at,
        **dict(wanted.said),
    )
    await _refuse_same(tx, now)
    await categories.put(tx, now)
    return now


async def delete(
    tx: Tx, rules: Rules, category_id: int, seen: int, actor: str, at: datetime
) -> Category:
    """Take a category out of use, whose revision the caller has seen; raises one of `DELETING`."""
    if category_id == BUILT_IN:
        raise CATEGORY_BUILT_IN()
    before = await _locked(tx, rules, category_id, seen)
    names = (DEFAULT_CATEGORY.name, TRANSFER_CATEGORY.name)
    for kept in await policy_rows.in_force(tx, names, rules.day(at)):
        if kept.value == category_id:
            raise CATEGORY_IN_USE_AS_DEFAULT(setting=kept.name, scope=kept.scope or "everybody")
    now = replace(
        before, revision=before.revision + 1, changed_by=actor, changed_at=at, deleted_at=at
    )
    await categories.put(tx, now)
    return now


async def _locked(tx: Tx, rules: Rules, category_id: int, seen: int) -> Category:
    await categories.lock(tx)
    found = (await categories.find_all(tx, [category_id])).get(category_id)
    if found is None:
        raise CATEGORY_UNKNOWN(id=category_id)
    if found.revision != seen and found.changed_at is not None:
        raise _conflict(rules, found)
    if found.deleted_at is not None:
        raise CATEGORY_UNKNOWN(id=category_id)
    return found


async def _refuse_same(tx: Tx, one: Category) -> None:
    same = await categories.find_same(tx, one)
    if same is None:
        return
    refusal = CATEGORY_NAME_TAKEN if same.name == one.name else CATEGORY_CODE_TAKEN
    raise refusal(id=same.id, name=same.name)


def _conflict(rules: Rules, by: Category) -> SaldoError:
    when = "" if by.changed_at is None else f"{by.changed_at.astimezone(rules.zone):%d.%m.%Y %H:%M}"
    return CATEGORY_CONFLICT(manager=by.changed_by, when=when, revision=by.revision)
