"""What an operator does by hand: look at payments that are held, and have them asked about."""

from __future__ import annotations

import argparse
from typing import Final
from uuid import UUID

from gateway_yookassa.app import PACKAGE
from gateway_yookassa.settings import Settings
from shared.cli import Command
from shared.clock import system_clock
from shared.db import reading, transaction
from shared.gateway import held
from shared.gateway.settle import Payment
from shared.money import Money


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--recheck",
        metavar="ID",
        nargs="*",
        type=UUID,
        help="ask the provider about these again, or about all of them where none is named",
    )


async def _held(settings: Settings, args: argparse.Namespace) -> int:
    db = settings.database(PACKAGE)
    try:
        async with reading(db) as tx:
            found = await held.listed(tx)
        for payment in found:
            print(_line(payment))
        if args.recheck is not None:
            ids = args.recheck or [payment.id for payment in found]
            async with transaction(db) as tx:
                count = await held.ask_again(tx, ids, system_clock())
            print(f"{count} will be asked about again")
    finally:
        await db.close()
    return 0


def _line(payment: Payment) -> str:
    contracts = ",".join(part.contract for part in payment.allocations) or "-"
    asked = Money(payment.amount_kopecks)
    made = payment.created_at.isoformat(timespec="seconds")
    provider = f"{payment.shop} {payment.provider_payment_id}"
    return f"{payment.id} {made} {provider} {contracts} {asked} {payment.held}"


COMMANDS: Final = (
    Command("held", "list payments that were not credited, and why", _held, _configure),
)
