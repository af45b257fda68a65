"""What the pages of the notifier say beside the shared ones."""

from __future__ import annotations

from typing import Final

from shared.errors import Text
from shared.web.texts import Catalogue

TEXTS: Final[Catalogue] = {
    "title": Text("What we tell you, and where", "Уведомления"),
    "of_contract": Text("Contract {number}", "Договор {number}"),
    "saved": Text("Saved", "Сохранено"),
    "where": Text("Where", "Куда сообщать"),
    "sms": Text("SMS", "СМС"),
    "email": Text("E-mail", "Электронная почта"),
    "bot": Text("Messenger", "Мессенджер"),
    "webhook": Text("Other", "Другое"),
    "no_address": Text("no address yet", "адрес не указан"),
    "bad_address": Text("this address does not work", "на этот адрес не отправить"),
    "not_confirmed": Text("not confirmed yet", "ещё не подтверждён"),
    "own_address": Text("your own address", "указан вами"),
    "mode": Text("How", "Как"),
    "mode_default": Text("As your operator has set it", "Как настроил оператор"),
    "mode_all": Text("To every address at once", "На все адреса сразу"),
    "mode_first": Text(
        "To one; to the next one only if it fails", "На один; на следующий, только если не дошло"
    ),
    "first": Text("First to", "Сначала"),
    "what": Text("What about", "О чём сообщать"),
    "everywhere": Text("everywhere", "везде"),
    "nowhere": Text("do not tell me", "не сообщать"),
    "as_is": Text("as it is now", "как сейчас"),
    "only": Text("only: {channel}", "только: {channel}"),
    "always": Text(
        "These always come, they are about your rights and your money:",
        "Об этом сообщаем всегда, это касается ваших прав и денег:",
    ),
    "low": Text("When money runs out", "Когда заканчиваются деньги"),
    "low_balance": Text("Tell me when the balance is below", "Сообщить, когда баланс меньше"),
    "low_balance_hint": Text(
        "In roubles; {default} if empty", "В рублях; если пусто, то {default}"
    ),
    "low_days": Text("And so many days before services stop", "И за столько дней до отключения"),
    "low_days_hint": Text(
        "From 1 to {most} days; not told by days if empty",
        "От 1 до {most} дней; если пусто, по дням не сообщаем",
    ),
    "speak": Text("Language of messages", "Язык сообщений"),
    "speak_default": Text("As in your contract", "Как в договоре"),
    "ru": Text("Russian", "Русский"),
    "en": Text("English", "Английский"),
    "save": Text("Save", "Сохранить"),
    "other_address": Text("Another address", "Другой адрес"),
    "channel": Text("Where to", "Куда"),
    "address": Text("Address or telephone", "Адрес или телефон"),
    "send_code": Text("Send me a code", "Прислать код"),
    "code_sent": Text(
        "We have sent a code to {address}. It is valid for 15 minutes.",
        "Мы отправили код на {address}. Он действует 15 минут.",
    ),
    "code": Text("Code of six digits", "Код из шести цифр"),
    "confirm": Text("Confirm", "Подтвердить"),
    "forget": Text("Do not use my own address", "Не использовать мой адрес"),
    "unsubscribe": Text("No more messages of this kind?", "Больше не сообщать?"),
    "unsubscribe_text": Text(
        "Contract {number}: we shall no longer write by this channel about “{kind}”.",
        "Договор {number}: больше не будем писать этим способом о «{kind}».",
    ),
    "unsubscribe_do": Text("Do not write any more", "Не писать"),
    "unsubscribed": Text("We shall not write about this any more", "Больше об этом не пишем"),
    "to_all": Text("To the cabinet", "В личный кабинет"),
}
