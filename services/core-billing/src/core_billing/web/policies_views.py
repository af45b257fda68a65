"""What the addresses of settings ask and answer, as models."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Final

import orjson
from pydantic import BaseModel, ConfigDict, Field

from core_billing.policies import ALL, Policy, Scope
from core_billing.policy_rows import EVERYBODY, Kept, Policies
from core_billing.policy_values import Day
from core_billing.registration import Line

PAGE_MAX: Final = 200
Name = Annotated[Line, Field(min_length=1, max_length=128)]


def _described(policy: Policy[Any]) -> str:
    """Return what the document says of a setting."""
    whose = f" (everybody's, or by {', '.join(policy.scopes)})" if policy.scopes else ""
    return f"{policy.name}: {policy.text.en} / {policy.text.ru}{whose}"


def _fields(schema: dict[str, Any]) -> str:
    """Name the fields of a value that has some."""
    named = [schema, *schema.get("$defs", {}).values()]
    fields = [name for one in named for name in one.get("properties", {})]
    return f" {{{', '.join(fields)}}}" if fields else ""


def _valued(policy: Policy[Any]) -> str:
    """Return a setting's name, the fields of its value and its default."""
    default = orjson.dumps(policy.write(policy.default)).decode()
    return f"{policy.name}{_fields(policy.kind.json_schema())} {default}"


_NAMES: Final[dict[str, Any]] = {
    "enum": [policy.name for policy in ALL],
    "description": "; ".join(_described(policy) for policy in ALL),
}
_VALUES: Final[dict[str, Any]] = {
    "description": "by name: "
    + "; ".join(_valued(policy) for policy in ALL)
    + ". GET /settings has the schema of each",
}


class Scoped(BaseModel):
    """Whose setting: of an operator, a group or a manager; everybody's where none is named."""

    model_config = ConfigDict(extra="forbid")

    operator: Name | None = None
    group: Name | None = None
    manager: Name | None = None

    def scopes(self) -> tuple[tuple[Scope, str], ...]:
        """Return those that are named."""
        kinds: tuple[Scope, ...] = ("operator", "group", "manager")
        return tuple((kind, name) for kind in kinds if (name := getattr(self, kind)) is not None)


class SettingsQuery(Scoped):
    """Whose values are shown."""


class SettingHistoryQuery(Scoped):
    """Whose changes are shown, and which page of them; all where nobody is named."""

    cursor: Annotated[str, Field(pattern=r"^[0-9]{1,18}$")] | None = None
    limit: int = Field(50, ge=1, le=PAGE_MAX)


class SettingBody(Scoped):
    """A new value and the day from which it holds: today where none is said.

    `revision` is the newest one that the manager has seen for this name and scope.
    """

    name: Annotated[Name, Field(json_schema_extra=_NAMES)]
    value: Annotated[Any, Field(json_schema_extra=_VALUES)]
    valid_from: Day | None = None
    reason: Annotated[Line, Field(max_length=500)] = ""
    revision: Annotated[int, Field(ge=0, lt=2**31)] | None = None


class Sentences(BaseModel):
    """A sentence in both languages."""

    ru: str
    en: str


class SettingChangeView(BaseModel):
    """A change of a setting; `scope` is everybody, or such as operator:main."""

    id: str
    name: str
    scope: str
    revision: int
    value: Any
    valid_from: date
    set_at: datetime
    set_by: str
    reason: str


class SettingView(BaseModel):
    """A setting: `value` holds today for whom it was asked; `scope` says where it comes from.

    `scope` is default, everybody, or such as operator:main. `revision` counts the changes for whom
    it was asked, and `planned` are those that hold only later.
    """

    name: str
    description: Sentences
    value: Any
    scope: str
    default: Any
    scopes: list[str]
    json_schema: dict[str, Any]
    revision: int
    planned: list[SettingChangeView]


class SettingsView(BaseModel):
    """All settings."""

    items: list[SettingView]


class SettingHistoryView(BaseModel):
    """A page of a setting's changes, newest first; `next_cursor` is null on the last one."""

    items: list[SettingChangeView]
    next_cursor: str | None


def setting_view(
    policy: Policy[Any],
    held: Policies,
    planned: list[Kept],
    changed: dict[str, dict[str, int]],
    asked: list[str],
) -> SettingView:
    """Return a setting as it is for those who are asked about."""
    own = [one for one in asked if one.partition(":")[0] in policy.scopes]
    source = next((one for one in (*own, EVERYBODY) if (policy.name, one) in held.kept), None)
    mine = own[0] if own else EVERYBODY
    return SettingView(
        name=policy.name,
        description=Sentences(ru=policy.text.ru, en=policy.text.en),
        value=policy.write(held.get(policy, *own)),
        scope="default" if source is None else _whose(source),
        default=policy.write(policy.default),
        scopes=list(policy.scopes),
        json_schema=policy.schema(),
        revision=changed[mine].get(policy.name, 0),
        planned=[
            change_view(one)
            for one in planned
            if one.name == policy.name and one.scope in (*own, EVERYBODY)
        ],
    )


def change_view(kept: Kept) -> SettingChangeView:
    """Return what is shown of a change."""
    return SettingChangeView(
        id=str(kept.id),
        name=kept.name,
        scope=_whose(kept.scope),
        revision=kept.revision,
        value=kept.value,
        valid_from=kept.valid_from,
        set_at=kept.set_at,
        set_by=kept.set_by,
        reason=kept.reason,
    )


def _whose(scope: str) -> str:
    return scope or "everybody"
