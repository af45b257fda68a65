"""No secret anywhere: whole journeys, then a search of the logs, the metrics and the database."""

from __future__ import annotations

import base64
import io
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import aiohttp
import orjson
import prometheus_client
import pytest
import structlog

import needles
from shared import inbox, log
from shared.events_gateway import ChargeRequested
from shared.gateway import payments, work
from shared.gateway.journal import journal
from shared.metrics import REGISTRY
from shared.topology import GATEWAY_YOOKASSA

PHONE, EMAIL = "+79167654321", "maria.ivanova@example.ru"
TOKEN = "2f8c1d3e-000f-5000-8000-7b7b7b7b7b7b"
KEY = "test_demo"
NEEDLES = {
    "secret key": KEY,
    "authorization": base64.b64encode(f"100500:{KEY}".encode()).decode(),
    "phone": PHONE,
    "email": EMAIL,
    "token": TOKEN,
    "wallet": "410011758831136",
    "card": "5555555555554477",
    "first digits of the card": "first6",
    "a caller's token": "leaked-bearer-token",
}
RECEIPTS = '{"vat": "base", "delivery": "other"}'


@pytest.fixture
def written() -> Iterator[Callable[[], str]]:
    """Configures the logs as a service does, with everything in them; returns what was written."""
    root = logging.getLogger()
    handlers, level, known = root.handlers[:], root.level, structlog.get_config()
    stream = io.StringIO()
    log.configure("gateway-yookassa", "DEBUG", stream)
    yield stream.getvalue
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**known)


def _callback(object_id: str, event: str = "payment.succeeded", **more: Any) -> dict[str, Any]:
    about = {
        "id": object_id,
        "status": "succeeded",
        "description": f"{EMAIL} {TOKEN}",
        "payment_method": {"id": TOKEN, "type": "sbp", "title": PHONE, "saved": True},
        "receipt": {"customer": {"email": EMAIL, "phone": PHONE}},
        "metadata": {"phone": PHONE},
        "tomorrow": [TOKEN, {"token": TOKEN}],
        **more,
    }
    return {"type": "notification", "event": event, "object": about, "more": EMAIL}


async def _post(place: Any, body: Any, path: str = "/callbacks", **headers: str) -> int:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    address = f"{place.url}/yookassa{path}"
    async with place.http.post(address, data=raw, headers=headers) as answer:
        await answer.read()
        status: int = answer.status
        return status


async def _search(
    place: Any, database_url: str, written: Callable[[], str], **more: str
) -> dict[str, Any]:
    """Stop nothing, wait until the journal is written, and look everywhere."""
    last = await place.make(contact={"email": EMAIL})

    async def journaled() -> bool:
        return last[1]["id"] in {str(row.payment_id) for row in await place.rows(journal)}

    await place.until(journaled)
    places = {
        "logs": written(),
        "metrics": prometheus_client.generate_latest(REGISTRY).decode(),
        "database": await needles.dump(database_url),
    }
    assert all(places.values()), "there is something to search"
    return {name: needles.found(text, NEEDLES | more) for name, text in places.items()}


NOTHING = {"logs": [], "metrics": [], "database": []}


async def test_a_journey_leaves_no_secret(
    start: Any, database_url: str, written: Callable[[], str]
) -> None:
    place = await start(YOOKASSA_RECEIPTS=RECEIPTS)
    contact = {"contact": {"email": EMAIL, "phone": PHONE}}
    _, card = await place.make(**contact)
    _, wallet = await place.make(**contact)
    _, refused = await place.make(**contact)
    await place.sandbox.pay(card["provider_payment_id"], card="5555555555554477", save=True)
    await place.sandbox.pay(wallet["provider_payment_id"], method="yoo_money")
    await place.sandbox.pay(refused["provider_payment_id"], card="5555555555554600")
    await place.becomes(card["id"], "succeeded")
    await place.becomes(wallet["id"], "succeeded")
    await place.becomes(refused["id"], "canceled")
    status, _ = await place.send_back(card["id"], "150.00")
    assert status == 201
    assert await _search(place, database_url, written) == NOTHING


async def _bind(place: Any) -> tuple[str, str]:
    """Bind a card with consent; return our name of the method and YooKassa's token."""
    headers = {"Authorization": "Bearer demo"}
    wish = {
        "contract": "100245",
        "kind": "bank_card",
        "return_url": f"{place.url}/cabinet/",
        "consent": {"version": "2026-11", "address": "203.0.113.77"},
        "contact": {"email": EMAIL, "phone": PHONE},
    }
    address = f"{place.url}/yookassa/v1/methods"
    async with place.http.post(address, json=wish, headers=headers) as answer:
        assert answer.status == 201
        method: str = (await answer.json())["id"]
    keys = await place.sandbox.control("GET", "/keys")
    token: str = keys["items"][0]["object_id"]
    bound = await place.sandbox.call("POST", f"/yookassa/methods/{token}/bind", {})
    assert bound.status == 200
    await place.until(lambda: place.said("payment_method.saved"))
    return method, token


