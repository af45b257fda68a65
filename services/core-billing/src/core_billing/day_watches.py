"""Watches that count days: a block that is near, and fees for which the money does not suffice.

They are not judged where money moves, because a forecast costs reads: a job looks at everybody
once a day, and within a minute at those whose money moves while they wait for more days.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from core_billing import prospects, recommend, terms, watch_rows, watch_rules, watches
from core_billing.prospects import AHEAD_DAYS, Prospect
from core_billing.rules import Rules
from core_billing.watch_rows import DAYS, DEFAULT_WATCHER, FEE
from core_billing.watch_rules import State, Uncovered
from shared.db import Tx
from shared.events import BalanceLow, BalanceRecovered, Event
from shared.events_billing import FeeUpcoming

_MONTH: Final = timedelta(days=30)
_NEW: Final = State(armed=True, crossing=0)


@dataclass(frozen=True, slots=True)
class Watch:
    """A live watch that counts days, and what it remembers."""

    contract_id: int
    watcher: str
    kind: str
    days: int
    state: State = _NEW
    said_for: date | None = None
    seen_kopecks: int | None = None
    known: bool = False
    """Whether it has a row."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be remembered of a watch, and said."""

    watch: Watch
    found: Prospect
    state: State
    said_for: date | None
    told: Uncovered | None = None

    @property
    def is_news(self) -> bool:
        """Say whether something is to be said or remembered, beside the money that was seen."""
        return self.state != self.watch.state or self.said_for != self.watch.said_for


async def find_news(
    tx: Tx, rules: Rules, contract_ids: Collection[int], at: datetime
) -> list[tuple[int, str]]:
    """Return id and number of those of these contracts of whom something is to be said now."""
    watched = await _watches(tx, rules, contract_ids)
    # A day beyond the margin, so that a block that is far enough away is told from a near one.
    ahead = max((one.days for one in watched), default=0) + 2
    judged = await _judge(tx, rules, watched, at, ahead)
    found = {one.watch.contract_id: one.found.position.number for one in judged if one.is_news}
    return sorted(found.items())


async def look(tx: Tx, rules: Rules, contracts: Mapping[int, str], at: datetime) -> list[Event]:
    """Judge the watches of locked contracts; return what is to be said of them.

    `contracts` gives each id the correlation id of what is said.
    """
    watched = await _watches(tx, rules, contracts)
    judged = await _judge(tx, rules, watched, at, AHEAD_DAYS)
    changed = [one for one in judged if one.is_news or _is_seen_anew(one)]
    await watch_rows.change(tx, [_row(one) for one in changed if one.watch.known])
    await watch_rows.add(tx, [_row(one) for one in changed if not one.watch.known])
    return [
        event
        for one in changed
        for event in _events(rules, one, at, contracts[one.watch.contract_id])
    ]


def horizon(rules: Rules, farthest_days: int) -> int:
    """Return how many days ahead somebody may want to hear of something."""
    return max(rules.low_balance_days, rules.fee_notice_days, farthest_days)


async def _judge(
    tx: Tx, rules: Rules, watched: Collection[Watch], at: datetime, days: int
) -> list[Verdict]:
    ids = {one.contract_id for one in watched}
    found = await prospects.find(tx, rules, ids, at, days)
    today = rules.day(at)
    return [_verdict(one, found[one.contract_id], today) for one in watched]


async def _watches(tx: Tx, rules: Rules, contract_ids: Collection[int]) -> list[Watch]:
    """Return the live watches of contracts, those without a row among them."""
    own = await terms.low_days(tx, contract_ids)
    rows = await watch_rows.counting_days(tx, contract_ids)
    kept = {(row.contract_id, row.watcher, row.kind) for row in rows}
    found = [_read(rules, row, own.get(row.contract_id)) for row in rows if not row.cleared]
    for each in sorted(contract_ids):
        for kind in (DAYS, FEE):
            if (each, DEFAULT_WATCHER, kind) not in kept:
                days = _days(rules, kind, own.get(each))
                found.append(Watch(each, DEFAULT_WATCHER, kind, days))
    # What was said while days were counted is over in its time, though they no longer are.
    return [
        one for one in found if one.days or one.watcher != DEFAULT_WATCHER or not one.state.armed
    ]


