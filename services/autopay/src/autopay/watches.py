"""What autopay has asked core-billing to watch, by revision: one row per contract and kind.

The row outlives its mandate, so that the revision of the next one's watch is greater.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Boolean, Column, Integer, Row, Table, Text, select, update

from autopay.mandate import Terms, Trigger
from shared.db import Tx, metadata
from shared.events import Event, WatchCleared, WatchSet
from shared.rows import insert_new
from shared.topology import AUTOPAY

KINDS: Final = (Trigger.BALANCE, Trigger.FEE)

schema = metadata()
watch = Table(
    "watch",
    schema,
    Column("contract", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("cleared", Boolean, nullable=False),
    Column("threshold_kopecks", BigInteger),
    Column("days", Integer),
)


@dataclass(frozen=True, slots=True)
class _Wish:
    cleared: bool
    threshold_kopecks: int | None = None
    days: int | None = None


async def want(
    tx: Tx, producer: str, contract: str, terms: Terms | None, at: datetime, correlation_id: str
) -> list[Event]:
    """Have a contract watched as its terms ask for; return what is to be said for it.

    Without terms nothing is watched any more. The contract must be locked.
    """
    rows = await tx.execute(select(watch).where(watch.c.contract == contract))
    known = {row.kind: row for row in rows}
    said = []
    for kind in KINDS:
        wish = _wish(kind, terms)
        before = known.get(str(kind))
        if _same(before, wish):
            continue
        revision = 1 if before is None else before.revision + 1
        await _write(tx, contract, kind, revision, wish)
        said.append(_event(producer, contract, kind, revision, wish, at, correlation_id))
    return said


async def again(
    tx: Tx, producer: str, after: str, limit: int, run: str, at: datetime
) -> tuple[list[Event], str | None]:
    """Say as they stand the watches of so many contracts after one of them; None after the last.

    `run` makes the events new, their revisions stay.
    """
    found = select(watch.c.contract).distinct().where(watch.c.contract > after)
    numbers = (await tx.execute(found.order_by(watch.c.contract).limit(limit))).scalars().all()
    if not numbers:
        return [], None
    theirs = watch.c.contract.between(numbers[0], numbers[-1])
    rows = await tx.execute(select(watch).where(theirs).order_by(watch.c.contract, watch.c.kind))
    said = [
        _event(producer, row.contract, row.kind, row.revision, _known(row), at, "", f":{run}")
        for row in rows
    ]
    return said, numbers[-1] if len(numbers) == limit else None


def _wish(kind: Trigger, terms: Terms | None) -> _Wish:
    if terms is None or terms.trigger is not kind:
        return _Wish(cleared=True)
    return _Wish(False, terms.threshold_kopecks, terms.days_before)


def _same(known: Row[Any] | None, wish: _Wish) -> bool:
    if known is None:
        return wish.cleared
    return wish == _known(known)


def _known(row: Row[Any]) -> _Wish:
    return _Wish(row.cleared, row.threshold_kopecks, row.days)


async def _write(tx: Tx, contract: str, kind: Trigger, revision: int, wish: _Wish) -> None:
    values: dict[str, Any] = {
        "revision": revision,
        "cleared": wish.cleared,
        "threshold_kopecks": wish.threshold_kopecks,
        "days": wish.days,
    }
    key = {"contract": contract, "kind": str(kind)}
    if not await insert_new(tx, watch, [key | values], "kind"):
        mine = (watch.c.contract == contract, watch.c.kind == str(kind))
        await tx.execute(update(watch).where(*mine).values(values))


def _event(
    producer: str,
    contract: str,
    kind: str,
    revision: int,
    wish: _Wish,
    at: datetime,
    correlation_id: str,
    run: str = "",
) -> Event:
    return _body(contract, kind, revision, wish, at).event(
        producer,
        subject=contract,
        revision=f"{kind}:{revision}{run}",
        correlation_id=correlation_id or contract,
    )


def _body(
    contract: str, kind: str, revision: int, wish: _Wish, at: datetime
) -> WatchSet | WatchCleared:
    if wish.cleared:
        return WatchCleared(
            contract=contract,
            occurred_at=at,
            revision=revision,
            watcher=AUTOPAY,
            kind=str(kind),
        )
    return WatchSet(
        contract=contract,
        occurred_at=at,
        revision=revision,
        watcher=AUTOPAY,
        kind=str(kind),
        threshold_kopecks=wish.threshold_kopecks or 0,
        days=wish.days,
    )
