"""What SMS.ru is told and what its answers mean. Pure: bytes in, outcomes out.

Source: SMS.ru, "API", pages `send`, `status` and `callback`. The provider gives the ids, and there
is no asking for a message without one. So after an unknown outcome the message is sent again, and
the doubt stays written. Accounts may forbid identical messages (231, 232): said of a repeat in
doubt, that is the proof that the first one was taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import orjson

from notifier.channels.port import Accepted, Outcome, Outgoing, Permanent, Temporary

OK: Final = 100
_SAME_TEXT: Final = (231, 232)
_SHORT: Final = timedelta(minutes=1)
_LONG: Final = timedelta(hours=6)
_NO_ANSWER: Final = Temporary(
    "smsru: an answer of an unknown shape", unknown=True, ours=True, channel=True
)


def _account(what: str) -> Outcome:
    return Temporary(what, ours=True, channel=True)


_REFUSALS: Final[Mapping[int, Outcome]] = {
    200: _account("smsru 200: wrong api_id"),
    201: _account("smsru 201: the account is out of money"),
    202: Permanent("smsru 202: wrong number, or no route to it", dead=True),
    203: Permanent("smsru 203: no text", ours=True),
    204: _account("smsru 204: the sender's name is not agreed upon"),
    205: Permanent("smsru 205: the text is too long", ours=True),
    206: _account("smsru 206: the account's daily limit is reached"),
    207: Permanent("smsru 207: no route to this number", dead=True),
    208: Permanent("smsru 208: wrong time", ours=True),
    209: Permanent("smsru 209: the number is on our stop list", dead=True),
    212: Permanent("smsru 212: the text is not UTF-8", ours=True),
    213: Permanent("smsru 213: too many numbers", ours=True),
    214: Permanent("smsru 214: a foreign number, and the account forbids them", dead=True),
    215: Permanent("smsru 215: the number is on the provider's stop list", dead=True),
    216: Permanent("smsru 216: a forbidden word in the text", ours=True),
    217: Permanent("smsru 217: an advertisement of credit without its warning", ours=True),
    220: Temporary("smsru 220: the service is not available", channel=True),
    221: _account("smsru 221: the account needs a sender's name"),
    230: Temporary("smsru 230: too many messages to this number today", after=_LONG),
    231: Temporary("smsru 231: the same text was just sent to this number", after=_SHORT),
    232: Temporary("smsru 232: the same text was sent to this number today", after=_LONG),
    233: Temporary("smsru 233: too many repeats to this number", after=_LONG),
    300: _account("smsru 300: wrong token"),
    301: _account("smsru 301: wrong api_id, login or password"),
    302: _account("smsru 302: the account is not confirmed"),
    500: Temporary("smsru 500: an error of the service", unknown=True, channel=True),
}


def message(outgoing: Outgoing, api_id: str, sender: str) -> dict[str, str]:
    """Return the form for `/sms/send`."""
    form = {
        "api_id": api_id,
        "to": outgoing.content.to.lstrip("+"),
        "msg": outgoing.content.text,
        "json": "1",
    }
    return {**form, "from": sender} if sender else form


def sent(status: int, body: bytes, outgoing: Outgoing) -> Outcome:
    """Read the answer of `/sms/send`; what cannot be read leaves the outcome unknown."""
    said = _object(body)
    if status != 200 or said is None:
        refused = 400 <= status < 500
        reason = f"smsru: HTTP {status}, no JSON object"
        return Temporary(reason, unknown=True, ours=refused, channel=True)
    code = _number(said.get("status_code"))
    if code != OK:
        return _refusal(code, outgoing)
    entries = said.get("sms")
    if type(entries) is not dict or len(entries) != 1:
        return _NO_ANSWER
    entry = next(iter(entries.values()))
    if type(entry) is not dict:
        return _NO_ANSWER
    code = _number(entry.get("status_code"))
    this = entry.get("sms_id")
    if code != OK:
        return _refusal(code, outgoing)
    if type(this) is not str or not this:
        return _NO_ANSWER
    return Accepted(this, perhaps_twice=outgoing.doubtful)


def _refusal(code: int | None, outgoing: Outgoing) -> Outcome:
    if code is None:
        return _NO_ANSWER
    if code in _SAME_TEXT and outgoing.doubtful:
        return Accepted(str(outgoing.key))
    return _REFUSALS.get(code, Temporary(f"smsru {code}: unknown error", ours=True))


def _object(body: bytes) -> Mapping[str, Any] | None:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return said if type(said) is dict else None


def _number(value: object) -> int | None:
    if type(value) is int:
        return value
    return int(value) if type(value) is str and value.isascii() and value.isdigit() else None
