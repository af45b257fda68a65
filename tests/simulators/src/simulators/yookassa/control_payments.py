"""Control of payments: made in bulk, paid in bulk, refused, bent, and refunded in the profile."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aiohttp import web

from simulators import control
from simulators.settings import Shop
from simulators.yookassa import ids, lifecycle, money, payer, payment, refunds
from simulators.yookassa.api import provider_of
from simulators.yookassa.cards import Refusal
from simulators.yookassa.errors import ApiError
from simulators.yookassa.payment import Payment
from simulators.yookassa.provider import Provider
from simulators.yookassa.wire import payment_object, refund_object

BULK = 100_000
CHUNK = 500
BENDABLE = {
    "account_id",
    "shop_id",
    "currency",
    "test",
    "description",
    "metadata",
    "status",
    "paid",
}


async def read(request: web.Request) -> web.Response:
    """`GET /payments/{id}`: the payment as its shop would read it, without credentials."""
    return web.json_response(payment_object(_found(request)))


async def make(request: web.Request) -> web.Response:
    """`POST /payments`: make many at once → `{"ids": [...]}`.

    `{"count", "shop_id"?, "amount"?, "paid"?, "metadata"?: {name: "text with {n}"}, "notify"?}`.
    With `paid` they are succeeded at once; with `notify` (default) that is delivered, too.
    """
    provider, body = provider_of(request), await control.read(request)
    shop = _shop(provider, str(body.get("shop_id", provider.settings.shops[0].id)))
    kopecks = _kopecks(body, "650.00")
    count = control.whole(body, "count", 1, BULK)
    made: list[str] = []
    for start in range(0, count, CHUNK):
        with provider.store.transaction():
            for number in range(start, min(start + CHUNK, count)):
                new = _new(provider, shop, kopecks, body.get("metadata") or {}, number)
                made.append(_begin(provider, new, body))
    return web.json_response({"ids": made})


async def pay_many(request: web.Request) -> web.Response:
    """`POST /payments/pay {"ids": [...], "card"?}`: pay what is pending of them → `{"paid": n}`."""
    provider, body = provider_of(request), await control.read(request)
    ids_, paid = body["ids"][:BULK], 0
    for start in range(0, len(ids_), CHUNK):
        with provider.store.transaction():
            for payment_id in ids_[start : start + CHUNK]:
                current = payment.find(provider.store, str(payment_id))
                if current is not None and current.status == "pending":
                    payer.attempt(provider, current, payer.Wish(card=body.get("card")))
                    paid += 1
    return web.json_response({"paid": paid})


async def cancel(request: web.Request) -> web.Response:
    """`POST /payments/{id}/cancel {"party"?, "reason"?}`: YooKassa ends it by itself."""
    body = await control.read(request)
    current = _found(request)
    if current.status not in {"pending", "waiting_for_capture"}:
        raise control.Mistake(f"the payment is {current.status} already", 409)
    why = Refusal(body.get("party", "payment_network"), body.get("reason", "general_decline"))
    done = lifecycle.cancel(provider_of(request), current, why)
    return web.json_response(payment_object(done))


async def bend(request: web.Request) -> web.Response:
    """`PATCH /payments/{id}`: make it what it should not be, for negative tests.

    `{"test"?, "shop_id"?, "account_id"?, "currency"?, "amount"?: "650.00", "metadata"?, "status"?,
    ...}`. No notification follows; say it with `POST /deliveries/repeat`.
    """
    provider, body = provider_of(request), await control.read(request)
    changes: dict[str, Any] = {name: value for name, value in body.items() if name != "amount"}
    if unknown := set(changes) - BENDABLE:
        raise control.Mistake(f"cannot change {', '.join(sorted(unknown))}")
    if "amount" in body:
        changes["amount_kopecks"] = _kopecks(body, "")
    if "shop_id" in changes:
        _shop(provider, changes["shop_id"])
    bent = replace(_found(request), **changes)
    payment.save(provider.store, bent)
    return web.json_response(payment_object(bent))


async def refund(request: web.Request) -> web.Response:
    """`POST /payments/{id}/refund {"amount"?}`: a refund in the profile, of all by default."""
    provider, body = provider_of(request), await control.read(request)
    paid = _found(request)
    left = paid.amount_kopecks - paid.refunded_kopecks
    kopecks = _kopecks(body, "") if "amount" in body else left
    try:
        made = refunds.start(provider, paid, kopecks, description="Возврат из личного кабинета")
    except ApiError as error:
        raise control.Mistake(error.description, 409) from error
    return web.json_response(refund_object(made))


ROUTES = [
    web.post("/payments", make),
    web.post("/payments/pay", pay_many),
    web.get("/payments/{id}", read),
    web.patch("/payments/{id}", bend),
    web.post("/payments/{id}/cancel", cancel),
    web.post("/payments/{id}/refund", refund),
]


def _found(request: web.Request) -> Payment:
    found = payment.find(provider_of(request).store, request.match_info["id"])
    if found is None:
        raise control.Mistake("no such payment", 404)
    return found


def _shop(provider: Provider, shop_id: str) -> Shop:
    if shop_id not in provider.shops:
        raise control.Mistake(f"no such shop: {shop_id}")
    return provider.shops[shop_id]


def _kopecks(body: dict[str, Any], default: str) -> int:
    value = money.kopecks(body.get("amount", default))
    if not value:
        raise control.Mistake('amount must be a text like "650.00"')
    return value


def _new(
    provider: Provider, shop: Shop, kopecks: int, metadata: dict[str, str], number: int
) -> Payment:
    now = provider.clock.now()
    new_id = ids.payment_id(now)
    url = provider.checkout(new_id)
    return Payment(
        id=new_id,
        shop_id=shop.id,
        account_id=shop.id,
        gateway_id=shop.gateway_id,
        status="pending",
        amount_kopecks=kopecks,
        currency=shop.currency,
        test=shop.test,
        capture=True,
        created_at=now,
        confirm_by=now + lifecycle.CONFIRM_TERM,
        metadata={name: value.replace("{n}", str(number)) for name, value in metadata.items()},
        confirmation={"type": "redirect", "return_url": provider.home, "confirmation_url": url},
    )


def _begin(provider: Provider, new: Payment, body: dict[str, Any]) -> str:
    lifecycle.begin(provider, new)
    if body.get("paid"):
        payer.attempt(provider, new, payer.Wish())
        if not body.get("notify", True):
            provider.store.run(
                "UPDATE delivery SET state = 'withheld' WHERE object_id = ? AND state = 'waiting'",
                new.id,
            )
    return new.id
