"""What a subscriber agrees to: the texts by version, the newest one shown.

A text that somebody has agreed to is never changed: a new wording is a new version. The journal of
consents keeps the version, so the very words can be shown for as long as they are needed.
Source: Federal Law 376-FZ (refusal at once, by electronic means); what YooKassa asks of an offer
for automatic payments (sum, period, the way to refuse):
https://yookassa.ru/docs/support/payments/extra/autopayment
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.errors import Text

CURRENT: Final = "2026-11-28"

TEXTS: Final[Mapping[str, tuple[Text, ...]]] = {
    "2026-11-28": (
        Text(
            "I agree that my provider charges the card or account named here, without asking me "
            "before each payment, and puts the money on this contract.",
            "Я согласен, что провайдер списывает деньги с указанной здесь карты или счёта "
            "без подтверждения каждого платежа и зачисляет их на этот договор.",
        ),
        Text(
            "When and how much: as chosen in this form, and within a calendar month never more "
            "than the limit stated here.",
            "Когда и сколько: так, как выбрано в этой форме, и за календарный месяц никогда не "
            "больше указанного здесь предела.",
        ),
        Text(
            "I am told of charges beforehand as this page says, and a charge that is announced "
            "can be called off.",
            "О списаниях меня предупреждают так, как сказано на этой странице, и объявленное "
            "списание можно отменить.",
        ),
        Text(
            "If a charge does not go through, it is tried again on other days, and with the "
            "spare method where one is chosen; each try keeps to the same limit.",
            "Если списание не прошло, его повторят в другие дни и с запасного способа, если он "
            "выбран; предел остаётся тем же.",
        ),
        Text(
            "I can refuse at any time on this page, without a reason. It takes effect at once: "
            "the card or account is removed and never charged again (Federal Law 376-FZ).",
            "Отказаться можно в любое время на этой странице, без объяснения причин. Отказ "
            "действует сразу: карта или счёт удаляются и больше не списываются (закон 376-ФЗ).",
        ),
    ),
}


def words(version: str) -> tuple[Text, ...]:
    """Return the sentences of a version; nothing for one that somebody else has written."""
    return TEXTS.get(version, ())
