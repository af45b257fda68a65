"""`python -m notifier access`: how the access controller stands, and have it told again.

A controller that has lost its memory is told everything once more, with the ids it has seen.
"""

from __future__ import annotations

import argparse
from typing import Final

from notifier import access, access_leases
from notifier.settings import Settings
from shared.cli import Command
from shared.clock import Clock, system_clock
from shared.db import Database, reading, transaction


async def resend_all(db: Database, clock: Clock) -> int:
    """Have the state of every contract told again, batch by batch; return how many there are."""
    told, after = 0, ""
    while True:
        async with transaction(db) as tx:
            numbers = await access.numbers(tx, after)
            if numbers:
                told += await access.resend(tx, clock(), numbers)
        if len(numbers) < access.RESEND_MAX:
            return told
        after = numbers[-1]


async def run(settings: Settings, args: argparse.Namespace) -> int:
    """Run the command: 1 where the contract that was named has no state."""
    db = settings.database("notifier")
    try:
        if args.resend or args.all or args.resume:
            async with transaction(db) as tx:
                if await access_leases.reopen(tx):
                    print("the controller is asked again although it had sent us away")
        if args.all:
            print(f"{await resend_all(db, system_clock)} contracts are told again")
        if args.resend:
            return await _resend_one(db, args.resend)
        if not (args.all or args.resume):
            await _show(db)
        return 0
    finally:
        await db.close()


async def _resend_one(db: Database, contract: str) -> int:
    async with transaction(db) as tx:
        known = await access.resend(tx, system_clock(), [contract])
    print(f"{contract}: told again" if known else f"{contract}: nothing is known of its access")
    return 0 if known else 1


async def _show(db: Database) -> None:
    async with reading(db) as tx:
        known, owed = await access.counts(tx)
        gone = await access_leases.gone_since(tx)
    print(f"{known} contracts, {owed} of them not told to the controller yet")
    if gone is not None:
        print(f"the controller has wanted nothing since {gone:%Y-%m-%d %H:%M} UTC (410 Gone)")
        print("once it does again: python -m notifier access --resume")


def _configure(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--resend", metavar="CONTRACT", help="tell the state of one contract again")
    which.add_argument("--all", action="store_true", help="tell the state of every contract again")
    which.add_argument("--resume", action="store_true", help="go on after an answer of 410 Gone")


COMMAND: Final = Command(
    "access", "show what the access controller is owed, or tell it again", run, _configure
)
