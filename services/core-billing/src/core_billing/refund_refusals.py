"""The rules that say no to a refund that is asked for here, each by its name."""

from __future__ import annotations

from typing import Final

from core_billing.correction_refusals import PAYMENT_UNKNOWN, REASON_MISSING
from shared.errors import Refusal

NOT_REFUNDABLE: Final = Refusal(
    "not_refundable",
    422,
    "No provider has brought this money: pay it out by hand",
    "Эти деньги пришли не от провайдера: верните их вручную",
)
NOTHING_TO_REFUND: Final = Refusal(
    "nothing_to_refund",
    422,
    "Nothing of this payment is left: it has been refunded or annulled",
    "От этого платежа ничего не осталось: он возвращён или аннулирован",
    "amount",
)
ABOVE_REST: Final = Refusal(
    "refund_above_rest",
    422,
    "{rest} of this payment is left: refund no more",
    "От этого платежа осталось {rest}: вернуть можно не больше",
    "amount",
)
AMOUNT_ZERO: Final = Refusal(
    "amount_zero",
    422,
    "A refund of zero: name a sum above zero, or none for all that is left",
    "Возврат на ноль: укажите сумму больше нуля или не указывайте, чтобы вернуть весь остаток",
    "amount",
)
AMOUNT_NEGATIVE: Final = Refusal(
    "amount_negative",
    422,
    "A refund below zero: name a sum above zero",
    "Возврат меньше нуля: укажите сумму больше нуля",
    "amount",
)
REASON_TOO_LONG: Final = Refusal(
    "reason_too_long",
    422,
    "Shorten the reason to {max} characters",
    "Сократите причину до {max} символов",
    "reason",
)

ALL: Final = (
    *(PAYMENT_UNKNOWN, NOT_REFUNDABLE, NOTHING_TO_REFUND, ABOVE_REST, AMOUNT_ZERO),
    *(AMOUNT_NEGATIVE, REASON_MISSING, REASON_TOO_LONG),
)
