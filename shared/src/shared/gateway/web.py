"""The page a payer's browser opens with a signed order: it leads on to the provider.

Idempotent by the order's id: opened twice, reloaded or opened in two tabs, it is one payment. While
the provider has not answered the page asks again by itself; once paid it says so and takes no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared import log as logs
from shared.crypto import Link, read_link
from shared.db import reading
from shared.errors import BadRequest, Invalid, Text
from shared.events import Allocation
from shared.gateway import directory
from shared.gateway.directory import CLOSED
from shared.gateway.gateway import Gateway
from shared.gateway.limits import Limits
from shared.gateway.orders import Wish, begin, repeated
from shared.gateway.provider import Status
from shared.gateway.settle import Payment
from shared.money import Money
from shared.web import pages

PURPOSE: Final = "pay"
WAIT: Final = timedelta(seconds=3)
REFRESH_SECONDS: Final = 2
REFRESH_SLOWLY_SECONDS: Final = 10
SLOW_AFTER: Final = timedelta(minutes=1)

TEXTS: Final[Mapping[str, Text]] = {
    "making": Text("Preparing your payment", "Готовим платёж"),
    "making_text": Text(
        "The payment page opens by itself in a moment. Please do not close this one.",
        "Страница оплаты откроется сама через несколько секунд. Не закрывайте эту.",
    ),
    "making_long": Text(
        "The payment system is slow to answer; we keep asking. No money has been taken.",
        "Платёжная система долго не отвечает, мы продолжаем спрашивать. Деньги не списаны.",
    ),
    "paid": Text("Already paid", "Уже оплачено"),
    "paid_text": Text(
        "This order has been paid: {sum}. There is no need to pay again.",
        "Этот заказ оплачен: {sum}. Платить ещё раз не нужно.",
    ),
    "canceled": Text("The payment did not go through", "Платёж не состоялся"),
    "canceled_text": Text(
        "No money has been taken. Go back and start a new payment.",
        "Деньги не списаны. Вернитесь и начните новый платёж.",
    ),
    "back": Text("Go back", "Вернуться"),
}


class PayOrder(BaseModel):
    """The claims of a signed order."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    contract: str = Field(min_length=1, max_length=64)
    amount_kopecks: int = Field(gt=0, lt=10**15)
    return_url: str = Field(min_length=1, max_length=2048, pattern=r"^https?://\S+$")
    correlation_id: str | None = None


def setup(app: web.Application, gateway: Gateway, limits: Limits, audience: str) -> None:
    """Add the page to a gateway's application."""

    async def pay(request: web.Request) -> web.StreamResponse:
        token = request.query.get("order", "")
        at = gateway.clock()
        link = read_link(gateway.signer, token, audience=audience, purpose=PURPOSE, at=at)
        order = _order(link)
        correlation = logs.acceptable(order.correlation_id)
        with logs.bind_correlation(correlation):
            wish = _wish(link, order, correlation)
            begun = await repeated(gateway, wish)
            if begun is None:
                limits.check_amount(Money(order.amount_kopecks))
                await _refuse_closed(gateway, order.contract)
                begun = await begin(gateway, wish, WAIT)
            return _lead(request, gateway, begun.payment, order.return_url)

    async def home(_request: web.Request) -> web.StreamResponse:
        raise web.HTTPSeeOther(f"{limits.public_url.rstrip('/')}/cabinet/")

    pages.setup(app, __package__ or "", TEXTS)
    # Where an error page leads: who came by a link that has expired is not left there.
    app.router.add_get("/", home, name="home", allow_head=False)
    app.router.add_get("/pay", pay, allow_head=False)


def _order(link: Link) -> PayOrder:
    try:
        return PayOrder.model_validate(dict(link.claims))
    except ValidationError as error:
        raise BadRequest(
            Text("The order in the link is incomplete", "Заказ в ссылке неполон")
        ) from error


def _wish(link: Link, order: PayOrder, correlation_id: str) -> Wish:
    part = Allocation(contract=order.contract, amount_kopecks=order.amount_kopecks)
    return Wish(
        allocations=(part,),
        amount_kopecks=order.amount_kopecks,
        return_url=order.return_url,
        correlation_id=correlation_id,
        order_id=link.subject,
    )


async def _refuse_closed(gateway: Gateway, contract: str) -> None:
    """Core signed the order, so it knows the contract even where our directory lags behind."""
    async with reading(gateway.db) as tx:
        known = await directory.statuses(tx, [contract])
    if known.get(contract) == CLOSED:
        raise Invalid(directory.closed("contract"))


def _lead(
    request: web.Request, gateway: Gateway, payment: Payment, return_url: str
) -> web.StreamResponse:
    t = pages.translate(request)
    back = (t("back"), return_url)
    if payment.status is Status.SUCCEEDED:
        amount = pages.money(payment.received_kopecks or 0, pages.language(request))
        return _say(request, t("paid"), t("paid_text", sum=amount), back)
    if payment.status is Status.CANCELED:
        return _say(request, t("canceled"), t("canceled_text"), back)
    if payment.confirmation_url is not None:
        raise web.HTTPSeeOther(payment.confirmation_url)
    slow = gateway.clock() - payment.created_at > SLOW_AFTER
    refresh = REFRESH_SLOWLY_SECONDS if slow else REFRESH_SECONDS
    return _say(
        request, t("making"), t("making_long" if slow else "making_text"), None, refresh=refresh
    )


def _say(
    request: web.Request,
    title: str,
    text: str,
    action: tuple[str, str] | None,
    refresh: int | None = None,
) -> web.Response:
    return pages.render(
        request, "message.html", title=title, text=text, action=action, refresh_seconds=refresh
    )
