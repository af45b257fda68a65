"""The command of `make bench-registers`: a day's register against the books, time and memory.

A file of so many rows is made, and the payments it tells of are put into an empty database; of each
of the five differences there are a few. Then the operator's own command reconciles the file in a
process of its own; the kernel knows how much memory that has held at most. The exit status is 1
where what was found is not exactly what was hidden.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from cryptography.fernet import Fernet
from sqlalchemy import func, select

from servers import databases, sources
from shared import migrations
from shared.db import open_database, reading, transaction
from shared.gateway.differences import difference
from shared.gateway.payments import payment
from shared.outbox import outbox
from shared.rows import insert_new
from simulators.yookassa.register import PAYMENT_COLUMNS, Table

ROWS: Final = 100_000
DAY: Final = date(2026, 11, 22)
EMPTY_DAY: Final = date(2026, 11, 1)
NOON: Final = datetime(2026, 11, 22, 9, tzinfo=UTC)
SHOP: Final = "100500"
PACKAGE: Final = "gateway_yookassa"
BATCH: Final = 1000
SAMPLE_SECONDS: Final = 0.02
EVERY: Final = {"missing_here": 0, "amount": 1, "status": 2, "fee": 3, "missing_there": 4}
"""Of a thousand rows the first five hide a difference each."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one command has cost."""

    seconds: float
    cpu_seconds: float
    """Of the process alone, so that a busy machine does not count."""
    peak_mib: float


@dataclass(frozen=True, slots=True)
class Run:
    """What reconciling one file has cost, beside the same command over an empty register."""

    database: str
    rows: int
    full: Cost
    empty: Cost

    def __str__(self) -> str:
        full, more = self.full, self.full.peak_mib - self.empty.peak_mib
        pace = self.rows / full.seconds
        return (
            f"{self.database}: {self.rows} rows in {full.seconds:.1f} s ({pace:,.0f}/s),"
            f" {full.cpu_seconds:.1f} s of them on the processor, peak {full.peak_mib:.0f} MiB,"
            f" {more:.0f} MiB above an empty register"
        )


def provider_id(number: int) -> str:
    """Return the id of a payment."""
    return str(UUID(int=0x3294D482_000F_5000_8000_000000000000 + number))


def _amount(number: int) -> int:
    return 65_000 + number % 1000


def _roubles(kopecks: int) -> str:
    return f"{kopecks // 100}.{kopecks % 100:02d}"


def _cells(number: int) -> list[str]:
    gross = _amount(number)
    off = number % BATCH == EVERY["fee"]
    parts = (gross - 2_220, 1_820 - off, 400)
    net, fee, vat = map(_roubles, parts)
    about = f"Пополнение лицевого счёта {100_000 + number}"
    moment = "22.11.2026 12:00:00"
    amount = _roubles(gross)
    return [provider_id(number), amount, "RUB", net, fee, moment, "", about, "AC", vat]


def table(rows: int, day: date = DAY) -> Table:
    """Return the register."""
    listed = [n for n in range(rows) if n % BATCH != EVERY["missing_there"]]
    gross = sum(map(_amount, listed))
    return Table(
        head=[f"РЕЕСТР ПЛАТЕЖЕЙ ПО ДОГОВОРУ НБ-1 ({SHOP})", f"Дата платежей: {day}"],
        columns=PAYMENT_COLUMNS.split(";"),
        rows=[_cells(number) for number in listed],
        tail=[
            f"Сумма принятых платежей: {_roubles(gross)} RUB",
            f"Число платежей: {len(listed)}",
        ],
    )


def _payment(number: int) -> dict[str, Any]:
    amount = _amount(number) - (number % BATCH == EVERY["amount"])
    pending = number % BATCH == EVERY["status"]
    return {
        "id": UUID(int=number + 1),
        "shop": f"yookassa:{SHOP}",
        "provider_payment_id": provider_id(number),
        "status": "pending" if pending else "succeeded",
        "amount_kopecks": amount,
        "received_kopecks": None if pending else amount,
        "allocations": f'[["{100_000 + number}",{amount}]]',
        "correlation_id": "bench",
        "created_at": NOON,
        "paid_at": None if pending else NOON,
    }


