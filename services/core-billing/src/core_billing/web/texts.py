"""Texts of the cabinet, by word, in both languages."""

from __future__ import annotations

from typing import Final

from shared.errors import Text
from shared.web.texts import Catalogue

TEXTS: Final[Catalogue] = {
    # Signing in
    "sign_in": Text("Sign in", "Войти"),
    "sign_in_title": Text("Your account", "Личный кабинет"),
    "contract_number": Text("Contract number", "Номер договора"),
    "password": Text("Password", "Пароль"),
    "sign_in_hint": Text(
        "The number and the password are in your contract",
        "Номер и пароль указаны в вашем договоре",
    ),
    "enter_contract": Text("Enter the contract number", "Введите номер договора"),
    "enter_password": Text("Enter the password", "Введите пароль"),
    "wrong_sign_in": Text(
        "The contract number or the password is wrong. Check both and try again",
        "Неверный номер договора или пароль. Проверьте их и попробуйте ещё раз",
    ),
    "too_many_sign_ins": Text(
        "Too many attempts. Try again in {minutes} min",
        "Слишком много попыток. Попробуйте ещё раз через {minutes} мин",
    ),
    "sign_out": Text("Sign out", "Выйти"),
    # Contracts
    "my_contracts": Text("My contracts", "Мои договоры"),
    "my_contract": Text("My contract", "Мой договор"),
    "contract": Text("Contract {number}", "Договор {number}"),
    "status_open": Text("Active", "Действует"),
    "status_closed": Text("Closed", "Закрыт"),
    "balance": Text("Balance", "Баланс"),
    "available": Text("Available with credit: {amount}", "Доступно с учётом кредита: {amount}"),
    "owed": Text("You owe {amount}", "Ваш долг {amount}"),
    "missing": Text("{amount} short", "Не хватает {amount}"),
    "topup_amount": Text("Amount, ₽", "Сумма, ₽"),
    "topup": Text("Top up", "Пополнить"),
    "topup_by_sbp": Text("Pay by SBP", "Оплатить по СБП"),
    "why_missing": Text(
        "The suggested amount is what is missing; you may change it",
        "Предложили сумму, которой не хватает, её можно изменить",
    ),
    "closed_contract": Text(
        "The contract is closed and takes no payments",
        "Договор закрыт и платежей не принимает",
    ),
    "autopay": Text("Autopay", "Автоплатёж"),
    "messages": Text("Notifications", "Уведомления"),
    # History
    "recent": Text("Recent entries", "Последние операции"),
    "no_entries": Text("Nothing here yet", "Операций пока не было"),
    "entry_payment": Text("Payment received", "Пополнение"),
    "entry_cash": Text("Cash received", "Оплата наличными"),
    "entry_fee": Text("Fee", "Абонентская плата"),
    "entry_transfer": Text("Transfer between contracts", "Перенос между договорами"),
    "entry_distribution": Text(
        "From the main contract to others", "Распределение с главного договора"
    ),
    "entry_write_off": Text("Debt written off", "Списание долга"),
    "entry_promise_fee": Text("Fee for a promised payment", "Плата за обещанный платёж"),
    "entry_other": Text("Other entry", "Другая операция"),
    "entry_refund": Text("Refund", "Возврат"),
    "entry_opening": Text("Balance brought over", "Перенесённый баланс"),
    "entry_reversal": Text("Entry taken back", "Отмена операции"),
    "entry_correction": Text("Correction", "Исправление"),
    "balance_after": Text("balance {amount}", "баланс {amount}"),
    # One top-up
    "topup_of": Text(
        "Contract {number}, top-up of {amount}", "Договор {number}, пополнение на {amount}"
    ),
    "title_waiting": Text("Waiting for confirmation", "Ждём подтверждения"),
    "note_waiting": Text(
        "It usually takes less than a minute. The page updates by itself; you may also close it, "
        "the money will reach the contract anyway.",
        "Обычно это меньше минуты. Страница обновится сама, её можно и закрыть: "
        "деньги всё равно придут на договор.",
    ),
    "title_overdue": Text("No payment has come yet", "Оплата пока не поступила"),
    "note_overdue": Text(
        "If you have paid, the money will come by itself. If not, try again.",
        "Если вы заплатили, деньги придут сами. Если нет, попробуйте ещё раз.",
    ),
    "title_held": Text("Received, being checked", "Деньги получены, проверяем"),
    "note_held": Text(
        "The payment has come and needs a look by a person. We will credit it to the contract.",
        "Платёж пришёл, но его нужно проверить вручную. После проверки зачислим его на договор.",
    ),
    "title_credited": Text("{amount} credited", "Зачислено {amount}"),
    "note_credited": Text("Thank you, the money is here.", "Спасибо, деньги на договоре."),
    "title_canceled": Text("The payment did not go through", "Оплата не прошла"),
    "note_canceled": Text(
        "No money was taken. Try again, with the same card or another one.",
        "Деньги не списаны. Попробуйте ещё раз, той же картой или другой.",
    ),
    "still_missing": Text("{amount} still short", "Не хватает ещё {amount}"),
    "back_to_payment": Text("Back to the payment", "Вернуться к оплате"),
    "try_again": Text("Try again", "Попробовать ещё раз"),
    "to_contracts": Text("To my contracts", "К договорам"),
    # Sessions
    "my_sessions": Text("Where I am signed in", "Мои входы"),
    "sessions_hint": Text(
        "If you do not recognise a device, end its session and ask us for a new password.",
        "Если устройство вам незнакомо, завершите его вход и попросите у нас новый пароль.",
    ),
    "this_device": Text("this device", "это устройство"),
    "unknown_device": Text("Unknown device", "Неизвестное устройство"),
    "signed_in_at": Text("Signed in {at}", "Вход {at}"),
    "seen_at": Text("Last used {at}", "Последний раз {at}"),
    "end_session": Text("End", "Завершить"),
}
