"""What was charged in a run: the provider's charges beside autopay's own rows of them.

Each rule returns the faults it found. The provider's rows are the truth; autopay's say when a
charge was asked for and when its end was known.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from faults.mandates import Wish, owners
from faults.owed import SUCCEEDED
from faults.tables import Tables

AUTOPAY: Final = "autopay"
GATEWAY: Final = "gateway_yookassa"
ON_ITS_WAY: Final = timedelta(seconds=6)
"""A request that has left may still arrive: the longest call of the gateway, and a second."""
SOON: Final = timedelta(seconds=60)
_ZONE: Final = ZoneInfo("Europe/Moscow")
_IN_FLIGHT: Final = ("requested", "unclear")
_UPCOMING: Final = ("planned", "announced")
_ENDS: Final = {SUCCEEDED: SUCCEEDED, "canceled": "failed"}
"""How a payment stands at the provider → how its charge stands with autopay."""

_ASKED: Final = """
SELECT id, contract, state, amount_kopecks, charge_at, requested_at, concluded_at, method_ref,
    reason
FROM charge
"""
_MADE: Final = """
SELECT id, json_extract(metadata, '$.charge_id'), status, amount_kopecks, created_at FROM payment
WHERE json_extract(metadata, '$.charge_id') IS NOT NULL
"""
_REMOVED: Final = """
SELECT CAST(id AS TEXT), removed_at FROM payment_method WHERE removed_at IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """A charge as autopay keeps it."""

    id: str
    contract: str
    state: str
    kopecks: int
    charge_at: datetime
    requested_at: datetime | None = None
    concluded_at: datetime | None = None
    method_ref: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """A charge as the provider keeps it."""

    payment_id: str
    charge_id: str
    status: str
    kopecks: int
    created_at: datetime


async def asked(tables: Tables) -> list[Asked]:
    """Return autopay's charges."""
    return [
        Asked(
            this,
            contract,
            state,
            kopecks,
            moment(due),
            _perhaps(asked),
            _perhaps(ended),
            method,
            reason,
        )
        for this, contract, state, kopecks, due, asked, ended, method, reason in await tables.rows(
            AUTOPAY, _ASKED
        )
    ]


