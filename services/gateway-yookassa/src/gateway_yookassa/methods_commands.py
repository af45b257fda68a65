"""Saved methods by hand: shops that may not charge, and the keys that seal tokens and contacts."""

from __future__ import annotations

import argparse
from typing import Final

from gateway_yookassa.app import PACKAGE
from gateway_yookassa.settings import Settings
from shared.cli import Command
from shared.clock import system_clock
from shared.db import reading, transaction
from shared.gateway import charging, rotation
from shared.gateway.charging import Pause


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--resume", action="store_true", help="charge again, all paused shops")


async def _charging(settings: Settings, args: argparse.Namespace) -> int:
    """Run the command: 0 where every shop charges, 1 where one is paused and stays so."""
    db = settings.database(PACKAGE)
    try:
        async with reading(db) as tx:
            paused = await charging.listed(tx, system_clock())
        for pause in paused:
            print(_line(pause))
        if args.resume:
            async with transaction(db) as tx:
                count = await charging.resume(tx, system_clock())
            print(f"{count} shops charge again")
        elif not paused:
            print("every shop charges")
    finally:
        await db.close()
    return 1 if paused and not args.resume else 0


def _line(pause: Pause) -> str:
    since = pause.paused_at.isoformat(timespec="seconds")
    until = pause.paused_until.isoformat(timespec="seconds")
    return f"{pause.shop} paused since {since} until {until}: {pause.reason}"


async def _rotate(settings: Settings, _args: argparse.Namespace) -> int:
    """Run the command: 0 when nothing is left under an older key, 1 when rows are unreadable."""
    db = settings.database(PACKAGE)
    unreadable: dict[str, int] = {}
    try:
        async for step in rotation.rotate(db, settings.vault()):
            unreadable[step.table] = step.unreadable
            print(
                f"{step.table}: {step.seen} of {step.total} looked at, {step.renewed} sealed anew",
                flush=True,
            )
    finally:
        await db.close()
    for table, count in unreadable.items():
        if count:
            print(f"{table}: {count} rows are read by no listed key; keep the older keys listed")
    return 1 if any(unreadable.values()) else 0


COMMANDS: Final = (
    Command("charging", "list shops that may not charge saved methods", _charging, _configure),
    Command("rotate-keys", "seal tokens, contacts and requests with the newest key", _rotate),
)
