"""Texts of how autopay stands: what comes next and why, what is agreed, what became of charges."""

from __future__ import annotations

from typing import Final

from shared.errors import Text
from shared.web.texts import Catalogue

STANDING: Final[Catalogue] = {
    # As it stands
    "state_active": Text("On", "Включён"),
    "state_paused": Text("Paused", "На паузе"),
    "state_stopped": Text("Needs a new card", "Нужна новая карта"),
    "paused_text": Text(
        "Paused until {until}: nothing is charged before that.",
        "Пауза до {until}: до этого дня ничего не спишем.",
    ),
    "stopped_text": Text(
        "The saved card or account does not work any more, so nothing is charged. "
        "Save another one and choose it under “Change”.",
        "Сохранённая карта или счёт больше не работает, поэтому ничего не списываем. "
        "Сохраните другую и выберите её в «Изменить».",
    ),
    "skipping_text": Text(
        "The next charge is left out, as you asked.",
        "Следующее списание пропустим, как вы просили.",
    ),
    "full_text": Text(
        "The limit of {cap} for this month is used up: the next charge comes next month.",
        "Предел {cap} на этот месяц исчерпан: следующее списание будет в новом месяце.",
    ),
    "closed_title": Text("The contract is closed", "Договор закрыт"),
    "closed_text": Text(
        "The contract is closed: nothing is charged.", "Договор закрыт, ничего не спишем."
    ),
    "next_charge": Text("Next charge", "Следующее списание"),
    "needed": Text("Needed altogether", "Нужно всего"),
    "charging_now": Text("Being charged now", "Списываем сейчас"),
    "to_charge": Text("To be charged", "К списанию"),
    "from_method": Text("from {title}", "с {title}"),
    "nameless": Text("the saved method", "сохранённого способа"),
    "nameless_method": Text("Saved card or account", "Сохранённая карта или счёт"),
    "nothing_planned": Text("No charge is planned now.", "Сейчас списание не запланировано."),
    "balance_now": Text("On the balance now: {amount}.", "Сейчас на балансе {amount}."),
    "will_balance": Text(
        "We charge {amount} when the balance is below {threshold}.",
        "Спишем {amount}, когда на балансе станет меньше {threshold}.",
    ),
    "will_balance_needed": Text(
        "We charge as much as is missing when the balance is below {threshold}.",
        "Спишем сколько не хватает, когда на балансе станет меньше {threshold}.",
    ),
    "will_fee": Text(
        "{days} day(s) before the fee we charge what it lacks.",
        "За {days} дн. до абонентской платы спишем столько, сколько не хватает.",
    ),
    "will_day": Text("We charge {amount} on {on}.", "Спишем {amount} {on}."),
    "why_balance": Text(
        "Because the balance has fallen below {threshold}.",
        "Потому что на балансе стало меньше {threshold}.",
    ),
    "why_low": Text("Because the balance has fallen low.", "Потому что на балансе мало денег."),
    "why_fee": Text("So that there is enough for the fee.", "Чтобы хватило на абонентскую плату."),
    "why_fee_on": Text(
        "So that there is enough for the fee of {on}.", "Чтобы хватило на абонентскую плату {on}."
    ),
    "why_day": Text(
        "Because you chose this day of the month.", "Потому что вы выбрали этот день месяца."
    ),
    "leave_out": Text("Not this time", "Не в этот раз"),
    "pause": Text("Pause", "Поставить на паузу"),
    "pause_until": Text("Until which day", "До какого дня"),
    "pause_hint": Text(
        "Nothing is charged before that day; afterwards autopay goes on by itself.",
        "До этого дня ничего не спишем, потом автоплатёж продолжится сам.",
    ),
    "pause_button": Text("Pause", "Поставить на паузу"),
    "resume": Text("Go on now", "Возобновить"),
    "change": Text("Change", "Изменить"),
    "switch_off": Text("Switch off", "Отключить"),
    "terms": Text("What is agreed", "Условия"),
    "fact_when": Text("When", "Когда"),
    "fact_amount": Text("Sum", "Сумма"),
    "fact_cap": Text("Limit for a month", "Предел на месяц"),
    "fact_left": Text("Left this month", "Осталось в этом месяце"),
    "fact_method": Text("Charged from", "Откуда"),
    "fact_reserve": Text("If that fails", "Если не получилось"),
    "fact_consent": Text("Consent given", "Согласие дано"),
    "as_needed": Text("as much as is missing", "сколько не хватает"),
    "fact_balance": Text("balance below {threshold}", "баланс меньше {threshold}"),
    "fact_fee": Text("{days} day(s) before the fee", "за {days} дн. до абонентской платы"),
    "fact_day": Text("on day {day} of the month", "каждое {day}-е число"),
    "consent_of": Text("{at}, version {version}", "{at}, редакция {version}"),
    "results": Text("Last charges", "Последние списания"),
    "no_results": Text("There has been none yet", "Списаний ещё не было"),
    "result_succeeded": Text("Charged", "Списано"),
    "result_failed": Text("Did not go through", "Не получилось"),
    "result_dropped": Text("Called off", "Отменено"),
    "failed_insufficient_funds": Text("not enough money there", "не хватило денег"),
    "failed_card_expired": Text("the card has expired", "истёк срок карты"),
    "failed_permission_revoked": Text("the permission was withdrawn", "разрешение отозвано"),
    "failed_issuer_unavailable": Text("the bank did not answer", "банк не ответил"),
    "failed_payment_method_limit_exceeded": Text("the card's limit", "превышен лимит карты"),
    "failed_payment_method_restricted": Text("the card is restricted", "карта ограничена"),
    "failed_general_decline": Text("the bank declined", "банк отказал"),
    "failed_declined": Text("the bank declined", "банк отказал"),
    "dropped_paid": Text("the money has come another way", "деньги уже поступили"),
    "dropped_skipped": Text("you asked to leave it out", "вы попросили пропустить"),
    "dropped_paused": Text("autopay was paused", "автоплатёж был на паузе"),
    "dropped_revoked": Text("autopay was switched off", "автоплатёж отключили"),
    "dropped_changed": Text("the terms were changed", "условия изменили"),
    "dropped_method_gone": Text("the card was removed", "карту удалили"),
    "dropped_closed": Text("the contract is closed", "договор закрыт"),
}
