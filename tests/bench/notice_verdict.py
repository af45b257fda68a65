"""Each crossing of a simulated month held against what was sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from bench.notice_town import Crossing, number, reachable, zone
from notifier import journal
from notifier.quiet import QuietHours, allowed_from, parse

AGE: Final = timedelta(days=1)
"""How old a crossing may be when it is told."""
REMIND_AFTER: Final = timedelta(days=3)
QUIET: Final[QuietHours | None] = parse("21:00-09:00")


def judge(
    crossings: Iterable[Crossing], sent: Mapping[UUID, datetime], slack: timedelta
) -> tuple[Counter[str], list[str]]:
    """Hold each crossing against what was sent; return the counts and what is wrong."""
    counts: Counter[str] = Counter()
    found: list[str] = []
    for fall in crossings:
        counts["crossings"] += 1
        words = (f"notifier:{fall.number}", number(fall.contract))
        told = sent.get(journal.message_id(*words, "low_balance", "sms"))
        reminded = sent.get(journal.message_id(*words, "low_balance_reminder", "sms"))
        verdict = _verdict(fall, told, slack)
        counts[verdict] += 1
        if verdict in ("missed", "told after paying", "told in quiet hours"):
            found.append(f"{words[1]}, crossing {fall.number} of {fall.at}: {verdict}, {told}")
        if reminded is not None:
            counts["reminded"] += 1
            if told is None or reminded < told + REMIND_AFTER or _heard_of_it(fall, reminded):
                found.append(f"{words[1]}, crossing {fall.number}: reminded at {reminded}")
    return counts, found


def _verdict(fall: Crossing, told: datetime | None, slack: timedelta) -> str:
    if not reachable(fall.contract):
        return "unreachable" if told is None else "told without an address"
    if told is not None:
        if allowed_from(QUIET, zone(fall.contract), told) > told:
            return "told in quiet hours"
        if _heard_of_it(fall, told):
            return "told after paying"
        paid = fall.covered_at is not None and fall.covered_at < told
        return "told before the payment was heard of" if paid else "told"
    latest = allowed_from(QUIET, zone(fall.contract), fall.heard_at) + slack
    latest = max(latest, allowed_from(QUIET, zone(fall.contract), latest))
    if fall.sure_at is not None and fall.sure_at <= latest:
        return "paid before it could be told"
    if latest >= fall.at + AGE:
        return "heard of too late"
    return "missed"


def _heard_of_it(fall: Crossing, told: datetime) -> bool:
    # What was heard in the last step was heard before anything left in it.
    return fall.sure_at is not None and fall.sure_at <= told
