"""Which services are due on a day, and what is to be charged for each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any, Final, NamedTuple

from sqlalchemy import Date, Integer, Select, bindparam, func, literal, or_, select, tuple_
from sqlalchemy.types import BigInteger

from core_billing import accounts, services
from core_billing.block_rows import block, change
from core_billing.contracts import contract
from core_billing.fee_calendar import Charge, charges
from core_billing.rules import Rules
from core_billing.services import DAY, Service, service, service_tariff
from core_billing.tariffs import tariff
from shared.db import Tx, is_postgres
from shared.rows import listed


class Place(NamedTuple):
    """How far a pass through what is due has come."""

    due_on: date
    service_id: int


BEGINNING: Final = Place(date.min, 0)


class Due(NamedTuple):
    """A service whose day has come, and what stands in the way of charging it."""

    service: Service
    number: str
    open: bool
    blocked: bool
    blocked_on: date | None
    """The first day of the contract's last block, if that is known."""
    unblocked_on: date | None
    """The day on which it was lifted, if it was."""

    def is_free(self, day: date) -> bool:
        """Say whether a block keeps a day from being charged."""
        if self.service.tariff_on(day).charge_while_blocked:
            return False
        if self.blocked_on is not None and day < self.blocked_on:
            return False
        return self.blocked or (self.unblocked_on is not None and day < self.unblocked_on)


class Step(NamedTuple):
    """What is done with a service that is due."""

    charge: Charge | None
    charged_through: date
    """How far it is settled then, by money or because those days are not charged."""


async def page(tx: Tx, day: date, after: Place, limit: int) -> list[Place]:
    """Return the places of at most `limit` services that are due on a day, those after a place."""
    values = {"day": day, "after_day": after.due_on, "after_id": after.service_id, "most": limit}
    return [Place(*row) for row in await tx.execute(_paging(), values)]


async def find(
    tx: Tx, rules: Rules, day: date, places: Sequence[Place], lock: bool = True
) -> list[Due]:
    """Return the services at these places that are still due on a day, in their order.

    Those of the same contracts come with them, so that no block gets between two fees of a day.
    Locked, nobody else charges or changes them; what another one holds is passed over. Those of
    blocked contracts are there once a day, or where a tariff is charged all the same.
    """
    mine = _finding(is_postgres(tx))
    if lock:
        mine = _locking(is_postgres(tx))
    ids = [one.service_id for one in places]
    theirs = await tx.execute(_contracts(is_postgres(tx)), {"ids": ids})
    rows = (await tx.execute(mine, {"day": day, "contracts": list(theirs.scalars())})).all()
    return await _read(tx, rules, sorted(rows, key=lambda row: (row.due_on, row.id)))


async def count_due(tx: Tx, day: date) -> int:
    """Count the services that are due on a day; the blocked ones too, for the count is cheap."""
    due = select(func.count()).select_from(service).where(service.c.due_on <= day)
    return int((await tx.execute(due)).scalar_one())


def everything(due: Due, day: date) -> list[Charge]:
    """Return each fee of a service that has fallen due by a day, free ones left out. Pure."""
    made: list[Charge] = []
    while (one := step(due, day)).charged_through > due.service.charged_through:
        if one.charge is not None and one.charge.kopecks > 0:
            made.append(one.charge)
        due = due._replace(service=replace(due.service, charged_through=one.charged_through))
    return made


def step(due: Due, day: date) -> Step:
    """Decide what is to be done with a service that is due on a day. Pure.

    The days on which its contract is closed are not charged, nor those of a block, unless its
    tariff of these days says so. While a block lasts they are passed over day by day: what is
    decided about a tariff later changes nothing about them.
    """
    plan = due.service.plan
    if not due.open:
        return Step(None, max(day, plan.charged_through))
    plan = replace(plan, charged_through=_passed_over(due, day))
    if due.blocked and due.is_free(plan.charged_through + DAY):
        return Step(None, plan.charged_through)
    fee = next(charges(plan, day), None)
    return Step(fee, plan.charged_through if fee is None else fee.end)


def _passed_over(due: Due, day: date) -> date:
    """Return the last day that is settled once the days of a block are passed over."""
    through = due.service.charged_through
    start = through + DAY
    if not due.is_free(start):
        return through
    end = day if due.blocked or due.unblocked_on is None else due.unblocked_on
    turns = [one for one in due.service.turns if one.since > start]
    paid = [one.since for one in turns if one.tariff.charge_while_blocked]
    return max(through, min([end, *paid]) - DAY)


async def _read(tx: Tx, rules: Rules, rows: Sequence[Any]) -> list[Due]:
    known = await services.with_turns(tx, rows)
    return [
        Due(
            service=one,
            number=row.number,
            open=row.open,
            blocked=bool(row.blocked),
            blocked_on=None if row.began_at is None else rules.day(row.began_at),
            unblocked_on=None if row.turned_at is None else rules.day(row.turned_at),
        )
        for one, row in zip(known, rows, strict=True)
    ]


@cache
def _paging() -> Select[Any]:
    """Go through the index of what is due, and nothing else: so no estimate can mislead."""
    place = tuple_(bindparam("after_day", type_=Date), bindparam("after_id", type_=BigInteger))
    return (
        select(service.c.due_on, service.c.id)
        .where(service.c.due_on <= bindparam("day", type_=Date))
        .where(tuple_(service.c.due_on, service.c.id) > place)
        .order_by(service.c.due_on, service.c.id)
        # Written out: a planner that does not see the limit would rather sort all that is due.
        .limit(bindparam("most", type_=Integer, literal_execute=True))
    )


@cache
def _contracts(postgres: bool) -> Select[int]:
    mine = listed(postgres, service.c.id, "ids")
    return select(service.c.contract_id).where(mine).distinct()


@cache
def _locking(postgres: bool) -> Select[Any]:
    return _finding(postgres).with_for_update(of=service, skip_locked=True)


@cache
def _finding(postgres: bool) -> Select[Any]:
    pays_blocked = (
        select(literal(1))
        .select_from(service_tariff)
        .join(tariff, tariff.c.id == service_tariff.c.tariff_id)
        .where(service_tariff.c.service_id == service.c.id, tariff.c.charge_while_blocked)
        .exists()
    )
    began_at = (
        select(func.max(change.c.at))
        .where(change.c.contract_id == service.c.contract_id, change.c.blocked)
        .scalar_subquery()
    )
    return (
        select(
            service,
            contract.c.number,
            accounts.balance.c.open,
            block.c.blocked,
            block.c.changed_at.label("turned_at"),
            began_at.label("began_at"),
        )
        .join(contract, contract.c.id == service.c.contract_id)
        .join(accounts.balance, accounts.balance.c.account_id == service.c.contract_id)
        .join(block, block.c.contract_id == service.c.contract_id, isouter=True)
        .where(listed(postgres, service.c.contract_id, "contracts"))
        .where(service.c.due_on <= bindparam("day", type_=Date))
        .where(
            or_(
                block.c.blocked.is_not(True),
                pays_blocked,
                service.c.due_on < bindparam("day", type_=Date),
            )
        )
    )
