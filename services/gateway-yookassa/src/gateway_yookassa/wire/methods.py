"""Means of payment at YooKassa: their names, bounds and terms.

Only those that are asked for by their type alone, without a form of ours. What YooKassa does not
say is left open, so that a payment is refused by YooKassa and not by a belief. Any other type in
an answer is a text like any other. Source: "Payment methods", API v3, 2026.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from shared.errors import Text
from shared.gateway.terms import Means
from shared.money import Money

_LEAST: Final = Money(100)
_HOUR: Final = timedelta(hours=1)

METHODS: Final = (
    Means(
        "bank_card",
        Text("Bank card", "Банковская карта"),
        _LEAST,
        Money(35_000_000),
        _HOUR,
        keeps=True,
    ),
    # SBP moves money at once: there is nothing to hold.
    Means(
        "sbp",
        Text("SBP", "СБП"),
        _LEAST,
        Money(70_000_000),
        _HOUR,
        holds=False,
        scans=True,
        keeps=True,
    ),
    Means("sberbank", Text("SberPay", "SberPay"), _LEAST, None, _HOUR, keeps=True),
    Means("tinkoff_bank", Text("T-Pay", "T-Pay"), _LEAST, None, _HOUR, keeps=True),
    # The wallet's own bound lies between 15 000 and 250 000, by how well its owner is known.
    Means("yoo_money", Text("YooMoney", "ЮMoney"), _LEAST, Money(25_000_000), _HOUR, keeps=True),
    Means("alfa_pay", Text("Alfa Pay", "Alfa Pay"), _LEAST, None, _HOUR, holds=False),
    Means("sber_bnpl", Text("Pay in parts", "Плати частями"), _LEAST, None, _HOUR),
    Means("sber_loan", Text("Sber loan", "Кредит Сбера"), _LEAST, None, timedelta(hours=72)),
)
"""In the order in which a caller's mistake lists them."""
