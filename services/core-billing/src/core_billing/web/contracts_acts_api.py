"""Closing and reopening contracts: addresses."""

from __future__ import annotations

from typing import Annotated, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from core_billing import accounts, contracts
from core_billing.correction_refusals import REASON_MISSING
from core_billing.registration import Line
from core_billing.web.acting import Act, CheckView, Do, Done, perform, rehearse
from core_billing.web.base import CONTRACT_UNKNOWN, api, existing
from core_billing.web.corrections_views import REASON_MAX
from core_billing.web.views import ContractView, contract_view
from shared.db import Tx
from shared.errors import Refusal

CONTRACT_CLOSED: Final = Refusal(
    "contract_closed",
    409,
    "The contract {number} is closed already",
    "Договор {number} уже закрыт",
)
CONTRACT_OPEN: Final = Refusal(
    "contract_open", 409, "The contract {number} is open", "Договор {number} открыт"
)
_CLOSE_REFUSALS: Final = (CONTRACT_UNKNOWN, CONTRACT_CLOSED, REASON_MISSING)
_REOPEN_REFUSALS: Final = (CONTRACT_UNKNOWN, CONTRACT_OPEN, REASON_MISSING)


class Reason(BaseModel):
    """Why, for the audit log."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[Line, Field(max_length=REASON_MAX)] = ""
    """1 to 250 characters."""


@api.post(
    "/contracts/{number}/close",
    body=Reason,
    answers={200: ContractView},
    scope="contracts:annul",
    summary="Close a contract: money that comes for it waits in suspense, services cost no more",
    refusals=_CLOSE_REFUSALS,
)
async def close_contract(request: web.Request, asked: Reason) -> web.Response:
    """Close it."""
    return await perform(request, "contract.close", asked, _setting(request, asked, False))


@api.post(
    "/contracts/{number}/close/check",
    body=Reason,
    answers={200: CheckView[ContractView]},
    scope="contracts:annul",
    summary="Whether a contract may be closed, or which rule forbids it",
    refusals=_CLOSE_REFUSALS,
)
async def check_close(request: web.Request, asked: Reason) -> web.Response:
    """Answer how it would stand; nothing is written."""
    return await rehearse(request, _setting(request, asked, False))


@api.post(
    "/contracts/{number}/reopen",
    body=Reason,
    answers={200: ContractView},
    scope="contracts:edit",
    summary="Reopen a closed contract: it takes money and its services cost again",
    refusals=_REOPEN_REFUSALS,
)
async def reopen_contract(request: web.Request, asked: Reason) -> web.Response:
    """Reopen it."""
    return await perform(request, "contract.reopen", asked, _setting(request, asked, True))


@api.post(
    "/contracts/{number}/reopen/check",
    body=Reason,
    answers={200: CheckView[ContractView]},
    scope="contracts:edit",
    summary="Whether a contract may be reopened, or which rule forbids it",
    refusals=_REOPEN_REFUSALS,
)
async def check_reopen(request: web.Request, asked: Reason) -> web.Response:
    """Answer how it would stand; nothing is written."""
    return await rehearse(request, _setting(request, asked, True))


def _setting(request: web.Request, asked: Reason, is_open: bool) -> Do:
    number = request.match_info["number"]

    async def do(tx: Tx, act: Act) -> Done:
        name = accounts.of_contract((await existing(tx, number)).number)
        kept = (await accounts.lock(tx, [name]))[name]
        if not asked.reason:
            raise REASON_MISSING()
        if kept.open is is_open:
            raise (CONTRACT_OPEN if is_open else CONTRACT_CLOSED)(number=number)
        rules = act.core.rules
        await contracts.set_open(tx, rules, number, is_open, act.at, act.correlation_id)
        now = await existing(tx, number)
        return Done(contract_view(now, rules.low_balance_kopecks), name, 200)

    return do
