"""The errors of SMSC.ru, with the words it uses."""

from __future__ import annotations

TEXTS = {
    1: "parameters error",
    2: "authorise error",
    3: "no money",
    4: "ip is blocked",
    5: "date format error",
    6: "message is denied",
    7: "invalid number",
    8: "can't to deliver",
    9: "duplicate request, wait a minute",
}
NAMED = {3, 6, 7, 8}
"""Errors that belong to a message and therefore carry its id."""


class Refused(Exception):
    """A request that SMSC refuses; the HTTP status stays 200."""

    def __init__(self, code: int, message_id: str | None = None) -> None:
        super().__init__(TEXTS[code])
        self.code = code
        self.message_id = message_id if code in NAMED else None
