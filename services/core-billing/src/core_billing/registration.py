"""What is asked for a new contract: the same words in the API's body and in a file's columns."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from shared.errors import Text
from shared.money import RUB, Money, WireMoney

AMOUNT_MAX: Final = Money(100_000_000_000)
"""A billion roubles: more on one contract is a slip of the keyboard."""

_NUMBER = re.compile(r"[0-9A-Za-zА-Яа-яЁё][0-9A-Za-zА-Яа-яЁё/_.-]{0,63}")
_EMAIL = re.compile(r"[^\s@<>,;\"()]{1,64}@[^\s@<>,;\"()]+\.[^\s@<>,;\"().]{2,}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Wrong(ValueError):
    """A value that cannot be meant; `text` says what to do, in both languages."""

    def __init__(self, en: str, ru: str) -> None:
        super().__init__(en)
        self.text = Text(en, ru)


def is_number(value: str) -> bool:
    """Say whether a text can be a contract's number at all."""
    return _NUMBER.fullmatch(value) is not None


def _number(value: str) -> str:
    if not is_number(value):
        raise Wrong(
            "1 to 64 letters, digits and / _ . -, beginning with a letter or digit",
            "от 1 до 64 букв, цифр и знаков / _ . -, первой идёт буква или цифра",
        )
    return value


def _line(value: str) -> str:
    if _CONTROL.search(value):
        raise Wrong("no line breaks or control characters", "без переносов и служебных знаков")
    return value.strip()


def _phone(value: str) -> str:
    """Return ``+`` and digits; a Russian number may begin with 8, 7 or 9."""
    digits = re.sub(r"[\s()-]", "", value)
    if digits == "":
        return ""
    if re.fullmatch(r"[78]\d{10}", digits, re.ASCII):
        digits = "+7" + digits[1:]
    elif re.fullmatch(r"9\d{9}", digits, re.ASCII):
        digits = "+7" + digits
    if not re.fullmatch(r"\+[1-9]\d{9,14}", digits, re.ASCII):
        raise Wrong(
            "a phone such as +79161234567, or nothing", "телефон вида +79161234567 или пусто"
        )
    return digits


def _email(value: str) -> str:
    if value and not _EMAIL.fullmatch(value):
        raise Wrong(
            "an e-mail such as name@example.ru, or nothing", "почта вида name@example.ru или пусто"
        )
    return value


def _timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except Exception:
        raise Wrong(
            "a time zone such as Europe/Moscow", "часовой пояс вида Europe/Moscow"
        ) from None
    return value


def _limited(value: Money) -> Money:
    if abs(value.kopecks) > AMOUNT_MAX.kopecks:
        raise Wrong(f"at most {AMOUNT_MAX}", f"не больше {AMOUNT_MAX}")
    return value


def _not_negative(value: Money) -> Money:
    if value.kopecks < 0:
        raise Wrong("zero or more", "ноль или больше")
    return value


def _roubles(value: Any) -> Any:
    if value != RUB:
        raise Wrong("only RUB", "только RUB")
    return value


Number = Annotated[str, AfterValidator(_number)]
Line = Annotated[str, AfterValidator(_line)]
Amount = Annotated[WireMoney, AfterValidator(_limited)]


class NewSubscriber(BaseModel):
    """Whom the contract is with, and how to reach them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, AfterValidator(_number)] | None = None
    name: Annotated[Line, Field(max_length=200)]
    phone: Annotated[Line, AfterValidator(_phone), Field(max_length=40)]
    email: Annotated[Line, AfterValidator(_email), Field(max_length=254)]
    language: Literal["ru", "en"] = "ru"
    timezone: Annotated[str, AfterValidator(_timezone), Field(max_length=64)] = "Europe/Moscow"


class NewContract(BaseModel):
    """A contract to be opened, with the balance it brings along."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: Number
    subscriber: NewSubscriber
    operator: Annotated[Line, Field(min_length=1, max_length=64)] = "default"
    currency: Annotated[Literal["RUB"], BeforeValidator(_roubles)] = "RUB"
    balance: Amount = Money(0)
    credit_limit: Annotated[Amount, AfterValidator(_not_negative)] = Money(0)
    low_balance: Amount | None = None
    low_balance_days: Annotated[int, Field(ge=0, le=60)] | None = None
    """How many days before a block the subscriber hears of it; 0 is not at all."""
    password: Annotated[str, Field(min_length=4, max_length=128)] | None = None
