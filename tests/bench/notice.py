"""A notification as YooKassa sends it, with a place for the payment's id."""

from __future__ import annotations

import json
from typing import Final

from bench.town import PAID, SHOP

ID: Final = "@ID@"
"""Where the id goes, twice in each notification."""

TEMPLATE: Final = json.dumps(
    {
        "type": "notification",
        "event": "payment.succeeded",
        "object": {
            "id": ID,
            "status": "succeeded",
            "amount": {"value": PAID, "currency": "RUB"},
            "income_amount": {"value": "627.25", "currency": "RUB"},
            "description": "Пополнение лицевого счёта 100245",
            "recipient": {"account_id": SHOP, "gateway_id": "2000001"},
            "payment_method": {
                "type": "bank_card",
                "id": ID,
                "saved": False,
                "status": "inactive",
                "title": "Bank card *4477",
                "card": {
                    "first6": "555555",
                    "last4": "4477",
                    "expiry_year": "2030",
                    "expiry_month": "12",
                    "card_type": "MasterCard",
                    "issuer_country": "RU",
                },
            },
            "captured_at": "2026-11-22T10:16:30.123Z",
            "created_at": "2026-11-22T10:15:30.123Z",
            "test": False,
            "refunded_amount": {"value": "0.00", "currency": "RUB"},
            "paid": True,
            "refundable": True,
            "metadata": {
                "payment_id": "bce1118a-ce27-4d3a-a7bb-93223b50505a",
                "contract": "100245",
            },
            "authorization_details": {
                "rrn": "603668680243",
                "auth_code": "000000",
                "three_d_secure": {"applied": True},
            },
        },
    },
    ensure_ascii=False,
)


def body(payment_id: str) -> bytes:
    """Return the notification about one payment."""
    return TEMPLATE.replace(ID, payment_id).encode()
