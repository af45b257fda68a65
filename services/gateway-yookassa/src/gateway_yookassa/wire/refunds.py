"""Refunds: the request that makes one, and the object that tells how it stands.

A refund names neither its shop nor whether it is a test: both are its payment's. Source: YooKassa's
OpenAPI document of API v3, 2026, and "Refunds".
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from gateway_yookassa.wire.receipts import receipt
from gateway_yookassa.wire.words import ID, Unreadable, items, matching, moment, text, uuid
from shared.errors import Text
from shared.gateway.provider import ProviderRefund, RefundOrder, RefundPage, Status
from shared.money import RUB, Money, MoneyError

REASON_MAX: Final = 250

EXPLAINED: Final = {
    "insufficient_funds": Text(
        "the shop took less money today than is to be returned: try again later",
        "поступлений магазина за день меньше, чем нужно вернуть: повторите позже",
    ),
    "rejected_by_payee": Text(
        "the payer's bank refused the money: settle with the payer directly",
        "банк плательщика не принял деньги: рассчитайтесь с плательщиком напрямую",
    ),
    "rejected_by_timeout": Text(
        "the bank did not answer in time: try again",
        "банк не ответил вовремя: повторите возврат",
    ),
    "yoo_money_account_closed": Text(
        "the payer's wallet is closed: settle with the payer directly",
        "кошелёк плательщика закрыт: рассчитайтесь с плательщиком напрямую",
    ),
    "general_decline": Text(
        "the refund was declined without a reason: ask YooKassa's support",
        "в возврате отказано без объяснения: обратитесь в поддержку ЮKassa",
    ),
    "invalid_request": Text(
        "YooKassa does not take this amount: the rest may be too small to stay, or the method may"
        " be returned only whole; change the amount",
        "ЮKassa не принимает такую сумму: возможно, остаток слишком мал или этот способ возвращают"
        " только целиком; измените сумму",
    ),
    "forbidden": Text(
        "the shop may not return money: have refunds allowed in YooKassa's profile",
        "магазину не разрешены возвраты: включите их в личном кабинете ЮKassa",
    ),
    "invalid_credentials": Text(
        "YooKassa does not know the shop's key: mend the settings and try again",
        "ЮKassa не узнаёт ключ магазина: исправьте настройки и повторите",
    ),
}
"""What a refund came to, for people. Source: YooKassa's "Refunds" and "Response handling"."""

_STATUSES: Final = {"succeeded": Status.SUCCEEDED, "canceled": Status.CANCELED}


def refund_request(order: RefundOrder) -> bytes:
    """Return the body that creates a refund."""
    known = {"refund_id": str(order.refund_id), "request_id": order.request_id}
    said: dict[str, Any] = {
        "payment_id": order.provider_payment_id,
        "amount": {"value": str(Money(order.amount_kopecks)), "currency": RUB},
        "metadata": {name: value for name, value in known.items() if value},
    }
    if order.reason:
        said["description"] = order.reason[:REASON_MAX]
    if order.receipt is not None:
        said["receipt"] = receipt(order.receipt)
    return orjson.dumps(said)


def refund(value: Any) -> ProviderRefund:
    """Read a refund object; raises Unreadable where a field that decides is missing or odd."""
    try:
        said, amount, metadata = value["status"], value["amount"], value.get("metadata")
        kopecks = Money.parse(amount["value"]).kopecks
        if type(said) is not str or kopecks <= 0:
            raise Unreadable("a field of the refund has another type")
        return ProviderRefund(
            id=matching(ID, value["id"]),
            provider_payment_id=matching(ID, value["payment_id"]),
            status=_STATUSES.get(said, Status.PENDING),
            said=said[:64],
            amount_kopecks=kopecks,
            currency=str(amount["currency"])[:8],
            created_at=moment(value["created_at"]),
            reason=text(value.get("cancellation_details"), "reason"),
            refund_id=uuid(metadata.get("refund_id")) if isinstance(metadata, dict) else None,
            request_id=text(metadata, "request_id") or None,
        )
    except (KeyError, TypeError, AttributeError, MoneyError, ValueError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable(f"not a refund: {error!r:.200}") from error


def refund_page(value: Any) -> RefundPage:
    """Read one page of the list, as `page` does; raises Unreadable."""
    return RefundPage(*items(value, refund))
