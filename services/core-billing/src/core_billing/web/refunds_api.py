"""Refunds that managers ask providers for: addresses."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from core_billing import accounts, contracts, corrections, holdings, refunds, revisions
from core_billing import refund_refusals as refusals
from core_billing.amounts import TypedMoney
from core_billing.correction_refusals import PAYMENT_UNKNOWN, REASON_MISSING
from core_billing.drafts import Reference
from core_billing.registration import Line
from core_billing.web.acting import Act, CheckView, Do, Done, perform, rehearse
from core_billing.web.base import api
from core_billing.web.corrections_views import BalanceView
from shared.db import Tx
from shared.money import RUB, Money, WireMoney

_ID: Final = re.compile(r"[1-9][0-9]{0,17}")


class RefundAsked(BaseModel):
    """A refund of a payment; without an amount, of all that earlier refunds have left of it."""

    model_config = ConfigDict(extra="forbid")

    amount: TypedMoney | None = None
    reason: Line = ""
    """1 to 250 characters; the provider is told."""


class RefundAskedView(BaseModel):
    """A refund that the provider is asked for; the payment shows what becomes of it."""

    refund_id: str
    payment: str
    amount: WireMoney
    currency: str = RUB
    status: Literal["requested"] = "requested"
    balances: Annotated[list[BalanceView], Field(max_length=2000)]
    """Of the contracts it was taken from, after it; what lay in suspense is on none."""


@api.post(
    "/payments/{id}/refunds",
    body=RefundAsked,
    answers={201: RefundAskedView},
    scope="payments:annul",
    summary="Take a payment's money from its contracts and ask the provider to send it back",
    keyed=True,
    refusals=refusals.ALL,
)
async def request_refund(request: web.Request, asked: RefundAsked) -> web.Response:
    """Ask for a refund."""
    return await perform(request, "payment.refund", asked, _refunding(request, asked))


@api.post(
    "/payments/{id}/refunds/check",
    body=RefundAsked,
    answers={200: CheckView[RefundAskedView]},
    scope="payments:annul",
    summary="What a refund would take from whom, or which rule forbids it",
    refusals=refusals.ALL,
)
async def check_refund(request: web.Request, asked: RefundAsked) -> web.Response:
    """Answer what the refund would do; nothing is written and nobody is asked."""
    return await rehearse(request, _refunding(request, asked))


def _refunding(request: web.Request, asked: RefundAsked) -> Do:
    said = request.match_info["id"]

    async def do(tx: Tx, act: Act) -> Done:
        known = await revisions.find(tx, int(said)) if _ID.fullmatch(said) else None
        if known is None:
            raise PAYMENT_UNKNOWN(id=said[:40])
        if not asked.reason:
            raise REASON_MISSING()
        kopecks = None if asked.amount is None else asked.amount.kopecks
        rules, reference = act.core.rules, known.reference
        refund_id = await refunds.request_refund(
            tx, rules, reference, kopecks, asked.reason, act.at
        )
        view = await _view(tx, str(known.id), reference, refund_id)
        return Done(view, f"payment:{known.id}", named={"refund": refund_id})

    return do


async def _view(tx: Tx, payment: str, reference: Reference, refund_id: str) -> RefundAskedView:
    request = accounts.REQUEST + (accounts.provider_of(reference[0]) or "")
    taken = holdings.taken_from(await corrections.newest(tx, (request, refund_id)))
    numbers = [accounts.number_of(holder) for holder in taken if holder is not None]
    now = await contracts.find_all(tx, numbers)
    return RefundAskedView(
        refund_id=refund_id,
        payment=payment,
        amount=Money(sum(taken.values())),
        balances=[
            BalanceView(contract=number, balance=Money(now[number].balance_kopecks))
            for number in sorted(now)
        ],
    )
