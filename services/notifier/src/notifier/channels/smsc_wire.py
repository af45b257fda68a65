"""What SMSC.ru is told and what its answers mean. Pure: bytes in, outcomes out.

Source: SMSC.ru, "HTTP/HTTPS API", pages "Sending an SMS" and "Message statuses". The id of a
message is ours, up to 40 Latin letters, digits and `.-_`. The pages say that it need not be
unique: the same id sent again would be a second SMS. So after an unknown outcome the status of
the id is asked first, and only what the provider does not know is sent again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from notifier.channels.port import Accepted, Outcome, Outgoing, Permanent, Temporary

_FORMAT_JSON: Final = "3"
_NOT_FOUND_STATUS: Final = -3
_NOT_FOUND_ERROR: Final = 3
_OURS: Final = (1, 2, 4)
"""Errors of a question about a status that a person must mend; 9 is haste."""
_UNREADABLE: Final = -1_000_000
_NO_ANSWER: Final = Temporary(
    "smsc: an answer of an unknown shape", unknown=True, ours=True, channel=True
)

_REFUSALS: Final[Mapping[int, Outcome]] = {
    1: Permanent("smsc 1: wrong parameters", ours=True),
    2: Temporary(
        "smsc 2: wrong login or password, or our address is not on the list",
        ours=True,
        channel=True,
    ),
    3: Temporary("smsc 3: the account is out of money", ours=True, channel=True),
    4: Temporary("smsc 4: our address is blocked for a while", ours=True, channel=True),
    5: Permanent("smsc 5: wrong date format", ours=True),
    6: Permanent("smsc 6: the text or the sender's name is forbidden", ours=True),
    7: Permanent("smsc 7: wrong phone number", dead=True),
    8: Permanent("smsc 8: this number cannot be reached", dead=True),
    # Said of a repeated request, too, and then the first one was taken.
    9: Temporary("smsc 9: the same request twice in a minute, or too many at once", unknown=True),
}


def message(outgoing: Outgoing, account: Mapping[str, str], sender: str) -> dict[str, str]:
    """Return the form for `/sys/send.php`."""
    form = {
        **account,
        "phones": outgoing.content.to.lstrip("+"),
        "mes": outgoing.content.text,
        "id": str(outgoing.key),
        "charset": "utf-8",
        "fmt": _FORMAT_JSON,
    }
    return {**form, "sender": sender} if sender else form


def question(outgoing: Outgoing, account: Mapping[str, str]) -> dict[str, str]:
    """Return the form for `/sys/status.php`."""
    phone = outgoing.content.to.lstrip("+")
    asked = {"phone": phone, "id": str(outgoing.key), "charset": "utf-8", "fmt": _FORMAT_JSON}
    return {**account, **asked}


def sent(status: int, body: bytes) -> Outcome:
    """Read the answer of `/sys/send.php`; what cannot be read leaves the outcome unknown."""
    said = _read(status, body)
    if isinstance(said, Temporary):
        return said
    if "error_code" in said:
        code = _number(said["error_code"])
        return _REFUSALS.get(code, Temporary(f"smsc {code}: unknown error", ours=True))
    if "id" in said and "cnt" in said:
        return Accepted(str(said["id"]))
    return _NO_ANSWER


def known(status: int, body: bytes, key: str) -> Outcome | None:
    """Read the answer of `/sys/status.php`: taken, or None where the provider has no such id.

    While it cannot be told, the outcome stays unknown and nothing may be sent.
    """
    said = _read(status, body)
    if isinstance(said, Temporary):
        return said
    if "error_code" in said:
        code = _number(said["error_code"])
        if code == _NOT_FOUND_ERROR:
            return None
        ours = code in _OURS
        return Temporary(f"smsc status: error {code}", unknown=True, ours=ours, channel=ours)
    status_code = _number(said.get("status", ""))
    if status_code == _NOT_FOUND_STATUS:
        return None
    return Accepted(key) if status_code != _UNREADABLE else _NO_ANSWER


def _read(status: int, body: bytes) -> Mapping[str, Any] | Temporary:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        said = None
    if status != 200 or type(said) is not dict:
        refused = 400 <= status < 500
        reason = f"smsc: HTTP {status}, no JSON object"
        return Temporary(reason, unknown=True, ours=refused, channel=True)
    return said


def _number(value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        return _UNREADABLE
