"""Saved methods by hand: shops that may not charge, sealing keys, and saying all methods again."""

from __future__ import annotations

import argparse
from functools import partial
from uuid import uuid4

from shared.cli import Command
from shared.clock import system_clock
from shared.db import reading, transaction
from shared.gateway import charging, methods_again, rotation
from shared.gateway.charging import Pause
from shared.gateway.commands.tools import Tools
from shared.settings import Common


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--resume", action="store_true", help="charge again, all paused shops")


async def _charging(tools: Tools, settings: Common, args: argparse.Namespace) -> int:
    """Run the command: 0 where every shop charges, 1 where one is paused and stays so."""
    db = settings.database(tools.package)
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


async def _rotate(tools: Tools, settings: Common, _args: argparse.Namespace) -> int:
    """Run the command: 0 when nothing is left under an older key, 1 when rows are unreadable."""
    db = settings.database(tools.package)
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


async def _republish(tools: Tools, settings: Common, _args: argparse.Namespace) -> int:
    gateway = tools.parts(settings).gateway
    try:
        count = await methods_again.republish(gateway, uuid4().hex[:12])
    finally:
        await gateway.db.close()
    print(f"{count} events will be published by the running service")
    return 0


def commands(tools: Tools) -> tuple[Command, ...]:
    """Return the commands."""
    paused = "list shops that may not charge saved methods"
    sealing = "seal tokens, contacts and requests with the newest key"
    return (
        Command("charging", paused, partial(_charging, tools), _configure),
        Command("rotate-keys", sealing, partial(_rotate, tools)),
        Command("republish", "say all saved methods again", partial(_republish, tools)),
    )
