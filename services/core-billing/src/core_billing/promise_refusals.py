"""The rules of promised payments that may say no, each by its own name."""

from __future__ import annotations

from typing import Final

from shared.errors import Refusal

CONTRACT_CLOSED: Final = Refusal(
    "contract_closed",
    409,
    "The contract {number} is closed: name an open one",
    "Договор {number} закрыт: укажите действующий",
)
CREDIT_CONTRACT: Final = Refusal(
    "promise_credit_contract",
    409,
    "The contract {number} is charged on credit: only advance and mixed ones may promise",
    "Договор {number} кредитный: обещанный платёж доступен только авансовым и смешанным",
)
CONTRACT_YOUNG: Final = Refusal(
    "promise_contract_young",
    409,
    "The contract {number} is too young: a promised payment is possible from {day}",
    "Договор {number} слишком новый: обещанный платёж доступен с {day}",
)
CONTRACT_UNDATED: Final = Refusal(
    "promise_contract_young",
    409,
    "The contract {number} has no date, so it counts as too young: enter its date",
    "У договора {number} нет даты, поэтому он считается слишком новым: укажите дату",
)
ACTIVE: Final = Refusal(
    "promise_active",
    409,
    "The contract {number} has a promised payment of {amount} until {day} already,"
    " given by {who} on {since}: wait until it is over or cancel it",
    "По договору {number} уже есть обещанный платёж {amount} до {day},"
    " его выдал {who} {since}: дождитесь его окончания или отмените",
)
OVERDUE: Final = Refusal(
    "promise_overdue",
    409,
    "The last promised payment of {amount} was due on {day} and is not repaid: pay {owed} first",
    "Прошлый обещанный платёж {amount} надо было погасить до {day}: сначала оплатите {owed}",
)
NOT_CONFIGURED: Final = Refusal(
    "promise_not_configured",
    409,
    "Promised payments are not set up for the group {group}: set its least and greatest sum",
    "Для группы {group} обещанный платёж не настроен: задайте наименьшую и наибольшую сумму",
)
BY_SUBSCRIBER: Final = Refusal(
    "promise_by_subscriber_not_allowed",
    403,
    "Subscribers of the group {group} do not take promised payments themselves: ask a manager",
    "Абоненты группы {group} не берут обещанный платёж сами: обратитесь к менеджеру",
)
BY_MANAGER: Final = Refusal(
    "promise_by_manager_not_allowed",
    403,
    "Managers do not give promised payments to the group {group}",
    "Менеджеры не выдают обещанный платёж группе {group}",
)
DEBT_ABOVE_LIMIT: Final = Refusal(
    "promise_debt_above_limit",
    409,
    "The debt of {debt} reaches the limit of {limit}: bring the debt below it first",
    "Долг {debt} достиг предела {limit}: сначала уменьшите долг",
)
PAUSE: Final = Refusal(
    "promise_pause",
    409,
    "The last promised payment was overdue: the next one is possible from {day}",
    "Прошлый обещанный платёж был просрочен: следующий доступен с {day}",
)
TOO_OFTEN: Final = Refusal(
    "promise_too_often",
    409,
    "Not more than {count} promised payments in {days} days: the next one from {day}",
    "Не больше {count} обещанных платежей за {days} дн.: следующий доступен с {day}",
)
MANAGER_ONLY: Final = Refusal(
    "promise_manager_only",
    422,
    "Only a manager chooses the end or waives the fee: leave this out",
    "Выбрать срок или отменить плату может только менеджер: уберите это поле",
    "by",
)
BELOW_MIN: Final = Refusal(
    "promise_below_min", 422, "Promise at least {min}", "Обещайте не меньше {min}", "amount"
)
ABOVE_MAX: Final = Refusal(
    "promise_above_max", 422, "Promise at most {max}", "Обещайте не больше {max}", "amount"
)
ABOVE_FEES: Final = Refusal(
    "promise_above_fees",
    422,
    "Promise at most {max}, the largest monthly fee of the contract",
    "Обещайте не больше {max}: это наибольшая абонентская плата по договору",
    "amount",
)
UNTIL_PAST: Final = Refusal(
    "promise_until_past",
    422,
    "The end is in the past: name {first} or a later day",
    "Срок уже прошёл: укажите {first} или более поздний день",
    "until",
)
UNTIL_TOO_FAR: Final = Refusal(
    "promise_until_too_far",
    422,
    "The end is too far away: name {last} or an earlier day",
    "Слишком большой срок: укажите {last} или более ранний день",
    "until",
)
INSUFFICIENT: Final = Refusal(
    "promise_insufficient",
    422,
    "With this promise {missing} would still be missing: promise {needed} or pay a part first",
    "С таким обещанием всё равно не хватит {missing}: обещайте {needed} или сначала внесите часть",
    "amount",
)
UNKNOWN: Final = Refusal(
    "promise_unknown",
    404,
    "There is no promised payment {promise}",
    "Обещанного платежа {promise} нет",
)
NOT_ACTIVE: Final = Refusal(
    "promise_not_active",
    409,
    "The promised payment {promise} is over since {when}: {how_en}",
    "Обещанный платёж {promise} завершён {when}: {how_ru}",
)
CONFLICT: Final = Refusal(
    "promise_conflict",
    409,
    "The promised payment {promise} has changed meanwhile: {paid} of {amount} is paid,"
    " until {day}, revision {revision}: look at it again",
    "Обещанный платёж {promise} тем временем изменился: оплачено {paid} из {amount},"
    " срок {day}, версия {revision}: посмотрите его снова",
    "revision",
)

GIVING: Final = (
    *(CONTRACT_CLOSED, CREDIT_CONTRACT, CONTRACT_YOUNG, CONTRACT_UNDATED, ACTIVE, OVERDUE),
    *(NOT_CONFIGURED, BY_SUBSCRIBER, BY_MANAGER, DEBT_ABOVE_LIMIT, PAUSE, TOO_OFTEN, MANAGER_ONLY),
    *(BELOW_MIN, ABOVE_MAX, ABOVE_FEES, UNTIL_PAST, UNTIL_TOO_FAR, INSUFFICIENT),
)
CANCELLING: Final = (UNKNOWN, NOT_ACTIVE, CONFLICT)
