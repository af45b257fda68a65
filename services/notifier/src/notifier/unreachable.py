"""Subscribers whom no message reaches: a list for the manager, kept as rows, not as log lines.

A row is a fault of one channel of a contract: no address, one that is none or not confirmed, or one
that is dead by the provider's word. A contract whose every used channel has a fault is out of
reach. A fault ends when the address changes, or when a message gets through: to be taken by the
provider is enough, but for a fault that a report of delivery has set. Numbers out of service are
often taken, so only a delivery ends that one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Row,
    Table,
    Text,
    Uuid,
    delete,
    func,
    select,
    tuple_,
    update,
)

from notifier.channels.port import ChannelName
from notifier.reach import FAULTS, Reach
from shared.db import Instant, Tx, metadata
from shared.metrics import UNREACHABLE
from shared.rows import among, insert_new

LISTED_MAX: Final = 200
REPORTED: Final = "reported_dead"
"""The reason where the provider took a message and called its address dead only later."""

schema = metadata()
fault = Table(
    "fault",
    schema,
    Column("contract", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    # Whether every channel of the contract has a fault.
    Column("alone", Boolean, nullable=False),
    Column("since", Instant, nullable=False),
    Column("message_id", Uuid),
)
Index("ix_fault_alone", fault.c.alone, fault.c.contract)


@dataclass(frozen=True, slots=True)
class Dead:
    """An address that a provider says is dead, refused or blocked, and the message that met it."""

    contract: str
    channel: ChannelName
    reason: str
    message_id: UUID
    address: str


@dataclass(frozen=True, slots=True)
class Alive:
    """An address to which a provider says that it has delivered."""

    contract: str
    channel: ChannelName
    address: str


async def review(
    tx: Tx,
    found: Mapping[str, Reach],
    at: datetime,
    *,
    dead: Sequence[Dead] = (),
    moved: bool = False,
) -> None:
    """Hold the kept faults against what is wrong with contracts' addresses now.

    What a provider has said of an address stays until it has `moved`; `dead` says it anew.
    """
    kept = await _kept(tx, found)
    ended: list[tuple[str, str]] = []
    rows: dict[tuple[str, str], dict[str, Any]] = {
        (d.contract, d.channel): _row(d.contract, d.channel, d.reason, at, d.message_id)
        for d in dead
        if d.contract in found and d.channel in found[d.contract].usable
    }
    for contract, reach in found.items():
        known = {row.channel: row for row in kept.get(contract, ())}
        over = {c for c, row in known.items() if _over(row, reach, moved)}
        ended += [(contract, channel) for channel in over]
        for channel, reason in reach.wrong.items():
            if channel not in known or channel in over:
                rows[contract, channel] = _row(contract, channel, reason, at)
    if ended:
        await tx.execute(delete(fault).where(_key(ended)))
    if ended or rows:
        await insert_new(tx, fault, [rows[key] for key in sorted(rows)], "contract")
        await _weigh(tx, found)


async def called_dead(tx: Tx, of: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return those channels, by contract and channel, whose address a provider has called dead."""
    if not of:
        return set()
    keys = select(fault.c.contract, fault.c.channel)
    found = await tx.execute(keys.where(_key(of), fault.c.reason.not_in(sorted(FAULTS))))
    return {(row.contract, row.channel) for row in found}


async def reached(tx: Tx, got: Collection[tuple[str, str]], *, delivered: bool = False) -> None:
    """Forget the faults of channels, by contract and channel, by which a message got through.

    Unless it was `delivered`, the provider has only taken it: what reports have said stays.
    """
    if got:
        theirs = delete(fault).where(_key(got))
        if not delivered:
            theirs = theirs.where(fault.c.reason != REPORTED)
        over = await tx.execute(theirs.returning(fault.c.contract))
        if contracts := sorted(set(over.scalars())):
            whole = update(fault).where(among(tx, fault.c.contract, contracts))
            await tx.execute(whole.values(alone=False))


async def page(
    tx: Tx, *, limit: int, after: str | None = None, partly: bool = False
) -> dict[str, list[Row[Any]]]:
    """Return the faults of contracts out of reach, in their order, after one of them.

    With `partly` also those of whom only some channels have a fault.
    """
    numbers = select(fault.c.contract).distinct().order_by(fault.c.contract).limit(limit)
    if not partly:
        numbers = numbers.where(fault.c.alone.is_(True))
    if after is not None:
        numbers = numbers.where(fault.c.contract > after)
    listed = list((await tx.execute(numbers)).scalars())
    return await _kept(tx, listed)


async def count(tx: Tx) -> int:
    """Count the contracts out of reach and show the figure to Prometheus."""
    out = select(func.count(func.distinct(fault.c.contract))).where(fault.c.alone.is_(True))
    found = int((await tx.execute(out)).scalar_one())
    UNREACHABLE.set(found)
    return found


async def _kept(tx: Tx, contracts: Iterable[str]) -> dict[str, list[Row[Any]]]:
    kept: dict[str, list[Row[Any]]] = {}
    numbers = sorted(contracts)
    if numbers:
        wanted = select(fault).where(among(tx, fault.c.contract, numbers))
        for row in await tx.execute(wanted.order_by(fault.c.contract, fault.c.channel)):
            kept.setdefault(row.contract, []).append(row)
    return kept


async def _weigh(tx: Tx, found: Mapping[str, Reach]) -> None:
    """Say anew which contracts have no channel left that works."""
    kept = await _kept(tx, found)
    for alone in (True, False):
        weighed = [
            contract
            for contract, rows in kept.items()
            if alone == (set(found[contract].usable) <= {row.channel for row in rows})
        ]
        if weighed:
            theirs = among(tx, fault.c.contract, weighed)
            await tx.execute(update(fault).where(theirs).values(alone=alone))


def _over(row: Row[Any], reach: Reach, moved: bool) -> bool:
    reason = reach.wrong.get(row.channel)
    if reason is not None or row.reason in FAULTS:
        return bool(row.reason != reason)
    return moved or row.channel not in reach.usable


def _key(pairs: Iterable[tuple[str, str]]) -> Any:
    return tuple_(fault.c.contract, fault.c.channel).in_(sorted(pairs))


def _row(
    contract: str, channel: str, reason: str, at: datetime, message_id: UUID | None = None
) -> dict[str, Any]:
    return {
        "contract": contract,
        "channel": channel,
        "reason": reason,
        "alone": False,
        "since": at,
        "message_id": message_id,
    }