async def fill(url: str, rows: int) -> None:
    """Put the payments into an empty database."""
    await migrations.migrate(url, PACKAGE)
    db = open_database(url)
    known = [n for n in range(rows) if n % BATCH != EVERY["missing_here"]]
    for start in range(0, len(known), BATCH):
        made = [_payment(number) for number in known[start : start + BATCH]]
        async with transaction(db) as tx:
            await insert_new(tx, payment, made, "id")
    await db.close()


async def found(url: str) -> tuple[dict[str, int], int]:
    """Return the differences by name, and how many events wait for the bus."""
    db = open_database(url)
    async with reading(db) as tx:
        c = difference.c.name
        names = await tx.execute(select(c, func.count().label("number")).group_by(c))
        events = await tx.execute(select(func.count()).select_from(outbox))
        counted = {row.name: row.number for row in names}
    await db.close()
    return counted, int(events.scalar_one())


def reconcile(url: str, path: Path, say: bool) -> Cost:
    """Run the command in a process of its own; return what it has cost."""
    environment = {
        "PATH": os.environ["PATH"],
        "SALDO_DATABASE_URL": url,
        "SALDO_BUS_URL": "memory://",
        "SALDO_PUBLIC_URL": "http://127.0.0.1:8080",
        "SALDO_SIGNING_KEYS": "a signing key of the bench",
        "SALDO_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "SALDO_LOG_LEVEL": "ERROR",
        "YOOKASSA_SHOP_ID": SHOP,
        "YOOKASSA_SECRET_KEY": "test_bench",
        "YOOKASSA_CALLBACK_NETWORKS": "any",
    }
    bar = "--progress" if say else "--no-progress"
    command = [sys.executable, "-m", PACKAGE, "register", str(path), bar]
    begun, peak = time.monotonic(), 0.0
    child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    while not (ended := os.wait4(child.pid, os.WNOHANG))[0]:
        peak = max(peak, _peak_mib(child.pid))
        time.sleep(SAMPLE_SECONDS)
    _, status, usage = ended
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in (0, 1):
        raise SystemExit(f"the command ended with {child.returncode}")
    return Cost(time.monotonic() - begun, usage.ru_utime + usage.ru_stime, peak)


def _peak_mib(pid: int) -> float:
    """Return the most memory a process has held so far.

    Not by `getrusage`: its figure begins with what the process that started it has held.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    lines = (line.split() for line in status.splitlines())
    return next((int(line[1]) / 1024 for line in lines if line[:1] == ["VmHWM:"]), 0.0)


def measure(name: str, url: str, rows: int, folder: Path, form: str, say: bool) -> Run:
    """Reconcile a register of so many rows on one database."""
    empty, full = folder / f"empty.{form}", folder / f"full.{form}"
    for path, made in ((empty, table(0, EMPTY_DAY)), (full, table(rows))):
        path.write_bytes(made.xlsx() if form == "xlsx" else made.csv().encode())
    asyncio.run(fill(url, rows))
    base = reconcile(url, empty, say=False)
    cost = reconcile(url, full, say)
    return Run(f"{name}, {form}", len(table(rows).rows), cost, base)


def check(url: str, rows: int) -> list[str]:
    """Return what was found and is not what was hidden."""
    names, events = asyncio.run(found(url))
    each = rows // BATCH
    wrong = [f"{name}: {names.get(name, 0)}, not {each}" for name in EVERY if names[name] != each]
    told = len(table(rows).rows)
    return wrong + ([] if events == told else [f"{events} events of {told} rows"])


@contextmanager
def _database(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite+aiosqlite:///{folder}/registers.db"
        return
    with sources.postgres() as server:
        name = databases.fresh_name("registers")
        try:
            yield asyncio.run(databases.create(server, name))
        finally:
            asyncio.run(databases.drop(server, name))


def main(given: Sequence[str] | None = None) -> int:
    """Measure both databases and print what it has cost."""
    parser = argparse.ArgumentParser(prog="make bench-registers", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help="a multiple of a thousand")
    parser.add_argument("--form", choices=("csv", "xlsx"), default="csv")
    parser.add_argument("--databases", nargs="+", default=("postgres", "sqlite"))
    args = parser.parse_args(given)
    wrong: list[str] = []
    for kind in args.databases:
        with tempfile.TemporaryDirectory() as place, _database(kind, Path(place)) as url:
            print(measure(kind, url, args.rows, Path(place), args.form, say=True), flush=True)
            wrong += check(url, args.rows)
    for line in wrong:
        print(f"WRONG {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
