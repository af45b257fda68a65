"""Reading what people send: a small form, and an amount the way people write amounts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from shared.errors import BadRequest, Invalid, Text, TooLarge, UnsupportedMedia, invalid
from shared.money import Money

FORM_BYTES_MAX: Final = 8192
_FIELDS_MAX: Final = 30

_SPACE: Final = "[ \u00a0\u202f]"
_AMOUNT = re.compile(
    rf"(?P<whole>\d{{1,13}}|\d{{1,3}}(?:{_SPACE}\d{{3}}){{1,4}})(?:[.,](?P<rest>\d*))?"
    rf"|(?P<english>\d{{1,3}}(?:,\d{{3}}){{1,4}})\.(?P<cents>\d\d)",
    re.ASCII,
)
_CURRENCY = re.compile(rf"{_SPACE}*(?:₽|руб\.?|р\.?|RUB)$", re.IGNORECASE)


async def read(request: web.Request, bytes_max: int = FORM_BYTES_MAX) -> Mapping[str, str]:
    """Read an HTML form; the first of repeated fields counts.

    Raises UnsupportedMedia for anything but a plain form, TooLarge, and BadRequest for bytes that
    are no text.
    """
    if request.content_type != "application/x-www-form-urlencoded":
        raise UnsupportedMedia(Text("Send the form as a form", "Отправьте данные как форму"))
    body = await _body(request, bytes_max)
    try:
        pairs = parse_qsl(
            body.decode(),
            keep_blank_values=True,
            max_num_fields=_FIELDS_MAX,
            encoding="utf-8",
            errors="strict",
        )
    except ValueError as error:
        raise BadRequest(
            Text("The form could not be read", "Не удалось прочитать форму")
        ) from error
    if any("\x00" in value for _, value in pairs):
        raise BadRequest(Text("The form holds a zero character", "В форме есть нулевой символ"))
    return dict(reversed(pairs))


async def _body(request: web.Request, bytes_max: int) -> bytes:
    too_large = TooLarge(
        Text(f"The form is larger than {bytes_max} bytes", f"Форма больше {bytes_max} байт")
    )
    if (request.content_length or 0) > bytes_max:
        raise too_large
    body = b""
    async for chunk in request.content.iter_chunked(bytes_max):
        body += chunk
        if len(body) > bytes_max:
            raise too_large
    return body


def amount(text: str, field: str = "amount") -> Money:
    """Read ``650``, ``650,50``, ``1 200.00`` or ``1,200.00 ₽``, positive and in whole kopecks.

    Raises Invalid that says what is wrong: empty, no number, a third decimal, not above zero.
    """
    bare = _CURRENCY.sub("", text.strip())
    if not bare:
        raise invalid(field, "Enter the amount", "Введите сумму")
    negative = bare[0] in "-\u2212\u2013"
    found = _AMOUNT.fullmatch(bare[negative:])
    if found is None:
        raise _not_a_number(field)
    rest = found["cents"] or found["rest"] or ""
    if len(rest) > 2:
        raise invalid(
            field,
            "At most two digits after the point: kopecks are the smallest coin",
            "Не больше двух знаков после запятой: мельче копейки монет нет",
        )
    whole = re.sub(r"\D", "", found["english"] or found["whole"], flags=re.ASCII)
    money = Money(int(whole) * 100 + int(rest.ljust(2, "0")))
    if negative or not money:
        raise invalid(field, "The amount must be above zero", "Сумма должна быть больше нуля")
    return money


def _not_a_number(field: str) -> Invalid:
    return invalid(
        field,
        "Write the amount in digits, for example 650 or 650.50",
        "Напишите сумму цифрами, например 650 или 650,50",
    )
