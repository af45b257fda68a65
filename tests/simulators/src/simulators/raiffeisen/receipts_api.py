"""Receipts (54-FZ): a draft, its registration, and how far it is."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

import orjson
from aiohttp import web

from simulators.banks.bank import bank_of
from simulators.control import Mistake
from simulators.raiffeisen import model
from simulators.raiffeisen.api import authorized, plain, read, reply
from simulators.raiffeisen.model import Receipt
from simulators.raiffeisen.words import Refusal

NUMBER = re.compile(r"[A-Za-z0-9_-]{1,99}", re.ASCII)
VAT = ("none", "vat0", "vat5", "vat7", "vat10", "vat105", "vat107", "vat110")
VAT_MORE = ("vat20", "vat120", "vat22", "vat122")
OBJECTS = ("commodity", "excise", "job", "service", "payment", "another")
OUTCOMES = ("DONE", "FAILED", "AWAITING")
NUMBERS = ("price", "quantity", "amount")


async def draft(request: web.Request) -> web.Response:
    """`POST /fiscal/v1/receipts/{sell|refund}`: make a draft, or write it anew."""
    merchant, body, bank = authorized(request), await read(request), bank_of(request)
    kind, number = request.match_info["kind"], body.get("receiptNumber")
    if not isinstance(number, str) or not NUMBER.fullmatch(number):
        raise _wrong("receiptNumber")
    before = model.receipt(bank.store, merchant, kind, number)
    if before is not None and before.status != "NEW":
        raise Refusal("RECEIPT_STATUS_CONFLICT", "Чек уже зарегистрирован", 409)
    _check(body)
    made = Receipt(number, kind, merchant, "NEW", plain(body))
    model.keep(bank.store, made)
    return reply(_view(made))


async def register(request: web.Request) -> web.Response:
    """`PUT /fiscal/v1/receipts/{sell|refund}/{number}`."""
    bank, found = bank_of(request), _mine(request)
    if found.status != "NEW":
        raise Refusal("RECEIPT_STATUS_CONFLICT", "Чек уже зарегистрирован", 409)
    becomes = bank.outcome("receipt", "DONE")
    if becomes not in OUTCOMES:
        raise Mistake(f"no such outcome: {becomes}; there are {', '.join(OUTCOMES)}")
    ready = bank.clock.now() + bank.scaled(bank.knobs["receipt_seconds"])
    sent = replace(found, status="IN_PROGRESS", ready_at=ready, becomes=becomes)
    model.keep(bank.store, sent)
    return reply(_view(sent))


async def show(request: web.Request) -> web.Response:
    """`GET /fiscal/v1/receipts/{sell|refund}/{number}`."""
    return reply(_view(_mine(request)))


def _mine(request: web.Request) -> Receipt:
    merchant = authorized(request)
    kind, number = request.match_info["kind"], request.match_info["number"]
    found = model.receipt(bank_of(request).store, merchant, kind, number)
    if found is None:
        raise Refusal("RECEIPT_NOT_FOUND", "Чек не найден", 404)
    return found


def _check(body: dict[str, Any]) -> None:
    client, items = body.get("client"), body.get("items")
    email = client.get("email") if isinstance(client, dict) else None
    if not isinstance(email, str) or "@" not in email or len(email) > 64:
        raise _wrong("client.email")
    if not isinstance(items, list) or not items:
        raise _wrong("items")
    if _exact(body, "total") != sum(map(_item, items)):
        raise _wrong("total")


def _item(item: Any) -> Decimal:
    """Return the amount of a line; raises Refusal for one that the cash register would not take."""
    if not isinstance(item, dict) or not 0 < len(str(item.get("name", ""))) <= 128:
        raise _wrong("items.name")
    price, quantity, amount = (_exact(item, n) for n in ("price", "quantity", "amount"))
    if price * quantity != amount:
        raise _wrong("items.amount")
    if item.get("paymentObject") not in OBJECTS:
        raise _wrong("items.paymentObject")
    if item.get("vatType") not in (*VAT, *VAT_MORE):
        raise _wrong("items.vatType")
    return amount


def _exact(body: dict[str, Any], name: str) -> Decimal:
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise _wrong(name)
    return Decimal(value)


def _wrong(name: str) -> Refusal:
    return Refusal("RECEIPT_VALIDATION_FAILED", f"Неверное поле {name}", 400)


def _view(found: Receipt) -> dict[str, Any]:
    items = [
        item | {name: orjson.Fragment(str(item[name])) for name in NUMBERS}
        for item in found.body["items"]
    ]
    shown = {"items": items, "total": orjson.Fragment(str(found.body["total"]))}
    known = {"receiptNumber": found.number, "receiptType": found.kind.upper()}
    return {**found.body, **shown, **known, "status": {"value": found.status}}
