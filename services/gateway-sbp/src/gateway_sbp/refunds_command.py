"""``refunds``: refunds of which the bank cannot say whether they happened, and a person's word."""

from __future__ import annotations

import argparse
from typing import Final

from gateway_sbp.acquirers.tbank import refund_rows
from gateway_sbp.app import PACKAGE
from shared.cli import Command
from shared.db import reading
from shared.money import Money
from shared.settings import Common

DECIDED: Final = 0
WAITING: Final = 1
UNKNOWN: Final = 2


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", nargs="?", help="a refund of this list")
    answer = parser.add_mutually_exclusive_group()
    answer.add_argument(
        "--happened", action="store_true", help="the money has gone, the bank's own office says"
    )
    answer.add_argument(
        "--did-not-happen", action="store_true", help="it has not, and may be sent anew"
    )


async def _refunds(settings: Common, args: argparse.Namespace) -> int:
    """Run the command: 0 where nothing waits or the word was taken, 1 where something waits."""
    db = settings.database(PACKAGE)
    try:
        async with reading(db) as tx:
            waiting = await refund_rows.parked(tx)
        if args.id is None or not (args.happened or args.did_not_happen):
            for shop, one in waiting:
                sent = one.sent_at.isoformat(timespec="seconds")
                print(f"{one.refund_id} {sent} {shop} {one.payment} {Money(one.amount_kopecks)}")
            return WAITING if waiting else DECIDED
        shops = {shop for shop, one in waiting if one.refund_id == args.id.replace("-", "")}
        for shop in shops:
            if await refund_rows.resolve(db, shop, args.id, args.happened):
                print("taken; the refund goes on by itself / принято, возврат продолжится сам")
                return DECIDED
        print("no such refund waits / такого возврата в ожидании нет")
        return UNKNOWN
    finally:
        await db.close()


COMMAND: Final = Command(
    "refunds",
    "list refunds of unclear outcome (exits 1 where there are any), or say what came of one",
    _refunds,
    _configure,
)
