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
from core_billing.block_rows import block
from core_billing.contracts import contract
from core_billing.fee_calendar import Charge, charges
from core_billing.rules import Rules
from core_billing.services import DAY, Service, service, service_tariff
from core_billing.tariffs import tariff
from shared.db import Tx


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
    unblocked_on: date | None
    """The day on which the contract's last block was lifted, if it ever had one."""

    @property
    def place(self) -> Place:
        """Return where a pass stands that has come to it."""
        return Place(self.service.due_on or date.min, self.service.id)


class Step(NamedTuple):
    """What is done with a service that is due."""

    charge: Charge | None
    charged_through: date
    """How far it is settled then, by money or because those days are not charged."""


async def find(
    tx: Tx, rules: Rules, day: date, after: Place, limit: int, lock: bool = True
) -> list[Due]:
    """Return at most `limit` services that are due on a day, those after a place.

    Locked, nobody else charges or changes them; what another one holds is passed over. Those of
    blocked contracts are there only where one of their tariffs is charged all the same.
    """
    values = {"day": day, "after_day": after.due_on, "after_id": after.service_id, "most": limit}
    rows = (await tx.execute(_locking() if lock else _finding(), values)).all()
    return await _read(tx, rules, rows)


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
    tariff says so: after a block it goes on with the day of unblocking.
    """
    plan = due.service.plan
    if not due.open:
        return Step(None, max(day, plan.charged_through))
    start = plan.charged_through + DAY
    if not due.service.tariff_on(start).charge_while_blocked:
        if due.blocked:
            return Step(None, plan.charged_through)
        if due.unblocked_on is not None and due.unblocked_on > start:
            plan = replace(plan, charged_through=due.unblocked_on - DAY)
    fee = next(charges(plan, day), None)
    return Step(fee, plan.charged_through if fee is None else fee.end)


async def _read(tx: Tx, rules: Rules, rows: Sequence[Any]) -> list[Due]:
    known = await services.with_turns(tx, rows)
    return [
        Due(
            service=one,
            number=row.number,
            open=row.open,
            blocked=bool(row.blocked),
            unblocked_on=None if row.turned_at is None else rules.day(row.turned_at),
        )
        for one, row in zip(known, rows, strict=True)
    ]


@cache
def _locking() -> Select[Any]:
    return _finding().with_for_update(of=service, skip_locked=True)


@cache
def _finding() -> Select[Any]:
    """Find what is due in the order of days and ids; blocked ones only where one might pay."""
    pays_blocked = (
        select(literal(1))
        .select_from(service_tariff)
        .join(tariff, tariff.c.id == service_tariff.c.tariff_id)
        .where(service_tariff.c.service_id == service.c.id, tariff.c.charge_while_blocked)
        .exists()
    )
    place = tuple_(bindparam("after_day", type_=Date), bindparam("after_id", type_=BigInteger))
    return (
        select(
            service,
            contract.c.number,
            accounts.balance.c.open,
            block.c.blocked,
            block.c.changed_at.label("turned_at"),
        )
        .join(contract, contract.c.id == service.c.contract_id)
        .join(accounts.balance, accounts.balance.c.account_id == service.c.contract_id)
        .join(block, block.c.contract_id == service.c.contract_id, isouter=True)
        .where(service.c.due_on <= bindparam("day", type_=Date))
        .where(tuple_(service.c.due_on, service.c.id) > place)
        .where(or_(block.c.blocked.is_not(True), pays_blocked))
        .order_by(service.c.due_on, service.c.id)
        .limit(bindparam("most", type_=Integer))
    )
