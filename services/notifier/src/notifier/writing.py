"""Writes what leaves for a subscriber: the address, the words, and the links they carry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Row

from notifier import formats, messages
from notifier.content import Content
from notifier.directory import Entry
from notifier.facts import read
from notifier.kinds import KINDS
from notifier.links import Links
from notifier.preferences import Preference
from notifier.reach import Way
from notifier.reader import Reader
from notifier.texts import Stored

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Sender:
    """How the operator presents itself."""

    operator: str
    """The name under which messages come."""
    operators: Mapping[str, str]
    """Names of the contracts' operators that have one of their own."""
    cabinet_url: str
    decrypt: Callable[[str], str]
    """Opens the links among the facts."""
    stored: Stored
    """Texts that the operator has written."""
    links: Links | None = None


def written(
    row: Row[Any],
    facts: str,
    way: Way,
    entry: Entry,
    preference: Preference,
    sender: Sender,
    at: datetime,
) -> Content | None:
    """Return the text, None where a fault of ours prevents it: one row must not stop the rest."""
    try:
        return _content(row, facts, way, entry, preference, sender, at)
    except Exception:
        _log.exception("message.unwritable", message_id=str(row.id))
        return None


def _content(
    row: Row[Any],
    written_facts: str,
    way: Way,
    entry: Entry,
    preference: Preference,
    sender: Sender,
    at: datetime,
) -> Content:
    to = way.address or ""
    facts = read(row.kind, written_facts, sender.decrypt)
    reader = Reader(
        contract=row.contract,
        operator=sender.operators.get(entry.operator, sender.operator),
        cabinet_url=sender.cabinet_url,
        name=entry.person.name,
        language=preference.chosen.language or formats.language(entry.language),
        timezone=entry.timezone,
    )
    if way.channel == "sms":
        return Content(to=to, text=messages.sms(row.kind, facts, reader, at, sender.stored))
    if way.channel == "bot":
        return Content(to=to, text=messages.bot(row.kind, facts, reader, at, sender.stored))
    mail = messages.mail(row.kind, facts, reader, at, sender.stored)
    return Content(
        to=to,
        subject=mail.subject,
        text=mail.text,
        html=mail.html,
        unsubscribe_url=_way_out(row, sender, at),
    )


def _way_out(row: Row[Any], sender: Sender, at: datetime) -> str:
    if sender.links is None or not KINDS[row.kind].refusable:
        return ""
    return sender.links.unsubscribe(row.contract, row.kind, row.channel, at)
