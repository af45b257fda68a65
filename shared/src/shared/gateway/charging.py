"""Whether a shop may save and charge methods at all: where its rights are missing, charges wait.

A shop that is refused is refused for everybody, so nothing is said of any subscriber: the shop's
charging is paused, loudly and once, and tried again when the pause is over. Meanwhile nobody is
offered to save what they pay with, so that they can pay. Source: YooKassa,
"Autopayments": the manager enables them, until then the answer is 403.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, Table, Text, delete, select, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from shared.db import Instant, Tx, is_postgres, metadata, raise_signal, reading, transaction
from shared.gateway.gateway import PAYMENTS, Gateway
from shared.gateway.payments import payment
from shared.gateway.provider import Refused
from shared.metrics import CHARGING_PAUSED, alarm

schema = metadata()
charging = Table(
    "charging",
    schema,
    Column("shop", Text, primary_key=True),
    Column("paused_at", Instant, nullable=False),
    Column("paused_until", Instant, nullable=False),
    Column("reason", Text, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Pause:
    """A shop whose charges wait, since when, until when and why."""

    shop: str
    paused_at: datetime
    paused_until: datetime
    reason: str


async def pause(tx: Tx, new: Pause) -> bool:
    """Write a pause down; False where one stands already, which is left as it is."""
    make = postgres_insert if is_postgres(tx) else sqlite_insert
    row = {
        "paused_at": new.paused_at,
        "paused_until": new.paused_until,
        "reason": new.reason,
    }
    statement = make(charging).values(shop=new.shop, **row)
    over = charging.c.paused_until <= new.paused_at
    statement = statement.on_conflict_do_update(index_elements=["shop"], set_=row, where=over)
    return (await tx.execute(statement.returning(charging.c.shop))).first() is not None


async def paused(tx: Tx, shop: str, at: datetime) -> Pause | None:
    """Return the pause of a shop that stands at a moment."""
    stands = (charging.c.shop == shop, charging.c.paused_until > at)
    row = (await tx.execute(select(charging).where(*stands))).one_or_none()
    return None if row is None else Pause(**row._mapping)


async def listed(tx: Tx, at: datetime) -> Sequence[Pause]:
    """Return the pauses that stand at a moment."""
    stands = select(charging).where(charging.c.paused_until > at).order_by(charging.c.shop)
    return [Pause(**row._mapping) for row in await tx.execute(stands)]


async def refused(gateway: Gateway, shop: str, refused: Refused, at: datetime) -> None:
    """Pause a shop whose saving of a method was refused, if that was for its rights."""
    if not refused.ours or refused.locked_out:
        return
    until = at + gateway.timing.charging_pause
    async with transaction(gateway.db) as tx:
        began = await pause(tx, Pause(shop, at, until, refused.code))
    if began:
        announce(shop, refused.code, until)


def announce(shop: str, code: str, until: datetime) -> None:
    """Say aloud that a shop is paused; called after the commit."""
    alarm("charging_paused", provider=shop, code=code, until=until.isoformat())


async def resume(tx: Tx, at: datetime) -> int:
    """End every pause and make the charges due that wait; return how many shops were paused."""
    count = (await tx.execute(delete(charging).where(charging.c.paused_until > at))).rowcount
    waiting = (
        payment.c.charge_id.is_not(None),
        payment.c.first_sent_at.is_(None),
        payment.c.due_at.is_not(None),
    )
    await tx.execute(update(payment).where(*waiting).values(due_at=at))
    raise_signal(tx, PAYMENTS)
    return count


async def step(gateway: Gateway) -> bool:
    """Show Prometheus which shops are paused."""
    async with reading(gateway.db) as tx:
        waiting = {one.shop for one in await listed(tx, gateway.clock())}
    for shop in gateway.providers:
        CHARGING_PAUSED.labels(shop).set(shop in waiting)
    return False
