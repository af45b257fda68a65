"""``sheet CONTRACTS OUT``: codes of many contracts as pictures for a billing that prints itself."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any, Final

from gateway_sbp import papers
from gateway_sbp.app import Parts, parts
from shared.cli import Command
from shared.errors import SaldoError
from shared.progress import Bar
from shared.web import codes

DONE: Final = 0
SOME_FAILED: Final = 1
REFUSED: Final = 2
STOPPED: Final = 130
AT_ONCE: Final = 8
LINE_MAX: Final = 64


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("contracts", type=Path, help="a text file, a contract's number a line")
    parser.add_argument("out", type=Path, help="a folder; each code becomes c-<number>.svg there")


async def _sheet(settings: Any, args: argparse.Namespace) -> int:
    """Run the command; what is there already is left as it is, so a stopped one goes on."""
    try:
        numbers = [line.strip() for line in args.contracts.read_text("utf-8-sig").splitlines()]
        args.out.mkdir(parents=True, exist_ok=True)
    except (OSError, UnicodeError) as error:
        print(f"{args.contracts}: {error}", file=sys.stderr)
        return REFUSED
    wanted = list(dict.fromkeys(number for number in numbers if 0 < len(number) <= LINE_MAX))
    made = parts(settings)
    bar = Bar("codes", sys.stderr, shown=sys.stderr.isatty())
    try:
        async with made.connected():
            failed = await _write_all(made, wanted, args.out, bar)
    except asyncio.CancelledError:
        print("stopped; the same command goes on from here", file=sys.stderr)
        print("остановлено; та же команда продолжит с этого места", file=sys.stderr)
        return STOPPED
    finally:
        bar.close()
        await made.gateway.db.close()
    print(f"{len(wanted) - failed} of {len(wanted)} codes are in {args.out}")
    return SOME_FAILED if failed else DONE


async def _write_all(made: Parts, wanted: list[str], out: Path, bar: Bar) -> int:
    failed = 0
    for begin in range(0, len(wanted), AT_ONCE):
        some = wanted[begin : begin + AT_ONCE]
        done = await asyncio.gather(*(_write(made, number, out) for number in some))
        failed += done.count(False)
        bar(begin + len(some), len(wanted))
    return failed


async def _write(made: Parts, number: str, out: Path) -> bool:
    # The order of a code is the part of a contract's number that may stand in a file's name.
    path = out / f"{papers.order_for(number)}.svg"
    if path.exists():
        return True
    try:
        paper = await papers.first(made.gateway, tuple(made.acquirers.values()), number)
    except SaldoError as error:
        print(f"{number}: {error.detail.en} / {error.detail.ru}", file=sys.stderr)
        return False
    fresh = path.with_suffix(".new")
    fresh.write_text(codes.picture(paper.code.payload))
    fresh.rename(path)
    return True


COMMAND: Final = Command(
    "sheet",
    "write the codes of many contracts as pictures, for paper bills printed elsewhere",
    _sheet,
    _configure,
)
