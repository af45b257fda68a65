"""Why an act on a mandate is refused, by name."""

from __future__ import annotations

from typing import Final

from shared.errors import Refusal

CONTRACT_UNKNOWN: Final = Refusal(
    "contract_unknown", 404, "There is no such contract", "Такого договора нет"
)
CONTRACT_CLOSED: Final = Refusal(
    "contract_closed",
    409,
    "The contract is closed: autopay cannot be switched on",
    "Договор закрыт: автоплатёж включить нельзя",
)
MANDATE_EXISTS: Final = Refusal(
    "mandate_exists",
    409,
    "The contract has autopay already: change it instead",
    "Автоплатёж по договору уже включён: измените его",
)
MANDATE_UNKNOWN: Final = Refusal(
    "mandate_unknown", 404, "There is no such autopay", "Такого автоплатежа нет"
)
REVOKED_ALREADY: Final = Refusal(
    "mandate_revoked",
    409,
    "Autopay was refused: switch it on anew",
    "От автоплатежа отказались: включите его заново",
)
METHOD_UNKNOWN: Final = Refusal(
    "method_unknown",
    422,
    "This contract has no such saved card or account: choose another one",
    "У договора нет такой привязанной карты или счёта: выберите другой способ",
    "method",
)
RESERVE_UNKNOWN: Final = Refusal(
    "reserve_unknown",
    422,
    "This contract has no such saved card or account: choose another reserve",
    "У договора нет такой привязанной карты или счёта: выберите другой запасной способ",
    "reserve",
)
PAUSE_PAST: Final = Refusal(
    "pause_past",
    422,
    "Give a day that is still to come",
    "Укажите день, который ещё не наступил",
    "until",
)
PAUSE_TOO_LONG: Final = Refusal(
    "pause_too_long",
    422,
    "Give a day within {days} days, or refuse autopay",
    "Укажите день не дальше {days} дней или откажитесь от автоплатежа",
    "until",
)
CHARGE_UNKNOWN: Final = Refusal(
    "charge_unknown", 404, "There is no such charge", "Такого списания нет"
)
CHARGE_GONE: Final = Refusal(
    "charge_gone",
    409,
    "The charge has left already and cannot be called off",
    "Списание уже отправлено, отменить его нельзя",
)
