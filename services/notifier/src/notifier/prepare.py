"""Finds the recipient of a new message, chooses the ways to reach them, and writes its text.

An event about money may come before those about the contract: then the message waits and looks
again, with growing pauses, until the directory knows or the patience of the settings ends. In quiet
hours it waits for their end. The text is written once, just before it may leave, so that every
attempt to deliver it says the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import Row

from notifier import directory, gate, journal, leases, preferences, reach, turns, unreachable
from notifier.content import seal
from notifier.deadlines import can_wait, leaves_from
from notifier.directory import Entry
from notifier.kinds import KINDS
from notifier.links import Links
from notifier.preferences import NONE, Preference
from notifier.quiet import QuietHours
from notifier.reach import DEFAULT_REACHING, Reach, Reaching, Way
from notifier.standing import Standing
from notifier.telling import Told, tell
from notifier.template_store import stored
from notifier.texts import Stored
from notifier.turns import Key
from notifier.writing import Sender, written
from shared.clock import Clock
from shared.crypto import Vault
from shared.db import Database, Tx, raise_signal, transaction
from shared.metrics import MESSAGES, alarm
from shared.outbox import Producer

BATCH_MAX: Final = 200

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Preparation:
    """How recipients are looked for and reached, and how the operator presents itself."""

    operator: str
    """The name under which messages come."""
    operators: Mapping[str, str]
    """Names of the contracts' operators that have one of their own."""
    cabinet_url: str
    recipient_wait: timedelta
    """How long a message waits for the directory to know its contract."""
    look_delays: tuple[timedelta, ...]
    reaching: Reaching = DEFAULT_REACHING
    quiet: QuietHours | None = None
    patience: turns.Patience = turns.DEFAULT_PATIENCE
    links: Links | None = None
    producer: Producer | None = None
    """Says what will reach nobody; without one nobody is told."""

    def sender(self, decrypt: Callable[[str], str], texts: Stored) -> Sender:
        """Return how the operator presents itself."""
        return Sender(self.operator, self.operators, self.cabinet_url, decrypt, texts, self.links)


@dataclass
class _Batch:
    """One step's messages with what is known about them, and what was decided."""

    rows: Sequence[Row[Any]]
    known: Mapping[str, Entry]
    chosen: Mapping[str, Preference]
    money: Mapping[str, Standing]
    texts: Stored
    siblings: Mapping[Key, Mapping[str, Row[Any]]] = field(default_factory=dict)
    silent: Mapping[str, bool] = field(default_factory=dict)
    ways: dict[Any, list[Way]] = field(default_factory=dict)
    ready: list[dict[str, Any]] = field(default_factory=list)
    ended: list[dict[str, Any]] = field(default_factory=list)
    waiting: list[dict[str, Any]] = field(default_factory=list)


async def step(db: Database, vault: Vault, how: Preparation, clock: Clock) -> bool:
    """Prepare one batch of new messages; return whether more may be waiting."""
    at = clock()
    async with transaction(db) as tx:
        stale = await journal.expire(tx, at)
        batch = await _gather(tx, vault, how, at)
        for row in batch.rows:
            _decide(batch, row, vault, how, at)
        await unreachable.review(tx, _reaches(batch, how), at)
        for group in (batch.ready, batch.ended, batch.waiting):
            await leases.change(tx, group)
        await tell(tx, how.producer, _failures(batch, stale), at)
        for channel in {row.channel for row in batch.rows} if batch.ready else ():
            raise_signal(tx, journal.ready_signal(channel))
    _report(stale, batch)
    return len(batch.rows) == BATCH_MAX


async def _gather(tx: Tx, vault: Vault, how: Preparation, at: datetime) -> _Batch:
    rows = await leases.take_new(tx, at, BATCH_MAX)
    contracts = {row.contract for row in rows}
    batch = _Batch(
        rows,
        await directory.find(tx, vault, contracts),
        await preferences.find(tx, vault, contracts),
        await gate.standings(tx, rows),
        await stored(tx) if rows else {},
    )
    for row in rows:
        entry, preference = batch.known.get(row.contract), _chosen(batch, row)
        if entry is not None:
            batch.ways[row.id] = reach.ways(row.kind, entry, preference, how.reaching)
    later = [row for row in rows if _earlier(batch, row, how)]
    if later:
        batch.siblings = await turns.siblings(tx, [_key(row) for row in later])
        silent = await turns.silent(tx, how.reaching.channels, how.patience, at)
        batch.silent = dict.fromkeys(silent, True)
    return batch


