"""What the pages of a payment say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.errors import Text

SAVE_VERSION: Final = "page-1"
"""Names the text under which a payer agrees; another text has another version."""

TEXTS: Final[Mapping[str, Text]] = {
    "making": Text("Preparing your payment", "Готовим платёж"),
    "making_text": Text(
        "The payment page opens by itself in a moment. Please do not close this one.",
        "Страница оплаты откроется сама через несколько секунд. Не закрывайте эту.",
    ),
    "making_long": Text(
        "The payment system is slow to answer; we keep asking. No money has been taken.",
        "Платёжная система долго не отвечает, мы продолжаем спрашивать. Деньги не списаны.",
    ),
    "paid": Text("Already paid", "Уже оплачено"),
    "paid_text": Text(
        "This order has been paid: {sum}. There is no need to pay again.",
        "Этот заказ оплачен: {sum}. Платить ещё раз не нужно.",
    ),
    "canceled": Text("The payment did not go through", "Платёж не состоялся"),
    "canceled_text": Text(
        "No money has been taken. Go back and start a new payment.",
        "Деньги не списаны. Вернитесь и начните новый платёж.",
    ),
    "back": Text("Go back", "Вернуться"),
    "choose": Text("How would you like to pay?", "Как вы хотите заплатить?"),
    "where_receipt": Text("Where should the receipt go?", "Куда прислать чек?"),
    "receipt_email": Text("E-mail for the receipt", "Почта для чека"),
    "receipt_either": Text("E-mail or telephone for the receipt", "Почта или телефон для чека"),
    "why_contact": Text(
        "The law wants every payment to have a receipt; nothing else is sent there.",
        "По закону на каждый платёж нужен чек; ничего другого туда не придёт.",
    ),
    "save": Text(
        "Save what I pay with, and take payments for this contract from it automatically",
        "Сохранить этот способ оплаты и списывать с него платежи по договору автоматически",
    ),
    "why_save": Text(
        "You can stop this at any moment; it takes effect at once.",
        "Отключить можно в любой момент, это подействует сразу.",
    ),
    "for_contract": Text("For contract {number}", "Договор {number}"),
    "not_now": Text("Not now", "Не сейчас"),
    "begun": Text("You have chosen {means}", "Вы выбрали: {means}"),
    "begun_text": Text(
        "The payment waits for you. Go on with it, or choose another way: you will be led back to"
        " begin a new payment. Pay only one of the two.",
        "Платёж ждёт вас. Продолжите его или выберите другой способ: вы вернётесь и начнёте новый"
        " платёж. Оплатите только один из двух.",
    ),
    "go_on": Text("Go on to pay", "Перейти к оплате"),
    "another_way": Text("Choose another way", "Выбрать другой способ"),
    "scan": Text("Pay in your bank's app", "Оплатите в приложении банка"),
    "scan_text": Text(
        "On a telephone press the button. On a computer scan the code with the telephone's camera"
        " or in the bank's app.",
        "На телефоне нажмите кнопку. На компьютере наведите на код камеру телефона или сканер в"
        " приложении банка.",
    ),
    "open_app": Text("Open the bank's app", "Открыть приложение банка"),
    "choose_bank": Text("Choose your bank", "Выбрать банк"),
    "code_of": Text("The code to pay by", "Код для оплаты"),
    "minutes_left": Text("{count} min left to pay", "На оплату осталось {count} мин"),
    "term_over": Text(
        "The time to pay is over. If you have just paid, the answer is on its way.",
        "Время на оплату вышло. Если вы только что заплатили, ответ уже в пути.",
    ),
}
