"""The words of Raiffeisen's API and what its answers mean. Source: the bank's API description.

Logic errors of the old part come with HTTP 200 and a `code`, those of the new one with 400: so the
body is looked at first. What a status alone can say, who is let in and what has broken down, a code
does not overrule.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from gateway_sbp import exact
from shared.clock import MOSCOW
from shared.errors import Text
from shared.gateway.answer import Answer
from shared.gateway.provider import Failure, Missing, Refused, Throttled, Unclear
from shared.redaction import redact

NAME: Final = "raiffeisen"
ID: Final = re.compile(r"[0-9A-Za-z._-]{1,64}", re.ASCII)
QR_ID: Final = re.compile(r"[0-9A-Za-z]{8,64}", re.ASCII)
ORDER: Final = re.compile(r"[A-Za-z0-9._-]{1,40}", re.ASCII)
ANY_ORDER: Final = re.compile(r"[^\x00-\x1f\x7f|\ud800-\udfff]{1,64}")
"""Of codes that others have made: the bank lets more signs through than it says. A bar would shift
what is signed."""
DETAIL_MAX: Final = 200
SUCCESS: Final = "SUCCESS"
NO_TRANSACTION: Final = "no_transaction"
"""A payment that is known from the register alone."""

_MISSING: Final = re.compile(
    r"(ERROR\.)?((ORDER|QR|REFUND|RECEIPT|SUBSCRIPTION)_)?NOT_FOUND", re.ASCII
)
_CODED: Final = re.compile(r"(ERROR\.|ORDER_)[A-Z_]{1,60}", re.ASCII)
_DENIED: Final = (401, 403)
_UNCLEAR_4XX: Final = (408, 425)
_CHARGE: Final = re.compile(r"a[0-9a-f]{32}", re.ASCII)
_DYNAMIC: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)

EXPLAINED: Final[Mapping[str, Text]] = MappingProxyType(
    {
        "ERROR.REFUND_INSUFFICIENT_FUNDS": Text(
            "The bank says that less is left of this payment: look at its refunds",
            "Банк отвечает, что от платежа осталось меньше: посмотрите его возвраты",
        ),
        NO_TRANSACTION: Text(
            "The bank's callback about this payment never came, so its transaction is not known:"
            " send the money back in the bank's cabinet",
            "Уведомление банка об этом платеже не пришло, номер операции неизвестен: верните деньги"
            " через кабинет банка",
        ),
        "DECLINED": Text(
            "The bank could not send the money back: ask the payer for another way",
            "Банк не смог вернуть деньги: договоритесь с плательщиком о другом способе",
        ),
    }
)


class Unreadable(ValueError):
    """An answer that is not what the API promises."""


def shop_name(merchant_id: str) -> str:
    """Return what we call an account everywhere, for instance ``raiffeisen:MA0000099999``."""
    return f"{NAME}:{merchant_id}"


def meaning(
    status: int | None, body: bytes, fault: str, *, reading: bool
) -> Answer | Missing | Failure:
    """Return what came back means."""
    if status is None:
        return Unclear(fault)
    return _by_status(status) or _by_code(status, body, reading=reading)


def _by_status(status: int) -> Failure | None:
    if status == 429:
        return Throttled()
    if status in _DENIED:
        return Refused(f"http_{status}", ours=True, locked_out=status == 401)
    if status >= 500 or status in _UNCLEAR_4XX:
        # Whatever is written there, something may have been done before it broke down.
        return Unclear(f"http_{status}")
    return None


def _by_code(status: int, body: bytes, *, reading: bool) -> Answer | Missing | Failure:
    said = _read(body)
    code, detail = text(said, "code"), redact(text(said, "message", DETAIL_MAX))
    if reading and _MISSING.fullmatch(code):
        return Missing()
    if _CODED.fullmatch(code) or _MISSING.fullmatch(code):
        return Refused(code, detail)
    if 200 <= status < 300:
        if isinstance(said, dict) and code in ("", SUCCESS):
            return Answer(said)
        return Answer({}) if not body.strip() else Unclear("not an answer")
    # A path the bank does not know is a 404 as well: only a coded one says that there is nothing.
    if status < 400 or (status == 404 and reading):
        return Unclear(f"http_{status}")
    return Refused(code or f"http_{status}", detail)


def order_of(payment_id: UUID, *, charge: bool = False) -> str:
    """Return the bank's order id of a payment of ours, or of a charge."""
    return ("a" if charge else "") + payment_id.hex


def is_charge(order: str) -> bool:
    """Say whether an order is a charge of ours, which nobody confirms."""
    return _CHARGE.fullmatch(order) is not None


def payment_id(order: str) -> UUID | None:
    """Return whose order it is; None for one that is not ours."""
    found = order.removeprefix("a") if is_charge(order) else order
    return UUID(found) if _DYNAMIC.fullmatch(found) else None


def text(value: Any, name: str, most: int = 64) -> str:
    """Return a short text that an object may hold; empty where it does not."""
    found = value.get(name) if isinstance(value, dict) else None
    return str(found[:most]) if isinstance(found, str) else ""


def whole_text(value: Any, name: str, most: int = 64) -> str:
    """Return a short text without what JSON can say and nobody can write down."""
    found = text(value, name, most).encode("utf-8", "replace").decode()
    return found.replace("\0", "?")


def matching(pattern: re.Pattern[str], value: Any) -> str:
    """Return a text of this form; raises Unreadable for anything else."""
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise Unreadable("an id of another form")
    return str(value)


def moment(value: Any) -> datetime | None:
    """Return a moment in UTC, one without an offset is Moscow's; None for what is none."""
    if not isinstance(value, str):
        return None
    try:
        read = datetime.fromisoformat(value)
        return (read if read.tzinfo else read.replace(tzinfo=MOSCOW)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _read(body: bytes) -> Any:
    try:
        return exact.read(body)
    except ValueError:
        return None
