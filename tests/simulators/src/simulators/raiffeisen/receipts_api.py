"""Receipts (54-FZ): a draft, its registration, and how far it is."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

from aiohttp import web

from simulators.banks.bank import Bank, bank_of
from simulators.raiffeisen import model
from simulators.raiffeisen.api import authorized, plain, read, reply
from simulators.raiffeisen.model import Receipt
from simulators.raiffeisen.words import Refusal

NUMBER = re.compile(r"[A-Za-z0-9_-]{1,99}", re.ASCII)
VAT = ("none", "vat0", "vat5", "vat7", "vat10", "vat105", "vat107", "vat110")
VAT_MORE = ("vat20", "vat120", "vat22", "vat122")
OBJECTS = ("commodity", "excise", "job", "service", "payment", "another")
READY_SECONDS = 2


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
    kept = {**plain(body), "items": [plain(item) for item in body["items"]]}
    made = Receipt(number, kind, merchant, "NEW", kept)
    model.keep(bank.store, made)
    return reply(_view(made))


async def register(request: web.Request) -> web.Response:
    """`PUT /fiscal/v1/receipts/{sell|refund}/{number}`."""
    bank, found = bank_of(request), _mine(request)
    if found.status != "NEW":
        raise Refusal("RECEIPT_STATUS_CONFLICT", "Чек уже зарегистрирован", 409)
    becomes = str(bank.outcome("receipt", "DONE"))
    ready = bank.clock.now() + bank.scaled(READY_SECONDS)
    sent = replace(found, status="IN_PROGRESS", ready_at=ready, becomes=becomes)
    model.keep(bank.store, sent)
    return reply(_view(sent))


async def show(request: web.Request) -> web.Response:
    """`GET /fiscal/v1/receipts/{sell|refund}/{number}`."""
    return reply(_view(_mine(request)))


def finish(bank: Bank) -> None:
    """Let the receipts be registered whose time has come."""
    bank.store.run(
        "UPDATE raiffeisen_receipt SET status = becomes WHERE status = 'IN_PROGRESS' "
        "AND ready_at <= ?",
        bank.clock.now(),
    )


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
    shown = {**found.body, "receiptNumber": found.number, "status": {"value": found.status}}
    return shown | {"receiptType": found.kind.upper()}
