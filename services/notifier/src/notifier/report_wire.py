"""Reports of delivery as providers post them. Pure: a form in, reports out.

Sources: SMSC.ru, "HTTP/HTTPS API", pages "Callback" and "Message statuses": one report a request,
fields `id`, `phone`, `status`, `time`, `err`. SMS.ru, "API", page `callback`: up to a hundred
fields `data[n]` of lines (`sms_status`, id, status, moment), and `hash`, the SHA-256 of the api_id
and all of them; whoever answers anything but 100 is told again.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from notifier.channels.port import Fate, Report

Form = Sequence[tuple[str, str]]
"""Fields in the order in which they came."""

REPORTS_MAX: Final = 1000
ID_LENGTH_MAX: Final = 100
_SKEW: Final = timedelta(minutes=5)
_SMSC: Final[dict[str, Fate]] = {
    "1": "delivered",
    "2": "delivered",  # read
    "4": "delivered",  # the link in it was followed
    "3": "expired",
    "-2": "undelivered",  # stopped
    "20": "undelivered",
    "22": "undelivered",
    "23": "undelivered",
    "24": "undelivered",
    "25": "undelivered",
}
_SMSC_DEAD: Final = ("22", "25")
"""A wrong number, and one that takes no SMS or has no route: 7 and 8 at the sending."""
_SMSC_FAILED: Final = "20"
_SMSC_NO_SUBSCRIBER: Final = 1
"""`err` beside it: the number is nobody's."""
_SMSRU: Final[dict[str, Fate]] = {
    "103": "delivered",
    "110": "delivered",  # read
    "104": "expired",
    "105": "undelivered",
    "106": "undelivered",
    "107": "undelivered",
    "108": "undelivered",
    "150": "undelivered",
}
_SMSRU_DEAD: Final = ("150",)
"""No route to the number: 207 at the sending."""


class Forged(ValueError):
    """The provider did not write this."""


class Unreadable(ValueError):
    """This is no report."""


def smsc(form: Form, at: datetime) -> list[Report]:
    """Read what SMSC.ru posts; raises Unreadable."""
    said = dict(form)
    this, status = said.get("id", ""), said.get("status", "")
    if not _is_id(this) or not _is_number(status):
        raise Unreadable("a report of SMSC.ru has id and status")
    error = said.get("err", "")
    said_error = int(error) if _is_number(error) else None
    reason = f"smsc status {int(status)}" + ("" if said_error is None else f" err {said_error}")
    moment = _moment(said.get("ts", ""), at)
    nobody = status == _SMSC_FAILED and said_error == _SMSC_NO_SUBSCRIBER
    dead = nobody or status in _SMSC_DEAD
    return [Report("smsc", "sms", this, _SMSC.get(status), reason, moment, dead)]


def smsru(form: Form, at: datetime, api_id: str) -> list[Report]:
    """Read what SMS.ru posts; raises Unreadable, or Forged where the hash does not fit."""
    entries = [value for name, value in form if name.startswith("data[")]
    said = dict(form).get("hash", "")
    hashed = hashlib.sha256((api_id + "".join(entries)).encode()).hexdigest()
    if not hmac.compare_digest(hashed.encode(), said.lower().encode()):
        raise Forged("the hash does not fit")
    if not entries or len(entries) > REPORTS_MAX:
        raise Unreadable("a report of SMS.ru has up to a hundred fields data[n]")
    found = []
    for entry in entries:
        lines = entry.split("\n")
        if lines[0].strip() != "sms_status":
            continue  # the same address is told of calls and tests, too
        this, status, *rest = (line.strip() for line in (*lines[1:], "", ""))
        if not _is_id(this) or not _is_number(status):
            raise Unreadable("a report of SMS.ru names a message and its status")
        moment = _moment(rest[0], at)
        reason = f"smsru status {int(status)}"
        fate, dead = _SMSRU.get(status), status in _SMSRU_DEAD
        found.append(Report("smsru", "sms", this, fate, reason, moment, dead))
    return found


def _is_id(text: str) -> bool:
    return 0 < len(text) <= ID_LENGTH_MAX and text.isascii() and text.isprintable()


def _is_number(text: str) -> bool:
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) <= 6


def _moment(written: str, at: datetime) -> datetime:
    """Return the provider's moment, or ours where it gives none that can be."""
    if not (written.isascii() and written.isdigit() and len(written) <= 10):
        return at
    moment = datetime.fromtimestamp(int(written), UTC)
    return moment if at - timedelta(days=30) < moment < at + _SKEW else at
