"""Receipts in Raiffeisen's words: those we send, and what it says of their registration.

Source: the bank's API of fiscal receipts, `/fiscal/v1/receipts`. It has no word for how far a line
is paid for: an advance is a payment, what uses it up is a service. A state nobody has heard of
counts as pending.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import orjson

from gateway_sbp import exact
from gateway_sbp.acquirers.raiffeisen.wire.words import Unreadable, matching, text
from shared.gateway.receipt import Line, Receipt, Subject
from shared.gateway.till import Issued, Kind, Registered, Registration
from shared.gateway.vat import Rate

NUMBER: Final = re.compile(r"[A-Za-z0-9_-]{1,99}", re.ASCII)
EMAIL_MAX: Final = 64
NAME_MAX: Final = 128
_BETWEEN: Final = b" "
NEW: Final = "NEW"
CONFLICTS: Final = frozenset({"RECEIPT_STATUS_CONFLICT", "RECEIPT_ALREADY_IN_PROGRESS", "http_409"})
"""What is said of a receipt that is on its way already."""

_PERCENTS: Final = (0, 5, 7, 10, 20, 22)
_RATES: Final[Mapping[str, Rate]] = MappingProxyType(
    {
        "none": Rate(None),
        **{f"{percent}": Rate(percent) for percent in _PERCENTS},
        **{f"{n}/{100 + n}": Rate(n, calculated=True) for n in _PERCENTS if n},
    }
)
"""How an accountant calls a rate of VAT."""
WORDS: Final[Mapping[Rate, str]] = MappingProxyType(
    {
        Rate(None): "none",
        **{Rate(percent): f"vat{percent}" for percent in _PERCENTS},
        **{Rate(n, calculated=True): f"vat{100 + n}" for n in _PERCENTS if n},
    }
)
"""How the bank calls it; those of 2025 and 2026 are not documented, so settings may say others."""
_SUBJECTS: Final = {
    Subject.COMMODITY: "commodity",
    Subject.JOB: "job",
    Subject.SERVICE: "service",
    Subject.PAYMENT: "payment",
    Subject.ANOTHER: "another",
}
_REGISTRATIONS: Final = {"DONE": Registration.SUCCEEDED, "FAILED": Registration.FAILED}


def words_of(said: Mapping[str, str]) -> Mapping[Rate, str]:
    """Return the bank's words for rates, some of them said otherwise, such as ``{"22/122": "v"}``.

    Raises ValueError for a rate that there is not.
    """
    odd = sorted(set(said) - set(_RATES))
    if odd:
        raise ValueError(f"no rates of VAT: {', '.join(odd)}; expected some of {', '.join(_RATES)}")
    return {**WORDS, **{_RATES[name]: word for name, word in said.items()}}


def request(kind: Kind, wanted: Receipt, words: Mapping[Rate, str]) -> bytes:
    """Return what is printed, and under which address; its number is added when it is sent.

    Raises ValueError where nobody has an e-mail that fits, and for a rate without a word.
    """
    email = wanted.customer.email
    if not email or len(email) > EMAIL_MAX:
        raise ValueError(f"the bank sends receipts by e-mail of at most {EMAIL_MAX} characters")
    receipt = {
        "client": {"email": email},
        "items": [_item(line, words) for line in wanted.lines],
        "total": exact.roubles(wanted.kopecks),
    }
    return group(kind).encode() + _BETWEEN + orjson.dumps(receipt)


def group(kind: Kind) -> str:
    """Return the part of the address under which receipts of this kind are."""
    return "refund" if kind is Kind.REFUND else "sell"


def draft(number: str, asked: bytes) -> tuple[str, bytes]:
    """Return where a receipt goes, and what is sent there, byte for byte the same each time."""
    where, _, receipt = asked.partition(_BETWEEN)
    return where.decode(), b'{"receiptNumber":"%s",%s' % (number.encode(), receipt[1:])


def issued(number: str, asked: bytes, said: Any) -> Issued:
    """Read the answer to a draft or its registration; raises Unreadable."""
    line = exact.read(asked.partition(_BETWEEN)[2])["items"][0]
    return Issued(
        id=number,
        provider_payment_id=None,
        text=line["name"],
        mode="",
        kopecks=exact.kopecks(line["amount"]),
        registered=registered(number, said),
    )


def status(said: Any) -> str:
    """Return the word for how far a receipt is: as a text, or within an object."""
    return text(said, "status") or text(said.get("status"), "value")


def registered(number: str, said: Any) -> Registered:
    """Read how far a receipt is; raises Unreadable."""
    if not status(said):
        raise Unreadable("a receipt without a status")
    found = said.get("receiptNumber")
    if found is not None and found != number:
        raise Unreadable("the answer about another receipt")
    return Registered(
        _REGISTRATIONS.get(status(said), Registration.PENDING), matching(NUMBER, number)
    )


def _item(line: Line, words: Mapping[Rate, str]) -> dict[str, Any]:
    if line.rate not in words:
        raise ValueError(f"there is no word for VAT of {line.rate.percent} %")
    return {
        "name": line.text[:NAME_MAX],
        "price": exact.roubles(line.price_kopecks),
        "quantity": line.quantity,
        "amount": exact.roubles(line.kopecks),
        "paymentObject": _SUBJECTS[line.subject],
        "vatType": words[line.rate],
    }
