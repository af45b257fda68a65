"""``receipts``: which receipts failed or are overdue, and trying them again."""

from __future__ import annotations

import argparse
from functools import partial
from uuid import UUID

from shared.cli import Command
from shared.clock import system_clock
from shared.db import reading, transaction
from shared.gateway import unprinted
from shared.gateway.commands.tools import Tools
from shared.gateway.receipts import Slip
from shared.money import Money
from shared.settings import Common


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--again",
        metavar="ID",
        nargs="+",
        type=UUID,
        help="try these again; one that goes apart and is not there is sent as a new request",
    )


async def _receipts(tools: Tools, settings: Common, args: argparse.Namespace) -> int:
    db = settings.database(tools.package)
    try:
        async with reading(db) as tx:
            found = await unprinted.listed(tx)
        for slip in found:
            print(_line(slip))
        if args.again is not None:
            async with transaction(db) as tx:
                count = await unprinted.again(tx, args.again, system_clock())
            print(f"{count} will be tried again")
    finally:
        await db.close()
    return 1 if found and args.again is None else 0


def _line(slip: Slip) -> str:
    made = slip.created_at.isoformat(timespec="seconds")
    about = f"{slip.kind} {slip.reference}".strip()
    amount = Money(slip.line.kopecks)
    return (
        f"{slip.id} {made} {slip.shop} {slip.provider_payment_id} {about} {amount}"
        f" {slip.status} {slip.reason}"
    )


def command(tools: Tools) -> Command:
    """Return the command."""
    help_ = "list receipts that failed or are overdue; exits 1 where there are any"
    return Command("receipts", help_, partial(_receipts, tools), _configure)
