"""What a subscriber or the operator changes of a contract's preferences, and what follows from it.

Thresholds are watched by core, so a changed one is said to it in the same transaction; what waits
for a recipient looks again, and so does the list of those out of reach.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from notifier import (
    confirmations,
    directory,
    journal,
    preferences,
    reach,
    reviewing,
    rewriting,
)
from notifier.channels.port import CHANNEL_NAMES, ChannelName
from notifier.directory import Entry
from notifier.kinds import KINDS
from notifier.preferences import Address, Chosen, Off, Preference
from notifier.reach import Reaching
from shared import outbox
from shared.clock import Clock
from shared.crypto import Vault
from shared.db import Database, Tx, transaction
from shared.errors import FieldError, Invalid, NotFound, Text, invalid
from shared.events import Event, WatchCleared, WatchSet
from shared.log import correlation_id
from shared.outbox import Producer
from shared.topology import NOTIFIER

_UNKNOWN: Final = Text("There is no such contract", "Такого договора нет")


@dataclass(frozen=True)
class Choosing:
    """What acts on preferences need."""

    db: Database
    vault: Vault
    clock: Clock
    reaching: Reaching
    producer: Producer
    low_balance_kopecks: int
    """The operator's threshold, for who chooses none."""
    operator: str
    operators: Mapping[str, str]

    def name_of(self, entry: Entry) -> str:
        """Return the name under which messages about a contract come."""
        return self.operators.get(entry.operator, self.operator)


async def known(tx: Tx, choosing: Choosing, contract: str) -> Entry:
    """Return a contract of the directory; raises NotFound for another."""
    entry = (await directory.find(tx, choosing.vault, [contract])).get(contract)
    if entry is None:
        raise NotFound(_UNKNOWN)
    return entry


async def choose(
    choosing: Choosing,
    contract: str,
    chosen: Chosen,
    given: Mapping[ChannelName, str | None] | None = None,
) -> Preference:
    """Replace what is chosen; return it as it now stands.

    `given` are addresses the operator vouches for: they are confirmed by that, None takes one away.
    Raises NotFound, and Invalid that names what cannot be chosen.
    """
    _check(choosing, chosen)
    at = choosing.clock()
    addresses = {channel: _read(channel, each, at) for channel, each in (given or {}).items()}
    async with transaction(choosing.db) as tx:
        await known(tx, choosing, contract)
        before = await preferences.locked(tx, choosing.vault, contract)
        kept = {**before.addresses, **addresses}
        wanted = before.model_copy(
            update={"chosen": chosen, "addresses": {c: a for c, a in kept.items() if a}}
        )
        return await _put(tx, choosing, contract, before, wanted, at)


async def refuse(choosing: Choosing, contract: str, kind: str, channel: str) -> None:
    """Switch one kind off on one channel, as its reader asks; once is as good as twice.

    Raises Invalid for a kind that cannot be refused.
    """
    off = Off.model_validate({"kind": kind, "channel": channel})
    if not KINDS[kind].refusable:
        raise invalid("kind", "this cannot be switched off", "это нельзя отключить")
    at = choosing.clock()
    async with transaction(choosing.db) as tx:
        before = await preferences.locked(tx, choosing.vault, contract)
        if not before.chosen.refuses(kind, channel):
            chosen = before.chosen.model_copy(update={"off": (*before.chosen.off, off)})
            wanted = before.model_copy(update={"chosen": chosen})
            await _put(tx, choosing, contract, before, wanted, at)


async def ask(choosing: Choosing, contract: str, channel: ChannelName, written: str) -> None:
    """Send a code to an address that a subscriber gives; raises Invalid where it can be none."""
    at = choosing.clock()
    address = reach.address(channel, written)
    if address is None or channel not in choosing.reaching.channels or channel == "webhook":
        raise _no_address(channel)
    async with transaction(choosing.db) as tx:
        entry = await known(tx, choosing, contract)
        preference = await preferences.locked(tx, choosing.vault, contract)
        language = preference.chosen.language or ("en" if entry.language == "en" else "ru")
        words = (choosing.name_of(entry), language)
        await confirmations.ask(tx, choosing.vault, contract, channel, address, words, at)


