"""Rows of providers' registers, as their gateways have compared them with what we know.

The newest word about a row counts, of two of the same moment the one heard last: a difference that
was mended is gone when the register is read again. Commissions are kept and posted nowhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Date, Index, Table, Text, and_, or_
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from shared.db import Instant, Tx, is_postgres, metadata
from shared.events_gateway import RegisterRow
from shared.metrics import REGISTER_ROWS, alarm
from shared.rows import Arrays, as_arrays

NAMED_MAX: Final = 10
"""Ids that one alarm names; the rest are counted."""

schema = metadata()
register_row = Table(
    "register_row",
    schema,
    Column("provider_id", Text, primary_key=True),
    Column("provider", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("provider_payment_id", Text, nullable=False),
    Column("amount_kopecks", BigInteger, nullable=False),
    Column("fee_kopecks", BigInteger),
    Column("fee_vat_kopecks", BigInteger),
    Column("net_kopecks", BigInteger),
    Column("difference", Text),
    Column("said_at", Instant, nullable=False),
)
_differs = register_row.c.difference.is_not(None)
Index(
    "ix_register_row_difference",
    register_row.c.provider,
    register_row.c.day,
    postgresql_where=_differs,
    sqlite_where=_differs,
)

_KEY: Final = ("provider_id", "provider", "kind", "day")
_REST: Final = tuple(column.name for column in register_row.c if column.name not in _KEY)
_PUT: Final = Arrays(
    "INSERT INTO register_row (provider_id, provider, kind, day, provider_payment_id,"  # noqa: S608 - names of our own schema
    " amount_kopecks, fee_kopecks, fee_vat_kopecks, net_kopecks, difference, said_at)"
    " SELECT * FROM unnest(CAST(:provider_id AS text[]), CAST(:provider AS text[]),"
    " CAST(:kind AS text[]), CAST(:day AS date[]), CAST(:provider_payment_id AS text[]),"
    " CAST(:amount_kopecks AS bigint[]), CAST(:fee_kopecks AS bigint[]),"
    " CAST(:fee_vat_kopecks AS bigint[]), CAST(:net_kopecks AS bigint[]),"
    " CAST(:difference AS text[]), CAST(:said_at AS timestamptz[]))"
    f" ON CONFLICT ({', '.join(_KEY)}) DO UPDATE SET"
    f" {', '.join(f'{name} = excluded.{name}' for name in _REST)}"
    " WHERE register_row.said_at < excluded.said_at OR (register_row.said_at = excluded.said_at"
    " AND register_row.difference IS DISTINCT FROM excluded.difference)"
    " RETURNING provider_id, provider, kind, day"
)

Row = tuple[Any, ...]


async def keep(tx: Tx, said: Sequence[RegisterRow]) -> None:
    """Keep rows, each once; count those that are new and raise an alarm for what differs.

    One alarm a provider, day and difference, so that a register of which nothing is known here
    does not drown the log.
    """
    newest: dict[Row, dict[str, Any]] = {}
    for row in sorted((_columns(one) for one in said), key=lambda row: row["said_at"]):
        newest[tuple(row[name] for name in _KEY)] = row
    # In one order for everybody, else two batches could wait for each other.
    rows = [newest[key] for key in sorted(newest)]
    written = [newest[key] for key in await _put(tx, rows)]
    differing: dict[Row, list[str]] = defaultdict(list)
    for row in written:
        REGISTER_ROWS.labels(row["provider"], row["difference"] or "none").inc()
        if row["difference"] is not None:
            differing[row["provider"], row["day"], row["difference"]].append(row["provider_id"])
    for (provider, day, difference), ids in differing.items():
        alarm(
            "register_difference",
            difference=difference,
            provider=provider,
            day=day.isoformat(),
            count=len(ids),
            ids=ids[:NAMED_MAX],
        )


async def _put(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Write the rows, where they are newer than what is kept; return the keys of those written."""
    if not rows:
        return []
    if is_postgres(tx):
        return [tuple(key) for key in await _PUT.run(tx, as_arrays(rows))]
    insert = sqlite_insert(register_row)
    newer = insert.on_conflict_do_update(
        index_elements=list(_KEY),
        set_={name: insert.excluded[name] for name in _REST},
        where=or_(
            register_row.c.said_at < insert.excluded.said_at,
            and_(
                register_row.c.said_at == insert.excluded.said_at,
                register_row.c.difference.is_distinct_from(insert.excluded.difference),
            ),
        ),
    )
    keys = newer.returning(*(register_row.c[name] for name in _KEY))
    return [tuple(key) for key in await tx.execute(keys, list(rows))]


def _columns(said: RegisterRow) -> dict[str, Any]:
    row = said.model_dump(exclude={"contract", "occurred_at"})
    return {**row, "said_at": said.occurred_at}
