"""``journal ID``: what was asked and told about a payment, oldest first as people read."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Final

from shared.cli import Command
from shared.db import reading
from shared.gateway import journal
from shared.gateway.commands.tools import Tools
from shared.gateway.journal_view import line
from shared.settings import Common

LINES_MAX: Final = 1000


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="a payment's id, ours or the provider's")
    parser.add_argument(
        "--last", metavar="N", type=_some, default=200, help="at most so many entries, 200"
    )


def _some(text: str) -> int:
    count = int(text)
    if not 1 <= count <= LINES_MAX:
        raise argparse.ArgumentTypeError(f"a number from 1 to {LINES_MAX}")
    return count


async def _journal(tools: Tools, settings: Common, args: argparse.Namespace) -> int:
    db = settings.database(tools.package)
    try:
        async with reading(db) as tx:
            rows = await journal.about(tx, args.id, None, args.last)
    finally:
        await db.close()
    for row in reversed(rows):
        print(line(row))
    if not rows:
        print("nothing is known about this payment")
    return 0 if rows else 1


def command(tools: Tools) -> Command:
    """Return the command."""
    help_ = "show what was asked and told about a payment"
    return Command("journal", help_, partial(_journal, tools), _configure)
