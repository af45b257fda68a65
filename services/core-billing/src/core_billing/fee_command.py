"""The command ``charge-fees``: charge what is due, say how far it is and what has come of it."""

from __future__ import annotations

import argparse
import asyncio
import re
import signal
import sys
from datetime import date
from time import monotonic
from typing import Final

from core_billing import fee_jobs
from core_billing.fee_jobs import Total
from core_billing.rules import Core
from shared.money import Money
from shared.progress import Bar

STOPPED: Final = 1
NOT_YET: Final = 2
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("--day", type=_day, help="YYYY-MM-DD; today where none is given")
    parser.add_argument("--dry-run", action="store_true", help="say what it would charge")


async def charge_fees(core: Core, args: argparse.Namespace) -> int:
    """Charge what is due on a day; stopped by SIGTERM or SIGINT it ends after its batch."""
    today = core.rules.day(core.clock())
    day: date = args.day or today
    if day > today and not args.dry_run:
        _say(f"{day} has not come yet: --dry-run says what it will cost")
        _say(f"{day} ещё не наступило: --dry-run покажет, что будет списано")
        return NOT_YET
    bar, begun = Bar("fees", sys.stderr, shown=True), monotonic()

    def progress(total: Total) -> None:
        bar(min(total.services, total.due), total.due)

    if args.dry_run:
        total = await fee_jobs.rehearse(core, day, progress)
    else:
        total = await fee_jobs.run(core, day, progress, _stopping())
    bar.close()
    print(told(total, day, monotonic() - begun, dry_run=args.dry_run))
    if total.stopped:
        _say("stopped: give the same command again, it goes on from here")
        _say("остановлено: запустите ту же команду ещё раз, она продолжит с этого места")
    return STOPPED if total.stopped else 0


def told(total: Total, day: date, seconds: float, dry_run: bool = False) -> str:
    """Return the result as a line for people and programs."""
    pace = total.fees / seconds if seconds > 0 else 0
    return (
        f"{'would be: ' if dry_run else ''}{day}: {total.fees} fees,"
        f" {Money(total.kopecks)} in all, {total.due} services were due,"
        f" {seconds:.1f} s, {pace:,.0f} fees/s"
    )


def _stopping() -> asyncio.Event:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    return stopping


def _day(given: str) -> date:
    if not _DAY.fullmatch(given):
        raise argparse.ArgumentTypeError("a day such as 2026-11-22")
    return date.fromisoformat(given)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
