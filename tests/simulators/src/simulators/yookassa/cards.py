"""The published test cards and what the bank says to each.

YooKassa, "Testing": any future expiry, any CVC, any 3-DS code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple


class Refusal(NamedTuple):
    """Why a payment was not made: `cancellation_details` of the API."""

    party: str
    reason: str


@dataclass(frozen=True, slots=True)
class Card:
    """A test card; without a refusal it pays."""

    number: str
    brand: str
    three_d_secure: bool = False
    refusal: Refusal | None = None

    @property
    def title(self) -> str:
        """Return the name by which a payer knows a saved card."""
        return f"Bank card *{self.number[-4:]}"

    def details(self) -> dict[str, Any]:
        """Return the `card` object of the API."""
        return {
            "first6": self.number[:6],
            "last4": self.number[-4:],
            "expiry_year": "2030",
            "expiry_month": "12",
            "card_type": self.brand,
            "card_product": {"code": "E"},
            "issuer_country": "RU",
            "issuer_name": "Sandbox Bank",
        }


PAYING = (
    Card("5555555555554477", "MasterCard", three_d_secure=True),
    Card("5555555555554444", "MasterCard"),
    Card("4793128161644804", "Visa", three_d_secure=True),
    Card("4111111111111111", "Visa"),
    Card("2200000000000004", "Mir", three_d_secure=True),
    Card("2202474301322987", "Mir"),
)

_REFUSALS = """
5555555555554592 4839665499603842 2200000000000012 payment_network 3d_secure_failed
5555555555554535 4926946416239025 2200000000000020 payment_network call_issuer
5555555555554543 4141435412630840 2200000000000038 payment_network card_expired
5555555555554568 4483274282299972 2200000000000046 payment_network fraud_suspected
5555555555554527 4889971706588753 2202202212312379 payment_network general_decline
5555555555554600 4562265587712390 2200000000000053 payment_network insufficient_funds
5555555555554618 4951017853630544 2201382000000013 payment_network invalid_card_number
5555555555554626 4194180666146368 2200770212727079 payment_network invalid_csc
5555555555554501 4654130848359150 2201382000000021 payment_network issuer_unavailable
5555555555554576 4565231022577548 2201382000000039 payment_network payment_method_limit_exceeded
5555555555554550 4233961169071671 2201382000000047 payment_network payment_method_restricted
5555555555554584 4969751510013864 2201382000000054 yoo_money country_forbidden
5555555555554634 4119098878796485 2201696981989955 yoo_money fraud_suspected
"""


def _refused(line: str) -> list[Card]:
    *numbers, party, reason = line.split()
    refusal = Refusal(party, reason)
    secure = reason == "3d_secure_failed"
    brands = ("MasterCard", "Visa", "Mir")
    return [
        Card(number, brand, secure, refusal) for number, brand in zip(numbers, brands, strict=True)
    ]


REFUSED = tuple(card for line in _REFUSALS.strip().splitlines() for card in _refused(line))
BY_NUMBER = {card.number: card for card in (*PAYING, *REFUSED)}

HINTS = {
    "3d_secure_failed": "не пройдена проверка 3-D Secure",
    "call_issuer": "банк отказал без объяснения",
    "card_expired": "истёк срок действия карты",
    "fraud_suspected": "заподозрено мошенничество",
    "general_decline": "отказ без подробностей",
    "insufficient_funds": "не хватает денег",
    "invalid_card_number": "неверный номер карты",
    "invalid_csc": "неверный код CVC",
    "issuer_unavailable": "банк не отвечает",
    "payment_method_limit_exceeded": "превышен лимит",
    "payment_method_restricted": "карта заблокирована",
    "country_forbidden": "карта этой страны не принимается",
}
"""Reasons in words, for the payment page."""

DECLINES = {
    **{reason: HINTS[reason] for reason in HINTS if reason != "3d_secure_failed"},
    "internal_timeout": "ЮKassa не успела за 30 секунд",
    "permission_revoked": "владелец отозвал согласие на автоплатежи",
    "identification_required": "кошельку нужна идентификация",
}
"""What a charge of a saved method may meet, in words: `cancellation_details` of the API, "Declined
payments", without what only a payer at a page can meet.
"""


def find(number: str) -> Card | None:
    """Return the test card of this number, written with or without spaces; None for any other."""
    return BY_NUMBER.get("".join(number.split()))
