"""The operator's commands: import contracts, prove the books, say all again, see dead letters."""

from __future__ import annotations

import argparse
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import orjson

from core_billing import app, dead, fee_command
from core_billing.import_contracts import Summary, import_contracts
from core_billing.imports.columns import Unreadable
from core_billing.republish import republish
from core_billing.rules import Core
from core_billing.settings import Settings
from core_billing.verify import verify
from shared.cli import OUTAGE, Command
from shared.db import is_outage, reading, transaction
from shared.money import Money

REJECTED: Final = 1
UNREADABLE: Final = 2
_NO_FILE: Final = (FileNotFoundError, PermissionError, IsADirectoryError)


@asynccontextmanager
async def _core(settings: Settings) -> AsyncIterator[Core]:
    core = app.core(settings)
    try:
        yield core
    finally:
        await core.db.close()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


async def _import(settings: Settings, args: argparse.Namespace) -> int:
    path: Path = args.file
    if not _is_file(path):
        _say(f"{path}: there is no such file\n{path}: такого файла нет")
        return UNREADABLE
    report = path.with_suffix(".rejected.csv")
    last = Summary()

    def progress(now: Summary) -> None:
        nonlocal last
        last = now
        percent = 100 * now.bytes_read // max(1, now.bytes_all)
        _say(f"{percent} %: {_told(now)}")

    async with _core(settings) as core:
        try:
            done = await import_contracts(
                core, path, report, dry_run=args.dry_run, progress=progress
            )
        except (Unreadable, *_NO_FILE) as error:
            told = error.text if isinstance(error, Unreadable) else (error, error)
            _say(f"{path}: {told[0]}\n{path}: {told[1]}")
            return UNREADABLE
        except Exception as error:
            if not is_outage(error):
                raise
            _say(f"the database does not answer; {_told(last)}. Give the same file again later")
            _say("база не отвечает; запустите тот же файл ещё раз, он продолжится с этого места")
            return OUTAGE
    print(f"{'would be: ' if args.dry_run else ''}{_told(done)}")
    if done.rejected:
        print(f"rejected lines and what to do / отклонённые строки: {report}")
    return REJECTED if done.rejected else 0


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _told(now: Summary) -> str:
    return (
        f"{now.lines} lines, {now.opened} opened, {now.repeated} there already,"
        f" {now.rejected} rejected"
    )


async def _verify(settings: Settings, _args: argparse.Namespace) -> int:
    async with _core(settings) as core:
        report = await verify(core.db, lambda what, done, all_: _say(f"{what}: {done} / {all_}"))
    for fault in report.faults:
        print(f"WRONG {fault}")
    if report.faults_count > len(report.faults):
        print(f"... and {report.faults_count - len(report.faults)} more")
    print(
        f"{report.payments} payments, {report.balances} balances,"
        f" debits {Money(report.debits_kopecks)}, credits {Money(report.credits_kopecks)}:"
        f" {'the books agree' if not report.faults_count else f'{report.faults_count} faults'}"
    )
    return 1 if report.faults_count else 0


async def _republish(settings: Settings, _args: argparse.Namespace) -> int:
    async with _core(settings) as core:
        count = await republish(core, uuid4().hex[:12], lambda what, n: _say(f"{what}: {n}"))
    print(f"{count} events will be published by the running service")
    return 0


async def _dead(settings: Settings, args: argparse.Namespace) -> int:
    async with _core(settings) as core:
        if args.what == "list":
            return await _list_dead(core)
        if args.what == "show":
            return await _show_dead(core, args.event_id)
        if not args.event_ids and not args.all:
            _say("name the events, or --all")
            return UNREADABLE
        async with transaction(core.db) as tx:
            asked = await dead.ask_replay(tx, None if args.all else args.event_ids, core.clock())
    print(f"{asked} letters will be sent to their queues by the running service")
    return 0


async def _list_dead(core: Core) -> int:
    async with reading(core.db) as tx:
        letters = await dead.find(tx)
    for row in letters:
        asked = " replay asked" if row.replay_at else ""
        print(f"{row.event_id} {row.queue} {row.type} x{row.deaths}, {row.died_at:%F %T}{asked}")
        print(f"    {row.reason}")
    print(f"{len(letters)} letters wait")
    return 0


async def _show_dead(core: Core, event_id: UUID) -> int:
    async with reading(core.db) as tx:
        letters = await dead.find(tx, event_id)
    for row in letters:
        print(f"{row.queue} {row.type} x{row.deaths}: {row.reason}")
        try:
            shown = orjson.dumps(orjson.loads(row.body), option=orjson.OPT_INDENT_2)
        except orjson.JSONDecodeError:
            shown = row.body
        print(shown.decode(errors="replace"))
    return 0 if letters else 1


async def _charge_fees(settings: Settings, args: argparse.Namespace) -> int:
    async with _core(settings) as core:
        return await fee_command.charge_fees(core, args)


def _configure_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="CSV: UTF-8 or CP1251, columns by ; or ,")
    parser.add_argument("--dry-run", action="store_true", help="check everything, change nothing")


def _configure_dead(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="what", required=True)
    actions.add_parser("list", help="what waits for a person")
    actions.add_parser("show", help="one event").add_argument("event_id", type=UUID)
    replay = actions.add_parser("replay", help="send letters to the queues they came from")
    replay.add_argument("event_ids", nargs="*", type=UUID)
    replay.add_argument("--all", action="store_true")


COMMANDS: Final = (
    Command("import-contracts", "open the contracts of a CSV file", _import, _configure_import),
    Command("charge-fees", "charge what is due", _charge_fees, fee_command.configure),
    Command("verify", "prove every balance from its postings", _verify),
    Command("republish", "say all contracts and subscribers again", _republish),
    Command("dead", "letters that no consumer could process", _dead, _configure_dead),
)
