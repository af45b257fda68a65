"""Accounts, the kept balances of contracts, and the sources money comes from.

Only a contract has a kept balance: a narrow row of its own that is locked and updated with each
posting. Clearing, suspense and adjustment accounts have none, so nothing hot is shared by all
payments; their totals are summed from the postings when somebody asks.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    Select,
    Table,
    Text,
    false,
    select,
    update,
)

from shared.db import Tx, is_postgres, metadata
from shared.rows import among, insert_new, listed

CONTRACT: Final = "contract:"
PAYMENT: Final = "payment:"
"""Sources of provider payments are named ``payment:<provider>``, so that none can pose as ours."""
REFUND: Final = "refund:"
"""Money a provider has sent back, under the provider's own id of the refund."""
REQUEST: Final = "refund-request:"
"""Money taken for a refund that was asked of a provider, under our id of the refund."""
OPENING: Final = "opening"
CASH: Final = "cash:"
"""Sources of money that a manager has taken in notes: ``cash:<manager>`` is a drawer."""
BANK: Final = "bank:"
"""Sources of money that has come to a bank account: ``bank:<operator>`` until one is named."""
FEE: Final = "fee:"
"""Sources of fees: what ``fee:<service>`` takes is ``income:<service>``."""
TRANSFER: Final = "transfer"
DISTRIBUTION: Final = "distribution"
"""Money that a main contract has handed on to its subordinates."""
WRITE_OFF: Final = "write-off"
REAL: Final = (PAYMENT, CASH, BANK)
"""Sources that bring money from outside; what moves between contracts is not among them."""

