"""The page a payer's browser opens with a signed order: it leads on to the provider.

Idempotent by the order's id: opened twice, reloaded or opened in two tabs, it is one payment. While
the provider has not answered the page asks again by itself; once paid it says so and takes no more.

Where the shop offers several means of payment, or prints receipts, the page asks first. A payer who
comes back to a payment that they have begun may go on with it, or go back and order anew: the
provider lets nobody end a payment that waits for its payer, so a second one under the same order
could be paid as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, NamedTuple

from aiohttp import web

from shared import log as logs
from shared.client import client_address
from shared.errors import Invalid, Text
from shared.gateway import contacts, methods_stop, scan
from shared.gateway.gateway import Gateway
from shared.gateway.limits import Limits
from shared.gateway.orders import repeated
from shared.gateway.pay_order import Opened, opened
from shared.gateway.pay_texts import TEXTS
from shared.gateway.paying import Given, Question, answered, begin_order
from shared.gateway.provider import Status
from shared.gateway.settle import Payment
from shared.gateway.terms import Means
from shared.web import forms, pages

REFRESH_SECONDS: Final = 2
REFRESH_SLOWLY_SECONDS: Final = 10
SLOW_AFTER: Final = timedelta(minutes=1)
ONWARD: Final = "on"
"""In the address of whoever has just chosen: then the page leads on as soon as it can."""


class Own(NamedTuple):
    """The pages that a gateway has beside these: where their templates are, and what they say."""

    package: str
    texts: Mapping[str, Text]


def setup(
    app: web.Application,
    gateway: Gateway,
    limits: Limits,
    audience: str,
    own: Own | None = None,
) -> None:
    """Add the page to a gateway's application; `own` is what that has of its own pages."""

    async def pay(request: web.Request) -> web.StreamResponse:
        order = opened(gateway, audience, request.query.get("order", ""))
        with logs.bind_correlation(order.wish.correlation_id):
            begun = await repeated(gateway, order.wish)
            if begun is not None:
                onward = ONWARD in request.query
                return _lead(request, gateway, audience, begun.payment, order, onward=onward)
            made = await begin_order(gateway, limits, order, None)
            if isinstance(made, Payment):
                return _lead(request, gateway, audience, made, order, onward=True)
            return _ask(request, limits, order, made)

    async def choose(request: web.Request) -> web.StreamResponse:
        form = await forms.read(request)
        order = opened(gateway, audience, form.get("order", ""))
        with logs.bind_correlation(order.wish.correlation_id):
            if await repeated(gateway, order.wish) is None:
                given = _given(request, limits, form)
                if (wrong := await answered(gateway, limits, order, given)) is not None:
                    return _ask(request, limits, order, wrong)
        # A page that answers a form cannot be loaded again without sending the form again.
        raise web.HTTPSeeOther(f"{pages.address(request, 'pay')}?order={order.token}&{ONWARD}=1")

    async def home(_request: web.Request) -> web.StreamResponse:
        raise web.HTTPSeeOther(f"{limits.public_url.rstrip('/')}/cabinet/")

    texts = {**TEXTS, **methods_stop.TEXTS, **(own.texts if own else {})}
    pages.setup(app, __package__ or "", texts, *([own.package] if own else []))
    # Where an error page leads: who came by a link that has expired is not left there.
    app.router.add_get("/", home, name="home", allow_head=False)
    app.router.add_get("/pay", pay, name="pay", allow_head=False)
    app.router.add_post("/pay", choose)
    scan.setup(app, gateway, audience)
    methods_stop.setup(app, gateway)


def _given(request: web.Request, limits: Limits, form: Mapping[str, str]) -> Given:
    address = client_address(request, limits.trusted)
    return Given(
        form.get("method") or None,
        form.get(contacts.FIELD, ""),
        save="save" in form,
        address=None if address is None else str(address),
    )


def _lead(
    request: web.Request,
    gateway: Gateway,
    audience: str,
    payment: Payment,
    order: Opened,
    *,
    onward: bool,
) -> web.StreamResponse:
    """Lead to where the payment stands; `onward` where the payer has not seen it before."""
    t = pages.translate(request)
    back = (t("back"), order.back)
    if payment.status is Status.SUCCEEDED:
        amount = pages.money(payment.received_kopecks or 0, pages.language(request))
        return _say(request, t("paid"), t("paid_text", sum=amount), back)
    if payment.status is Status.CANCELED:
        return _say(request, t("canceled"), t("canceled_text"), back)
    if payment.qr_payload is not None:
        return scan.page(request, gateway, audience, payment, order.back)
    if payment.confirmation_url is not None:
        chosen = _chosen(gateway, payment)
        if chosen is not None and not onward:
            return _remind(request, payment, chosen, order)
        raise web.HTTPSeeOther(payment.confirmation_url)
    slow = gateway.clock() - payment.created_at > SLOW_AFTER
    return _wait(request, REFRESH_SLOWLY_SECONDS if slow else REFRESH_SECONDS, slow=slow)


def _chosen(gateway: Gateway, payment: Payment) -> Means | None:
    """Return what the payer chose among several on our page."""
    terms = gateway.terms.get(payment.shop)
    if terms is None or payment.means is None or len(terms.offered) < 2:
        return None
    return terms.means(payment.means)


def _ask(
    request: web.Request, limits: Limits, order: Opened, question: Question | None
) -> web.Response:
    if question is None:
        return _wait(request, REFRESH_SLOWLY_SECONDS)
    return pages.render(
        request,
        "choose.html",
        status=200 if question.wrong is None else Invalid.status,
        pays_under=limits.public_url,
        amount=order.wish.amount_kopecks,
        contract=order.contract,
        order=order.token,
        question=question,
        back=order.back,
    )


def _remind(request: web.Request, payment: Payment, means: Means, order: Opened) -> web.Response:
    return pages.render(
        request,
        "begun.html",
        means=means.title.in_(pages.language(request)),
        amount=payment.amount_kopecks,
        onward=payment.confirmation_url,
        back=order.back,
    )


def _wait(request: web.Request, refresh: int, *, slow: bool = False) -> web.Response:
    t = pages.translate(request)
    text = t("making_long" if slow else "making_text")
    return _say(request, t("making"), text, None, refresh=refresh)


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
