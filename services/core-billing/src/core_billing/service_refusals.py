"""The rules that may forbid to begin, change or end a service of a contract."""

from __future__ import annotations

from typing import Final

from core_billing.tariff_changes import TARIFF_UNKNOWN
from shared.errors import Refusal

CONTRACT_CLOSED: Final = Refusal(
    "contract_closed",
    409,
    "The contract {number} is closed; reopen it first",
    "Договор {number} закрыт; сначала откройте его",
)
TARIFF_CLOSED: Final = Refusal(
    "tariff_closed",
    409,
    "The tariff {tariff} takes no new services; choose another one",
    "Тариф {tariff} закрыт для подключения; выберите другой",
    "tariff",
)
STARTS_IN_PAST: Final = Refusal(
    "starts_in_past",
    422,
    "A service begins on {first} at the earliest: what lies before is not charged any more",
    "Услуга может начаться не раньше {first}: за более ранние дни плата не начисляется",
    "starts_on",
)
STARTS_TOO_LATE: Final = Refusal(
    "starts_too_late",
    422,
    "A service begins on {last} at the latest; come back nearer to the day",
    "Услуга может начаться не позже {last}; подключите её ближе к этому дню",
    "starts_on",
)
TOO_MANY_SERVICES: Final = Refusal(
    "too_many_services",
    409,
    "The contract has {most} services already; end one first",
    "У договора уже {most} услуг; сначала завершите одну",
)
SERVICE_UNKNOWN: Final = Refusal(
    "service_unknown",
    404,
    "The contract {number} has no service {service}",
    "У договора {number} нет услуги {service}",
)
SERVICE_ENDED: Final = Refusal(
    "service_ended",
    409,
    "The service ends on {ends_on} and is charged up to then; begin a new one",
    "Услуга завершается {ends_on} и оплачена до этого дня; подключите новую",
)
SERVICE_CONFLICT: Final = Refusal(
    "service_conflict",
    409,
    "{who} changed this service at {when:%d.%m.%Y %H:%M} UTC; look at it and repeat",
    "Услугу изменил(а) {who} {when:%d.%m.%Y в %H:%M} UTC; посмотрите и повторите",
    "revision",
)
PERIOD_CHARGED: Final = Refusal(
    "period_charged",
    409,
    "This day has been charged already: {first} is the first day possible",
    "Этот день уже оплачен: первый возможный день {first}",
)
CHANGE_IN_PAST: Final = Refusal(
    "change_in_past",
    422,
    "The day has passed: {first} is the first day possible",
    "Этот день прошёл: первый возможный день {first}",
)
CHANGE_TOO_LATE: Final = Refusal(
    "change_too_late",
    422,
    "A change is planned up to {last}; come back nearer to the day",
    "Изменение планируется не позже {last}; вернитесь к нему ближе к этому дню",
)
OUTSIDE_SERVICE: Final = Refusal(
    "outside_service",
    422,
    "The service is there from {starts_on} to {ends_on}; name a day of its own",
    "Услуга действует с {starts_on} по {ends_on}; укажите день внутри этого срока",
)
SAME_TARIFF: Final = Refusal(
    "same_tariff",
    409,
    "The service has the tariff {tariff} on that day anyway",
    "В этот день у услуги и так будет тариф {tariff}",
    "tariff",
)
OTHER_CHARGING: Final = Refusal(
    "other_charging",
    409,
    "The tariff {tariff} is charged {charging}; end this service and begin another under it",
    "Тариф {tariff} списывается иначе ({charging}); завершите эту услугу и подключите новую",
    "tariff",
)
OTHER_LABEL: Final = Refusal(
    "other_service",
    409,
    "The tariff {tariff} is for {label}; end this service and begin another under it",
    "Тариф {tariff} для услуги {label}; завершите эту услугу и подключите новую",
    "tariff",
)
TOO_MANY_CHANGES: Final = Refusal(
    "too_many_changes",
    409,
    "{most} changes are planned already; let some of them come true first",
    "Уже запланировано {most} изменений; дождитесь хотя бы одного из них",
)

BEGINNING: Final = (
    *(CONTRACT_CLOSED, TARIFF_UNKNOWN, TARIFF_CLOSED, STARTS_IN_PAST, STARTS_TOO_LATE),
    TOO_MANY_SERVICES,
)
CHANGING: Final = (
    *(SERVICE_UNKNOWN, SERVICE_ENDED, SERVICE_CONFLICT, PERIOD_CHARGED, CHANGE_IN_PAST),
    *(CHANGE_TOO_LATE, OUTSIDE_SERVICE, TARIFF_UNKNOWN, TARIFF_CLOSED, SAME_TARIFF),
    *(OTHER_CHARGING, OTHER_LABEL, TOO_MANY_CHANGES),
)
