"""Terms of a contract: addresses."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Final, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from core_billing import contracts, terms, terms_changes
from core_billing.contracts import Contract
from core_billing.policies import BlockRule
from core_billing.policy_values import Day
from core_billing.registration import Line, Number, is_number
from core_billing.revisions import By
from core_billing.terms import Terms
from core_billing.watch_rows import DAYS_MAX
from core_billing.web.acting import Act, CheckView, Do, Done, perform, rehearse
from core_billing.web.base import CONTRACT_UNKNOWN, CORE, api, existing
from core_billing.web.corrections_views import RevisionNumber
from shared import api as apis
from shared.db import Tx, reading

Charging = Literal["advance", "credit", "mixed"]
_REFUSALS: Final = (CONTRACT_UNKNOWN, *terms_changes.REFUSALS)
_COLUMNS: Final = {
    "group": "group_name",
    "charging": "charging",
    "priority": "priority",
    "automatic_promise": "automatic_promise",
    "signed_on": "signed_on",
    "low_balance_days": "low_balance_days",
}


class TermsChange(BaseModel):
    """What is to change; fields that are left out stay as they are.

    `block` null takes the rule of the group again, `main` null frees the contract, and
    `low_balance_days` null takes the operator's number again. `revision` is
    the one you have looked at; without it, the one that stands when you ask.
    """

    model_config = ConfigDict(extra="forbid")

    group: Annotated[Line, Field(min_length=1, max_length=64)] | None = None
    charging: Charging | None = None
    block: BlockRule | None = None
    main: Number | None = None
    priority: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Among the subordinates of one main contract: 1 is filled first."""
    automatic_promise: bool | None = None
    signed_on: Day | None = None
    """The day the contract was signed, where the billing before us had it: promises go by it.

    From 1990-01-01 to today.
    """
    low_balance_days: Annotated[int, Field(ge=0, le=DAYS_MAX)] | None = None
    """How many days before a block the subscriber hears of it; 0 is not at all."""
    revision: RevisionNumber | None = None


class TermsView(BaseModel):
    """The terms of a contract; revision 0 are those of everybody."""

    contract: str
    revision: int
    group: str
    charging: str
    block: BlockRule | None
    main: str | None
    priority: int
    automatic_promise: bool
    signed_on: date | None
    low_balance_days: int | None
    changed_by: str | None
    changed_at: datetime | None


@api.get(
    "/contracts/{number}/terms",
    answers={200: TermsView},
    scope="contracts:read",
    summary="A contract's group, charging, block rule, main contract and automatic promise",
    refusals=(CONTRACT_UNKNOWN,),
)
async def show_terms(request: web.Request) -> web.Response:
    """Answer with the terms as they stand."""
    async with reading(request.app[CORE].db) as tx:
        contract = await existing(tx, request.match_info["number"])
        view = await _view(tx, contract, await terms.find(tx, contract.id))
    return apis.answer(view)


@api.post(
    "/contracts/{number}/terms",
    body=TermsChange,
    answers={200: TermsView},
    scope="contracts:edit",
    summary="Change the terms of a contract",
    refusals=_REFUSALS,
)
async def change_terms(request: web.Request, asked: TermsChange) -> web.Response:
    """Keep the next revision of a contract's terms."""
    said = asked.model_dump(mode="json", exclude_unset=True)
    return await perform(request, "terms.change", asked, await _changing(request, asked), said)


@api.post(
    "/contracts/{number}/terms/check",
    body=TermsChange,
    answers={200: CheckView[TermsView]},
    scope="contracts:edit",
    summary="What a change of terms would make, or which rule forbids it",
    refusals=_REFUSALS,
)
async def check_terms(request: web.Request, asked: TermsChange) -> web.Response:
    """Answer what the change would make; nothing is written."""
    return await rehearse(request, await _changing(request, asked))


async def _changing(request: web.Request, asked: TermsChange) -> Do:
    number = request.match_info["number"]
    async with reading(request.app[CORE].db) as tx:
        found = await contracts.find(tx, number) if is_number(number) else None
        stood = None if found is None else await terms.find(tx, found.id)
    seen = asked.revision
    if seen is None:  # what stands now is what the caller means, whoever comes first
        seen = 0 if stood is None else stood.revision

    async def do(tx: Tx, act: Act) -> Done:
        contract = await existing(tx, number)
        by = By(act.actor, act.at, act.correlation_id)
        rules, wanted = act.core.rules, _wanted(asked)
        now = await terms_changes.change(tx, rules, contract, seen, wanted, by)
        return Done(await _view(tx, contract, now), f"contract:{number}", 200)

    return do


def _wanted(asked: TermsChange) -> terms_changes.Wanted:
    given = {name: getattr(asked, name) for name in _COLUMNS}
    fields: dict[str, Any] = {_COLUMNS[n]: value for n, value in given.items() if value is not None}
    if "low_balance_days" in asked.model_fields_set:
        fields["low_balance_days"] = asked.low_balance_days
    if "block" in asked.model_fields_set:
        fields["block_rule"] = None if asked.block is None else asked.block.model_dump(mode="json")
    return terms_changes.Wanted(fields, "main" in asked.model_fields_set, asked.main)


async def _view(tx: Tx, contract: Contract, now: Terms) -> TermsView:
    return TermsView(
        contract=contract.number,
        revision=now.revision,
        group=now.group_name,
        charging=now.charging,
        block=None if now.block_rule is None else BlockRule.model_validate(now.block_rule),
        main=await terms.main_of(tx, now),
        priority=now.priority,
        automatic_promise=now.automatic_promise,
        signed_on=now.signed_on,
        low_balance_days=now.low_balance_days,
        changed_by=now.changed_by or None,
        changed_at=now.changed_at,
    )
