"""Texts of the autopay pages, by word, in both languages."""

from __future__ import annotations

from typing import Final

from autopay.web.texts_standing import STANDING
from shared.errors import Text
from shared.web.texts import Catalogue

TEXTS: Final[Catalogue] = {
    **STANDING,
    "title": Text("Autopay", "Автоплатёж"),
    "contract": Text("Contract {number}", "Договор {number}"),
    "to_cabinet": Text("To your account", "В личный кабинет"),
    # Switching on and changing
    "offer_title": Text("Switch autopay on", "Включить автоплатёж"),
    "offer_text": Text(
        "Contract {number} is topped up by itself from your card or account, "
        "so the service is not cut off for want of money.",
        "Договор {number} пополняется сам с вашей карты или счёта, "
        "и услуги не отключатся из-за забытого платежа.",
    ),
    "offer_before": Text(
        "Before a charge we tell you its sum ({long} ahead, {short} when the balance is low), "
        "and one tap calls it off.",
        "Перед списанием сообщим сумму (за {long}, при низком балансе за {short}), "
        "и его можно отменить одним нажатием.",
    ),
    "offer_before_fee": Text(
        "Before a charge we tell you its sum ({long} ahead), and one tap calls it off. "
        "When the balance is low, we charge at once.",
        "Перед списанием сообщим сумму (за {long}), и его можно отменить одним нажатием. "
        "При низком балансе спишем сразу.",
    ),
    "hours": Text("{count} h", "{count} ч"),
    "minutes": Text("{count} min", "{count} мин"),
    "offer_limit": Text(
        "You set a limit for a month, and we never go above it.",
        "Вы задаёте предел на месяц, больше него не спишем.",
    ),
    "offer_stop": Text(
        "Pause it or switch it off here whenever you like; it takes effect at once.",
        "Поставить на паузу или отключить можно здесь в любой момент, действует сразу.",
    ),
    "change_title": Text("Change autopay", "Изменить автоплатёж"),
    "when": Text("When to top up", "Когда пополнять"),
    "when_balance": Text("When the balance falls low", "Когда на балансе мало денег"),
    "threshold": Text("Below how much, ₽", "Меньше какой суммы, ₽"),
    "amount": Text("How much to charge, ₽", "Сколько списывать, ₽"),
    "amount_hint": Text(
        "Leave it empty to charge as much as is missing.",
        "Оставьте пустым, и спишем столько, сколько не хватает.",
    ),
    "when_fee": Text(
        "Before the fee, as much as is missing", "Перед абонентской платой, сколько не хватает"
    ),
    "days_before": Text("How many days before", "За сколько дней"),
    "fee_hint": Text(
        "We charge what the fee lacks and explain the sum. Nothing is charged if there is enough.",
        "Спишем столько, сколько не хватает на абонентскую плату, и объясним сумму. "
        "Если денег хватает, не спишем ничего.",
    ),
    "when_day": Text("On one day of each month", "Каждый месяц в один день"),
    "day_of_month": Text("Day of the month", "Число месяца"),
    "day_hint": Text(
        "In a shorter month it is the last day.",
        "Если в месяце нет такого числа, спишем в последний день.",
    ),
    "limit": Text("Limit for a month", "Предел на месяц"),
    "cap": Text("Not more than, ₽", "Не больше, ₽"),
    "cap_hint": Text(
        "All charges of a calendar month together.", "Все списания за календарный месяц вместе."
    ),
    "from_what": Text("What to charge", "Откуда списывать"),
    "reserve": Text("If that fails", "Если не получилось"),
    "reserve_hint": Text(
        "Used when the first one is refused.", "Спишем отсюда, если первый способ не сработал."
    ),
    "no_reserve": Text("Nothing else", "Больше ниоткуда"),
    "consent": Text("Your consent", "Ваше согласие"),
    "consent_version": Text("Text version {version}", "Редакция {version}"),
    "agree": Text(
        "I have read this and agree to the charges", "Условия прочитаны, на списания согласен"
    ),
    "offer_button": Text("Switch on", "Включить"),
    "change_button": Text("Save", "Сохранить"),
    "leave_as_it_is": Text("Leave everything as it is", "Оставить как есть"),
    # No card yet
    "no_method_title": Text("First save a card", "Сначала сохраните карту"),
    "no_method_text": Text(
        "Autopay needs a saved card or account. Top up contract {number} in your account, tick "
        "“Remember the card for autopay”, and come back here.",
        "Для автоплатежа нужна сохранённая карта или счёт. Пополните договор {number} в личном "
        "кабинете, отметьте «Запомнить карту для автоплатежа» и вернитесь сюда.",
    ),
    "save_card": Text("Save a card in your account", "Сохранить карту в кабинете"),
    # What has just been done
    "done_on": Text("Autopay is on.", "Автоплатёж включён."),
    "done_changed": Text("The changes are saved.", "Изменения сохранены."),
    "done_paused": Text("Autopay is paused.", "Автоплатёж на паузе."),
    "done_resumed": Text("Autopay goes on.", "Автоплатёж снова работает."),
    "done_skipped": Text("The next charge is left out.", "Следующее списание пропустим."),
    # Switching off
    "revoke_title": Text("Switch autopay off?", "Отключить автоплатёж?"),
    "revoke_text": Text(
        "Nothing more will be charged for contract {number}, from now on. "
        "What was saved is removed for good:",
        "По договору {number} больше ничего не спишем, сразу. Сохранённое удалим навсегда:",
    ),
    "in_flight_text": Text(
        "A charge of {amount} was sent to the bank before that and may still go through.",
        "Списание {amount} отправлено в банк раньше и ещё может пройти.",
    ),
    "revoke_pause": Text(
        "If you only want a rest, pause it instead: the card stays saved.",
        "Если нужен перерыв, поставьте на паузу: карта останется сохранённой.",
    ),
    "revoke_button": Text("Switch off and remove", "Отключить и удалить"),
    "revoked_title": Text("Autopay is off", "Автоплатёж отключён"),
    "revoked_text": Text(
        "Switched off for contract {number} on {at}. Nothing will be charged: "
        "the cards and accounts it used are removed.",
        "Автоплатёж по договору {number} отключён {at}. Ничего не спишем: "
        "карты и счета автоплатежа удалены.",
    ),
    "revoked_again": Text(
        "To have it again, save a card in your account and open this page from there.",
        "Чтобы включить снова, сохраните карту в личном кабинете и откройте эту страницу оттуда.",
    ),
    "switch_on_again": Text("Switch on again", "Включить снова"),
    # One charge
    "skip_title": Text("Leave this charge out?", "Пропустить это списание?"),
    "skip_button": Text("Not this time", "Не в этот раз"),
    "skip_hint": Text(
        "Only this one charge: autopay stays on.", "Только это списание: автоплатёж останется."
    ),
    "to_mandate": Text("To the settings of autopay", "К настройкам автоплатежа"),
    "skipped_title": Text("This charge is left out", "Это списание пропустим"),
    "skipped_text": Text(
        "{amount} will not be charged. Mind that the balance may not suffice.",
        "{amount} не спишем. Проверьте, хватит ли денег на балансе.",
    ),
    "late_title": Text("Too late to leave it out", "Пропустить уже нельзя"),
    "late_sent": Text(
        "The charge of {amount} is with the bank already. The result will come in a message.",
        "Списание {amount} уже отправлено в банк. О результате придёт сообщение.",
    ),
    "late_done": Text(
        "{amount} has been charged already for the contract.",
        "{amount} уже списано в пользу договора.",
    ),
    "late_failed": Text(
        "This charge of {amount} did not go through, nothing was taken.",
        "Это списание {amount} не прошло, деньги не взяты.",
    ),
    "dropped_title": Text("This charge is called off already", "Это списание уже отменено"),
    "dropped_text": Text("{amount} will not be charged.", "{amount} не спишем."),
    # Links
    "expired_title": Text("The link has expired", "Ссылка устарела"),
    "expired_text": Text(
        "For your safety such links work for a limited time. Sign in to your account: "
        "autopay of your contract opens from there.",
        "Ради безопасности такие ссылки действуют недолго. Войдите в личный кабинет: "
        "автоплатёж вашего договора открывается оттуда.",
    ),
    "bad_link_title": Text("The link is incomplete", "Ссылка неполная"),
    "bad_link_text": Text(
        "Part of it may have been lost on the way. Sign in to your account: "
        "autopay of your contract opens from there.",
        "Возможно, она скопирована не целиком. Войдите в личный кабинет: "
        "автоплатёж вашего договора открывается оттуда.",
    ),
}
