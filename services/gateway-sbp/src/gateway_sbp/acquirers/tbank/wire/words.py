"""The words of T-Bank's API and what its answers mean. Source: the bank's "API" and "Error codes".

Business errors come with HTTP 200, `Success` false and an `ErrorCode`: so the body is looked at
first, whatever the status. An error that the bank calls its own proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from gateway_sbp import exact
from shared.errors import Text
from shared.events_gateway import FailureClass
from shared.gateway.answer import Answer
from shared.gateway.provider import Failure, Missing, Refused, Throttled, Unclear
from shared.redaction import redact

NAME: Final = "tbank"
METHOD: Final = "sbp"
PAYMENT_ID: Final = re.compile(r"[0-9]{1,20}", re.ASCII)
KEY: Final = re.compile(r"[0-9A-Za-z._-]{1,64}", re.ASCII)
"""The form of a binding's `RequestKey`."""
DETAIL_MAX: Final = 200
PAYLOAD_MAX: Final = 1024

OK: Final = "0"
TAKEN_ORDER: Final = "20"
"""There is a payment of this OrderId already."""
WRONG_STATUS: Final = frozenset({"4", "8"})

_TOKEN: Final = frozenset({"204", "205"})
_TERMINAL: Final = frozenset({"202", "501", "648"})
_RIGHTS: Final = frozenset({"10", "3001", "3013"})
"""What the terminal has not been given: codes of SBP, charges."""
_BINDING: Final = frozenset({"3012", "3015", "5031"})
"""The binding is gone, not active, or its bank is not named."""
_UNSURE: Final = frozenset({"3", "21", "99", "100", "401", "402", "999", "9998", "9999"})
"""Internal errors and "try again later"."""
_NOT_THERE: Final = frozenset({"255", "335", "3012"})
_CODE: Final = re.compile(r"[0-9A-Za-z_.-]{1,20}", re.ASCII)
_ORDER: Final = re.compile(r"a?([0-9a-f]{32})", re.ASCII)

NOT_PAID: Final = "not_paid"
BINDING_GONE: Final = "binding_gone"

EXPLAINED: Final[Mapping[str, Text]] = MappingProxyType(
    {
        NOT_PAID: Text(
            "The bank says that this payment has not been paid, or has been returned in full:"
            " look at it in the bank's cabinet",
            "Банк отвечает, что платёж не оплачен или уже возвращён полностью: проверьте его в"
            " кабинете банка",
        ),
        "REFUSED": Text(
            "The payer's bank could not take the money back: ask the payer for another way",
            "Банк плательщика не принял возврат: договоритесь с плательщиком о другом способе",
        ),
        "309": Text(
            "The bank misses the receipt or another field: look at the settings of receipts",
            "Банк не нашёл в запросе чек или другое поле: проверьте настройки чеков",
        ),
    }
)


class Unreadable(ValueError):
    """An answer that is not what the API promises."""


def shop_name(terminal_key: str) -> str:
    """Return what we call a terminal everywhere, for instance ``tbank:1700000000001DEMO``."""
    return f"{NAME}:{terminal_key}"


def order_of(payment_id: UUID, *, charge: bool = False) -> str:
    """Return the OrderId of a payment of ours, or of a charge: at most 36 characters."""
    return ("a" if charge else "") + payment_id.hex


def is_charge(order: str) -> bool:
    """Say whether an OrderId is a charge of ours, which nobody confirms."""
    return order.startswith("a") and payment_id(order) is not None and len(order) > 32


def payment_id(order: str) -> UUID | None:
    """Return whose OrderId it is; None for one that is not ours."""
    found = _ORDER.fullmatch(order)
    return None if found is None else UUID(found.group(1))


def meaning(
    status: int | None, body: bytes, fault: str, *, reading: bool
) -> Answer | Missing | Failure:
    """Return what came back means; an `ErrorCode` in the body decides before HTTP does.

    Whoever reads a payment is told how it stands, even where the payment itself came to an error.
    """
    if status is None:
        return Unclear(fault)
    said = _read(body)
    code = text(said, "ErrorCode", 20)
    if isinstance(said, dict) and not code and flag(said.get("Success")):
        code = OK
    if status < 500 and isinstance(said, dict) and _CODE.fullmatch(code) and status != 429:
        if flag(said.get("Success")) and code == OK:
            return Answer(said)
        if reading and code not in _TOKEN and _tells(said):
            return Answer(said)
        return _refusal(code, said, reading=reading)
    return _failure(status)


def failure_of(code: str) -> FailureClass:
    """Return what an error says about the next charge of the same binding."""
    if code in _BINDING:
        return FailureClass.HARD
    if code in _RIGHTS | _TOKEN | _TERMINAL:
        return FailureClass.SHOP
    return FailureClass.SOFT


def _refusal(code: str, said: Mapping[str, Any], *, reading: bool) -> Missing | Failure:
    if code in _UNSURE:
        return Unclear(f"code_{code}")
    if code == OK:
        return Unclear("no success and no error")
    if code in _NOT_THERE and reading:
        return Missing()
    detail = text(said, "Details", DETAIL_MAX) or text(said, "Message", DETAIL_MAX)
    return Refused(
        code,
        redact(detail),
        ours=code in _TOKEN | _TERMINAL | _RIGHTS,
        locked_out=code in _TOKEN | _TERMINAL,
        failure=failure_of(code),
    )


def _tells(said: Mapping[str, Any]) -> bool:
    """Say whether an answer tells how a payment or a binding stands, whatever came of it."""
    named = any(text(said, name) for name in ("PaymentId", "OrderId", "RequestKey"))
    return named and text(said, "Status") != ""


def _failure(status: int) -> Failure:
    if status == 429:
        return Throttled()
    if status in (401, 403):
        return Refused(f"http_{status}", ours=True, locked_out=status == 401)
    # The bank itself says no in JSON: anything else comes from something between it and us.
    return Unclear("not an answer" if status == 200 else f"http_{status}")


def text(value: Any, name: str, most: int = 64) -> str:
    """Return a short text or number that an object may hold; empty where it does not."""
    found = value.get(name) if isinstance(value, dict) else None
    return str(found)[:most] if isinstance(found, str) else ""


def flag(value: Any) -> bool:
    """Return a yes or no, which comes as a boolean or as its text."""
    return value is True or (isinstance(value, str) and value.lower() == "true")


def matching(pattern: re.Pattern[str], value: Any) -> str:
    """Return a text or number of this form; raises Unreadable for anything else."""
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise Unreadable("an id of another form")
    return str(value)


def amount(said: Mapping[str, Any], name: str) -> int | None:
    """Return an amount in kopecks, None where none is said; raises Unreadable for another thing."""
    found = said.get(name)
    if found is None:
        return None
    try:
        return exact.whole(found)
    except ValueError:
        raise Unreadable(f"{name} is no amount") from None


def link(said: Mapping[str, Any]) -> str:
    """Return the address that a code holds, as the bank made it; raises Unreadable."""
    found = said.get("Data")
    if not isinstance(found, str) or not found.startswith("https://") or len(found) > PAYLOAD_MAX:
        raise Unreadable("a code without a payload")
    return str(found)


def _read(body: bytes) -> Any:
    try:
        return exact.read(body)
    except ValueError:
        return None
