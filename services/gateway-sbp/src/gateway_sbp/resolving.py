"""Which payment or refund an entry of the bank's books is, so that it can be compared with ours.

A code for one payment is the payment's id. A code on paper is paid many times: its entries are
matched by what is known of them. What is left over becomes a difference for a person: its id is
made up here, the bank knows nothing under it, and nothing is credited for it.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, NamedTuple
from uuid import UUID

from gateway_sbp import paper_rows, papers, recovery, signed
from gateway_sbp.acquirers.raiffeisen.wire import refunds as named
from gateway_sbp.acquirers.raiffeisen.wire.words import ID, QR_ID, payment_id
from gateway_sbp.paper_row import LINE, Key, PaperRow
from gateway_sbp.registers import Entry, Sheet
from shared.db import Tx, reading
from shared.gateway import ours, refunds
from shared.gateway.gateway import Gateway
from shared.gateway.ours import Ours, Span
from shared.gateway.provider import Kind
from shared.gateway.register import Row

PAPER_CODES: Final = "AS"
"""How the ids of codes begin that are paid many times. Source: the payload's form at NSPK."""
REFUNDS_MAX: Final = 10_000
"""Refunds of one day that lines of a statement are looked for among."""


class Part(NamedTuple):
    """What is compared at once."""

    shop: str
    kind: Kind
    day: date


@dataclass
class Resolved:
    """A sheet whose entries have names."""

    rows: dict[Part, list[Row]] = field(default_factory=lambda: defaultdict(list))
    waiting: int = 0
    """Entries by codes on paper whose callbacks may still come."""
    _nameless: Counter[tuple[object, ...]] = field(default_factory=Counter)

    def put(self, entry: Entry, found: str, payment: str, fee: int | None = None) -> None:
        """Add an entry under the id that it has here."""
        part = Part(entry.shop, entry.kind, entry.day)
        amount = entry.amount_kopecks
        self.rows[part].append(Row(entry.kind, found, payment, amount, fee_kopecks=fee))

    def put_nameless(self, entry: Entry) -> None:
        """Add an entry that is nothing we know, under an id that is the same from each file."""
        facts = (entry.shop, entry.kind, entry.at, entry.qr_id, entry.order, entry.refund)
        key = (*facts, entry.amount_kopecks)
        self._nameless[key] += 1
        digest = hashlib.sha256("\n".join(map(str, key)).encode()).hexdigest()
        self.put(entry, f"{LINE}{digest[:32]}-{self._nameless[key]}", entry.qr_id)


async def resolve(gateway: Gateway, sheet: Sheet) -> Resolved:
    """Name every entry of a sheet; what it says of codes on paper is written down."""
    made = Resolved()
    rest = sheet.entries
    if not sheet.partial:
        paper = [entry for entry in rest if _on_paper(entry)]
        rest = tuple(entry for entry in rest if not _on_paper(entry))
        await _take_paper(gateway, made, paper)
    async with reading(gateway.db) as tx:
        await _name_payments(tx, made, [one for one in rest if one.kind is Kind.PAYMENT], sheet)
        await _name_refunds(tx, made, [one for one in rest if one.kind is Kind.REFUND])
    return made


def _on_paper(entry: Entry) -> bool:
    """Say whether it is a payment by a code on paper, by the same rule as of a callback."""
    if entry.kind is not Kind.PAYMENT or not entry.order or payment_id(entry.order) is not None:
        return False
    named = entry.order.startswith((papers.NAMED, papers.HASHED))
    return named or entry.qr_id.startswith(PAPER_CODES)


async def _take_paper(gateway: Gateway, made: Resolved, entries: Sequence[Entry]) -> None:
    found: dict[Key, list[Entry]] = defaultdict(list)
    for entry in entries:
        found[_key(entry)].append(entry)
    fees = {key: [entry.fee_kopecks for entry in alike] for key, alike in found.items()}
    for key, rows in (await recovery.take(gateway, fees)).items():
        for entry, row in zip(found[key], rows, strict=True):
            _put_paper(made, entry, row)


def _put_paper(made: Resolved, entry: Entry, row: PaperRow) -> None:
    if row.credited_as is None:
        made.waiting += 1
    else:
        made.put(entry, row.credited_as, row.credited_as, row.fee_kopecks)


