"""Control of notifications: the log, repetition, haste, and lies of one's own."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from simulators import control
from simulators.record import dumps
from simulators.yookassa import delivery, payment
from simulators.yookassa.api import provider_of
from simulators.yookassa.wire import payment_object

PAGE = 1_000
FORGERIES = 10_000


async def list_(request: web.Request) -> web.Response:
    """`GET /deliveries?object_id=&state=&kind=&shop_id=&after=&limit=`: oldest first.

    Each with its attempts. States: waiting, sending, done, given_up, lost, withheld.
    """
    store = provider_of(request).store
    where, values = ["id > ?"], [request.query.get("after", "0")]
    for name in ("object_id", "state", "kind", "shop_id"):
        if name in request.query:
            where.append(f"{name} = ?")
            values.append(request.query[name])
    limit = min(int(request.query.get("limit", 100)), PAGE)
    sql = f"SELECT * FROM delivery WHERE {' AND '.join(where)} ORDER BY id LIMIT ?"
    items: list[dict[str, Any]] = []
    for row in store.all(sql, *values, limit):
        tries = store.all("SELECT * FROM attempt WHERE delivery_id = ? ORDER BY number", row["id"])
        items.append(dict(row) | {"tries": [dict(each) for each in tries]})
    return web.json_response({"items": items})


async def repeat(request: web.Request) -> web.Response:
    """`POST /deliveries/repeat {"payment_id", "times"?, "event"?}`: tell a payment's state again.

    The body shows the payment as it is now. For duplicates, and for what `PATCH /payments/{id}`
    bent.
    """
    provider, body = provider_of(request), await control.read(request)
    found = payment.find(provider.store, str(body["payment_id"]))
    if found is None:
        raise control.Mistake("no such payment", 404)
    event = str(body.get("event", f"payment.{found.status}"))
    for _ in range(control.whole(body, "times", 1, FORGERIES)):
        provider.announce(found.shop_id, event, payment_object(found))
    return web.json_response({})


async def hasten(request: web.Request) -> web.Response:
    """`POST /deliveries/hasten`: what waits, or was lost or given up with `{"all": true}`, is due
    now.
    """
    provider, body = provider_of(request), await control.read(request)
    now = provider.clock.now()
    changed = delivery.hasten(provider.store, now, everything=bool(body.get("all")))
    provider.bell.set()
    return web.json_response({"due": changed})


async def forge(request: web.Request) -> web.Response:
    """`POST /deliveries/forge {"body": {...} | "any text", "times"?, "outside"?}`: send a lie.

    `outside` (default true) sends from 127.0.0.66 instead of 127.0.0.1.
    """
    provider, body = provider_of(request), await control.read(request)
    text = body["body"] if isinstance(body["body"], str) else dumps(body["body"])
    source = delivery.FOREIGN_SOURCE if body.get("outside", True) else None
    now = provider.clock.now()
    lie = delivery.Delivery(kind="forged", body=text, source=source, created_at=now, due_at=now)
    with provider.store.transaction():
        for _ in range(control.whole(body, "times", 1, FORGERIES)):
            delivery.insert(provider.store, lie)
    provider.bell.set()
    return web.json_response({})


ROUTES = [
    web.get("/deliveries", list_),
    web.post("/deliveries/repeat", repeat),
    web.post("/deliveries/hasten", hasten),
    web.post("/deliveries/forge", forge),
]
