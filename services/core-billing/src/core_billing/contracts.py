"""Contracts: the purses that payments are credited to. A contract's id is its account's id."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    Row,
    Select,
    Table,
    Text,
    select,
    update,
)

from core_billing import accounts, passwords
from core_billing.accounts import balance
from core_billing.rules import Rules
from shared import outbox
from shared.db import Instant, Tx, metadata
from shared.errors import NotFound
from shared.errors import Text as Sentence
from shared.events import ContractChanged, Event
from shared.rows import among

schema = metadata()
contract = Table(
    "contract",
    schema,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", Text, nullable=False, unique=True),
    Column("subscriber_id", Text, nullable=False, index=True),
    Column("operator", Text, nullable=False),
    Column("low_balance_kopecks", BigInteger),
    Column("password_hash", Text),
    Column("revision", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract as it stands, with its balance in kopecks."""

    id: int
    number: str
    subscriber_id: str
    operator: str
    open: bool
    balance_kopecks: int
    credit_limit_kopecks: int
    promised_kopecks: int
    """How far an active promise lowers the floor."""
    low_balance_kopecks: int | None
    has_password: bool
    revision: int
    created_at: datetime

    @property
    def available_kopecks(self) -> int:
        """Return what may still be spent: balance, credit limit and active promise together."""
        return self.balance_kopecks + self.credit_limit_kopecks + self.promised_kopecks

    @property
    def missing_kopecks(self) -> int:
        """Return what has to be paid before anything may be spent again; zero for most."""
        return max(0, -self.available_kopecks)

    @property
    def status(self) -> str:
        """Return the word other services and callers know: open or closed."""
        return "open" if self.open else "closed"


@dataclass(frozen=True, slots=True)
class Login:
    """Whose contract it is, and the password as it is kept, if it has one."""

    number: str
    subscriber_id: str
    password_hash: str | None


async def find(tx: Tx, number: str) -> Contract | None:
    """Return the contract with this number, if there is one."""
    return (await find_all(tx, [number])).get(number)


async def find_all(tx: Tx, numbers: Collection[str]) -> dict[str, Contract]:
    """Return the known ones of these contracts by number."""
    if not numbers:
        return {}
    rows = await tx.execute(_contracts().where(among(tx, contract.c.number, numbers)))
    return {row.number: _read(row) for row in rows}


async def ids(tx: Tx, numbers: Collection[str]) -> dict[str, int]:
    """Return the ids of the known ones of these contracts by number."""
    if not numbers:
        return {}
    mine = among(tx, contract.c.number, numbers)
    rows = await tx.execute(select(contract.c.number, contract.c.id).where(mine))
    return {row.number: row.id for row in rows}


async def numbers(tx: Tx, contract_ids: Collection[int]) -> dict[int, str]:
    """Return the numbers of these contracts by id."""
    mine = among(tx, contract.c.id, contract_ids)
    rows = await tx.execute(select(contract.c.id, contract.c.number).where(mine))
    return {row.id: row.number for row in rows}


async def of_subscriber(tx: Tx, subscriber_id: str) -> list[Contract]:
    """Return the contracts of a subscriber in the order of their numbers, at most 1000."""
    theirs = _contracts().where(contract.c.subscriber_id == subscriber_id)
    rows = await tx.execute(theirs.order_by(contract.c.number).limit(1000))
    return [_read(row) for row in rows]


async def page(tx: Tx, after: int, limit: int) -> list[Contract]:
    """Return contracts in the order of their ids, those after an id."""
    rows = await tx.execute(
        _contracts().where(contract.c.id > after).order_by(contract.c.id).limit(limit)
    )
    return [_read(row) for row in rows]


async def login(tx: Tx, number: str) -> Login | None:
    """Return what signing in with a contract's number needs, if there is such a contract."""
    columns = select(contract.c.number, contract.c.subscriber_id, contract.c.password_hash)
    row = (await tx.execute(columns.where(contract.c.number == number))).one_or_none()
    return None if row is None else Login(row.number, row.subscriber_id, row.password_hash)


def check_password(kept: str | None, password: str) -> bool:
    """Say whether the password is the kept one; as slow where there is none.

    Takes tens of milliseconds: call it in a thread, with no transaction open.
    """
    return passwords.fits(kept, password)


async def set_open(
    tx: Tx, rules: Rules, number: str, is_open: bool, at: datetime, correlation_id: str
) -> None:
    """Close or reopen a contract and tell the others; a closed one is credited no more.

    Raises NotFound for an unknown number.
    """
    await accounts.lock(tx, [accounts.of_contract(number)])
    found = await find(tx, number)
    if found is None:
        raise NotFound(Sentence(f"There is no contract {number}", f"Договора {number} нет"))
    if found.open is is_open:
        return
    await accounts.set_open(tx, found.id, is_open)
    mine = contract.c.id == found.id
    await tx.execute(update(contract).where(mine).values(revision=contract.c.revision + 1))
    now = await find_all(tx, [number])
    event = changed(rules, now[number], at, correlation_id)
    await outbox.add(tx, rules.producer, [event], at)


def changed(rules: Rules, now: Contract, at: datetime, correlation_id: str, run: str = "") -> Event:
    """Make the event that tells the whole state of a contract; `run` names a republication."""
    body = ContractChanged(
        contract=now.number,
        occurred_at=at,
        revision=now.revision,
        operator=now.operator,
        status=now.status,
        subscriber_id=now.subscriber_id,
    )
    return body.event(
        rules.producer.name,
        subject=now.number,
        revision=f"{now.revision}{run}",
        correlation_id=correlation_id,
    )


def _contracts() -> Select[Any]:
    columns = [column for column in contract.c if column.name != "password_hash"]
    return select(
        *columns,
        contract.c.password_hash.is_not(None).label("has_password"),
        balance.c.kopecks,
        balance.c.credit_limit_kopecks,
        balance.c.promised_kopecks,
        balance.c.open,
    ).join(balance, balance.c.account_id == contract.c.id)


def _read(row: Row[Any]) -> Contract:
    return Contract(
        id=row.id,
        number=row.number,
        subscriber_id=row.subscriber_id,
        operator=row.operator,
        open=row.open,
        balance_kopecks=row.kopecks,
        credit_limit_kopecks=row.credit_limit_kopecks,
        promised_kopecks=row.promised_kopecks,
        low_balance_kopecks=row.low_balance_kopecks,
        has_password=row.has_password,
        revision=row.revision,
        created_at=row.created_at,
    )