def _read(rules: Rules, row: Any, own_days: int | None) -> Watch:
    default = _days(rules, row.kind, own_days) if row.watcher == DEFAULT_WATCHER else 0
    return Watch(
        contract_id=row.contract_id,
        watcher=row.watcher,
        kind=row.kind,
        days=default if row.days is None else row.days,
        state=State(row.armed, row.crossing),
        said_for=row.said_for,
        seen_kopecks=row.seen_kopecks,
        known=True,
    )


def _days(rules: Rules, kind: str, own_days: int | None) -> int:
    """Return how many days before a contract is told by default; 0 is not at all."""
    if kind == FEE:
        return rules.fee_notice_days
    return rules.low_balance_days if own_days is None else own_days


def _verdict(one: Watch, found: Prospect, today: date) -> Verdict:
    if one.kind == FEE:
        lacking = watch_rules.uncovered(found.position, today, one.days)
        if lacking is None or (one.said_for is not None and lacking.day <= one.said_for):
            return Verdict(one, found, one.state, one.said_for)
        news = watch_rules.is_news(one.said_for, lacking.day)
        return Verdict(one, found, one.state, lacking.day, lacking if news else None)
    if found.position.blocked or not found.position.open:
        # Not recovered: what was said has come true, or is of no account.
        return Verdict(one, found, one.state, None)
    blocks_on = found.blocks_on
    left = None if blocks_on is None else (blocks_on - today).days
    return Verdict(one, found, watch_rules.judged_days(one.state, left, one.days), None)


def _is_seen_anew(one: Verdict) -> bool:
    waits = one.watch.kind == DAYS and not one.state.armed
    return waits and one.watch.seen_kopecks != one.found.position.available_kopecks


def _row(one: Verdict) -> dict[str, Any]:
    return {
        "contract_id": one.watch.contract_id,
        "watcher": one.watch.watcher,
        "kind": one.watch.kind,
        "armed": one.state.armed,
        "crossing": one.state.crossing,
        "said_for": one.said_for,
        "seen_kopecks": one.found.position.available_kopecks if one.watch.kind == DAYS else None,
    }


def _events(rules: Rules, one: Verdict, at: datetime, correlation_id: str) -> Iterator[Event]:
    if one.told is not None:
        yield _upcoming(rules, one, one.told, at, correlation_id)
    elif one.state.armed and not one.watch.state.armed:
        body = BalanceRecovered(
            contract=one.found.position.number,
            occurred_at=at,
            watcher=one.watch.watcher,
            kind=DAYS,
            crossing=one.state.crossing,
            balance_kopecks=one.found.position.balance_kopecks,
        )
        yield watches.said(rules, body, correlation_id)
    elif one.watch.state.armed and not one.state.armed:
        yield watches.said(rules, _low(one, at), correlation_id)


def _low(one: Verdict, at: datetime) -> BalanceLow:
    blocks_on = one.found.blocks_on
    return BalanceLow(
        contract=one.found.position.number,
        occurred_at=at,
        watcher=one.watch.watcher,
        kind=DAYS,
        crossing=one.state.crossing,
        threshold_kopecks=0,
        balance_kopecks=one.found.position.balance_kopecks,
        needed_kopecks=one.found.needed_kopecks,
        blocks_on=None if blocks_on is None else blocks_on.isoformat(),
    )


def _upcoming(
    rules: Rules, one: Verdict, lacking: Uncovered, at: datetime, correlation_id: str
) -> Event:
    position, until = one.found.position, lacking.day
    # Fees of every day are told as one shortage: who pays it has to hear of more than its first.
    if one.watch.watcher != DEFAULT_WATCHER and watch_rules.goes_on(position, until):
        until += _MONTH
    lines = recommend.for_fees(position, until)
    body = FeeUpcoming(
        contract=position.number,
        occurred_at=at,
        watcher=one.watch.watcher,
        fees_on=lacking.day,
        fee_kopecks=lacking.fee_kopecks,
        balance_kopecks=position.balance_kopecks,
        available_kopecks=position.available_kopecks,
        needed_kopecks=sum(line.kopecks for line in lines),
        lines=prospects.told(lines),
        blocks_on=one.found.blocks_on,
    )
    return body.event(
        rules.producer.name,
        subject=position.number,
        revision=f"{one.watch.watcher}:{FEE}:{lacking.day}",
        correlation_id=correlation_id,
    )
