"""The page with a code to scan: it shows the way into the bank's app and watches the payment.

The page asks its own service how the payment stands and is led back once that is settled. The
address it asks carries a signed link of its own, so that it outlives the order that opened it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from math import ceil
from typing import Any, Final
from uuid import UUID

from aiohttp import web

from shared.crypto import Link, read_link, write_link
from shared.db import reading
from shared.errors import NotFound
from shared.gateway import banks, payments
from shared.gateway.gateway import Gateway
from shared.gateway.provider import Status
from shared.gateway.refund_asking import UNKNOWN_PAYMENT
from shared.gateway.settle import Payment
from shared.web import codes, pages

WATCH: Final = "watch"
WATCHED: Final = timedelta(days=1)
"""After the payer's term; by then the provider has said how it ended."""
TERM: Final = timedelta(hours=1)
"""Where the means of a payment says nothing about it."""


def setup(app: web.Application, gateway: Gateway, audience: str) -> None:
    """Add the address that the page asks."""

    async def state(request: web.Request) -> web.Response:
        token, at = request.query.get("watch", ""), gateway.clock()
        link = read_link(gateway.signer, token, audience=audience, purpose=WATCH, at=at)
        async with reading(gateway.db) as tx:
            payment = await payments.find(tx, UUID(link.subject))
        said = _state(request, gateway, payment, at)
        if said["final"]:
            said["location"] = str(link.claims["back"])
        return web.json_response(said)

    async def picture(request: web.Request) -> web.Response:
        async with reading(gateway.db) as tx:
            payment = await payments.find(tx, _id(request.match_info["id"]))
        if payment is None or payment.qr_payload is None:
            raise NotFound(UNKNOWN_PAYMENT)
        return drawn(payment.qr_payload, request.match_info["kind"])

    app.router.add_get("/pay/state", state, name="pay_state", allow_head=False)
    # Open to whoever has the payment's id, which nobody guesses; there is nothing secret in a code.
    app.router.add_get("/qr/{id}.{kind:svg|png}", picture, name="pay_code", allow_head=False)


def drawn(payload: str, kind: str) -> web.Response:
    """Return the picture of a code, `svg` or `png`, as an answer."""
    if kind == "png":
        return web.Response(body=codes.png(payload), content_type="image/png")
    return web.Response(text=codes.picture(payload), content_type="image/svg+xml")


def page(
    request: web.Request, gateway: Gateway, audience: str, payment: Payment, back: str
) -> web.Response:
    """Return the page of a payment that has a code to scan; `back` is where the payer came from."""
    t, at = pages.translate(request), gateway.clock()
    until = _until(gateway, payment) + WATCHED
    link = Link(audience, WATCH, str(payment.id), until, {"back": back})
    token = write_link(gateway.signer, link)
    return pages.render(
        request,
        "scan.html",
        amount=payment.amount_kopecks,
        code=codes.svg(payment.qr_payload or "", t("code_of")),
        address=payment.qr_payload,
        banks=banks.shortcuts(payment.qr_payload or ""),
        back=back,
        said=_state(request, gateway, payment, at),
        watch=f"{pages.address(request, 'pay_state')}?watch={token}",
        poll_seconds=gateway.timing.poll_seconds,
    )


def _state(
    request: web.Request, gateway: Gateway, payment: Payment | None, at: datetime
) -> dict[str, Any]:
    """Return what the page shows; a payment that is gone has nothing to wait for."""
    t = pages.translate(request)
    if payment is None or payment.status in (Status.SUCCEEDED, Status.CANCELED):
        return {"state": "settled", "texts": {}, "final": True}
    left = _until(gateway, payment) - at
    minutes = ceil(left / timedelta(minutes=1))
    said = t("minutes_left", count=minutes) if minutes > 0 else t("term_over")
    return {"state": "waiting", "texts": {"left": said}, "final": False}


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(UNKNOWN_PAYMENT) from None


def _until(gateway: Gateway, payment: Payment) -> datetime:
    return payment.expires_at or payment.created_at + _term(gateway, payment)


def _term(gateway: Gateway, payment: Payment) -> timedelta:
    terms = gateway.terms.get(payment.shop)
    means = terms.means(payment.means) if terms and payment.means else None
    return means.term if means else TERM
