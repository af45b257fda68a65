"""Payments taken by a manager, and their receipts: addresses."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from core_billing import contracts, desk_payments, desk_receipt, desk_receipt_pdf
from core_billing.desk_receipt import RECEIPT_UNKNOWN, Printed
from core_billing.web import receipt_page
from core_billing.web.acting import Act, CheckView, Do, Done, perform, rehearse
from core_billing.web.base import CONTRACT_UNKNOWN, CORE, PREFIX, api, existing
from core_billing.web.payments_views import ReceiptQuery, TakenBody, TakenView, taken_view
from shared.db import Tx, reading

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


@api.get(
    "/payments/{id:[0-9]{1,18}}/receipt.html",
    answers={},
    scope="payments:read",
    query=ReceiptQuery,
    summary="The receipt of a payment that a manager has taken, as a page",
    refusals=(RECEIPT_UNKNOWN,),
    media=("text/html",),
)
async def show_receipt(request: web.Request, query: ReceiptQuery) -> web.Response:
    """Answer with the page."""
    text = receipt_page.page(await _printed(request, query))
    return web.Response(text=text, content_type="text/html", headers=receipt_page.HEADERS)


@api.get(
    "/payments/{id:[0-9]{1,18}}/receipt.pdf",
    answers={},
    scope="payments:read",
    query=ReceiptQuery,
    summary="The receipt of a payment that a manager has taken, to be printed",
    refusals=(RECEIPT_UNKNOWN,),
    media=("application/pdf",),
)
async def print_receipt(request: web.Request, query: ReceiptQuery) -> web.Response:
    """Answer with the document."""
    receipt = await _printed(request, query)
    at = request.app[CORE].clock()
    body = await asyncio.to_thread(desk_receipt_pdf.pdf, receipt, at)
    named = f'inline; filename="receipt-{request.match_info["id"]}.pdf"'
    headers = {**receipt_page.HEADERS, "Content-Disposition": named}
    return web.Response(body=body, content_type="application/pdf", headers=headers)


async def _printed(request: web.Request, query: ReceiptQuery) -> Printed:
    core = request.app[CORE]
    async with reading(core.db) as tx:
        facts = await desk_receipt.gather(tx, core, int(request.match_info["id"]))
    return desk_receipt.printed(facts, query.language)


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