def _decide(batch: _Batch, row: Row[Any], vault: Vault, how: Preparation, at: datetime) -> None:
    entry = batch.known.get(row.contract)
    way = next((way for way in batch.ways.get(row.id, ()) if way.channel == row.channel), None)
    if reason := gate.untrue(row, batch.money):
        batch.ended.append(gate.ended(row.id, reason, at))
    elif entry is None:
        _wait(batch, row, how, at)
    elif way is None or way.address is None:
        batch.ended.append(_ended(row, "skipped", way.reason if way else "not_chosen", at))
    elif _takes_turn(batch, row, how, at):
        waits = KINDS[row.kind].waits_for_morning(row.channel) and can_wait(row.kind, row.facts)
        zone = entry.timezone if waits else None
        moment = leaves_from(how.quiet, zone, row.kind, row.facts, at)
        if moment > at:
            batch.waiting.append({"id": row.id, "attempts": 0, "due_at": moment})
        else:
            _write(batch, row, way, zone, vault, how, at)


def _takes_turn(batch: _Batch, row: Row[Any], how: Preparation, at: datetime) -> bool:
    """Say whether no earlier channel is to be waited for; decide about the row where one is."""
    channels = _earlier(batch, row, how)
    rows = batch.siblings.get(_key(row), {})
    earlier = [rows[channel] for channel in channels if channel in rows]
    turn = turns.turn(earlier, batch.silent, how.patience, at)
    if turn.what == "told":
        batch.ended.append(_ended(row, "skipped", turns.TOLD, at))
    elif turn.what == "wait":
        batch.waiting.append({"id": row.id, "attempts": 0, "due_at": turn.until})
    batch.ended += [gate.ended(this, "gave_way", at) for this in turn.gives_way]
    return turn.what == "go"


def _write(
    batch: _Batch,
    row: Row[Any],
    way: Way,
    zone: str | None,
    vault: Vault,
    how: Preparation,
    at: datetime,
) -> None:
    facts = gate.anew(row, batch.money)
    text = facts.model_dump_json() if facts else row.facts
    entry, preference = batch.known[row.contract], _chosen(batch, row)
    sender = how.sender(vault.decrypt, batch.texts)
    content = written(row, text, way, entry, preference, sender, at)
    if content is None:
        batch.ended.append(_ended(row, "failed", "unwritable", at))
        return
    batch.ready.append(
        {
            "id": row.id,
            "state": "ready",
            "attempts": 0,
            "due_at": at,
            "zone": zone,
            "facts": text,
            "sealed": seal(vault, content),
            "key_id": vault.key_id,
        }
    )


def _wait(batch: _Batch, row: Row[Any], how: Preparation, at: datetime) -> None:
    if at - row.created_at >= how.recipient_wait:
        batch.ended.append(_ended(row, "failed", "recipient_unknown", at))
        return
    pause = how.look_delays[min(row.attempts, len(how.look_delays) - 1)]
    batch.waiting.append({"id": row.id, "attempts": row.attempts + 1, "due_at": at + pause})


def _earlier(batch: _Batch, row: Row[Any], how: Preparation) -> Sequence[str]:
    """Return the channels that go before this one, where they go one by one."""
    if not how.reaching.one_by_one(row.kind, _chosen(batch, row)):
        return []
    usable = [way.channel for way in batch.ways.get(row.id, ()) if way.address is not None]
    return usable[: usable.index(row.channel)] if row.channel in usable else []


def _reaches(batch: _Batch, how: Preparation) -> dict[str, Reach]:
    found = {}
    for contract, entry in batch.known.items():
        preference = batch.chosen.get(contract, NONE)
        found[contract] = reach.to_mend(entry, preference, how.reaching)
    return found


def _chosen(batch: _Batch, row: Row[Any]) -> Preference:
    return batch.chosen.get(row.contract, NONE)


def _key(row: Row[Any]) -> Key:
    return row.fact, row.contract, row.kind


def _ended(row: Row[Any], state: str, reason: str | None, at: datetime) -> dict[str, Any]:
    return {"id": row.id, "state": state, "reason": reason, "done_at": at}


def _failures(batch: _Batch, stale: Sequence[Row[Any]]) -> list[Told]:
    """Return what will reach nobody: also what was written, and its channel had no time for."""
    by_id = {row.id: row for row in batch.rows}
    failed = [(by_id[e["id"]], e["reason"]) for e in batch.ended if e["state"] == "failed"]
    failed += [(row, row.reason) for row in stale if row.sealed is not None]
    return [Told.of(row, reason) for row, reason in failed]


def _report(stale: Sequence[Row[Any]], batch: _Batch) -> None:
    for row in stale:
        MESSAGES.labels(row.channel, "dropped").inc()
        _log.warning("message.stale", message_id=str(row.id), correlation_id=row.correlation_id)
    by_id = {row.id: row for row in batch.rows}
    for end in batch.ended:
        if end["id"] not in by_id:  # one that gave way to a message of this batch
            continue
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
            _log.info(f"message.{end['state']}", reason=end["reason"], **what)
