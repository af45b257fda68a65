"""YooKassa's words and ours: pure translation, API v3 as of 2026.

What we do not know is kept as it is said and never finishes a payment: an unknown status counts as
pending, an unknown method or reason is a text like any other. Source: YooKassa's OpenAPI document
(objects), "Interaction format" (outcomes), "Webhooks" (notifications).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson

from shared.events import Allocation
from shared.gateway.provider import (
    Failure,
    Malformed,
    Missing,
    Nudge,
    Order,
    Page,
    ProviderPayment,
    Refused,
    Status,
    Throttled,
    Unclear,
)
from shared.money import RUB, Money, MoneyError

NAME: Final = "yookassa"
DESCRIPTION_MAX: Final = 128
METADATA_VALUE_MAX: Final = 512

_STATUSES: Final = {"succeeded": Status.SUCCEEDED, "canceled": Status.CANCELED}
_EVENTS: Final = {
    "payment.waiting_for_capture": Status.PENDING,
    "payment.succeeded": Status.SUCCEEDED,
    "payment.canceled": Status.CANCELED,
}
_UNCLEAR_4XX: Final = (408, 425)
_ID = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)
_EVENT = re.compile(r"[a-z_]{1,40}\.[a-z_]{1,40}", re.ASCII)
_ACCOUNT = re.compile(r"[0-9]{1,20}", re.ASCII)


class Unreadable(ValueError):
    """An answer that is not what the API promises."""


def shop_name(account_id: str) -> str:
    """Return what we call a shop everywhere, for instance ``yookassa:100500``."""
    return f"{NAME}:{account_id}"


def request(order: Order) -> bytes:
    """Return the body that creates a payment; `capture` is said, because its default is false."""
    contracts = [part.contract for part in order.allocations]
    amount = {"value": str(Money(order.amount_kopecks)), "currency": RUB}
    return orjson.dumps(
        {
            "amount": amount,
            "capture": True,
            "confirmation": {"type": "redirect", "return_url": order.return_url},
            "description": _description(contracts),
            "metadata": _metadata(order),
        }
    )


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
        return ProviderPayment(
            id=_matching(_ID, value["id"]),
            shop=shop_name(_matching(_ACCOUNT, value["recipient"]["account_id"])),
            status=status,
            said=said[:64],
            amount_kopecks=kopecks,
            currency=str(amount["currency"])[:8],
            test=value["test"],
            created_at=_moment(value["created_at"]),
            paid_at=_moment(value["captured_at"]) if value.get("captured_at") else None,
            method=_text(value.get("payment_method"), "type"),
            reason=_text(value.get("cancellation_details"), "reason"),
            confirmation_url=_address(value.get("confirmation")),
            payment_id=payment_id,
            allocations=allocations,
        )
    except (KeyError, TypeError, AttributeError, MoneyError, ValueError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable(f"not a payment: {error!r:.200}") from error


def page(value: Any) -> Page:
    """Read one page of the list; raises Unreadable.

    A single payment that cannot be read is left out and counted: it must not hide the others.
    """
    if not isinstance(value, dict) or not isinstance(value.get("items"), list):
        raise Unreadable("not a list")
    cursor = value.get("next_cursor")
    if cursor is not None and not isinstance(cursor, str):
        raise Unreadable("a cursor that is no text")
    payments: list[ProviderPayment] = []
    unreadable = 0
    for item in value["items"]:
        try:
            payments.append(payment(item))
        except Unreadable:
            unreadable += 1
    return Page(payments, cursor or None, unreadable)


def failure(status: int, body: bytes, *, reading: bool = False) -> Failure | Missing:
    """Return what an answer other than 200 means; `reading` tells a GET from a POST.

    Never decides by the description: its texts are not promised.
    """
    said = _object(body)
    after = _retry_after(said)
    if status == 429:
        return Throttled(after)
    if reading and status in (404, 410):
        return Missing()
    if status < 400 or status >= 500 or status in _UNCLEAR_4XX:
        return Unclear(f"http_{status}", after)
    code = said.get("code")
    detail = f"{said.get('description', '')} {said.get('parameter', '')}".strip()
    named = code if isinstance(code, str) and code else f"http_{status}"
    return Refused(named[:64], detail[:200], ours=status in (401, 403))


def callback(body: bytes, shops: frozenset[str], default: str) -> Nudge | None:
    """Read a notification: None for a well-formed one that is not about a payment.

    The shop is the one it names, where that is one of `shops`, else `default`. Raises Malformed.
    """
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Malformed("not JSON") from None
    if not isinstance(said, dict) or said.get("type") != "notification":
        raise Malformed('"type" must be "notification"')
    event, about = said.get("event"), said.get("object")
    if not isinstance(event, str) or not (event in _EVENTS or _EVENT.fullmatch(event)):
        raise Malformed('"event" must name an object and its status')
    if not isinstance(about, dict):
        raise Malformed('"object" must be an object')
    found = about.get("id")
    if not isinstance(found, str) or not _ID.fullmatch(found):
        raise Malformed('"object.id" must be an id')
    claims = _EVENTS.get(event)
    if claims is None:
        return None
    metadata, recipient = about.get("metadata"), about.get("recipient")
    account = recipient.get("account_id") if isinstance(recipient, dict) else None
    named = shop_name(account) if isinstance(account, str) else default
    payment_id = _uuid(metadata.get("payment_id")) if isinstance(metadata, dict) else None
    return Nudge(event, named if named in shops else default, found, payment_id, claims)


def answer(body: bytes) -> Any:
    """Read the body of a 200; raises Unreadable for HTML, a truncated text and the like."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Unreadable("not JSON") from None


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
    return {name: value for name, value in said.items() if value}


def _ours(metadata: Any, kopecks: int) -> tuple[UUID | None, tuple[Allocation, ...]]:
    if not isinstance(metadata, dict):
        return None, ()
    payment_id = _uuid(metadata.get("payment_id"))
    contract, listed = metadata.get("contract"), metadata.get("allocations")
    try:
        if isinstance(listed, str):
            pairs = orjson.loads(listed)
        else:
            pairs = [[contract, kopecks]] if contract and kopecks else []
        return payment_id, tuple(Allocation(contract=c, amount_kopecks=k) for c, k in pairs)
    except (ValueError, TypeError):
        return payment_id, ()


def _uuid(value: Any) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _matching(pattern: re.Pattern[str], value: Any) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise Unreadable("an id of another form")
    return value


def _moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(value)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _text(value: Any, name: str) -> str:
    found = value.get(name) if isinstance(value, dict) else None
    return found[:64] if isinstance(found, str) else ""


def _address(confirmation: Any) -> str | None:
    url = confirmation.get("confirmation_url") if isinstance(confirmation, dict) else None
    fine = isinstance(url, str) and re.match(r"https?://[^\s]+\Z", url)
    return url if fine else None


def _object(body: bytes) -> dict[str, Any]:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def _retry_after(said: dict[str, Any]) -> timedelta | None:
    """`retry_after` is in milliseconds; more than an hour is taken for an hour."""
    value = said.get("retry_after")
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        return None
    return timedelta(milliseconds=min(value, 3_600_000))