async def _name_payments(tx: Tx, made: Resolved, entries: Sequence[Entry], sheet: Sheet) -> None:
    known = await _known(tx, entries)
    seen: set[str] = set()
    lines: dict[tuple[str, str, int, date], list[Entry]] = defaultdict(list)
    for entry in entries:
        single = not entry.qr_id.startswith(PAPER_CODES) or (entry.shop, entry.qr_id) in known
        if single and QR_ID.fullmatch(entry.qr_id) and entry.qr_id not in seen:
            seen.add(entry.qr_id)
            made.put(entry, entry.qr_id, entry.qr_id, entry.fee_kopecks)
        elif single or not sheet.partial:
            made.put_nameless(entry)
        else:
            lines[entry.shop, entry.qr_id, entry.amount_kopecks, entry.day].append(entry)
    for (shop, qr_id, amount, day), alike in lines.items():
        candidates = await _of_day(tx, shop, qr_id, amount, Span.of(day))
        _count_off(made, alike, candidates)


async def _known(tx: Tx, entries: Sequence[Entry]) -> set[tuple[str, str]]:
    """Return which codes are one payment of ours although they look like codes on paper."""
    found: set[tuple[str, str]] = set()
    for shop in {entry.shop for entry in entries}:
        codes = {one.qr_id for one in entries if one.qr_id.startswith(PAPER_CODES)}
        standing = await ours.standings(tx, Kind.PAYMENT, shop, sorted(codes)) if codes else {}
        found |= {(shop, code) for code in standing}
    return found


async def _of_day(tx: Tx, shop: str, qr_id: str, amount: int, span: Span) -> Counter[str | None]:
    """Return what was paid by a code on paper that day; None for each that waits."""
    rows = await paper_rows.of_day(tx, shop, qr_id, amount, *span)
    booked = await signed.of_day(tx, shop, qr_id, amount, *span)
    of_rows = {row.transaction_id for row in rows}
    found: Counter[str | None] = Counter(row.credited_as for row in rows)
    found.update(one for one in booked if one not in of_rows)
    return found


def _count_off(made: Resolved, lines: Sequence[Entry], left: Counter[str | None]) -> None:
    """Give lines of a statement the payments that they may be: those that are named first."""
    for entry in sorted(lines, key=lambda line: line.number not in left):
        wanted = entry.number if left[entry.number] else next(iter(+left), entry.number)
        if not left[wanted]:
            made.put_nameless(entry)
            continue
        left[wanted] -= 1
        if wanted is None:
            made.waiting += 1
        else:
            made.put(entry, wanted, wanted)


async def _name_refunds(tx: Tx, made: Resolved, entries: Sequence[Entry]) -> None:
    known = await _refunds(tx, entries)
    seen: set[str] = set()
    nameless: dict[tuple[str, date], list[Entry]] = defaultdict(list)
    for entry in entries:
        if ID.fullmatch(entry.refund) and entry.refund not in seen:
            seen.add(entry.refund)
            of = known.get(entry.refund) or entry.qr_id
            made.put(entry, named.called(entry.refund, of), of, entry.fee_kopecks)
        else:
            nameless[entry.shop, entry.day].append(entry)
    for (shop, day), lines in nameless.items():
        await _count_off_refunds(tx, made, lines, await _sent_back(tx, shop, Span.of(day)))


async def _sent_back(tx: Tx, shop: str, span: Span) -> list[Ours]:
    """Return our refunds of a day; beyond the limit lines stay without a name."""
    found: list[Ours] = []
    while len(found) < REFUNDS_MAX:
        page = await ours.succeeded(tx, Kind.REFUND, shop, span, found[-1] if found else None)
        found += page
        if len(page) < ours.PAGE_MAX:
            break
    return found


async def _count_off_refunds(
    tx: Tx, made: Resolved, lines: Sequence[Entry], left: list[Ours]
) -> None:
    """Give lines that name no refund ours of the same code and amount, each once."""
    for entry in lines:
        for one in left:
            if one.amount_kopecks != entry.amount_kopecks:
                continue
            if entry.qr_id in (
                one.payment_id,
                await signed.code_of(tx, entry.shop, one.payment_id),
            ):
                left.remove(one)
                made.put(entry, one.id, one.payment_id)
                break
        else:
            made.put_nameless(entry)


async def _refunds(tx: Tx, entries: Sequence[Entry]) -> Mapping[str, str]:
    """Return the payments of our refunds, by the bank's ids of the refunds."""
    found: dict[str, str] = {}
    for name in {entry.refund for entry in entries if entry.refund}:
        try:
            refund = await refunds.find(tx, UUID(name))
        except ValueError:
            continue
        if refund is not None and refund.provider_payment_id is not None:
            found[name] = refund.provider_payment_id
    return found


def _key(entry: Entry) -> Key:
    return Key.of(entry.shop, entry.order, entry.qr_id, entry.amount_kopecks, entry.at)
