"""Walks over all contracts in the order of their ids, which go on where a killed one has stopped.

A page is a transaction: what it does and how far the walk has come are kept together, so nothing is
done twice and nothing is left out. Of several replicas one walks at a time.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Integer, Table, Text, select, update

from shared.db import Tx, metadata
from shared.rows import insert_new

schema = metadata()
sweep = Table(
    "sweep",
    schema,
    Column("name", Text, primary_key=True),
    # What the walk is for, such as a day or a month: they only grow, each is walked once.
    Column("run", Text, nullable=False),
    Column("after_id", Integer, nullable=False),
    Column("ended", Boolean, nullable=False),
)


async def take(tx: Tx, name: str, run: str) -> int | None:
    """Lock a walk; return after which id it goes on, 0 for a run that begins.

    None where this run has ended, a later one has begun, or another replica is at work.
    """
    first = {"name": name, "run": "", "after_id": 0, "ended": True}
    await insert_new(tx, sweep, [first], "name")
    mine = select(sweep).where(sweep.c.name == name)
    row = (await tx.execute(mine.with_for_update(skip_locked=True))).one_or_none()
    if row is None or row.run > run or (row.run == run and row.ended):
        return None
    return 0 if row.run < run else int(row.after_id)


async def advance(tx: Tx, name: str, run: str, after_id: int, *, ended: bool) -> None:
    """Keep how far a walk that was taken has come."""
    now = {"run": run, "after_id": after_id, "ended": ended}
    await tx.execute(update(sweep).where(sweep.c.name == name).values(now))


async def has_begun(tx: Tx, name: str, run: str) -> bool:
    """Say whether a run was ever taken and kept."""
    found = select(sweep.c.name).where(sweep.c.name == name, sweep.c.run >= run)
    return (await tx.execute(found)).first() is not None
