"""Looks up how contracts are reached now, and keeps what is wrong with it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from notifier import directory, preferences, reach, unreachable
from notifier.directory import Entry
from notifier.preferences import NONE, Preference
from notifier.reach import Reaching
from notifier.unreachable import Alive, Dead
from shared.crypto import Vault
from shared.db import Tx


async def moved(
    tx: Tx, vault: Vault, reaching: Reaching, contracts: Collection[str], at: datetime
) -> None:
    """Look anew at contracts whose addresses may have changed: each gets another chance."""
    await _review(tx, vault, reaching, contracts, at, moved=True)


async def buried(
    tx: Tx, vault: Vault, reaching: Reaching, dead: Sequence[Dead], at: datetime
) -> None:
    """Keep which addresses are dead by their provider's word, of those that are used now."""
    await _review(tx, vault, reaching, {one.contract for one in dead}, at, dead=dead)


async def delivered(tx: Tx, vault: Vault, reaching: Reaching, alive: Sequence[Alive]) -> None:
    """Forget what providers have said of addresses that are alive, of those that are used now."""
    contracts = {one.contract for one in alive}
    if not contracts:
        return
    known = await directory.find(tx, vault, contracts)
    chosen = await preferences.find(tx, vault, contracts)
    used = {(a.contract, a.channel) for a in alive if _is_used(a, known, chosen, reaching)}
    await unreachable.reached(tx, used, delivered=True)


async def _review(
    tx: Tx,
    vault: Vault,
    reaching: Reaching,
    contracts: Collection[str],
    at: datetime,
    *,
    dead: Sequence[Dead] = (),
    moved: bool = False,
) -> None:
    if not contracts:
        return
    known = await directory.find(tx, vault, contracts)
    chosen = await preferences.find(tx, vault, contracts)
    found = {
        number: reach.to_mend(entry, chosen.get(number, NONE), reaching)
        for number, entry in known.items()
    }
    used = [one for one in dead if _is_used(one, known, chosen, reaching)]
    await unreachable.review(tx, found, at, dead=used, moved=moved)


def _is_used(
    one: Dead | Alive,
    known: Mapping[str, Entry],
    chosen: Mapping[str, Preference],
    reaching: Reaching,
) -> bool:
    entry = known.get(one.contract)
    if entry is None:
        return False
    preference = chosen.get(one.contract, NONE)
    written, _ = reach.given(one.channel, entry, preference, reaching)
    return reach.address(one.channel, written) == one.address
