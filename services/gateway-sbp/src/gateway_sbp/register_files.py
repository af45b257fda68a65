"""The bank's files as registers of the shared reconciliation: one for each account, kind and day.

A file may hold payments and refunds, several days and several accounts, while books are compared by
the day. The rows of codes on paper that wait for their callbacks are kept aside: they are said when
it is known what they are.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import astuple
from typing import IO

from gateway_sbp import registers as books
from gateway_sbp.acquirers.raiffeisen.wire.words import NAME, shop_name
from gateway_sbp.registers import Entry, Expected, Sheet
from gateway_sbp.resolving import Part, Resolved, resolve
from shared.db import transaction
from shared.errors import Text
from shared.gateway import registers
from shared.gateway.gateway import Gateway
from shared.gateway.provider import Kind
from shared.gateway.reconciliation import Opened
from shared.gateway.register import Register
from shared.gateway.spool import Spool


def expected(shops: Iterable[str]) -> Expected:
    """Return whose books are taken, of these accounts: those of Raiffeisen."""
    named = (shop.partition(":") for shop in shops)
    return Expected({account: shop_name(account) for bank, _, account in named if bank == NAME})


async def receive(
    expected: Expected, gateway: Gateway, file: IO[bytes], name: str
) -> Sequence[Opened]:
    """Read a whole file and write down what it holds; nothing of it is compared yet.

    Raises WrongRegister for a file of which nothing is taken. Each of what is returned is to be
    applied and closed; the first one tells what was left out.
    """
    sheet = await asyncio.to_thread(books.read, file, name, expected)
    resolved = await resolve(gateway, sheet)
    notes = (*sheet.notes, *_waiting(resolved))
    opened: list[Opened] = []
    try:
        for part, entries in _parts(sheet).items():
            opened.append(await _open(gateway, part, entries, sheet, resolved, name, notes))
            notes = ()
    except BaseException:
        for one in opened:
            one.close()
        raise
    return opened


def _parts(sheet: Sheet) -> dict[Part, list[Entry]]:
    """Return the entries of each part, in order.

    A day without payments is compared as well: ours of it would be missing there. Whether a
    register holds refunds at all the bank does not say, so their days count where it holds one.
    """
    found: dict[Part, list[Entry]] = defaultdict(list)
    kinds = {entry.kind for entry in sheet.entries} | {Kind.PAYMENT}
    if not sheet.partial:
        for day in sheet.days:
            for shop in sheet.shops:
                for kind in sorted(kinds):
                    found[Part(shop, kind, day)] = []
    for entry in sheet.entries:
        found[Part(entry.shop, entry.kind, entry.day)].append(entry)
    return found


async def _open(
    gateway: Gateway,
    part: Part,
    entries: Sequence[Entry],
    sheet: Sheet,
    resolved: Resolved,
    name: str,
    notes: Sequence[Text],
) -> Opened:
    amount = sum(entry.amount_kopecks for entry in entries)
    register = Register(part.shop, part.kind, part.day, len(entries), amount)
    spool = Spool(partial=sheet.partial)
    try:
        for row in resolved.rows.get(part, ()):
            spool.put(row)
        digest = _digest(part, entries, partial=sheet.partial)
        async with transaction(gateway.db) as tx:
            taken = await registers.take(tx, register, name, digest, gateway.clock())
    except BaseException:
        spool.close()
        raise
    return Opened(taken, spool, notes)


def _digest(part: Part, entries: Sequence[Entry], *, partial: bool) -> bytes:
    """Return what two files have in common that say the same of a day, wherever they say it."""
    digest = hashlib.sha256(repr((*part, partial)).encode())
    for entry in entries:
        _line, *facts = astuple(entry)
        digest.update(repr(facts).encode())
    return digest.digest()


def _waiting(resolved: Resolved) -> tuple[Text, ...]:
    if not resolved.waiting:
        return ()
    count = resolved.waiting
    return (
        Text(
            f"payments by codes on paper that wait for the bank's callbacks: {count}; what has not"
            " come a day after the payment is credited from this register",
            f"платежей по кодам с квитанций, которые ждут уведомлений банка: {count}; о чём не"
            " сообщат за сутки после платежа, то зачислится по этому реестру",
        ),
    )
