"""The JSON API of refunds: ask for one, look at one, list those of a payment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal
from uuid import UUID

from aiohttp import web
from pydantic import (
    AwareDatetime,
    BaseModel,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from shared import api as apis
from shared import log as logs
from shared import problem
from shared.api import TOKEN, Api
from shared.db import reading
from shared.errors import NotFound, Text, invalid
from shared.gateway import payments, refund_asking, refunds
from shared.gateway.creation import UNMADE
from shared.gateway.forms import Amount, Body, Currency, Words
from shared.gateway.gateway import Gateway
from shared.gateway.provider import Status
from shared.gateway.refund_asking import UNKNOWN_PAYMENT, Wish
from shared.gateway.refund_settle import Refund
from shared.money import Money, WireMoney

REASON_MAX: Final = 250
_OURS: Final = {
    UNMADE: Text(
        "the provider knows nothing of this refund: no money has gone, ask for it again",
        "провайдер не знает о таком возврате: деньги не ушли, запросите возврат снова",
    )
}
_UNKNOWN: Final = Text("There is no such refund", "Такого возврата нет")


class NewRefund(Body):
    """How much of a payment goes back, and why."""

    amount: Amount
    currency: Currency = "RUB"
    reason: Words = Field("", max_length=REASON_MAX)


class RefundView(BaseModel):
    """A refund as it is seen from outside; `failure` is a word for why it came to nothing, and
    `explanation` says the same to people, with what to do."""

    id: UUID
    payment_id: UUID
    provider_refund_id: str | None
    status: Status
    amount: WireMoney
    currency: Literal["RUB"] = "RUB"
    reason: str
    created_at: AwareDatetime
    failure: str | None = None
    explanation: str | None = None

    @model_serializer(mode="wrap")
    def _without_the_usual(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        said: dict[str, Any] = handler(self)
        return {
            name: value
            for name, value in said.items()
            if value is not None or name not in ("failure", "explanation")
        }


class RefundList(BaseModel):
    """The refunds of a payment, oldest first, and what may still be returned."""

    items: tuple[RefundView, ...]
    left: WireMoney


def add(api: Api, gateway: Gateway) -> None:
    """Describe the operations; without an Idempotency-Key each request is a refund of its own."""
    view = _viewer(gateway)

    @api.post(
        "/v1/payments/{id}/refunds",
        body=NewRefund,
        answers={201: RefundView, 202: RefundView},
        scope="refunds:write",
        summary="Return a payment or a part of it; 202 while the provider has not answered yet",
        keyed=True,
    )
    async def ask(request: web.Request, body: NewRefund) -> web.Response:
        if body.amount <= Money(0):
            raise invalid("amount", "must be above zero", "должна быть больше нуля")
        wish = Wish(
            payment_id=_id(request, UNKNOWN_PAYMENT),
            amount_kopecks=body.amount.kopecks,
            reason=body.reason,
            correlation_id=logs.correlation_id() or logs.new_correlation_id(),
            asked_by=request[TOKEN].name,
            caller_key=apis.idempotency_key(request),
        )
        asked = await refund_asking.ask(gateway, wish, gateway.timing.answer_within)
        known = asked.status is not Status.CREATING
        return apis.answer(view(asked.refund, asked.status, request), 201 if known else 202)

    @api.get(
        "/v1/payments/{id}/refunds",
        answers={200: RefundList},
        scope="refunds:read",
        summary="List the refunds of a payment",
    )
    async def list_refunds(request: web.Request) -> web.Response:
        async with reading(gateway.db) as tx:
            payment = await payments.find(tx, _id(request, UNKNOWN_PAYMENT))
            if payment is None:
                raise NotFound(UNKNOWN_PAYMENT)
            found = await refunds.of_payment(tx, payment.id)
        left = max(0, (payment.received_kopecks or 0) - payment.reserved_kopecks)
        items = tuple(view(refund, refund.status, request) for refund in found)
        return apis.answer(RefundList(items=items, left=Money(left)))

    @api.get(
        "/v1/refunds/{id}",
        answers={200: RefundView},
        scope="refunds:read",
        summary="Look at a refund",
    )
    async def show_refund(request: web.Request) -> web.Response:
        async with reading(gateway.db) as tx:
            found = await refunds.find(tx, _id(request, _UNKNOWN))
        if found is None:
            raise NotFound(_UNKNOWN)
        return apis.answer(view(found, found.status, request))


def _viewer(gateway: Gateway) -> Callable[[Refund, Status, web.Request], RefundView]:
    def view(refund: Refund, status: Status, request: web.Request) -> RefundView:
        provider = gateway.providers.get(refund.shop)
        why = _OURS.get(refund.failure) or (provider and provider.explained(refund.failure))
        return RefundView(
            id=refund.id,
            payment_id=refund.payment_id,
            provider_refund_id=refund.provider_refund_id,
            status=status,
            amount=Money(refund.amount_kopecks),
            reason=refund.reason,
            created_at=refund.created_at,
            failure=refund.failure or refund.held,
            explanation=why.in_(problem.language(request)) if why else None,
        )

    return view


def _id(request: web.Request, unknown: Text) -> UUID:
    try:
        return UUID(request.match_info["id"])
    except ValueError:
        raise NotFound(unknown) from None
