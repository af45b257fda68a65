"""``python -m autopay show <contract>``: how a contract's autopay stands, for who has a shell."""

from __future__ import annotations

import argparse
from typing import Final

from autopay import accounts, charges, mandate_table, methods, occasions
from autopay.app import NAME
from autopay.case import Charge
from autopay.mandate import Mandate
from autopay.settings import Settings
from shared.cli import Command
from shared.clock import system_clock
from shared.db import reading
from shared.money import Money

CHARGES_MAX: Final = 20


async def run(settings: Settings, args: argparse.Namespace) -> int:
    """Print mandate, methods, open occasions and the newest charges; 1 where there are none."""
    db = settings.database(NAME)
    try:
        async with reading(db) as tx:
            account = await accounts.find(tx, args.contract)
            mandates = await mandate_table.page(tx, limit=1, contract=args.contract)
            saved = (await methods.of(tx, [args.contract])).get(args.contract, [])
            opened = await occasions.of(tx, [args.contract], system_clock())
            made = await charges.page(tx, limit=CHARGES_MAX, contract=args.contract)
    finally:
        await db.close()
    balance = account.balance_kopecks
    known = "unknown" if balance is None else f"{Money(balance)} at {account.balance_at}"
    print(f"contract {args.contract}: balance {known}")
    for mandate in mandates:
        print(_mandate(mandate))
    for method, live in saved:
        print(f"method {method.provider} {method.method_ref}: {'live' if live else 'ended'}")
    for each in opened.get(args.contract, []):
        print(f"occasion {each.key}: {each.state} {each.reason or each.hold or ''}".rstrip())
    for charge in made:
        print(_charge(charge))
    return 0 if mandates else 1


def _mandate(mandate: Mandate) -> str:
    terms = mandate.terms
    paused = f", paused until {mandate.paused_until}" if mandate.paused_until else ""
    return (
        f"mandate {mandate.id}: {mandate.state}, {terms.trigger}, "
        f"at most {Money(terms.cap_kopecks)} a month{paused}"
    )


def _charge(charge: Charge) -> str:
    why = f" {charge.failure or ''} {charge.reason}".rstrip() if charge.reason else ""
    moment = charge.requested_at or charge.charge_at
    amount = Money(charge.amount_kopecks)
    return f"charge {charge.id}: {charge.occasion}, {amount}, {charge.state}{why}, {moment}"


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("contract", help="the contract's number")


COMMAND: Final = Command("show", "say how the autopay of a contract stands", run, _configure)
