"""What would be blocked on a night if nothing were paid: the job's own rules, over all contracts.

It counts the fees that fall due by that day and the promises that end; what would spare a contract
is named beside it. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from core_billing import (
    block_decision,
    block_rows,
    block_services,
    outlook,
    promise_candidates,
    promise_jobs,
    terms,
)
from core_billing.block_rows import Access
from core_billing.block_rules import Reason, verdict
from core_billing.forecast import Forecast, foresee
from core_billing.policies import BLOCK_CALENDAR
from core_billing.policy_rows import Policies
from core_billing.position import Position
from core_billing.rules import Rules
from shared.db import Tx

PAGE_MAX: Final = 1000
"""Contracts that are looked at in one piece: those that may lack something by then."""
DAYS_MAX: Final = 92


class Spared(StrEnum):
    """What keeps a contract from being blocked although its rule says so."""

    PENDING_PAYMENT = "pending_payment"
    AUTOMATIC_PROMISE = "automatic_promise"
    EXCLUDED_DAY = "excluded_day"


@dataclass(frozen=True, slots=True)
class Foretold:
    """A contract that would be blocked, or is spared."""

    position: Position
    reason: Reason
    blocks_on: date
    short_since: date
    lacks_kopecks: int
    """What has to be paid so that nothing lacks."""
    spared_by: Spared | None = None

    @property
    def available_kopecks(self) -> int:
        """Return what is available then."""
        return -self.lacks_kopecks


@dataclass(frozen=True, slots=True)
class Piece:
    """What was found among some contracts, and where the next piece begins; None at the end."""

    found: Sequence[Foretold]
    next_after: int | None


async def piece(
    tx: Tx, rules: Rules, policies: Policies, after: int, at: datetime, day: date
) -> Piece:
    """Look at the next contracts after an id: who would be blocked by the end of the night.

    `policies` hold what is set for that day; `policy_rows.load_all` returns them.
    """
    ids = await block_rows.falling(tx, after, PAGE_MAX, day)
    today = rules.day(at)
    exempt = await block_services.exempt(tx, ids, day)
    positions = [
        replace(one, exempt=one.contract_id in exempt)
        for one in await outlook.positions(tx, rules, policies, ids, today)
    ]
    found = [one for each in positions if (one := _foretold(policies, each, today, day))]
    found = await _spare(tx, rules, policies, found, max(at, rules.start(day)))
    return Piece(found, ids[-1] if len(ids) == PAGE_MAX else None)


def _foretold(policies: Policies, position: Position, today: date, day: date) -> Foretold | None:
    """Return what becomes of a contract by a day, if its rule blocks it. Pure."""
    calendar, days = policies.get(BLOCK_CALENDAR), (day - today).days
    foreseen = foresee(position, calendar, today, days)
    spared = None
    if foreseen.blocks_on is None and foreseen.short_on is not None:
        every_day = calendar.model_copy(update={"weekdays": (), "dates": (), "yearly": ()})
        foreseen, spared = foresee(position, every_day, today, days), Spared.EXCLUDED_DAY
    return _shown(policies, position, foreseen, spared)


def _shown(
    policies: Policies, position: Position, foreseen: Forecast, spared: Spared | None
) -> Foretold | None:
    day, since = foreseen.blocks_on, foreseen.short_on
    if day is None or since is None:
        return None
    every_day = policies.get(BLOCK_CALENDAR).model_copy(
        update={"weekdays": (), "dates": (), "yearly": ()}
    )
    said = verdict(position.rule, every_day, -foreseen.lacks_kopecks, since, day)
    return Foretold(position, said.reason, day, since, foreseen.lacks_kopecks, spared)


async def _spare(
    tx: Tx, rules: Rules, policies: Policies, found: Sequence[Foretold], at: datetime
) -> list[Foretold]:
    """Name what would spare these contracts at that moment, as the job would find it."""
    due = [one for one in found if one.spared_by is None]
    if not due:
        return list(found)
    ids = [one.position.contract_id for one in due]
    accesses = {one.contract_id: one for one in await block_rows.find(tx, ids)}
    around = await block_decision.circumstances(tx, list(accesses.values()), at)
    promised = await _promised(tx, rules, policies, due, accesses, at)
    spared: dict[int, Spared] = {}
    for one in due:
        contract_id = one.position.contract_id
        if block_decision.postponed(accesses[contract_id], around, at) is not None:
            spared[contract_id] = Spared.PENDING_PAYMENT
        elif contract_id in promised:
            spared[contract_id] = Spared.AUTOMATIC_PROMISE
    return [
        replace(one, spared_by=spared.get(one.position.contract_id, one.spared_by)) for one in found
    ]


async def _promised(
    tx: Tx,
    rules: Rules,
    policies: Policies,
    due: Sequence[Foretold],
    accesses: Mapping[int, Access],
    at: datetime,
) -> set[int]:
    """Return those that would be given a promise by themselves."""
    lacking = {one.position.contract_id: one.lacks_kopecks for one in due}
    wanting = [each for each in lacking if accesses[each].automatic_promise]
    if not wanting:
        return set()
    held = await terms.find_all(tx, wanting)
    candidates = await promise_candidates.candidates(tx, rules, held, at)
    then = [
        # As much is missing as will be that night, whatever takes it until then.
        replace(one, balance_kopecks=-lacking[one.contract_id] - one.floor_kopecks)
        for one in candidates.values()
    ]
    return {
        one.contract_id
        for one in then
        if promise_jobs.automatic(rules, policies, one, at) is not None
    }
