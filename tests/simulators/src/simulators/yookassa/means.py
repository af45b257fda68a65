"""What a payer pays with: a card, a wallet, a bank's application."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from simulators.yookassa.cards import Card
from simulators.yookassa.method import Method
from simulators.yookassa.payment import Payment

SAVABLE = ("bank_card", "yoo_money", "sberbank", "tinkoff_bank", "sbp")
"""Means that can be kept during a payment (YooKassa, "Saving a method during payment")."""

TITLES = {
    "yoo_money": "YooMoney wallet 410011758831136",
    "sbp": "СБП",
    "sberbank": "SberPay",
    "tinkoff_bank": "T-Pay",
    "alfa_pay": "Alfa Pay",
}

BANKS = ("Сбербанк", "Т-Банк", "Альфа-Банк", "ВТБ")
"""Some of those that the page of SBP lists on a telephone."""


@dataclass(frozen=True, slots=True)
class Means:
    """One means of payment; `card` is the API's card object, for cards only."""

    type: str
    title: str
    card: dict[str, Any] | None = None
    three_d_secure: bool = False

    def described(self, method_id: str, *, saved: bool) -> dict[str, Any]:
        """Return the `payment_method` object of a payment made with this."""
        body: dict[str, Any] = {
            "type": self.type,
            "id": method_id,
            "saved": saved,
            "status": "active" if saved else "inactive",
            "title": self.title,
        }
        if self.card:
            body["card"] = self.card
        elif self.type == "yoo_money":
            body["account_number"] = "410011758831136"
        elif self.type == "sbp":
            body["sbp_operation_id"] = secrets.token_hex(16).upper()
            body["payer_bank_details"] = {"bank_id": "100000000111", "bic": "044525225"}
        return body


def by_card(card: Card) -> Means:
    """Return the means for a test card."""
    return Means("bank_card", card.title, card.details(), card.three_d_secure)


def by_type(kind: str) -> Means:
    """Return the means for a wallet or an application."""
    return Means(kind, TITLES[kind])


def by_method(kept: Method) -> Means:
    """Return the means that a saved method stands for; 3-DS is not asked of an absent payer."""
    return Means(kept.type, kept.title or kept.type, kept.card)


def saved(source: Payment, used: Means, now: int) -> Method:
    """Return the method that a payment leaves behind; it carries the payment's id."""
    return Method(
        id=source.id,
        shop_id=source.shop_id,
        gateway_id=source.gateway_id,
        type=used.type,
        status="active",
        saved=True,
        title=used.title,
        card=used.card,
        created_at=now,
    )
