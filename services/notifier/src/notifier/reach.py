"""By which ways a message reaches its subscriber, in which order, and why another is no way. Pure.

The operator says which channels there are, core gives a telephone and an e-mail address, and the
subscriber may choose among them, give further addresses and refuse kinds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from notifier import addresses
from notifier.channels.port import ChannelName
from notifier.directory import Entry
from notifier.journal import goes_to
from notifier.kinds import KINDS
from notifier.preferences import Preference

FAULTS: Final = frozenset(
    f"{word}_{what}" for word in ("no", "bad", "unconfirmed") for what in ("phone", "email", "bot")
)
"""Reasons for which a person has to mend the address."""
_WHAT: Final[Mapping[str, str]] = {"sms": "phone", "email": "email", "bot": "bot"}
ADDRESS_LENGTH_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class Reaching:
    """How this installation reaches people."""

    channels: tuple[ChannelName, ...] = ("email", "sms")
    """Those there are, in the order in which they are tried."""
    fallback: frozenset[str] = frozenset()
    """Kinds that go by the first channel that works, or `all`; others go by every channel."""
    trusted: bool = True
    """An address that core gives counts as confirmed."""

    def one_by_one(self, kind: str, preference: Preference) -> bool:
        """Say whether a kind is told by one channel only."""
        if preference.chosen.one_by_one is not None:
            return preference.chosen.one_by_one
        return kind in self.fallback or "all" in self.fallback


DEFAULT_REACHING: Final = Reaching()


@dataclass(frozen=True, slots=True)
class Reach:
    """A contract's channels now: what is wrong with which address, and which address is one."""

    wrong: Mapping[str, str]
    usable: Sequence[str]


class Way(NamedTuple):
    """One channel of a subscriber: the address there, or the reason why there is none."""

    channel: ChannelName
    address: str | None
    reason: str | None = None


def ways(kind: str, entry: Entry, preference: Preference, how: Reaching) -> list[Way]:
    """Return every channel of the installation for a kind of message, the first to try first."""
    rules, chosen = KINDS[kind], preference.chosen
    if entry.closed and not rules.closed:
        return [Way(channel, None, "contract_closed") for channel in how.channels]
    if not rules.on and kind not in chosen.on:
        return [Way(channel, None, "off") for channel in how.channels]
    order = _order(preference, how)
    found = [_way(channel, entry, preference, how) for channel in order]
    found += [Way(c, None, "not_chosen") for c in how.channels if c not in order]
    usable = [way for way in found if way.address is not None and goes_to(kind, way.channel)]
    wanted = [way for way in usable if not chosen.refuses(kind, way.channel)]
    if not wanted and not rules.refusable:
        wanted = usable[:1]  # what must be told is told once at least
    return [_judged(way, usable, wanted) for way in found]


def _judged(way: Way, usable: Sequence[Way], wanted: Sequence[Way]) -> Way:
    if way.address is None or way in wanted:
        return way
    return Way(way.channel, None, "off" if way in usable else "not_chosen")


def state(entry: Entry, preference: Preference, how: Reaching) -> Reach:
    """Return which channels a subscriber uses have an address, and what is wrong with others."""
    used = [channel for channel in _order(preference, how) if channel != "webhook"]
    found = [_way(channel, entry, preference, how) for channel in used]
    return Reach(
        wrong={way.channel: way.reason for way in found if way.reason is not None},
        usable=tuple(way.channel for way in found if way.reason is None),
    )


def to_mend(entry: Entry, preference: Preference, how: Reaching) -> Reach:
    """Return the same for the list of the unreachable: nobody mends a closed contract's."""
    return Reach({}, ()) if entry.closed else state(entry, preference, how)


def address(channel: ChannelName, written: str) -> str | None:
    """Return an address as its channel writes it; None where it can be none."""
    if channel == "sms":
        return addresses.phone(written)
    if channel == "email":
        return addresses.email(written)
    text = written.strip()
    if not text or len(text) > ADDRESS_LENGTH_MAX or not text.isprintable():
        return None
    return text if " " not in text else None


def _order(preference: Preference, how: Reaching) -> list[ChannelName]:
    chosen = preference.chosen.channels
    return [c for c in (how.channels if chosen is None else chosen) if c in how.channels]


def _way(channel: ChannelName, entry: Entry, preference: Preference, how: Reaching) -> Way:
    if channel == "webhook":  # the operator's own system, which knows whom it reaches
        return Way(channel, entry.person.phone.strip() or entry.person.email.strip())
    written, confirmed = given(channel, entry, preference, how)
    what = _WHAT[channel]
    if not written.strip():
        return Way(channel, None, f"no_{what}")
    usable = address(channel, written)
    if usable is None:
        return Way(channel, None, f"bad_{what}")
    return Way(channel, usable) if confirmed else Way(channel, None, f"unconfirmed_{what}")


def given(
    channel: ChannelName, entry: Entry, preference: Preference, how: Reaching
) -> tuple[str, bool]:
    """Return an address and whether it is confirmed: one of their own goes before core's."""
    own = preference.addresses.get(channel)
    if own is not None and own.confirmed_at is not None:
        return own.address, True
    known = {"sms": entry.person.phone, "email": entry.person.email}.get(channel, "")
    if known.strip():
        return known, how.trusted
    return (own.address, False) if own is not None else ("", False)