async def test_a_bound_card_and_its_charges_leave_no_secret(
    start: Any, database_url: str, written: Callable[[], str]
) -> None:
    place = await start(
        YOOKASSA_RECEIPTS=RECEIPTS,
        SALDO_SERVICES="core-billing,gateway-yookassa,autopay",
        GATEWAY_YOOKASSA_SAVE_METHODS="true",
    )
    method, token = await _bind(place)
    await _charge(place, method)
    (paid,) = await place.until(place.said)
    charged = _payment_of(await place.rows(payments.payment))
    assert (await place.send_back(charged, "1.00"))[0] == 201
    assert paid.data["charge_id"] == "charge-1"
    address = f"{place.url}/yookassa/v1/methods/{method}/remove"
    async with place.http.post(
        address, json={}, headers={"Authorization": "Bearer demo"}
    ) as answer:
        assert answer.status == 200
    assert await _search(place, database_url, written, bound=token) == NOTHING


async def _charge(place: Any, method: str) -> None:
    at = place.gateway.clock()
    asked = ChargeRequested(
        contract="100245",
        occurred_at=at,
        charge_id="charge-1",
        provider="yookassa:100500",
        method_ref=method,
        amount_kopecks=65_000,
        not_after=at + timedelta(minutes=10),
    )
    event = asked.event("autopay", subject="charge-1", revision="charge-1", correlation_id="c")
    consumer = work.consumer(place.gateway, GATEWAY_YOOKASSA)
    (result,) = await inbox.apply(consumer, [event], place.gateway.clock)
    assert result.outcome is inbox.Outcome.DONE


def _payment_of(rows: list[Any]) -> str:
    (charge,) = (row for row in rows if row.charge_id == "charge-1")
    return str(charge.id)


async def test_what_strangers_and_providers_say_leaves_no_secret(
    start: Any, database_url: str, written: Callable[[], str]
) -> None:
    place = await start(YOOKASSA_RECEIPTS=RECEIPTS)
    _, made = await place.make(contact={"email": EMAIL})
    known = made["provider_payment_id"]
    assert await _post(place, _callback(known)) == 200
    assert await _post(place, _callback(known)) == 200
    assert await _post(place, _callback(str(uuid4()))) == 200
    assert await _post(place, _callback(known, recipient={"account_id": PHONE})) == 200
    assert await _post(place, _callback(str(uuid4()), "refund.succeeded", payment_id=known)) == 200
    assert await _post(place, _callback(known, "payout.succeeded")) == 200
    method = {"type": "bank_card", "id": TOKEN, "saved": True, "status": "active", "title": PHONE}
    notice = {"type": "notification", "event": "payment_method.active", "object": method}
    assert await _post(place, notice) == 200
    for body in (f"{{{EMAIL} {PHONE}".encode(), [TOKEN], {"type": EMAIL, "secret": KEY}):
        assert await _post(place, body) == 400
    assert await _post(place, b"nope", **{"Content-Encoding": "deflate"}) == 400
    bearer = {"Authorization": "Bearer leaked-bearer-token"}
    assert await _post(place, {"contact": {"phone": PHONE}}, "/v1/payments", **bearer) == 401
    wrong = {"contract": "100245", "amount": "1.00", "return_url": f"https://{EMAIL}/"}
    for more in ({"contact": {"email": PHONE}}, {"contact": {"phone": EMAIL}}, {"card": TOKEN}):
        assert (await place.make(**{**wrong, **more}))[0] == 422
    strange = await start(YOOKASSA_CALLBACK_NETWORKS="185.71.76.0/27")
    assert await _post(strange, _callback(known)) == 403
    assert await _search(place, database_url, written) == NOTHING


@pytest.mark.parametrize(
    "kind", ["error_before", "bad_gateway_after", "truncated", "drop_after", "unauthorized"]
)
async def test_what_fails_leaves_no_secret(
    start: Any, database_url: str, written: Callable[[], str], kind: str
) -> None:
    place = await start(YOOKASSA_RECEIPTS=RECEIPTS)
    _, card = await place.make(contact={"email": EMAIL, "phone": PHONE})
    fault = {"faults": [{"kind": kind, "times": 6}]}
    await place.sandbox.control("POST", "/faults", fault)
    await place.make(contact={"email": EMAIL, "phone": PHONE})
    await place.sandbox.pay(card["provider_payment_id"], card="5555555555554477")
    await place.becomes(card["id"], "succeeded")
    await place.sandbox.control("DELETE", "/faults")
    assert await _search(place, database_url, written) == NOTHING


async def test_an_accident_leaves_no_secret(
    start: Any, database_url: str, written: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = await start()

    async def broken(*_args: Any) -> Any:
        url = f"https://100500:{KEY}@api.example/"
        raise RuntimeError(f"{url} secret_key={KEY} of {EMAIL} {PHONE} 5555555555554477")

    with monkeypatch.context() as patched:
        patched.setattr(payments, "find", broken)
        async with place.http.get(
            f"{place.url}/yookassa/v1/payments/{uuid4()}", headers={"Authorization": "Bearer demo"}
        ) as answer:
            assert answer.status == 500
            assert needles.found(await answer.text(), NEEDLES) == []
        with pytest.raises(aiohttp.ClientResponseError):
            answer.raise_for_status()
    assert "RuntimeError" in written()
    assert await _search(place, database_url, written) == NOTHING
