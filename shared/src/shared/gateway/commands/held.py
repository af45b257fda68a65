"""What an operator does by hand: look at held payments and have them asked about; the journal."""

from __future__ import annotations

import argparse
from functools import partial
from uuid import UUID

from shared.cli import Command
from shared.clock import system_clock
from shared.db import reading, transaction
from shared.gateway import held
from shared.gateway.commands.tools import Tools
from shared.gateway.refund_settle import Refund
from shared.gateway.settle import Payment
from shared.money import Money
from shared.settings import Common


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--recheck",
        metavar="ID",
        nargs="*",
        type=UUID,
        help="ask the provider about these again, or about all of them where none is named",
    )


async def _held(tools: Tools, settings: Common, args: argparse.Namespace) -> int:
    db = settings.database(tools.package)
    try:
        async with reading(db) as tx:
            found = await held.listed(tx)
            sent_back = await held.refunds_listed(tx)
        for payment in found:
            print(_line(payment))
        for refund in sent_back:
            print(_refund_line(refund))
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


def _refund_line(refund: Refund) -> str:
    made = refund.created_at.isoformat(timespec="seconds")
    provider = f"{refund.shop} {refund.provider_refund_id} of {refund.provider_payment_id}"
    return f"{refund.id} {made} {provider} {Money(refund.amount_kopecks)} {refund.held}"


def command(tools: Tools) -> Command:
    """Return the command."""
    help_ = "list payments and refunds that were not said to the ledger, and why"
    return Command("held", help_, partial(_held, tools), _configure)