schema = metadata()
account = Table(
    "account",
    schema,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
)
balance = Table(
    "balance",
    schema,
    Column("account_id", Integer, primary_key=True, autoincrement=False),
    Column("kopecks", BigInteger, nullable=False),
    Column("credit_limit_kopecks", BigInteger, nullable=False),
    Column("open", Boolean, nullable=False),
    # How far an active promise lowers the floor beside the limit: it moves no money.
    Column("promised_kopecks", BigInteger, nullable=False, server_default="0"),
    # Whether something follows from a change: see `consequences`. Beside the balance, so that
    # a payment to one of the many from which nothing does asks no further question.
    Column("tied", Boolean, nullable=False, server_default=false()),
    # Half of each page stays free, so that an update finds room beside the row (HOT).
    postgresql_with={"fillfactor": 50},
)
source = Table(
    "source",
    schema,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("account_id", Integer, nullable=False),
    Column("suspense_id", Integer, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Kept:
    """The locked balance of a contract: nobody else changes it before this transaction ends."""

    account_id: int
    kopecks: int
    credit_limit_kopecks: int
    """How far below zero the contract may go."""
    open: bool
    promised_kopecks: int = 0
    """How much further an active promise lets it go."""
    tied: bool = False
    """Whether something follows from a change of the balance, see `consequences`."""

    @property
    def floor_kopecks(self) -> int:
        """Return how far below zero it may go in all: with the balance it makes `available`."""
        return self.credit_limit_kopecks + self.promised_kopecks


@dataclass(frozen=True, slots=True)
class Source:
    """Where money comes from: the account it is taken from, and where doubtful money is held."""

    id: int
    account_id: int
    suspense_id: int


def of_contract(number: str) -> str:
    """Return the name of a contract's account."""
    return CONTRACT + number


def provider_of(source: str) -> str | None:
    """Return the provider that a source's name holds; none for a source of our own."""
    for prefix in (PAYMENT, REFUND, REQUEST):
        if source.startswith(prefix):
            return source.removeprefix(prefix)
    return None


def reserve_of(provider: str) -> str:
    """Return the name of the account that holds what is on its way back through a provider."""
    return f"refund:{provider}"


def number_of(name: str) -> str:
    """Return the contract's number that an account's name holds."""
    return name.removeprefix(CONTRACT)


async def open_contracts(tx: Tx, credit_limits: Mapping[str, int]) -> dict[str, int]:
    """Open an account with balance zero for each number; return number → account id.

    Each number comes with its credit limit in kopecks. One whose account exists is left out.
    """
    names = [{"name": of_contract(number)} for number in credit_limits]
    made = await insert_new(tx, account, names, "id")
    if not made:
        return {}
    found = await tx.execute(
        select(account.c.name, account.c.id).where(among(tx, account.c.id, made))
    )
    ids = {number_of(name): account_id for name, account_id in found}
    rows = [
        {
            "account_id": account_id,
            "kopecks": 0,
            "credit_limit_kopecks": credit_limits[number],
            "open": True,
        }
        for number, account_id in ids.items()
    ]
    await insert_new(tx, balance, rows, "account_id")
    return ids


async def lock(tx: Tx, names: Collection[str]) -> dict[str, Kept]:
    """Lock the balances of accounts in one order for everybody; unknown names are left out."""
    if not names:
        return {}
    locked = await tx.execute(_locking(is_postgres(tx)), {"names": list(names)})
    return {row.name: Kept(*row[1:]) for row in locked}


async def set_open(tx: Tx, account_id: int, is_open: bool) -> None:
    """Say whether a contract takes money; what comes for a closed one goes to suspense."""
    mine = balance.c.account_id == account_id
    await tx.execute(update(balance).where(mine).values(open=is_open))


async def tie(tx: Tx, account_id: int, tied: bool = True) -> None:
    """Say whether something follows from a change of a contract's balance."""
    mine = balance.c.account_id == account_id
    await tx.execute(update(balance).where(mine).values(tied=tied))


async def tie_all(tx: Tx, account_ids: Collection[int]) -> None:
    """Say that something follows from a change of any of these contracts' balances."""
    mine = among(tx, balance.c.account_id, account_ids)
    await tx.execute(update(balance).where(mine).values(tied=True))


async def sources(tx: Tx, names: Collection[str]) -> dict[str, Source]:
    """Return the sources of these names; one that is met for the first time is made."""
    found = await _known_sources(tx, names)
    missing = sorted(name for name in names if name not in found)
    if missing:
        await _make_sources(tx, missing)
        found |= await _known_sources(tx, missing)
    return found


async def _known_sources(tx: Tx, names: Collection[str]) -> dict[str, Source]:
    rows = await tx.execute(_finding_sources(is_postgres(tx)), {"names": list(names)})
    return {name: Source(*ids) for name, *ids in rows}


@cache
def _locking(postgres: bool) -> Select[str, int, int, int, bool, int, bool]:
    return (
        select(
            account.c.name,
            balance.c.account_id,
            balance.c.kopecks,
            balance.c.credit_limit_kopecks,
            balance.c.open,
            balance.c.promised_kopecks,
            balance.c.tied,
        )
        .join(balance, balance.c.account_id == account.c.id)
        .where(listed(postgres, account.c.name, "names"))
        .order_by(balance.c.account_id)
        .with_for_update(of=balance)
    )


@cache
def _finding_sources(postgres: bool) -> Select[str, int, int, int]:
    columns = select(source.c.name, source.c.id, source.c.account_id, source.c.suspense_id)
    return columns.where(listed(postgres, source.c.name, "names"))


async def _make_sources(tx: Tx, names: Sequence[str]) -> None:
    pairs = {name: _accounts_of(name) for name in names}
    wanted = [{"name": name} for pair in pairs.values() for name in pair]
    await insert_new(tx, account, wanted, "id")
    rows = await tx.execute(
        select(account.c.name, account.c.id).where(
            among(tx, account.c.name, [row["name"] for row in wanted])
        )
    )
    ids = {row.name: row.id for row in rows}
    made = [
        {"name": name, "account_id": ids[own], "suspense_id": ids[suspense]}
        for name, (own, suspense) in pairs.items()
    ]
    await insert_new(tx, source, made, "id")


def is_real(source: str) -> bool:
    """Say whether a source brings money from outside."""
    return source.startswith(REAL)


def _accounts_of(name: str) -> tuple[str, str]:
    provider = provider_of(name)
    if name.startswith((CASH, BANK)):
        return name, f"suspense:{name}"
    if name.startswith(FEE):
        return f"income:{name.removeprefix(FEE)}", f"suspense:{name}"
    if provider is None:
        return f"adjustment:{name}", f"suspense:{name}"
    # What was taken for a refund waits in an account of its own until the provider has sent it.
    own = reserve_of(provider) if name.startswith(REQUEST) else f"clearing:{provider}"
    return own, f"suspense:{provider}"
