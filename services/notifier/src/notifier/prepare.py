"""Finds the recipient of a new message and writes its text.

An event about money may come before those about the contract: then the message waits and looks
again, with growing pauses, until the directory knows or the patience of the settings ends. The
text is written once, so that every attempt to deliver it says the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import Row

from notifier import addresses, directory, journal, leases, messages
from notifier.content import Content, seal
from notifier.directory import Entry
from notifier.messages import FACTS, Reader
from shared.clock import Clock
from shared.crypto import Vault
from shared.db import Database, raise_signal, transaction
from shared.metrics import MESSAGES, alarm

BATCH_MAX: Final = 50

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Preparation:
    """How recipients are looked for and how the operator presents itself."""

    operator: str
    """The name under which messages come."""
    operators: Mapping[str, str]
    """Names of the contracts' operators that have one of their own."""
    cabinet_url: str
    recipient_wait: timedelta
    """How long a message waits for the directory to know its contract."""
    look_delays: tuple[timedelta, ...]


@dataclass
class _Changes:
    """What one step decided, grouped by the columns that change."""

    ready: list[dict[str, Any]] = field(default_factory=list)
    ended: list[dict[str, Any]] = field(default_factory=list)
    waiting: list[dict[str, Any]] = field(default_factory=list)


async def step(db: Database, vault: Vault, how: Preparation, clock: Clock) -> bool:
    """Prepare one batch of new messages; return whether more may be waiting."""
    at = clock()
    async with transaction(db) as tx:
        stale = await journal.expire(tx, at)
        rows = await leases.take_new(tx, at, BATCH_MAX)
        known = await directory.find(tx, vault, {row.contract for row in rows})
        changes = _decide(rows, known, vault, how, at)
        for group in (changes.ready, changes.ended, changes.waiting):
            await leases.change(tx, group)
        if changes.ready:
            for channel in journal.CHANNELS:
                raise_signal(tx, ready_signal(channel))
    _report(stale, rows, changes)
    return len(rows) == BATCH_MAX


def ready_signal(channel: str) -> str:
    """Return the name of the signal that a channel has something to send."""
    return f"notifier.ready.{channel}"


def _decide(
    rows: Sequence[Row[Any]],
    known: dict[str, Entry],
    vault: Vault,
    how: Preparation,
    at: datetime,
) -> _Changes:
    changes = _Changes()
    for row in rows:
        entry = known.get(row.contract)
        if entry is None:
            _wait(changes, row, how, at)
        elif reason := _unwanted(row, entry):
            changes.ended.append(_ended(row, "skipped", reason, at))
        elif content := _written(row, entry, how, at):
            sealed = {"sealed": seal(vault, content), "key_id": vault.key_id}
            changes.ready.append(
                {"id": row.id, "state": "ready", "attempts": 0, "due_at": at, **sealed}
            )
        else:
            changes.ended.append(_ended(row, "failed", "unwritable", at))
    return changes


def _wait(changes: _Changes, row: Row[Any], how: Preparation, at: datetime) -> None:
    if at - row.created_at >= how.recipient_wait:
        changes.ended.append(_ended(row, "failed", "recipient_unknown", at))
        return
    pause = how.look_delays[min(row.attempts, len(how.look_delays) - 1)]
    changes.waiting.append({"id": row.id, "attempts": row.attempts + 1, "due_at": at + pause})


def _unwanted(row: Row[Any], entry: Entry) -> str | None:
    """Return why nothing is to be sent to a known recipient, or None."""
    if row.kind == "low_balance" and entry.closed:
        return "contract_closed"
    given, usable = _address(row.channel, entry)
    what = "phone" if row.channel == "sms" else "email"
    if not given.strip():
        return f"no_{what}"
    return None if usable else f"bad_{what}"


def _address(channel: str, entry: Entry) -> tuple[str, str | None]:
    if channel == "sms":
        return entry.person.phone, addresses.phone(entry.person.phone)
    return entry.person.email, addresses.email(entry.person.email)


def _written(row: Row[Any], entry: Entry, how: Preparation, at: datetime) -> Content | None:
    """Return the text, None where a fault of ours prevents it: one row must not stop the rest."""
    try:
        return _content(row, entry, how, at)
    except Exception:
        _log.exception("message.unwritable", message_id=str(row.id))
        return None


def _content(row: Row[Any], entry: Entry, how: Preparation, at: datetime) -> Content:
    to = _address(row.channel, entry)[1] or ""
    facts = FACTS[row.kind].model_validate_json(row.facts)
    reader = Reader(
        contract=row.contract,
        operator=how.operators.get(entry.operator, how.operator),
        cabinet_url=how.cabinet_url,
        name=entry.person.name,
        language=messages.language(entry.language),
        timezone=entry.timezone,
    )
    if row.channel == "sms":
        return Content(to=to, text=messages.sms(row.kind, facts, reader, at))
    mail = messages.mail(row.kind, facts, reader, at)
    return Content(to=to, subject=mail.subject, text=mail.text, html=mail.html)


def _ended(row: Row[Any], state: str, reason: str, at: datetime) -> dict[str, Any]:
    return {"id": row.id, "state": state, "reason": reason, "done_at": at}


def _report(stale: Sequence[Row[Any]], rows: Sequence[Row[Any]], changes: _Changes) -> None:
    for row in stale:
        MESSAGES.labels(row.channel, "dropped").inc()
        _log.warning("message.stale", message_id=str(row.id), correlation_id=row.correlation_id)
    by_id = {row.id: row for row in rows}
    for end in changes.ended:
        row = by_id[end["id"]]
        what = {
            "message_id": str(row.id),
            "contract": row.contract,
            "channel": row.channel,
            "correlation_id": row.correlation_id,
        }
        MESSAGES.labels(row.channel, end["state"]).inc()
        if end["state"] == "failed":
            alarm("message_not_prepared", reason=end["reason"], **what)
        else:
            _log.info("message.skipped", reason=end["reason"], **what)
