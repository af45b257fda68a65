"""Notifications that nobody at the provider has sent: what an attacker or a bug would post."""

from __future__ import annotations

import json
import uuid
from enum import StrEnum
from random import Random
from typing import Any, Final

OVERSIZED: Final = 300_000


class Lie(StrEnum):
    """What is wrong with a forged notification."""

    UNKNOWN = "unknown"
    """A payment that does not exist."""
    PAID = "paid"
    """A real payment, said to be paid whatever it is."""
    RICHER = "richer"
    """A real payment with another amount and currency."""
    ELSEWHERE = "elsewhere"
    """A real payment with metadata that name another contract."""
    OTHER_SHOP = "other_shop"
    CANCELED = "canceled"
    """A real payment, said to be canceled."""
    TRUNCATED = "truncated"
    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    OVERSIZED_BODY = "oversized"
    STRANGE_ID = "strange_id"


def body(lie: Lie, dice: Random, known_id: str, contract: str) -> str:
    """Write the body of a forged notification about a payment that exists."""
    if lie is Lie.NOT_JSON:
        return "payment=succeeded&sum=1000000"
    if lie is Lie.NOT_AN_OBJECT:
        return json.dumps([known_id, {"status": "succeeded"}])
    if lie is Lie.OVERSIZED_BODY:
        return json.dumps(_notice(known_id, contract, description="x" * OVERSIZED))
    if lie is Lie.TRUNCATED:
        whole = json.dumps(_notice(known_id, contract))
        return whole[: dice.randrange(1, len(whole))]
    return json.dumps(_forged(lie, dice, known_id, contract))


def _forged(lie: Lie, dice: Random, known_id: str, contract: str) -> dict[str, Any]:
    match lie:
        case Lie.UNKNOWN:
            return _notice(str(uuid.UUID(int=dice.getrandbits(128))), contract)
        case Lie.STRANGE_ID:
            return _notice(dice.choice(("", "../me", "' OR 1=1", "0" * 500)), contract)
        case Lie.RICHER:
            wrong = {"value": "999999.99", "currency": dice.choice(("USD", "KZT", "RUB"))}
            return _notice(known_id, contract, amount=wrong)
        case Lie.OTHER_SHOP:
            return _notice(known_id, contract, recipient={"account_id": "666", "gateway_id": "6"})
        case Lie.CANCELED:
            return _notice(known_id, contract, status="canceled", paid=False)
        case _:
            return _notice(known_id, contract)


def _notice(payment_id: str, contract: str, **changes: Any) -> dict[str, Any]:
    payment = {
        "id": payment_id,
        "status": "succeeded",
        "paid": True,
        "amount": {"value": "5000.00", "currency": "RUB"},
        "created_at": "2026-01-01T00:00:00.000Z",
        "metadata": {"contract": contract, "order_id": "1", "payment_id": "1"},
        "test": False,
    } | changes
    event = f"payment.{payment['status']}"
    return {"type": "notification", "event": event, "object": payment}
