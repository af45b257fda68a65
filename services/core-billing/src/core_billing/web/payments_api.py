"""Payments taken by a manager, and their receipts: addresses."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from core_billing import contracts, desk_payments
from core_billing.web.acting import Act, CheckView, Do, Done, perform, rehearse
from core_billing.web.base import CONTRACT_UNKNOWN, PREFIX, api, existing
from core_billing.web.payments_views import TakenBody, TakenView, taken_view
from shared.db import Tx

_REFUSALS: Final = (*desk_payments.REFUSALS, CONTRACT_UNKNOWN)


@api.post(
    "/payments",
    body=TakenBody,
    answers={201: TakenView},
    scope="payments:create",
    summary="Take a payment, in cash or by a payment order",
    keyed=True,
    refusals=_REFUSALS,
)
async def take_payment(request: web.Request, asked: TakenBody) -> web.Response:
    """Take a payment."""
    return await perform(request, "payment.create", asked, _taking(asked))


@api.post(
    "/payments/check",
    body=TakenBody,
    answers={200: CheckView[TakenView]},
    scope="payments:create",
    summary="What taking a payment would do",
)
async def check_payment(request: web.Request, asked: TakenBody) -> web.Response:
    """Answer what taking it would do."""
    return await rehearse(request, _taking(asked))


def _taking(asked: TakenBody) -> Do:
    async def do(tx: Tx, act: Act) -> Done:
        contract = await existing(tx, asked.contract)
        payment, note = await desk_payments.take(
            tx,
            act.core.rules,
            contract,
            asked.wanted(),
            act.actor,
            act.at,
            act.correlation_id,
        )
        now = (await contracts.find_all(tx, [contract.number]))[contract.number]
        address = f"{PREFIX}/payments/{note.payment_id}"
        view = taken_view(payment, note, now, act.at, address)
        return Done(view, f"payment:{note.payment_id}")

    return do
