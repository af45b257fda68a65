"""Why a charge was declined, in words its payer understands. Pure.

The reasons are those of YooKassa's cancellation details ("Declined payments") and of T-Bank's error
codes; each gateway passes them on as they came.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.errors import Text

_MONEY: Final = Text("not enough money", "не хватает денег")
_BANK: Final = Text("the bank did not answer", "банк не ответил")
_LIMIT: Final = Text("a limit is exceeded", "превышен лимит")
_DECLINED: Final = Text("the bank declined", "банк отказал")
_EXPIRED: Final = Text("the card has expired", "карта просрочена")
_NUMBER: Final = Text("wrong card details", "неверные данные карты")
_LOCKED: Final = Text("the card is blocked", "карта заблокирована")
_REVOKED: Final = Text("consent withdrawn at the bank", "согласие отозвано в банке")
_CONFIRM: Final = Text("the bank wants a confirmation", "банк просит подтверждения")
_COUNTRY: Final = Text("cards of this country not taken", "карта другой страны")
_OURS: Final = Text("a fault on our side", "сбой на нашей стороне")
_GONE: Final = Text("the account is unlinked", "счёт отвязан")
_CONTACT: Final = Text("no e-mail for the receipt", "нет почты для чека")
_PENDING: Final = Text("the account is not linked yet", "счёт ещё не привязан")
OTHER: Final = Text("the bank did not say why", "банк не назвал причину")

DECLINES: Final[Mapping[str, Text]] = {
    "insufficient_funds": _MONEY,
    "issuer_unavailable": _BANK,
    "internal_timeout": _BANK,
    "rejected_by_timeout": _BANK,
    "payment_method_limit_exceeded": _LIMIT,
    "general_decline": _DECLINED,
    "declined": _DECLINED,
    "call_issuer": _DECLINED,
    "fraud_suspected": _DECLINED,
    "3d_secure_failed": _CONFIRM,
    "identification_required": _CONFIRM,
    "expired_on_confirmation": _CONFIRM,
    "card_expired": _EXPIRED,
    "invalid_card_number": _NUMBER,
    "invalid_csc": _NUMBER,
    "payment_method_restricted": _LOCKED,
    "permission_revoked": _REVOKED,
    "country_forbidden": _COUNTRY,
    "binding_gone": _GONE,
    "canceled_by_merchant": _OURS,
    "expired_on_capture": _OURS,
    "deal_expired": _OURS,
    "unmade": _OURS,
    "not_after": _OURS,
    "charging_paused": _OURS,
    "shop_not_configured": _OURS,
    "method_of_another_contract": _OURS,
    "method_unknown": _GONE,
    "expired": _CONFIRM,
    "amount_out_of_limits": _LIMIT,
    "no_contact": _CONTACT,
    "binding_pending": _PENDING,
    "103": _MONEY,
    "116": _MONEY,
    "1051": _MONEY,
    "5060": _MONEY,
    "3012": _GONE,
    "3015": _GONE,
    "5031": _GONE,
}
"""Each at most 32 characters: it stands in an SMS."""

OF_CHARGES: Final = frozenset(
    {
        "fraud_suspected",
        "3d_secure_failed",
        "identification_required",
        "card_expired",
        "invalid_card_number",
        "invalid_csc",
        "payment_method_restricted",
        "permission_revoked",
        "country_forbidden",
    }
)
"""Reasons that end a method and that only a charge brings: its own message tells of both."""


def words(reason: str) -> Text:
    """Return a reason in plain words; one that nobody has published says that none was given."""
    return DECLINES.get(reason, OTHER)
