"""The rules that say no to a correction, each by its name."""

from __future__ import annotations

from typing import Final

from core_billing.desk_rules import AMOUNT_ABOVE_MAX, AMOUNT_BELOW_MIN
from shared.errors import Refusal

PAYMENT_UNKNOWN: Final = Refusal(
    "payment_unknown", 404, "There is no payment {id}", "Платежа {id} нет"
)
CHANGED_MEANWHILE: Final = Refusal(
    "changed_meanwhile",
    409,
    "{manager} has corrected this payment at {at} (revision {revision}): look at it again",
    "{manager} исправил этот платёж {at} (версия {revision}): посмотрите его снова",
)
ALREADY_ANNULLED: Final = Refusal(
    "already_annulled",
    409,
    "{manager} has annulled this payment at {at}: restore it first",
    "{manager} аннулировал этот платёж {at}: сначала восстановите его",
)
NOT_ANNULLED: Final = Refusal(
    "not_annulled",
    409,
    "The payment stands: only an annulled one is restored",
    "Платёж действует: восстанавливают только аннулированный",
)
REFUNDED: Final = Refusal(
    "refunded",
    409,
    "{amount} of this payment has been refunded, so it stays where it is: move the rest by hand",
    "Из этого платежа возвращено {amount}, поэтому он остаётся на месте:"
    " остаток перенесите вручную",
)
PROVIDER_CONFIRMED: Final = Refusal(
    "provider_confirmed",
    409,
    "The provider confirmed {amount}: move the payment or put it to suspense,"
    " or ask for a refund (POST /payments/<id>/refunds)",
    "Провайдер подтвердил {amount}: перенесите платёж, отложите до выяснения"
    " или запросите возврат (POST /payments/<id>/refunds)",
)
REFUND_NOT_CORRECTED: Final = Refusal(
    "refund_not_corrected",
    409,
    "A refund is not corrected: make the entry by hand",
    "Возврат не исправляют: проведите исправление вручную",
)
FEE_NOT_CORRECTED: Final = Refusal(
    "fee_not_corrected",
    409,
    "A fee is neither moved nor changed: annul it, and the money comes back",
    "Начисление не переносят и не меняют: аннулируйте его, и деньги вернутся",
)
OPENING_NOT_CORRECTED: Final = Refusal(
    "opening_not_corrected",
    409,
    "The balance a contract has brought along is not corrected here: take a payment",
    "Начальный остаток здесь не исправляют: проведите платёж",
)
DISTRIBUTION_NOT_CORRECTED: Final = Refusal(
    "distribution_not_corrected",
    409,
    "Money handed on to subordinate contracts follows its payment: correct that payment",
    "Деньги подчинённых договоров следуют за платежом: исправьте сам платёж",
)
ONLY_ANNULLED: Final = Refusal(
    "only_annulled",
    409,
    "A transfer or write-off is neither moved nor changed: annul it and make it anew",
    "Перенос и списание долга не переносят и не меняют: аннулируйте и проведите заново",
)
SUBORDINATE_CLOSED: Final = Refusal(
    "subordinate_closed",
    409,
    "{kopecks} of it went on to the contract {number}, which is closed: open that one first",
    "Из него {kopecks} ушло на договор {number}, он закрыт: сначала откройте его",
)
SPLIT_PAYMENT: Final = Refusal(
    "split_payment",
    409,
    "The payment lies on several contracts: move all of it to one, then change its sum",
    "Платёж лежит на нескольких договорах: перенесите его на один, затем меняйте сумму",
)
TOO_MANY_REVISIONS: Final = Refusal(
    "too_many_revisions",
    409,
    "The payment has {max} revisions, more are not kept: annul it and take a new one",
    "У платежа уже {max} версий, больше не бывает: аннулируйте его и проведите новый",
)
NOT_CHANGEABLE: Final = Refusal(
    "payments_not_changeable",
    409,
    "The setting payments_changeable forbids correcting posted payments",
    "Настройка payments_changeable запрещает исправлять проведённые платежи",
)
PERIOD_CLOSED: Final = Refusal(
    "period_closed",
    409,
    "The payment of {day} lies in a closed period: the first day that may be changed is {first}",
    "Платёж от {day} в закрытом периоде: менять можно начиная с {first}",
)
SAME_CONTRACT: Final = Refusal(
    "same_contract",
    422,
    "The payment is there already: name another contract",
    "Платёж уже там: укажите другой договор",
    "contract",
)
CONTRACT_UNKNOWN: Final = Refusal(
    "contract_unknown",
    422,
    "There is no contract {number}: name an existing one",
    "Договора {number} нет: укажите действующий",
    "contract",
)
CONTRACT_CLOSED: Final = Refusal(
    "contract_closed",
    422,
    "The contract {number} is closed: name an open one",
    "Договор {number} закрыт: укажите действующий",
    "contract",
)
CONTRACT_MISSING: Final = Refusal(
    "contract_missing",
    422,
    "Name the contract to move the payment to, or null for suspense",
    "Укажите договор, на который перенести платёж, или null: до выяснения",
    "contract",
)
CONTRACT_UNASKED: Final = Refusal(
    "contract_not_asked",
    422,
    "Only a move takes a contract, and a restoring another than before: leave it out",
    "Договор нужен только переносу и восстановлению на другой: уберите его",
    "contract",
)
AMOUNT_MISSING: Final = Refusal(
    "amount_missing", 422, "Say the new sum", "Укажите новую сумму", "amount"
)
AMOUNT_UNASKED: Final = Refusal(
    "amount_not_asked",
    422,
    "Only the action `amount` takes a sum: leave it out",
    "Сумма нужна только действию amount: уберите её",
    "amount",
)
AMOUNT_ZERO: Final = Refusal(
    "amount_zero",
    422,
    "A sum of zero: annul the payment instead",
    "Сумма ноль: аннулируйте платёж",
    "amount",
)
AMOUNT_NEGATIVE: Final = Refusal(
    "amount_negative",
    422,
    "The sum must be above zero",
    "Сумма должна быть больше нуля",
    "amount",
)
NOTHING_CHANGES: Final = Refusal(
    "nothing_changes",
    422,
    "The payment has this sum already",
    "У платежа уже эта сумма",
    "amount",
)
REASON_MISSING: Final = Refusal(
    "reason_missing", 422, "Say why, for whoever asks later", "Укажите причину", "reason"
)

ALL: Final = (
    *(PAYMENT_UNKNOWN, CHANGED_MEANWHILE, ALREADY_ANNULLED, NOT_ANNULLED, REFUNDED),
    *(PROVIDER_CONFIRMED, REFUND_NOT_CORRECTED, FEE_NOT_CORRECTED, OPENING_NOT_CORRECTED),
    *(DISTRIBUTION_NOT_CORRECTED, ONLY_ANNULLED, SPLIT_PAYMENT, TOO_MANY_REVISIONS),
    SUBORDINATE_CLOSED,
    *(NOT_CHANGEABLE, PERIOD_CLOSED, SAME_CONTRACT, CONTRACT_UNKNOWN, CONTRACT_CLOSED),
    *(CONTRACT_MISSING, CONTRACT_UNASKED, AMOUNT_MISSING, AMOUNT_UNASKED, AMOUNT_ZERO),
    *(AMOUNT_NEGATIVE, AMOUNT_BELOW_MIN, AMOUNT_ABOVE_MAX, NOTHING_CHANGES, REASON_MISSING),
)
