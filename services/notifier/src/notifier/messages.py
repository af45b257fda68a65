"""What subscribers read: the words of each kind in Russian and English. Pure.

An SMS is written for a small space: Russian letters leave 67 characters to each of its parts, so
two parts hold 134; English stays within the GSM alphabet, which has neither the rouble sign nor
the long minus. A text of the operator's that cannot be used stops no message: the shipped one is
taken instead, aloud.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from notifier.facts import Fact
from notifier.kinds import KindName
from notifier.reader import Reader
from notifier.template_errors import Place, TemplateError, fault
from notifier.template_language import Words, render
from notifier.texts import NONE, Key, Part, Stored, frame, source
from notifier.words import words
from shared.metrics import alarm

_BLANKS = re.compile(r"\n(?:[ \t]*\n){2,}")


@dataclass(frozen=True, slots=True)
class Mail:
    """An e-mail's words, the same in both of its parts."""

    subject: str
    text: str
    html: str


def sms(kind: KindName, fact: Fact, reader: Reader, at: datetime, stored: Stored = NONE) -> str:
    """Return the text of an SMS, on one line and with plain spaces only."""
    return _safely(Key(kind, reader.language, "sms"), words(fact, reader, at), stored)


def bot(kind: KindName, fact: Fact, reader: Reader, at: datetime, stored: Stored = NONE) -> str:
    """Return the text for a messenger: plain, of several lines."""
    return _safely(Key(kind, reader.language, "bot"), words(fact, reader, at), stored)


def mail(kind: KindName, fact: Fact, reader: Reader, at: datetime, stored: Stored = NONE) -> Mail:
    """Return the subject, the plain text and the HTML of an e-mail."""
    said = words(fact, reader, at)

    def part(name: Part) -> str:
        return _safely(Key(kind, reader.language, name), said, stored)

    return Mail(subject=part("subject"), text=part("text"), html=part("html"))


def written(key: Key, said: Words, text: str) -> str:
    """Return a text filled in, as the part it is needs it; raises TemplateError for a bad one."""
    made = render(text, said, html=key.part == "html")
    if not made.strip():
        raise fault("empty", Place(1, 1), key.part)
    if key.part in ("subject", "sms"):
        # split() takes no-break spaces for spaces, too; some SMS gateways print a question mark.
        return " ".join(made.split())
    made = _BLANKS.sub("\n\n", made).strip() + "\n"
    if key.part == "html":
        before, after = (render(half, said, html=True) for half in frame(key.language))
        return before + made + after
    return made


def _safely(key: Key, said: Words, stored: Stored) -> str:
    try:
        return written(key, said, source(key, stored))
    except TemplateError as error:
        if not stored:
            raise
        _cry(key, source(key, stored), str(error))
        return written(key, said, source(key))


@lru_cache(maxsize=512)
def _cry(key: Key, _text: str, error: str) -> None:
    """Raise one alarm for each broken text, however many messages were to say it."""
    alarm(
        "template_broken",
        about=key.kind,
        language=key.language,
        part=key.part,
        error=error,
        do="mend it or return to the default: /notifier/v1/templates",
    )
