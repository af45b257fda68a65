"""Contracts from a file: thousands of lines in small transactions, safe to stop and to repeat.

A line whose contract exists with the same content changes nothing, so after any interruption the
same file is given again. What cannot be taken stands in a report beside the file.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Final

from core_billing import contracts, openings, passwords
from core_billing.imports.columns import Record, records
from core_billing.imports.rejects import Rejected, Rejects
from core_billing.openings import Opened, Wanted
from core_billing.registration import NewContract
from core_billing.rules import Core
from shared.api import validated
from shared.db import is_repeatable, reading, transaction
from shared.errors import FieldError, Invalid, SaldoError, Text
from shared.log import new_correlation_id

BATCH: Final = 200
REPEATS_MAX: Final = 5
REQUIRED: Final = ("number", "name")
COLUMNS: Final = (
    *("number", "subscriber_id", "name", "phone", "email", "language", "timezone", "operator"),
    *("currency", "balance", "credit_limit", "low_balance", "low_balance_days", "password"),
)
_OF_SUBSCRIBER: Final = {
    "subscriber_id": "id",
    **{name: name for name in ("name", "phone", "email", "language", "timezone")},
}

Progress = Callable[["Summary"], None]
"""Hears how far the import is, after each batch."""


@dataclass
class Summary:
    """How many lines there were, and what became of them."""

    lines: int = 0
    opened: int = 0
    repeated: int = 0
    rejected: int = 0
    bytes_read: int = 0
    bytes_all: int = 0


class _DryRun(Exception):
    """Undoes a transaction whose effect was only to be seen."""


async def import_contracts(
    core: Core, path: Path, report: Path, *, dry_run: bool = False, progress: Progress | None = None
) -> Summary:
    """Open the contracts of a file and write what was rejected to the report.

    Raises Unreadable for a file without a usable header. Passwords of contracts that exist already
    are not compared: that would take as long as opening them.
    """
    summary = Summary(bytes_all=(await asyncio.to_thread(path.stat)).st_size)
    importer = _Importer(core, summary, dry_run)
    file = await asyncio.to_thread(path.open, "rb")
    with file, Rejects(report) as rejects, ThreadPoolExecutor(os.cpu_count()) as threads:
        lines = records(file, COLUMNS, REQUIRED)
        while batch := await asyncio.to_thread(lambda: list(islice(lines, BATCH))):
            for rejected in await importer.take(batch, threads):
                rejects.add(rejected)
            summary.bytes_read = file.tell()
            if progress is not None:
                progress(summary)
    return summary


class _Importer:
    def __init__(self, core: Core, summary: Summary, dry_run: bool) -> None:
        self._core = core
        self._summary = summary
        self._dry_run = dry_run
        # Eight bytes of each number met so far → its line: some 100 MB for a million contracts.
        self._met: dict[bytes, int] = {}

    async def take(self, batch: Sequence[Record], threads: ThreadPoolExecutor) -> list[Rejected]:
        """Open what the lines ask for; return those that cannot be taken, in their order."""
        asked: list[tuple[int, NewContract]] = []
        rejected: list[Rejected] = []
        for record in batch:
            try:
                asked.append((record.line, self._read(record)))
            except Invalid as error:
                number = record.columns.get("number", "")
                rejected.append(Rejected(record.line, number, error.fields))
        wanted = await self._with_passwords([contract for _, contract in asked], threads)
        opened = await self._open(wanted)
        for (line, contract), result in zip(asked, opened, strict=True):
            if fields := _refusal(result):
                rejected.append(Rejected(line, contract.number, fields))
            elif isinstance(result, Opened):
                self._summary.opened += result.new
                self._summary.repeated += not result.new
        self._summary.lines += len(batch)
        self._summary.rejected += len(rejected)
        return sorted(rejected, key=lambda one: one.line)

    def _read(self, record: Record) -> NewContract:
        if record.wrong is not None:
            raise Invalid(FieldError("", record.wrong))
        try:
            contract = validated(NewContract, _body(record.columns))
        except Invalid as error:
            fields = [FieldError(_column(item.field), item.text) for item in error.fields]
            raise Invalid(*fields) from error
        key = blake2b(contract.number.encode(), digest_size=8).digest()
        first = self._met.setdefault(key, record.line)
        if first != record.line:
            raise Invalid(FieldError("number", _twice(first)))
        return contract

    async def _with_passwords(
        self, asked: Sequence[NewContract], threads: ThreadPoolExecutor
    ) -> list[Wanted]:
        """Hash the passwords of contracts that are not there yet, as many at once as cores."""
        async with reading(self._core.db) as tx:
            known = await contracts.find_all(tx, [contract.number for contract in asked])
        loop = asyncio.get_running_loop()

        async def hashed(contract: NewContract) -> str | None:
            if contract.password is None or contract.number in known or self._dry_run:
                return None
            return await loop.run_in_executor(threads, passwords.hash_password, contract.password)

        hashes = await asyncio.gather(*(hashed(contract) for contract in asked))
        return [
            Wanted(contract, kept, new_correlation_id())
            for contract, kept in zip(asked, hashes, strict=True)
        ]

    async def _open(self, wanted: Sequence[Wanted]) -> list[Opened | SaldoError]:
        """Open a batch at once; where somebody else is in the way, one by one."""
        try:
            return list(await self._in_transaction(wanted))
        except SaldoError:
            return [await self._open_one(want) for want in wanted]

    async def _open_one(self, want: Wanted) -> Opened | SaldoError:
        try:
            [opened] = await self._in_transaction([want])
        except SaldoError as error:
            return error
        return opened

    async def _in_transaction(self, wanted: Sequence[Wanted]) -> list[Opened]:
        for attempt in range(1, REPEATS_MAX + 1):
            try:
                return await self._once(wanted)
            except Exception as error:
                # Another import may lock the same rows in another order.
                if not is_repeatable(error) or attempt == REPEATS_MAX:
                    raise
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _once(self, wanted: Sequence[Wanted]) -> list[Opened]:
        core, opened = self._core, []
        with suppress(_DryRun):
            async with transaction(core.db) as tx:
                opened = await openings.open_all(tx, core.vault, core.rules, wanted, core.clock())
                if self._dry_run:
                    raise _DryRun
        return opened


def _refusal(result: Opened | SaldoError) -> Sequence[FieldError]:
    if isinstance(result, SaldoError):
        return [FieldError("number", result.detail)]
    return [FieldError(_column(name), _OTHER) for name in result.differs]


_OTHER: Final = Text(
    "the contract or subscriber exists with another value: correct the line, or remove it",
    "договор или абонент уже есть с другим значением: исправьте строку или уберите её",
)


def _twice(first: int) -> Text:
    return Text(
        f"the number stands in line {first} already: keep one of them",
        f"номер уже есть в строке {first}: оставьте одну из них",
    )


def _body(columns: Mapping[str, str]) -> dict[str, object]:
    """Arrange the columns as the API's body; an empty one is left out."""
    subscriber: dict[str, str] = {"name": "", "phone": "", "email": ""}
    body: dict[str, object] = {"subscriber": subscriber}
    for name, raw in columns.items():
        value = raw if name == "password" else raw.strip()
        if value and name in _OF_SUBSCRIBER:
            subscriber[_OF_SUBSCRIBER[name]] = value
        elif value:
            body[name] = value
    return body


def _column(field: str) -> str:
    """Return the file's name of a field of the body."""
    name = field.removeprefix("subscriber.")
    return "subscriber_id" if field == "subscriber.id" else name
