"""The table of watches: who wants to hear of what, and what they have heard.

Whoever writes a row holds the lock of the contract's balance. Every contract has the watches of
`notifier` from the beginning: that of the balance has its row then, the others with what is first
said of them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Index,
    Integer,
    Row,
    Table,
    Text,
    case,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from core_billing.accounts import balance
from shared.db import Tx, is_postgres, metadata
from shared.rows import among, insert_new, update_each

DEFAULT_WATCHER: Final = "notifier"
BALANCE: Final = "balance"
DAYS: Final = "days"
FEE: Final = "fee"
KINDS: Final = (BALANCE, DAYS, FEE)
DAYS_MAX: Final = 60
"""How many days ahead a watch may look."""

schema = metadata()
watch = Table(
    "watch",
    schema,
    Column("contract_id", Integer, primary_key=True, autoincrement=False),
    Column("watcher", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    # None: the contract's own threshold, else the operator's.
    Column("threshold_kopecks", BigInteger),
    Column("armed", Boolean, nullable=False),
    Column("crossing", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("cleared", Boolean, nullable=False),
    # Of the kinds that count days. None: the contract's own number, else the operator's.
    Column("days", Integer),
    # Of the kind fee: the newest day of fees that was told, or passed over with one that was.
    Column("said_for", Date),
    # Of the kind days: what was available when it was last looked at.
    Column("seen_kopecks", BigInteger),
)
KEY: Final = (watch.c.contract_id, watch.c.watcher, watch.c.kind)
# Written out, not bound: a planner must see that the index holds what is asked for.
IS_CROSSED: Final = "kind = 'days' AND NOT armed AND NOT cleared"
Index(
    "ix_watch_crossed",
    watch.c.contract_id,
    postgresql_where=text(IS_CROSSED),
    sqlite_where=text(IS_CROSSED),
)
IS_FOREIGN: Final = "watcher <> 'notifier' AND NOT cleared"
Index(
    "ix_watch_foreign",
    watch.c.contract_id,
    postgresql_where=text(IS_FOREIGN),
    sqlite_where=text(IS_FOREIGN),
)
_AVAILABLE: Final = balance.c.kopecks + balance.c.credit_limit_kopecks + balance.c.promised_kopecks


class Setting(NamedTuple):
    """What a watcher asks for; a threshold of None means it is no longer interested."""

    contract_id: int
    watcher: str
    kind: str
    revision: int
    threshold_kopecks: int | None
    days: int | None = None


async def add_default(tx: Tx, contract_ids: Sequence[int]) -> None:
    """Give new contracts the watch of the balance that every contract has."""
    rows = [
        {
            "contract_id": contract_id,
            "watcher": DEFAULT_WATCHER,
            "kind": BALANCE,
            "armed": True,
            "crossing": 0,
            "revision": 0,
            "cleared": False,
        }
        for contract_id in contract_ids
    ]
    await insert_new(tx, watch, rows, "contract_id")


async def put(tx: Tx, settings: Sequence[Setting]) -> None:
    """Keep what watchers ask for, where the revision is greater than the kept one.

    A changed bound does not arm a watch; one that was cleared is armed when set again.
    """
    for setting in settings:
        insert = postgres_insert if is_postgres(tx) else sqlite_insert
        wanted = {
            "threshold_kopecks": setting.threshold_kopecks,
            "days": setting.days,
            "revision": setting.revision,
            "cleared": setting.threshold_kopecks is None,
        }
        key = {"contract_id": setting.contract_id, "watcher": setting.watcher, "kind": setting.kind}
        statement = insert(watch).values(armed=True, crossing=0, **key, **wanted)
        await tx.execute(
            statement.on_conflict_do_update(
                index_elements=[column.name for column in KEY],
                set_={**wanted, "armed": case((watch.c.cleared, True), else_=watch.c.armed)},
                where=watch.c.revision < setting.revision,
            )
        )


async def change(tx: Tx, rows: Sequence[dict[str, Any]]) -> None:
    """Give watches, found by their key, the other values that their rows name."""
    await update_each(tx, watch, rows, *(column.name for column in KEY))


async def add(tx: Tx, rows: Sequence[dict[str, Any]]) -> None:
    """Write the rows of watches that every contract has and that say something for once."""
    default = {"revision": 0, "cleared": False}
    await insert_new(tx, watch, [{**row, **default} for row in rows], "contract_id")


async def counting_days(tx: Tx, contract_ids: Collection[int]) -> Sequence[Row[Any]]:
    """Return the watches of these contracts that count days, the cleared ones among them."""
    mine = among(tx, watch.c.contract_id, contract_ids)
    found = select(watch).where(mine, watch.c.kind.in_([DAYS, FEE]))
    return (await tx.execute(found.order_by(*KEY))).all()


async def farthest(tx: Tx) -> int:
    """Return how many days ahead the watch looks that looks farthest; 0 where none does."""
    found = await tx.execute(select(func.coalesce(func.max(watch.c.days), 0)))
    return int(found.scalar_one())


async def moved(tx: Tx, limit: int) -> list[int]:
    """Return contracts that wait for more days, and whose money has changed since they were seen.

    In the order of their ids; each once, however many of its watches wait.
    """
    seen = watch.c.seen_kopecks.is_distinct_from(_AVAILABLE)
    found = (
        select(watch.c.contract_id)
        .join(balance, balance.c.account_id == watch.c.contract_id)
        .where(text(IS_CROSSED), seen)
        .distinct()
    )
    rows = await tx.execute(found.order_by(watch.c.contract_id).limit(limit))
    return list(rows.scalars())


async def crossed(tx: Tx, contract_ids: Collection[int]) -> set[int]:
    """Return those of these contracts that wait for more days."""
    mine = among(tx, watch.c.contract_id, contract_ids)
    found = select(watch.c.contract_id).where(mine, text(IS_CROSSED))
    return set((await tx.execute(found)).scalars())