async def confirm(choosing: Choosing, contract: str, channel: ChannelName, code: str) -> None:
    """Take the address to which a code was sent; raises Invalid for another code."""
    at = choosing.clock()
    async with transaction(choosing.db) as tx:
        before = await preferences.locked(tx, choosing.vault, contract)
        vault = choosing.vault
        address = await confirmations.confirm(tx, vault, contract, channel, code, at)
        if address is not None:
            own = {**before.addresses, channel: Address(address=address, confirmed_at=at)}
            wanted = before.model_copy(update={"addresses": own})
            await _put(tx, choosing, contract, before, wanted, at)
    if address is None:  # behind the transaction, so that the try counts
        raise invalid("code", "this is another code", "код не подошёл")


async def forget(choosing: Choosing, contract: str, channel: ChannelName) -> None:
    """Take an address away that a subscriber has given; core's counts again."""
    at = choosing.clock()
    async with transaction(choosing.db) as tx:
        before = await preferences.locked(tx, choosing.vault, contract)
        if channel in before.addresses:
            rest = {c: a for c, a in before.addresses.items() if c != channel}
            wanted = before.model_copy(update={"addresses": rest})
            await _put(tx, choosing, contract, before, wanted, at)


async def _put(
    tx: Tx,
    choosing: Choosing,
    contract: str,
    before: Preference,
    wanted: Preference,
    at: datetime,
) -> Preference:
    after = await preferences.put(tx, choosing.vault, contract, wanted, at)
    await outbox.add(tx, choosing.producer, _watches(choosing, contract, before, after, at), at)
    await journal.wake(tx, {contract}, at)
    await rewriting.anew(tx, {contract}, at)
    await rewriting.refused(tx, contract, _unwanted(after.chosen), at)
    await reviewing.moved(tx, choosing.vault, choosing.reaching, {contract}, at)
    return after


def _unwanted(chosen: Chosen) -> set[tuple[str, str]]:
    """Return what is switched off, by kind and channel; some kinds reach one channel at least."""
    kinds = {off.kind for off in chosen.off if KINDS[off.kind].refusable}
    return {(k, c) for k in kinds for c in CHANNEL_NAMES if chosen.refuses(k, c)}


def _watches(
    choosing: Choosing, contract: str, before: Preference, after: Preference, at: datetime
) -> list[Event]:
    """Return what core has to watch otherwise from now on."""
    about = {
        "contract": contract,
        "occurred_at": at,
        "revision": after.revision,
        "watcher": NOTIFIER,
    }
    old, new = before.chosen, after.chosen
    said: list[WatchSet | WatchCleared] = []
    if new.low_balance_kopecks != old.low_balance_kopecks:
        threshold = new.low_balance_kopecks
        kopecks = choosing.low_balance_kopecks if threshold is None else threshold
        said.append(WatchSet.model_validate(about | {"threshold_kopecks": kopecks}))
    if (new.low_balance_days or 0) != (old.low_balance_days or 0):
        days = about | {"kind": "days"}
        if new.low_balance_days:
            said.append(WatchSet.model_validate(days | {"days": new.low_balance_days}))
        else:
            said.append(WatchCleared.model_validate(days))
    return [
        body.event(
            choosing.producer.name,
            subject=contract,
            revision=f"{body.kind}:{body.revision}",
            correlation_id=correlation_id(),
        )
        for body in said
    ]


def _check(choosing: Choosing, chosen: Chosen) -> None:
    wrong: list[FieldError] = []
    channels = chosen.channels
    if channels is not None:
        there = set(channels) <= set(choosing.reaching.channels)
        if not channels or len(set(channels)) < len(channels) or not there:
            names = ", ".join(choosing.reaching.channels)
            text = Text(
                f"choose at least one of {names}, each once",
                f"выберите хотя бы один из каналов {names}, каждый один раз",
            )
            wrong.append(FieldError("channels", text))
    bound = {off.kind for off in chosen.off if off.channel is None}
    if any(not KINDS[kind].refusable for kind in bound):
        text = Text(
            "some of these messages cannot be switched off altogether",
            "некоторые из этих сообщений нельзя отключить совсем",
        )
        wrong.append(FieldError("off", text))
    if wrong:
        raise Invalid(*wrong)


def _read(channel: ChannelName, written: str | None, at: datetime) -> Address | None:
    if written is None:
        return None
    address = reach.address(channel, written)
    if address is None:
        raise _no_address(channel)
    return Address(address=address, confirmed_at=at)


def _no_address(channel: str) -> Invalid:
    return invalid(
        "address",
        f"nothing can be sent there by {channel}: check what you have written",
        "на такой адрес ничего не отправить: проверьте, что написано",
    )
