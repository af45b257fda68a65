"""The JSON API of a gateway: make a payment, look at one; refunds are in `refund_rest`."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Final
from uuid import UUID

from aiohttp import web

from shared import api as apis
from shared import log as logs
from shared.api import TOKEN, Api
from shared.db import reading
from shared.errors import NotFound, invalid
from shared.events import Allocation
from shared.gateway import directory, journal_view, methods_rest, payments, refund_rest
from shared.gateway.forms import NewPayment, PaymentView, view
from shared.gateway.gateway import Gateway
from shared.gateway.limits import Limits
from shared.gateway.orders import Wish, begin, repeated
from shared.gateway.provider import Status
from shared.gateway.refund_asking import UNKNOWN_PAYMENT
from shared.settings import ApiToken

GATEWAY: Final = web.AppKey("gateway", Gateway)
"""What a gateway's application serves; for tests and commands that look behind it."""


def build(gateway: Gateway, limits: Limits, title: str, prefix: str) -> Api:
    """Return the API; without an Idempotency-Key each request makes a payment of its own."""
    api = Api(title, prefix)
    home = f"{limits.public_url.rstrip('/')}/cabinet/"
    codes_url = f"{limits.public_url.rstrip('/')}{prefix}/qr"

    @api.post(
        "/v1/payments",
        body=NewPayment,
        answers={201: PaymentView, 202: PaymentView},
        scope="payments:write",
        summary="Make a payment; 202 while the provider has not answered yet",
        keyed=True,
    )
    async def create_payment(request: web.Request, body: NewPayment) -> web.Response:
        token, key = request[TOKEN], apis.idempotency_key(request)
        return_url = body.return_url or home
        wish = _wish(body, return_url, token, key, gateway.clock())
        begun = await repeated(gateway, wish)
        if begun is None:
            limits.check_return_url(return_url, token.return_urls)
            contracts, patience = _contracts(body), limits.contract_wait
            shop = gateway.maker(await directory.require_open(gateway.db, contracts, patience))
            gateway.terms[shop.shop].check_amount(body.amount)
            begun = await begin(gateway, shop, wish, gateway.timing.answer_within)
        known = begun.status is not Status.CREATING
        return apis.answer(view(begun.payment, begun.status, codes_url), 201 if known else 202)

    @api.get(
        "/v1/payments/{id}",
        answers={200: PaymentView},
        scope="payments:read",
        summary="Look at a payment",
    )
    async def show_payment(request: web.Request) -> web.Response:
        async with reading(gateway.db) as tx:
            found = await payments.find(tx, _id(request.match_info["id"]))
        if found is None:
            raise _unknown()
        return apis.answer(view(found, found.status, codes_url))

    journal_view.describe(api, gateway.db)
    refund_rest.add(api, gateway)
    methods_rest.add(api, gateway, limits)
    return api


def _wish(
    body: NewPayment, return_url: str, token: ApiToken, key: str | None, at: datetime
) -> Wish:
    save = body.save_method
    if save is not None and body.contract is None:
        raise invalid(
            "save_method",
            "a method belongs to one contract: name it as contract",
            "способ оплаты принадлежит одному договору: укажите его в contract",
        )
    contact = body.contact.model_dump(exclude_none=True) if body.contact else None
    return Wish(
        allocations=_allocations(body),
        amount_kopecks=body.amount.kopecks,
        return_url=return_url,
        correlation_id=logs.correlation_id() or logs.new_correlation_id(),
        contact=contact or None,
        means=body.method,
        qr=body.qr,
        consent=None if save is None else save.consent.consent(token.name, at),
        caller=token.name,
        caller_key=key,
    )


def _allocations(body: NewPayment) -> tuple[Allocation, ...]:
    if (body.contract is None) == (body.allocations is None):
        raise invalid(
            "contract", "name either contract or allocations", "укажите contract или allocations"
        )
    if body.allocations is None:
        return (Allocation(contract=body.contract or "", amount_kopecks=body.amount.kopecks),)
    for index, share in enumerate(body.allocations):
        if share.amount.kopecks <= 0:
            raise invalid(
                f"allocations.{index}.amount", "must be above zero", "должна быть больше нуля"
            )
    counted = Counter(share.contract for share in body.allocations)
    if max(counted.values()) > 1:
        raise invalid(
            "allocations", "each contract may stand there once", "каждый договор указывают один раз"
        )
    if sum(share.amount.kopecks for share in body.allocations) != body.amount.kopecks:
        raise invalid(
            "allocations", "the parts must sum up to amount", "части должны в сумме давать amount"
        )
    return tuple(
        Allocation(contract=share.contract, amount_kopecks=share.amount.kopecks)
        for share in body.allocations
    )


def _contracts(body: NewPayment) -> dict[str, str]:
    if body.allocations is None:
        return {body.contract or "": "contract"}
    return {
        share.contract: f"allocations.{index}.contract"
        for index, share in enumerate(body.allocations)
    }


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise _unknown() from None


def _unknown() -> NotFound:
    return NotFound(UNKNOWN_PAYMENT)
