"""What an operator does by hand about reconciliation: sweep a day, apply a register."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from shared.cli import Command
from shared.clock import MOSCOW, system_clock
from shared.db import reading
from shared.gateway import differences, reconciliation, sweep, sweeps, verifying
from shared.gateway.commands.tools import Tools
from shared.gateway.differences import Wanted
from shared.gateway.gateway import Gateway
from shared.gateway.reconciliation import Opened
from shared.gateway.reconciliation_rest import Inlet
from shared.gateway.register import WrongRegister
from shared.gateway.registers import Elsewhere, Taken
from shared.gateway.sweeps import Task
from shared.money import Money
from shared.progress import Bar
from shared.settings import Common

AGREED: Final = 0
DIFFER: Final = 1
REFUSED: Final = 2
UNANSWERED: Final = 3
STOPPED: Final = 130
FAILURES_MAX: Final = 8
ASK_FOR_MAX: Final = timedelta(hours=6)
ASK_EVERY_SECONDS: Final = 0.1
DAYS_MAX: Final = 366
SHOWN_MAX: Final = 1000


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _bar(what: str, args: argparse.Namespace) -> Bar:
    shown = sys.stderr.isatty() if args.progress is None else args.progress
    return Bar(what, sys.stderr, shown=shown)


@asynccontextmanager
async def _gateway(tools: Tools, settings: Common) -> AsyncIterator[Gateway]:
    parts = tools.parts(settings)
    try:
        async with parts.connected():
            yield parts.gateway
    finally:
        await parts.gateway.db.close()


async def _reconcile(tools: Tools, settings: Common, args: argparse.Namespace) -> int:
    yesterday = system_clock().astimezone(MOSCOW).date() - timedelta(days=1)
    last: date = args.day or yesterday
    days = [last - timedelta(days=back) for back in range(args.days)]
    async with _gateway(tools, settings) as gateway:
        tasks = [
            Task(shop, kind, day)
            for day in days
            for shop in gateway.providers
            for kind in sweep.KINDS
        ]
        try:
            answered = await _sweep_all(gateway, tasks, _bar("days", args))
            await _ask(gateway)
        except asyncio.CancelledError:
            _say("stopped; the same command goes on from here")
            _say("остановлено; та же команда продолжит с этого места")
            return STOPPED
        differing = [
            await _report(gateway, shop, day) for shop in gateway.providers for day in days
        ]
    if not answered:
        _say("the provider does not answer; the same command goes on from here")
        _say("провайдер не отвечает; та же команда продолжит с этого места")
        return UNANSWERED
    return DIFFER if any(differing) else AGREED


async def _sweep_all(gateway: Gateway, tasks: Sequence[Task], bar: Bar) -> bool:
    begun = gateway.clock()
    try:
        for number, task in enumerate(tasks, 1):
            if not await _sweep(gateway, task, begun):
                return False
            bar(number, len(tasks))
    finally:
        bar.close()
    for task in tasks:
        await _tell(gateway, task)
    return True


async def _sweep(gateway: Gateway, task: Task, begun: datetime) -> bool:
    """Go through a day; False where the provider did not answer often enough."""
    failures = 0
    while failures < FAILURES_MAX:
        step = await sweep.advance(gateway, task, begun)
        if step is not None:
            failures = failures + 1 if step.failed else 0
            continue
        async with reading(gateway.db) as tx:
            swept = await sweeps.find(tx, task)
        if swept is None or swept.finished_at is not None:
            return True
        # It rests after a failure, or a running service is at it: both pass.
        await asyncio.sleep(gateway.timing.poll_seconds)
    return False


async def _ask(gateway: Gateway) -> None:
    """Have the provider asked about what is due, here or by a running service."""
    at, until = gateway.clock(), gateway.clock() + ASK_FOR_MAX
    while gateway.clock() < until:
        more = await verifying.step(gateway)
        await gateway.polls.drain()
        async with reading(gateway.db) as tx:
            if not more and not await verifying.waiting(tx, at):
                return
        await asyncio.sleep(ASK_EVERY_SECONDS)


async def _tell(gateway: Gateway, task: Task) -> None:
    async with reading(gateway.db) as tx:
        swept = await sweeps.find(tx, task)
    if swept is not None:
        print(
            f"{task.day} {task.shop} {task.kind}s: {swept.state}, {swept.listed} listed,"
            f" {Money(swept.amount_kopecks)}, {swept.differences} differences,"
            f" {swept.unreadable} unreadable"
        )


async def _report(gateway: Gateway, shop: str, day: date) -> int:
    """Print the open differences of a day; return how many."""
    async with reading(gateway.db) as tx:
        wanted = Wanted(shop, day, differences.OPEN)
        rows = await differences.listed(tx, wanted, SHOWN_MAX)
    for row in rows:
        print(
            f"{row.day} {row.shop} {row.kind} {row.provider_id} {row.name} ({row.source}):"
            f" expected {row.expected or '-'}, found {row.found or '-'} {row.outcome}".rstrip()
        )
    return len(rows)


async def _register(tools: Tools, settings: Common, args: argparse.Namespace) -> int:
    gateway, worst = tools.parts(settings).gateway, AGREED
    inlet = tools.inlet(settings, gateway)
    try:
        for path in args.files:
            worst = max(worst, await _apply(gateway, inlet, path, _bar(path.name, args)))
    except asyncio.CancelledError:
        _say("stopped; the same file goes on from here")
        _say("остановлено; тот же файл продолжится с этого места")
        return STOPPED
    finally:
        await gateway.db.close()
    return worst


async def _apply(gateway: Gateway, inlet: Inlet, path: Path, bar: Bar) -> int:
    try:
        with path.open("rb") as file:
            opened = await inlet.receive(gateway, file, path.name)
        try:
            return await _apply_all(gateway, path, opened, bar)
        finally:
            for one in opened:
                one.close()
            bar.close()
    except WrongRegister as error:
        _say(f"{path}: {error.text.en}\n{path}: {error.text.ru}")
        return REFUSED
    except OSError as error:
        _say(f"{path}: {error.strerror}")
        return REFUSED
    except Elsewhere:
        _say(f"{path}: the service applies it at this moment\n{path}: его обрабатывает сервис")
        return REFUSED


async def _apply_all(gateway: Gateway, path: Path, opened: Sequence[Opened], bar: Bar) -> int:
    days: dict[tuple[str, date], None] = {}
    for one in opened:
        for note in one.notes:
            _say(f"{path}: {note.en}\n{path}: {note.ru}")
        taken = await reconciliation.apply(gateway, one.taken, one.spool, bar)
        _print(path, taken, repeated=one.taken.finished_at is not None)
        days[taken.register.shop, taken.register.day] = None
    differing = [await _report(gateway, shop, day) for shop, day in days]
    return DIFFER if any(differing) else AGREED


def _print(path: Path, taken: Taken, *, repeated: bool) -> None:
    read = taken.register
    print(
        f"{path.name}: {read.shop}, {read.kind}s of {read.day}, {taken.done} rows,"
        f" {Money(read.amount_kopecks)}, {taken.differences} differences"
    )
    if repeated:
        print("the same file was taken before, nothing was changed / этот файл уже был принят")


def _add_progress(parser: argparse.ArgumentParser) -> None:
    help_ = "show a progress bar; so on a terminal"
    parser.add_argument(
        "--progress", action=argparse.BooleanOptionalAction, default=None, help=help_
    )


def _configure_reconcile(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--day", type=date.fromisoformat, help="a Moscow day, else yesterday")
    parser.add_argument(
        "--days",
        type=int,
        default=1,
        choices=range(1, DAYS_MAX + 1),
        metavar="N",
        help="that day and those before it, N in all",
    )
    _add_progress(parser)


def _configure_register(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="CSV, XLSX or zip")
    _add_progress(parser)


def command(tools: Tools) -> Command:
    """Return the command that compares lists."""
    help_ = "compare the provider's lists with ours, and ask about what is found only there"
    return Command("reconcile", help_, partial(_reconcile, tools), _configure_reconcile)


def register_command(tools: Tools) -> Command:
    """Return the command that takes registers."""
    help_ = "compare a daily register with ours"
    return Command("register", help_, partial(_register, tools), _configure_register)
