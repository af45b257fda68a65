"""What becomes of a message after its provider has taken it, by the provider's word.

A report finds its message by the provider's id. One that comes before we have written that id
down, or after a restore, is kept and looked for again; an hour later its message is unknown, which
is counted and harms nobody. Delivered is the last word: no later report takes it back.

A report also tells whether the address is dead or alive, for the list of those out of reach.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import Row, delete, func, select, tuple_

from notifier import reported_addresses, turns
from notifier.channels.port import Report
from notifier.message_table import message
from notifier.reach import DEFAULT_REACHING, Reaching
from notifier.report_table import report
from notifier.telling import Told, tell
from shared.clock import Clock
from shared.crypto import Vault
from shared.db import Database, Tx, transaction
from shared.metrics import REPORTS
from shared.outbox import Producer
from shared.repeats import repeated
from shared.rows import among, insert_new, update_each

KEPT: Final = timedelta(hours=1)
"""For how long a report waits for its message."""
KEPT_MAX: Final = 100_000
"""Reports that may wait; more are counted as unknown at once."""
STEP_SECONDS: Final = 5.0
_BATCH_MAX: Final = 500
_PAUSES: Final = (timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=5))

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Reports:
    """Where reports are kept, who says to core what they mean, and how addresses are judged."""

    db: Database
    vault: Vault
    clock: Clock
    reaching: Reaching = DEFAULT_REACHING
    producer: Producer | None = None


async def keep(reports: Reports, new: Sequence[Report]) -> None:
    """Write reports to their messages, and keep those whose message is not known yet.

    Safe to repeat. When it returns they are kept for good; raises what the database raises.
    """
    final = _latest(new)
    for each in new:
        if each.fate is None:
            REPORTS.labels(each.provider, "passing").inc()
    if not final:
        return
    at = reports.clock()
    rows = [_row(each, at) for each in final.values()]

    async def work(tx: Tx) -> tuple[_FoundBy, list[dict[str, Any]], bool]:
        found = await _apply(tx, reports, rows, at)
        waiting = [row for row in rows if (row["channel"], row["provider_id"]) not in found]
        full = bool(waiting) and await _count(tx) >= KEPT_MAX
        if not full:
            # Of those that wait the first one counts, as with a message, unless it is delivered.
            await _forget(tx, [row for row in waiting if row["state"] == "delivered"])
            await insert_new(tx, report, waiting, "provider_id")
        return found, waiting, full

    found, waiting, full = await repeated(reports.db, work)
    _say(found.values())
    if full:
        _lose(waiting)


async def step(reports: Reports) -> bool:
    """Look again for the messages of reports that wait; return whether more may be due."""
    at = reports.clock()
    async with transaction(reports.db) as tx:
        due = await tx.execute(
            select(report)
            .where(report.c.due_at <= at)
            .order_by(report.c.due_at)
            .limit(_BATCH_MAX)
            .with_for_update(skip_locked=True)
        )
        rows = [dict(row._mapping) for row in due]
        found = await _apply(tx, reports, rows, at)
        missing = [row for row in rows if (row["channel"], row["provider_id"]) not in found]
        lost = [row for row in missing if row["received_at"] <= at - KEPT]
        await _forget(tx, [row for row in rows if row not in missing] + lost)
        await _postpone(tx, [row for row in missing if row not in lost], at)
    _say(found.values())
    _lose(lost)
    return len(rows) == _BATCH_MAX


@dataclass(frozen=True, slots=True)
class _Found:
    """A report and its message."""

    report: Mapping[str, Any]
    message: Row[Any]
    news: bool
    """Whether the report has changed anything."""


_FoundBy = dict[tuple[str, str], _Found]
"""By channel and the provider's id."""