def made(store: Path) -> list[Made]:
    """Return the provider's charges of saved cards."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=10)) as opened:
        rows = opened.execute(_MADE).fetchall()
    return [
        Made(pid, charge, status, kopecks, datetime.fromtimestamp(at / 1000, UTC))
        for pid, charge, status, kopecks, at in rows
    ]


async def removed(tables: Tables) -> dict[str, datetime]:
    """Return the cards that the gateway has removed, by their names, and when."""
    rows = await tables.rows(GATEWAY, _REMOVED)
    # The two databases write an id differently.
    return {str(this).replace("-", ""): moment(at) for this, at in rows}


def waiting(charges: Iterable[Asked], at: datetime) -> dict[str, int]:
    """Return what must still come to its end; a charge of another day is none of it."""
    counts = Counter[str]()
    for one in charges:
        if one.state in _IN_FLIGHT:
            counts["charges in flight"] += 1
        elif one.state in _UPCOMING and one.charge_at < at + SOON:
            counts["charges to be made soon"] += 1
    return dict(counts)


def once(charges: Iterable[Made]) -> list[str]:
    """Each charge exists at the provider at most once."""
    found: dict[str, list[str]] = defaultdict(list)
    for one in charges:
        found[one.charge_id].append(one.payment_id)
    return [
        f"charge {charge}: made {len(ids)} times: {', '.join(ids)}"
        for charge, ids in found.items()
        if len(ids) > 1
    ]


def wanted(charges: Iterable[Made], known: Sequence[Asked], wishes: Sequence[Wish]) -> list[str]:
    """The provider has made nothing but what autopay has asked for, of whose sum it is."""
    rows, whose = {one.id: one for one in known}, owners(wishes)
    wrong = []
    for one in charges:
        row = rows.get(one.charge_id)
        if row is None or row.requested_at is None:
            wrong.append(f"charge {one.charge_id}: made, and nobody has asked for it")
        elif (row.contract, row.kopecks) != (whose.get(one.kopecks), one.kopecks):
            wrong.append(
                f"charge {one.charge_id}: {one.kopecks} kopecks were taken, "
                f"{row.kopecks} of {row.contract} were asked for"
            )
    return wrong


def one_at_a_time(charges: Iterable[Made], known: Sequence[Asked]) -> list[str]:
    """A contract has one charge in flight: the next is asked for after the end of the last one."""
    created = {one.charge_id: one.created_at for one in charges}
    wrong = []
    for contract, rows in _by_contract(known).items():
        for before, after in pairwise(rows):
            asked_at, ended_at = after.requested_at, before.concluded_at
            if asked_at is None or ended_at is None or asked_at < ended_at:
                wrong.append(f"{contract}: {before.id} was in flight when {after.id} was asked for")
            elif created.get(before.id, ended_at) > ended_at:
                wrong.append(f"{contract}: {before.id} was made after its end had been heard of")
    return wrong


def after_refusal(known: Sequence[Asked], revoked_at: Mapping[str, datetime]) -> list[str]:
    """Nothing is asked for once the revocation of its mandate has been answered."""
    return [
        f"{one.contract}: {one.id} was asked for at {one.requested_at}, the mandate was revoked at "
        f"{revoked_at[one.contract]}"
        for one in known
        if one.requested_at is not None
        and one.contract in revoked_at
        and one.requested_at > revoked_at[one.contract]
    ]


def after_removal(
    charges: Iterable[Made], known: Sequence[Asked], removed_at: Mapping[str, datetime]
) -> list[str]:
    """Nothing is made by a card that the gateway has removed, but for what had left before."""
    cards = {one.id: one.method_ref.replace("-", "") for one in known}
    wrong = []
    for one in charges:
        gone = removed_at.get(cards.get(one.charge_id, ""))
        if gone is not None and one.created_at > gone + ON_ITS_WAY:
            wrong.append(
                f"charge {one.charge_id}: made at {one.created_at}, its card was removed at {gone}"
            )
    return wrong


def capped(charges: Iterable[Made], known: Sequence[Asked], wishes: Sequence[Wish]) -> list[str]:
    """No contract is charged more in a month than was agreed to."""
    caps = {wish.contract: wish.cap for wish in wishes}
    rows = {one.id: one for one in known}
    taken = Counter[tuple[str, str]]()
    for one in charges:
        row = rows.get(one.charge_id)
        if one.status == SUCCEEDED and row is not None and row.requested_at is not None:
            taken[row.contract, f"{row.requested_at.astimezone(_ZONE):%Y-%m}"] += one.kopecks
    return [
        f"{contract}: {kopecks} kopecks charged in {month}, the cap is {caps.get(contract)}"
        for (contract, month), kopecks in taken.items()
        if kopecks > caps.get(contract, 0)
    ]


def ended(charges: Iterable[Made], known: Sequence[Asked]) -> list[str]:
    """What became of each charge at the provider is what autopay says, and nothing is open."""
    rows = {one.id: one for one in known}
    truth = {one.charge_id: _ENDS.get(one.status, "open") for one in charges}
    wrong = [
        f"charge {this}: {end} at the provider, {rows[this].state} with autopay"
        for this, end in truth.items()
        if this in rows and rows[this].state != end
    ]
    for one in known:
        if one.state in _IN_FLIGHT and one.id not in truth:
            wrong.append(f"charge {one.id}: still {one.state}, and never made")
        elif one.state == SUCCEEDED and one.id not in truth:
            wrong.append(f"charge {one.id}: succeeded, and the provider does not know it")
    return wrong


def outcomes(known: Iterable[Asked]) -> Mapping[str, int]:
    """Return how many charges came to what."""
    return Counter(f"{one.state} {one.reason}".strip() for one in known)


def _by_contract(known: Iterable[Asked]) -> Mapping[str, list[Asked]]:
    """Return the charges that were asked for, in that order."""
    made_of: dict[str, list[Asked]] = defaultdict(list)
    for one in sorted(known, key=lambda one: one.requested_at or one.charge_at):
        if one.requested_at is not None:
            made_of[one.contract].append(one)
    return made_of


def _perhaps(value: Any) -> datetime | None:
    return None if value is None else moment(value)


def moment(value: Any) -> datetime:
    """Return a moment as either database gives it: SQLite keeps UTC without saying so."""
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(found, datetime):
        raise TypeError(f"not a moment: {value!r}")
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found
