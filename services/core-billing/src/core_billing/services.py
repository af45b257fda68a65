"""Services of contracts: what a contract is charged for, under which tariffs and since when.

`charged_through` says how far a service is paid for; it moves only together with the fee. The
tariffs of a service, past and planned, are rows of their own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    Index,
    Integer,
    Row,
    Select,
    Table,
    Text,
    select,
)

from core_billing import tariffs
from core_billing.fee_calendar import Charging, Plan, Stretch
from core_billing.tariffs import Tariff
from shared.db import Instant, Tx, metadata
from shared.rows import among

DAY: Final = timedelta(days=1)
LIVE_MAX: Final = 50
"""Services that one contract may have at a time."""

schema = metadata()
service = Table(
    "service",
    schema,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("contract_id", Integer, nullable=False),
    Column("label", Text, nullable=False),
    Column("charging", Text, nullable=False),
    Column("starts_on", Date, nullable=False),
    Column("ends_on", Date),
    Column("charged_through", Date, nullable=False),
    # The day of the next fee; none where the last one has been charged.
    Column("due_on", Date),
    Column("revision", Integer, nullable=False),
    Column("changed_by", Text, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Index("ix_service_contract_id", "contract_id", "id"),
)
_live = service.c.due_on.is_not(None)
Index(
    "ix_service_due",
    service.c.due_on,
    service.c.id,
    postgresql_where=_live,
    sqlite_where=_live,
)
service_tariff = Table(
    "service_tariff",
    schema,
    Column("service_id", BigInteger, primary_key=True, autoincrement=False),
    Column("since", Date, primary_key=True),
    Column("tariff_id", Integer, nullable=False, index=True),
)

_COLUMNS: Final = tuple(service.c.keys())


class Turn(NamedTuple):
    """From this day on a service has this tariff."""

    since: date
    tariff: Tariff


@dataclass(frozen=True, slots=True)
class Service:
    """A service of a contract as it stands."""

    id: int
    contract_id: int
    label: str
    charging: Charging
    starts_on: date
    ends_on: date | None
    charged_through: date
    due_on: date | None
    revision: int
    changed_by: str
    changed_at: datetime
    turns: tuple[Turn, ...]
    """Its tariffs in the order of their days, past and planned; at least one."""

    def tariff_on(self, day: date) -> Tariff:
        """Return the tariff that it has on a day."""
        held = [turn.tariff for turn in self.turns if turn.since <= day]
        return held[-1] if held else self.turns[0].tariff

    @property
    def plan(self) -> Plan:
        """Return it as the calendar needs it."""
        return Plan(
            service_id=self.id,
            contract_id=self.contract_id,
            label=self.label,
            charging=self.charging,
            stretches=stretches(self.turns),
            charged_through=self.charged_through,
            ends_on=self.ends_on,
        )


def due_after(charged_through: date, ends_on: date | None) -> date | None:
    """Return the day of the next fee; None where nothing is left to be charged."""
    if ends_on is not None and charged_through >= ends_on:
        return None
    return charged_through + DAY


def stretches(turns: Sequence[Turn]) -> tuple[Stretch, ...]:
    """Cut a service's time wherever its tariff or that tariff's price changes."""
    made: list[Stretch] = []
    ends = [later.since for _, later in pairwise(turns)] + [date.max]
    for (since, held), end in zip(turns, ends, strict=True):
        days = [p.valid_from for p in held.prices if since < p.valid_from < end]
        made += [Stretch(d, held.name, held.price_on(d).month_kopecks) for d in (since, *days)]
    return tuple(made)


async def plans(tx: Tx, contract_ids: Collection[int]) -> dict[int, list[Plan]]:
    """Return the services of these contracts of which something is still to be charged.

    As the calendar needs them: see `live`.
    """
    found = await live(tx, contract_ids)
    return {contract_id: [one.plan for one in held] for contract_id, held in found.items()}


def going_on(one: Service, free_from: date | None) -> Plan:
    """Return a service as it goes on from the day on which its contract may be used again.

    The days before are those of a block, which are not charged unless the tariff says so; None
    where there is no block.
    """
    if free_from is None:
        return one.plan
    first = max(one.charged_through + DAY, free_from)
    if one.tariff_on(first).charge_while_blocked:
        return one.plan
    return replace(one.plan, charged_through=first - DAY)


async def live(tx: Tx, contract_ids: Collection[int]) -> dict[int, list[Service]]:
    """Return the services of these contracts of which something is still to be charged.

    By contract id, in the order of the services' ids, with planned changes of tariff and price;
    a contract without any is there with an empty list. Four statements for however many.
    """
    mine = among(tx, service.c.contract_id, contract_ids)
    found = await read(tx, select(service).where(mine, _live).order_by(service.c.id))
    made: dict[int, list[Service]] = {contract_id: [] for contract_id in contract_ids}
    for one in found:
        made[one.contract_id].append(one)
    return made


async def find(tx: Tx, contract_id: int, service_id: int, lock: bool = False) -> Service | None:
    """Return a service of a contract; locked, nobody charges or changes it meanwhile."""
    mine = select(service).where(service.c.contract_id == contract_id, service.c.id == service_id)
    return next(iter(await read(tx, mine.with_for_update() if lock else mine)), None)


async def of_contract(tx: Tx, contract_id: int, after: int, limit: int) -> list[Service]:
    """Return the services of a contract in the order of their ids, those after an id."""
    mine = select(service).where(service.c.contract_id == contract_id, service.c.id > after)
    return await read(tx, mine.order_by(service.c.id).limit(limit))


async def read(tx: Tx, wanted: Select[Any]) -> list[Service]:
    """Return the services that a select of the whole table finds, with their tariffs."""
    return await with_turns(tx, (await tx.execute(wanted)).all())


async def with_turns(tx: Tx, rows: Sequence[Row[Any]]) -> list[Service]:
    """Return services by their rows, with the tariffs they have had and will have."""
    turns = await _turns(tx, [row.id for row in rows])
    columns = [dict(zip(_COLUMNS, row, strict=False)) for row in rows]
    return [Service(**one, turns=turns[one["id"]]) for one in columns]


async def due_by(tx: Tx, contract_ids: Collection[int], day: date) -> set[int]:
    """Return those of these contracts that have a fee which falls due by a day."""
    mine = among(tx, service.c.contract_id, contract_ids)
    found = select(service.c.contract_id).where(mine, service.c.due_on <= day).distinct()
    return set((await tx.execute(found)).scalars())


async def _turns(tx: Tx, service_ids: Collection[int]) -> Mapping[int, tuple[Turn, ...]]:
    if not service_ids:
        return {}
    mine = select(service_tariff).where(among(tx, service_tariff.c.service_id, service_ids))
    ordered = mine.order_by(service_tariff.c.service_id, service_tariff.c.since)
    rows = (await tx.execute(ordered)).all()
    known = await tariffs.find_all(tx, {row.tariff_id for row in rows})
    made: dict[int, list[Turn]] = {}
    for row in rows:
        made.setdefault(row.service_id, []).append(Turn(row.since, known[row.tariff_id]))
    return {key: tuple(found) for key, found in made.items()}
