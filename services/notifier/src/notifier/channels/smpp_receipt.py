"""Delivery receipts of SMPP. Pure.

Source: SMPP 3.4, appendix B (the text that most providers write) and 5.3.2.12, 5.3.2.35 (the
optional parameters `receipted_message_id` and `message_state`, which win where they are given).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from notifier.channels.port import Fate
from notifier.channels.smpp_wire import MESSAGE_STATE, RECEIPTED_MESSAGE_ID, Delivered

IdForm = Literal["as_is", "hex", "decimal"]
"""How receipts write an id that submit_sm_resp wrote otherwise: some providers answer 4D2 and
report 1234 or the reverse. `hex` reads the number of a receipt as decimal and looks for it in
hexadecimal; `decimal` the other way round."""

_FIELD = re.compile(r"\b(id|stat|err):\s*([^\s]*)", re.IGNORECASE)
_STATES: Final[dict[int, Fate]] = {
    2: "delivered",
    3: "expired",
    4: "undelivered",  # deleted
    5: "undelivered",
    8: "undelivered",  # rejected
}
_WORDS: Final[dict[str, Fate]] = {
    "DELIVRD": "delivered",
    "EXPIRED": "expired",
    "DELETED": "undelivered",
    "UNDELIV": "undelivered",
    "REJECTD": "undelivered",
}


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a receipt says of a message; `fate` is None while it is on its way."""

    message_id: str
    fate: Fate | None
    reason: str


def read(given: Delivered, form: IdForm) -> Receipt | None:
    """Return the receipt, or None where it names no message."""
    said: dict[str, str] = {}
    for name, value in _FIELD.findall(given.text.decode("latin-1")):
        # The first one counts: the text of the message, at the end, may hold anything.
        said.setdefault(name.lower(), value)
    this = given.options.get(RECEIPTED_MESSAGE_ID, b"").rstrip(b"\0").decode("latin-1")
    this = this or _formed(said.get("id", ""), form)
    if not this:
        return None
    word = said.get("stat", "").upper()[:7]
    state = given.options.get(MESSAGE_STATE, b"")
    fate = _STATES.get(state[0]) if len(state) == 1 else _WORDS.get(word)
    error = said.get("err", "")[:8]
    reason = f"smpp {word or (state[0] if state else '?')}" + (f" err {error}" if error else "")
    return Receipt(this, fate, reason)


def _formed(this: str, form: IdForm) -> str:
    try:
        if form == "hex":
            return f"{int(this, 10):X}"
        if form == "decimal":
            return str(int(this, 16))
    except ValueError:
        pass
    return this
