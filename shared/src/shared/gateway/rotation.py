"""Everything that a gateway keeps sealed is sealed anew with the newest key, batch by batch.

It may be stopped and run again, and run beside the service: what the newest key reads is passed
over. Afterwards the older keys can be taken from the settings. The hash that finds a method by its
token is made anew with it; a removed method has no token any more, and nothing looks for it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, Table, func, or_, select, update

from shared.crypto import Vault
from shared.db import Database, Tx, reading, transaction
from shared.gateway.captures import capture
from shared.gateway.methods import payment_method
from shared.gateway.payments import payment
from shared.gateway.receipts import receipt
from shared.gateway.refunds import refund

BATCH_MAX: Final = 500


class Sealed(NamedTuple):
    """A table with `id`, and its sealed columns: texts, and requests byte for byte."""

    table: Table
    texts: tuple[str, ...] = ()
    bodies: tuple[str, ...] = ("request",)


SEALED: Final = (
    Sealed(payment, ("contact",)),
    Sealed(payment_method, ("token", "contact", "confirmation_url")),
    Sealed(refund),
    Sealed(capture),
    Sealed(receipt),
)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one table has come."""

    table: str
    seen: int
    renewed: int
    unreadable: int
    """Rows with something that no listed key reads; that stays as it is."""
    total: int


async def rotate(db: Database, vault: Vault) -> AsyncIterator[Progress]:
    """Seal everything with the newest key; yields the progress after each batch."""
    for sealed in SEALED:
        async with reading(db) as tx:
            count = select(func.count()).where(_any(sealed))
            total = (await tx.execute(count)).scalar_one()
        so_far, last = Progress(sealed.table.name, 0, 0, 0, total), None
        while True:
            async with transaction(db) as tx:
                rows = await _batch(tx, sealed, last)
                outcomes = [await _renew(tx, sealed, vault, row) for row in rows]
            so_far = Progress(
                so_far.table,
                so_far.seen + len(rows),
                so_far.renewed + outcomes.count(True),
                so_far.unreadable + outcomes.count(None),
                total,
            )
            yield so_far
            if len(rows) < BATCH_MAX:
                break
            last = rows[-1].id


async def _batch(tx: Tx, sealed: Sealed, after: Any) -> list[Row[Any]]:
    query = select(sealed.table).where(_any(sealed))
    if after is not None:
        query = query.where(sealed.table.c.id > after)
    ordered = query.order_by(sealed.table.c.id).limit(BATCH_MAX)
    return list(await tx.execute(ordered.with_for_update()))


def _any(sealed: Sealed) -> Any:
    names = (*sealed.texts, *sealed.bodies)
    return or_(*(sealed.table.c[name].is_not(None) for name in names))


async def _renew(tx: Tx, sealed: Sealed, vault: Vault, row: Row[Any]) -> bool | None:
    """Seal a row's columns anew; False where all are current, None where one is unreadable."""
    try:
        fresh = _fresh(sealed, vault, row)
    except ValueError:
        return None
    if not fresh:
        return False
    mine = update(sealed.table).where(sealed.table.c.id == row.id)
    await tx.execute(mine.values(dict(fresh)))
    return True


def _fresh(sealed: Sealed, vault: Vault, row: Row[Any]) -> Mapping[str, Any]:
    fresh: dict[str, Any] = {}
    for name in sealed.texts:
        kept = getattr(row, name)
        if kept is not None and not vault.current(kept):
            fresh[name] = vault.rotate(kept)
            if name == "token":
                fresh["token_hash"] = vault.fingerprints(vault.decrypt(kept))[0]
    for name in sealed.bodies:
        body = getattr(row, name)
        if body is not None and not vault.current(body.decode(errors="replace")):
            fresh[name] = vault.seal(vault.unsealed(body))
    return fresh