async def _apply(
    tx: Tx, reports: Reports, rows: Sequence[Mapping[str, Any]], at: datetime
) -> _FoundBy:
    """Write reports to their messages; return those that have one."""
    found: _FoundBy = {}
    said = {(row["channel"], row["provider_id"]): row for row in rows}
    for channel in sorted({row["channel"] for row in rows}):
        ids = [this for of, this in said if of == channel]
        messages = await tx.execute(
            select(message)
            .where(message.c.channel == channel, among(tx, message.c.provider_id, ids))
            .order_by(message.c.id)
            .with_for_update()
        )
        # Some providers count anew when they are restarted: their word is of the newest one.
        for one in sorted(messages, key=lambda row: row.done_at or row.created_at):
            told = said[channel, one.provider_id]
            found[channel, one.provider_id] = _Found(told, one, _is_news(one, told["state"]))
    news = [each for each in found.values() if each.news]
    await update_each(tx, message, [_columns(each) for each in news], "id")
    failed = [each for each in news if each.report["state"] != "delivered"]
    await turns.call_next(tx, {_key(each.message) for each in failed}, at)
    lost = [Told.of(each.message, each.report["reason"]) for each in failed]
    await tell(tx, reports.producer, lost, at)
    dead = [each.message for each in failed if each.report["dead"]]
    arrived = [each.message for each in news if each.report["state"] == "delivered"]
    await reported_addresses.judge(tx, reports.vault, reports.reaching, dead, arrived, at)
    return found


def _is_news(one: Row[Any], state: str) -> bool:
    if one.state not in ("sent", "undelivered"):
        return False
    return one.report is None or (state == "delivered" and one.report != "delivered")


def _columns(found: _Found) -> dict[str, Any]:
    delivered = found.report["state"] == "delivered"
    return {
        "id": found.message.id,
        "report": found.report["state"],
        "state": "sent" if delivered else "undelivered",
        "reason": None if delivered else found.report["reason"],
        "delivered_at": found.report["reported_at"] if delivered else None,
    }


def _key(one: Row[Any]) -> tuple[str, str, str]:
    return one.fact, one.contract, one.kind


def _latest(new: Sequence[Report]) -> dict[tuple[str, str], Report]:
    """Return one final report for each message: delivered wins, else the last one."""
    final: dict[tuple[str, str], Report] = {}
    for each in new:
        known = final.get((each.channel, each.id))
        if each.fate is not None and (known is None or known.fate != "delivered"):
            final[each.channel, each.id] = each
    return dict(sorted(final.items()))


def _row(given: Report, at: datetime) -> dict[str, Any]:
    return {
        "channel": given.channel,
        "provider_id": given.id,
        "provider": given.provider,
        "state": given.fate,
        "reason": given.reason,
        "dead": given.dead,
        "reported_at": given.at,
        "received_at": at,
        "due_at": at + _PAUSES[0],
        "attempts": 0,
    }


async def _count(tx: Tx) -> int:
    return int((await tx.execute(select(func.count()).select_from(report))).scalar_one())


async def _forget(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        keys = [(row["channel"], row["provider_id"]) for row in rows]
        mine = tuple_(report.c.channel, report.c.provider_id).in_(keys)
        await tx.execute(delete(report).where(mine))


async def _postpone(tx: Tx, rows: Sequence[Mapping[str, Any]], at: datetime) -> None:
    changes = [
        {
            "channel": row["channel"],
            "provider_id": row["provider_id"],
            "attempts": row["attempts"] + 1,
            "due_at": at + _PAUSES[min(row["attempts"] + 1, len(_PAUSES) - 1)],
        }
        for row in rows
    ]
    await update_each(tx, report, changes, "channel", "provider_id")


def _lose(rows: Sequence[Mapping[str, Any]]) -> None:
    for row in rows:
        REPORTS.labels(row["provider"], "unknown").inc()
        _log.warning("report.unknown", provider=row["provider"], provider_id=row["provider_id"])


def _say(found: Iterable[_Found]) -> None:
    for each in found:
        REPORTS.labels(each.report["provider"], each.report["state"]).inc()
        _log.info(
            "message.reported",
            message_id=str(each.message.id),
            contract=each.message.contract,
            correlation_id=each.message.correlation_id,
            report=each.report["state"],
            reason=each.report["reason"],
            news=each.news,
        )
