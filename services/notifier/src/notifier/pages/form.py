"""The form of preferences: what it shows of what is chosen, and what it says when it comes back.

Pure. A kind has one field: everywhere, nowhere, or on one channel only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from notifier.channels.port import ChannelName
from notifier.kinds import KINDS, Kind
from notifier.preferences import DAYS_MAX, KOPECKS_MAX, Chosen, Off
from shared.errors import Invalid, Language, invalid
from shared.web import forms

EVERYWHERE: Final = "all"
NOWHERE: Final = "off"
AS_IS: Final = "keep"


class Choice(NamedTuple):
    """One kind on the form."""

    kind: Kind
    options: tuple[str, ...]
    value: str


def choices(chosen: Chosen, channels: Sequence[ChannelName]) -> list[Choice]:
    """Return the kinds that may be refused, with what is chosen for each."""
    found = []
    for kind in KINDS.values():
        there = [channel for channel in channels if _goes(kind, channel)]
        if kind.refusable and there:
            value = _value(kind, chosen, there)
            only = tuple(there) if len(there) > 1 else ()
            kept = (AS_IS,) if value == AS_IS else ()
            found.append(Choice(kind, (EVERYWHERE, *only, NOWHERE, *kept), value))
    return found


def always() -> list[Kind]:
    """Return the kinds that nobody can refuse."""
    return [kind for kind in KINDS.values() if not kind.refusable]


def read(form: Mapping[str, str], before: Chosen, channels: Sequence[ChannelName]) -> Chosen:
    """Return what a form chooses; raises Invalid that names the field."""
    used = [channel for channel in channels if form.get(f"use_{channel}")]
    if not used:
        raise invalid(
            "channels",
            "choose at least one way: otherwise we cannot tell you that services will stop",
            "выберите хотя бы один способ: иначе мы не сможем предупредить об отключении",
        )
    first = form.get("first")
    used.sort(key=lambda channel: channel != first)
    off = [each for each in before.off if not KINDS[each.kind].refusable]
    on = [kind for kind in before.on if not KINDS[kind].refusable]
    for choice in choices(before, channels):
        name, value = choice.kind.name, form.get(f"kind_{choice.kind.name}", choice.value)
        if value == AS_IS:
            off += [each for each in before.off if each.kind == name]
        elif value in channels:
            off += [Off(kind=name, channel=c) for c in channels if c != value]
        elif value == NOWHERE and choice.kind.on:
            off.append(Off(kind=name))
        if value != NOWHERE and not choice.kind.on:
            on.append(name)
    mode = {"all": False, "first": True}.get(form.get("mode", ""))
    return Chosen(
        channels=None if tuple(used) == tuple(channels) else tuple(used),
        one_by_one=mode,
        off=tuple(off),
        on=tuple(on),
        language=_language(form.get("language", "")),
        low_balance_kopecks=_threshold(form.get("low_balance", "")),
        low_balance_days=_days(form.get("low_balance_days", "")),
    )


def _value(kind: Kind, chosen: Chosen, there: Sequence[ChannelName]) -> str:
    if not kind.on and kind.name not in chosen.on:
        return NOWHERE
    wanted = [channel for channel in there if not chosen.refuses(kind.name, channel)]
    if len(wanted) == len(there):
        return EVERYWHERE
    if not wanted:
        return NOWHERE
    return wanted[0] if len(wanted) == 1 else AS_IS


def _goes(kind: Kind, channel: ChannelName) -> bool:
    return channel in kind.channels


def _language(written: str) -> Language | None:
    known: Mapping[str, Language] = {"ru": "ru", "en": "en"}
    return known.get(written)


def _threshold(written: str) -> int | None:
    if not written.strip():
        return None
    kopecks = forms.amount(written, "low_balance").kopecks
    if kopecks > KOPECKS_MAX:
        raise invalid("low_balance", "at most 1,000,000.00", "не больше 1 000 000,00")
    return kopecks


def _days(written: str) -> int | None:
    text = written.strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= DAYS_MAX):
        raise _wrong_days()
    return int(text)


def _wrong_days() -> Invalid:
    return invalid(
        "low_balance_days",
        f"write a number of days from 1 to {DAYS_MAX}",
        f"напишите число дней от 1 до {DAYS_MAX}",
    )
