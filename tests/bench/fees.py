"""The command of `make bench-fees`: a month's fees of 200 000 contracts, time and memory.

Contracts with one service or two and a payment or none are put into a database; the operator's own
command charges them in a process of its own, and the kernel knows how much memory that has held at
most. The same start is charged once more by runs of which five are killed. The exit status is 1
where the two ends differ, the books do not agree, or a bar falls.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from bench.fee_town import DAY, PACKAGE, fill, services_of
from bench.stand import SETTINGS
from core_billing.accounts import balance
from core_billing.postings import payment, posting
from core_billing.services import service
from servers import databases
from servers.postgres import PrivatePostgres
from shared.db import open_database, reading
from shared.outbox import outbox

CONTRACTS: Final = 200_000
KILLS: Final = 5
SAMPLE_SECONDS: Final = 0.02
SECONDS_MAX: Final = 300.0
PEAK_MIB_MAX: Final = 300.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What charging to the end has cost."""

    seconds: float
    cpu_seconds: float
    """Of the process alone, so that a busy machine does not count."""
    peak_mib: float


@dataclass(frozen=True, slots=True)
class End:
    """What the books say when all is charged."""

    fees: int
    kopecks: int
    balances: tuple[int, int]
    """The sum of the balances, and one that tells which contract has which."""
    events: int

    def __str__(self) -> str:
        return f"{self.fees} fees, {self.kopecks / 100:,.2f}, {self.events} events"


async def copied(server: str, known: str, name: str) -> str:
    """Copy a database that nobody is connected to; return the copy's address."""
    engine = create_async_engine(server, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{known}"'))
    await engine.dispose()
    return databases.address_of(server, name)


async def left(url: str) -> int:
    """Return how many services are still due."""
    db = open_database(url)
    async with reading(db) as tx:
        due = select(func.count()).select_from(service).where(service.c.due_on <= DAY)
        counted = (await tx.execute(due)).scalar_one()
    await db.close()
    return int(counted)


async def end(url: str) -> End:
    """Return what the books say."""
    db = open_database(url)
    fee = payment.c.amount_kopecks < 0
    weighed = func.sum(balance.c.kopecks * (balance.c.account_id % 1009))
    async with reading(db) as tx:
        fees = (
            await tx.execute(
                select(func.count(), func.coalesce(func.sum(posting.c.amount_kopecks), 0))
                .select_from(payment)
                .join(posting, posting.c.payment_id == payment.c.id)
                .where(fee)
            )
        ).one()
        sums = (await tx.execute(select(func.sum(balance.c.kopecks), weighed))).one()
        events = (await tx.execute(select(func.count()).select_from(outbox))).scalar_one()
    await db.close()
    return End(fees[0], int(fees[1]), (int(sums[0]), int(sums[1])), events)


def environment(url: str) -> dict[str, str]:
    """Return what the operator has set."""
    return {
        "PATH": os.environ["PATH"],
        "SALDO_DATABASE_URL": url,
        "SALDO_BUS_URL": "memory://",
        "SALDO_PUBLIC_URL": "http://127.0.0.1:8080",
        "SALDO_SIGNING_KEYS": "a signing key of the bench",
        "SALDO_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "SALDO_LOG_LEVEL": "ERROR",
    }


def command(url: str, *words: str, say: bool = False) -> subprocess.Popen[bytes]:
    """Start a command of core-billing in a process of its own."""
    out = None if say else subprocess.DEVNULL
    return subprocess.Popen(
        [sys.executable, "-m", PACKAGE, *words], env=environment(url), stdout=out, stderr=out
    )


def charge(url: str, say: bool = False) -> Cost:
    """Charge to the end; return what it has cost."""
    begun, peak = time.monotonic(), 0.0
    child = command(url, "charge-fees", "--day", DAY.isoformat(), say=say)
    while not (ended := os.wait4(child.pid, os.WNOHANG))[0]:
        peak = max(peak, _peak_mib(child.pid))
        time.sleep(SAMPLE_SECONDS)
    _, status, usage = ended
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"the command ended with {child.returncode}")
    return Cost(time.monotonic() - begun, usage.ru_utime + usage.ru_stime, peak)


def charge_killed(url: str, services: int, kills: int) -> list[int]:
    """Charge, killed so many times in the middle; return how many services were left each time."""
    rests: list[int] = []
    for nth in range(1, kills + 1):
        target = services * (kills + 1 - nth) // (kills + 1)
        child = command(url, "charge-fees", "--day", DAY.isoformat())
        while child.poll() is None and asyncio.run(left(url)) > target:
            time.sleep(SAMPLE_SECONDS)
        child.send_signal(signal.SIGKILL)
        if child.wait() != -signal.SIGKILL:
            raise SystemExit(f"a run ended with {child.returncode} before it could be killed")
        rests.append(asyncio.run(left(url)))
    charge(url)
    return rests


def _peak_mib(pid: int) -> float:
    """Return the most memory a process has held so far, by the kernel."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    lines = (line.split() for line in status.splitlines())
    return next((int(line[1]) / 1024 for line in lines if line[:1] == ["VmHWM:"]), 0.0)


def verified(url: str) -> bool:
    """Say whether the command that proves the books finds no fault."""
    return command(url, "verify").wait() == 0


def wrong(contracts: int, straight: End, killed: End, cost: Cost) -> list[str]:
    """Return what is not as it has to be."""
    asked = sum(map(services_of, range(contracts)))
    found = [] if straight == killed else [f"after kills {killed}, without {straight}"]
    found += [] if straight.fees == asked else [f"{straight.fees} fees of {asked} services"]
    if contracts >= CONTRACTS and cost.seconds > SECONDS_MAX:
        found.append(f"{cost.seconds:.0f} s, not {SECONDS_MAX:.0f}")
    if cost.peak_mib > PEAK_MIB_MAX:
        found.append(f"{cost.peak_mib:.0f} MiB, not {PEAK_MIB_MAX:.0f}")
    return found


def measure(server: str, contracts: int, kills: int) -> list[str]:
    """Charge the same start twice; print what it has cost and return what is wrong."""
    services = sum(map(services_of, range(contracts)))
    start, straight = databases.fresh_name("start"), databases.fresh_name("straight")
    again = asyncio.run(databases.create(server, start))
    asyncio.run(fill(again, contracts))
    url = asyncio.run(copied(server, start, straight))
    cost = charge(url, say=True)
    rests = charge_killed(again, services, kills)
    ends = asyncio.run(end(url)), asyncio.run(end(again))
    print(
        f"{contracts} contracts, {services} services: {cost.seconds:.1f} s"
        f" ({services / cost.seconds:,.0f} fees/s), {cost.cpu_seconds:.1f} s of them on the"
        f" processor, peak {cost.peak_mib:.0f} MiB; {ends[0]}",
        flush=True,
    )
    print(f"killed with {', '.join(map(str, rests))} services left: {ends[1]}", flush=True)
    found = wrong(contracts, *ends, cost)
    return found + [f"{one}: the books do not agree" for one in (url, again) if not verified(one)]


def main(given: Sequence[str] | None = None) -> int:
    """Measure, print the figures, and say what is wrong."""
    parser = argparse.ArgumentParser(prog="make bench-fees", description=__doc__)
    parser.add_argument("--contracts", type=int, default=CONTRACTS)
    parser.add_argument("--kills", type=int, default=KILLS)
    args = parser.parse_args(given)
    with PrivatePostgres(SETTINGS) as server:
        found = measure(server.url, args.contracts, args.kills)
    for line in found:
        print(f"WRONG {line}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
