"""Payments: the request that makes one, and the object that tells how it stands.

What we do not know is kept as it is said and never finishes a payment: an unknown status counts as
pending, an unknown method or reason is a text like any other. Source: YooKassa's OpenAPI document
of API v3, 2026.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from gateway_yookassa.wire.reasons import failure
from gateway_yookassa.wire.receipts import receipt
from gateway_yookassa.wire.saved import saved_with
from gateway_yookassa.wire.words import (
    ACCOUNT,
    ID,
    Unreadable,
    items,
    matching,
    moment,
    shop_name,
    text,
    uuid,
    web_address,
)
from shared.events import Allocation
from shared.gateway.provider import Order, Page, ProviderPayment, Status
from shared.money import RUB, Money, MoneyError

DESCRIPTION_MAX: Final = 128
METADATA_VALUE_MAX: Final = 512

_SCANNED: Final = re.compile(r"https://[!-~]{1,500}", re.ASCII)
_ON_HOLD: Final = "waiting_for_capture"
_LAPSED: Final = "expired_on_capture"
_STATUSES: Final = {"succeeded": Status.SUCCEEDED, "canceled": Status.CANCELED}


def request(order: Order) -> bytes:
    """Return the body that creates a payment; `capture` is said, because its default is false."""
    contracts = [part.contract for part in order.allocations]
    said: dict[str, Any] = {
        "amount": {"value": str(Money(order.amount_kopecks)), "currency": RUB},
        "capture": order.capture,
        "description": _description(contracts),
        "metadata": _metadata(order),
    }
    if order.receipt is not None:
        said["receipt"] = receipt(order.receipt)
    if order.token is not None:
        # YooKassa refuses a confirmation here: nobody is there to confirm.
        return orjson.dumps({**said, "payment_method_id": order.token})
    said["confirmation"] = {"type": "redirect", "return_url": order.return_url}
    if order.qr:
        said["confirmation"] = {"type": "qr"}
    if order.means is not None:
        said["payment_method_data"] = {"type": order.means}
    if order.save:
        said["save_payment_method"] = True
    return orjson.dumps(said)


def payment(value: Any) -> ProviderPayment:
    """Read a payment object; raises Unreadable where a field that decides is missing or odd."""
    try:
        said, amount = value["status"], value["amount"]
        kopecks = Money.parse(amount["value"]).kopecks
        if type(said) is not str or type(value["test"]) is not bool or kopecks < 0:
            raise Unreadable("a field of the payment has another type")
        status = _STATUSES.get(said, Status.PENDING)
        if status is Status.SUCCEEDED and value["paid"] is not True:
            status = Status.PENDING
        payment_id, allocations = _ours(value.get("metadata"), kopecks)
        reason = text(value.get("cancellation_details"), "reason")
        return ProviderPayment(
            id=matching(ID, value["id"]),
            shop=shop_name(_account(value["recipient"]["account_id"])),
            status=status,
            said=said[:64],
            amount_kopecks=kopecks,
            currency=str(amount["currency"])[:8],
            test=value["test"],
            created_at=moment(value["created_at"]),
            paid_at=moment(value["captured_at"]) if value.get("captured_at") else None,
            method=text(value.get("payment_method"), "type"),
            reason=reason,
            failure=failure(reason),
            on_hold=said == _ON_HOLD,
            hold_until=_hold_until(value) if said == _ON_HOLD else None,
            lapsed=status is Status.CANCELED and reason == _LAPSED,
            confirmation_url=web_address(value.get("confirmation")),
            qr_payload=_scanned(value.get("confirmation")),
            payment_id=payment_id,
            allocations=allocations,
            income_kopecks=_income(value.get("income_amount"), kopecks),
            refunded_kopecks=_refunded(value.get("refunded_amount")),
            charge_id=text(value.get("metadata"), "charge_id") or None,
            saved=saved_with(value.get("payment_method")),
        )
    except (KeyError, TypeError, AttributeError, MoneyError, ValueError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable(f"not a payment: {error!r:.200}") from error


def capture(amount_kopecks: int) -> bytes:
    """Return the body that takes held money; the sum is said, so that it is never a part of it."""
    return orjson.dumps({"amount": {"value": str(Money(amount_kopecks)), "currency": RUB}})


def page(value: Any) -> Page:
    """Read one page of the list; raises Unreadable.

    A single payment that cannot be read is left out and counted: it must not hide the others.
    """
    return Page(*items(value, payment))


def _description(contracts: list[str]) -> str:
    noun = "лицевого счёта" if len(contracts) == 1 else "лицевых счетов"
    full = f"Пополнение {noun} {', '.join(contracts)}"
    return full if len(full) <= DESCRIPTION_MAX else full[: DESCRIPTION_MAX - 1] + "…"


def _metadata(order: Order) -> dict[str, str]:
    """Our id and whose money it is: enough to credit it after our own database was lost."""
    said = {"payment_id": str(order.payment_id), "contract": order.allocations[0].contract}
    if len(order.allocations) > 1:
        parts = [[part.contract, part.amount_kopecks] for part in order.allocations]
        listed = orjson.dumps(parts).decode()
        # A list that does not fit is left out whole: then a person shares the money out.
        said["contract"] = ""
        if len(listed) <= METADATA_VALUE_MAX:
            said["allocations"] = listed
    if order.charge_id is not None:
        said["charge_id"] = order.charge_id
    return {name: value for name, value in said.items() if value}


def _ours(metadata: Any, kopecks: int) -> tuple[UUID | None, tuple[Allocation, ...]]:
    if not isinstance(metadata, dict):
        return None, ()
    payment_id = uuid(metadata.get("payment_id"))
    contract, listed = metadata.get("contract"), metadata.get("allocations")
    try:
        if isinstance(listed, str):
            pairs = orjson.loads(listed)
        else:
            pairs = [[contract, kopecks]] if contract and kopecks else []
        return payment_id, tuple(Allocation(contract=c, amount_kopecks=k) for c, k in pairs)
    except (ValueError, TypeError):
        return payment_id, ()


def _income(value: Any, whole: int) -> int | None:
    """Return what is left of a payment after the fee; None where nothing sensible is said."""
    try:
        income = Money.parse(value["value"]).kopecks
    except (KeyError, TypeError, MoneyError):
        return None
    return income if 0 <= income <= whole else None


def _refunded(amount: Any) -> int:
    """What is unreadable here counts as nothing: it must not keep a payment from being credited."""
    try:
        return max(0, Money.parse(amount["value"]).kopecks)
    except (KeyError, TypeError, MoneyError):
        return 0


def _scanned(confirmation: Any) -> str | None:
    """Return what a code to scan holds: an https address, which our page makes a link of."""
    data = confirmation.get("confirmation_data") if isinstance(confirmation, dict) else None
    fine = isinstance(data, str) and _SCANNED.fullmatch(data)
    return data if fine else None


def _account(value: Any) -> str:
    """Return a shop's number, which is written as a text and sometimes as a number."""
    written = str(value) if type(value) is int else value
    return matching(ACCOUNT, written)


def _hold_until(value: Any) -> datetime | None:
    """Return when a hold ends; a moment that cannot be read must not hide the held money."""
    try:
        return moment(value["expires_at"])
    except (KeyError, TypeError, ValueError):
        return None
