"""``receipts``: which receipts failed or are overdue, and trying them again."""

from __future__ import annotations

import argparse
from typing import Final
from uuid import UUID

from gateway_yookassa.app import PACKAGE
from gateway_yookassa.settings import Settings
from shared.cli import Command
from shared.clock import system_clock
from shared.db import reading, transaction
from shared.gateway import unprinted
from shared.gateway.receipts import Slip
from shared.money import Money


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--again",
        metavar="ID",
        nargs="+",
        type=UUID,
        help="try these again; an offset that YooKassa does not have is sent as a new request",
    )


async def _receipts(settings: Settings, args: argparse.Namespace) -> int:
    db = settings.database(PACKAGE)
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


COMMAND: Final = Command(
    "receipts",
    "list receipts that failed or are overdue; exits 1 where there are any",
    _receipts,
    _configure,
)
