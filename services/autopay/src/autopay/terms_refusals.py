"""Why terms cannot be agreed to, by name."""

from __future__ import annotations

from typing import Final

from shared.errors import Refusal

THRESHOLD_MISSING: Final = Refusal(
    "threshold_missing",
    422,
    "Give the balance below which to charge",
    "Укажите баланс, ниже которого списывать",
    "threshold",
)
DAYS_BEFORE_MISSING: Final = Refusal(
    "days_before_missing",
    422,
    "Give how many days before the fee to charge",
    "Укажите, за сколько дней до абонентской платы списывать",
    "days_before",
)
DAY_MISSING: Final = Refusal(
    "day_of_month_missing",
    422,
    "Give the day of the month",
    "Укажите число месяца",
    "day_of_month",
)
THRESHOLD_NOT_HERE: Final = Refusal(
    "threshold_not_here",
    422,
    "Does not belong to the condition {trigger}: leave it out",
    "Не относится к условию {trigger}: уберите",
    "threshold",
)
DAYS_BEFORE_NOT_HERE: Final = Refusal(
    "days_before_not_here",
    422,
    "Does not belong to the condition {trigger}: leave it out",
    "Не относится к условию {trigger}: уберите",
    "days_before",
)
DAY_NOT_HERE: Final = Refusal(
    "day_of_month_not_here",
    422,
    "Does not belong to the condition {trigger}: leave it out",
    "Не относится к условию {trigger}: уберите",
    "day_of_month",
)
DAYS_BEFORE_OUT_OF_RANGE: Final = Refusal(
    "days_before_out_of_range",
    422,
    "Give 1 to {most} days",
    "Укажите от 1 до {most} дней",
    "days_before",
)
DAY_OUT_OF_RANGE: Final = Refusal(
    "day_of_month_out_of_range",
    422,
    "Give a day from 1 to 31",
    "Укажите число от 1 до 31",
    "day_of_month",
)
AMOUNT_MISSING: Final = Refusal(
    "amount_missing",
    422,
    "A charge on a day of the month needs a sum: give it",
    "Для списания по числу месяца нужна сумма: укажите её",
    "amount",
)
AMOUNT_OUT_OF_RANGE: Final = Refusal(
    "amount_out_of_range",
    422,
    "Give from {least} to {most}",
    "Укажите от {least} до {most}",
    "amount",
)
AMOUNT_ABOVE_CAP: Final = Refusal(
    "amount_above_cap",
    422,
    "The sum is above the limit of a month: lower it or raise the limit",
    "Сумма больше предела на месяц: уменьшите её или поднимите предел",
    "amount",
)
CAP_TOO_LOW: Final = Refusal(
    "cap_too_low", 422, "Give {least} or more", "Укажите {least} или больше", "cap"
)
CAP_TOO_HIGH: Final = Refusal(
    "cap_too_high", 422, "The limit is too high", "Предел слишком большой", "cap"
)
THRESHOLD_ABOVE_CAP: Final = Refusal(
    "threshold_above_cap",
    422,
    "The threshold is above the limit of a month: lower it or raise the limit",
    "Порог больше предела на месяц: уменьшите его или поднимите предел",
    "threshold",
)
THRESHOLD_TOO_LOW: Final = Refusal(
    "threshold_too_low", 422, "The threshold is too low", "Порог слишком низкий", "threshold"
)
RESERVE_IS_METHOD: Final = Refusal(
    "reserve_is_method",
    422,
    "The reserve is the same method: choose another one or none",
    "Запасной способ совпадает с основным: выберите другой или никакого",
    "reserve",
)
TIMEZONE_UNKNOWN: Final = Refusal(
    "timezone_unknown",
    422,
    "There is no such time zone: give one such as Europe/Moscow",
    "Такого часового пояса нет: укажите, например, Europe/Moscow",
    "timezone",
)

ALL: Final = (
    *(THRESHOLD_MISSING, DAYS_BEFORE_MISSING, DAY_MISSING),
    *(THRESHOLD_NOT_HERE, DAYS_BEFORE_NOT_HERE, DAY_NOT_HERE),
    *(DAYS_BEFORE_OUT_OF_RANGE, DAY_OUT_OF_RANGE),
    *(AMOUNT_MISSING, AMOUNT_OUT_OF_RANGE, AMOUNT_ABOVE_CAP),
    *(CAP_TOO_LOW, CAP_TOO_HIGH, THRESHOLD_ABOVE_CAP, THRESHOLD_TOO_LOW),
    *(RESERVE_IS_METHOD, TIMEZONE_UNKNOWN),
)
