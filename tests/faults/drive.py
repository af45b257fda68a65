"""One run on a stage that is up: prepare, let it happen, wait for the end, check."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from faults import judging, leftovers, load, truth
from faults.judging import Crowd, Verdict
from faults.leftovers import HEARERS
from faults.load import Load
from faults.plan import Blow, Plan
from faults.provider import EARLY
from faults.stage import Stage
from faults.strikes import Striker
from faults.supervised import run_once
from faults.truth import Callbacks
from servers.processes import ServerFailed

CONVERGE_SECONDS: Final = 150.0
_LOOK_SECONDS: Final = 1.0


@dataclass
class Outcome:
    """What a run has shown; it was a good one where `faults` is empty."""

    verdict: Verdict
    statuses: Mapping[str, int]
    """The provider's payments by status."""
    load: Load
    striker: Striker
    kills: Mapping[str, int]
    ended: Mapping[str, list[int]]
    """Processes that ended by themselves, with their exit statuses."""
    made_seconds: float
    converged_seconds: float
    slow_lane: int
    verified: str
    hits: Mapping[str, int]
    """How often each kind of fault befell a call to the provider."""
    faults: list[str] = field(default_factory=list)

    @property
    def callbacks(self) -> Callbacks:
        """The account of all notifications."""
        return self.verdict.callbacks


async def drive(stage: Stage, plan: Plan, until: float = math.inf) -> Outcome:
    """Run a plan on a stage; `until`, by the monotonic clock, all must have come to its end."""
    await load.prepare(stage, plan)
    await _until_heard(stage, len(plan.contracts))
    crowd = Crowd(load.people(stage, plan), load.payers(stage, plan), load.subscribers(stage, plan))
    people, payers = crowd.people, crowd.payers
    striker = Striker(stage, people.started)
    await people.provider.make_trouble()
    await payers.make_trouble()
    await asyncio.gather(
        people.run(),
        payers.run(),
        crowd.subscribers.run(),
        striker.strike_all(plan.strikes),
    )
    hits = await people.provider.calm_down()
    await payers.calm_down()
    made = time.monotonic()
    left = await converge(stage, min(made + CONVERGE_SECONDS, until))
    return await _outcome(stage, plan, crowd, striker, hits, made, left)


async def converge(stage: Stage, until: float) -> Mapping[str, int]:
    """Wait until nothing is on its way any more; return what still is when the time is over."""
    left: Mapping[str, int] = {"nothing was looked at": 1}
    while left and time.monotonic() < until:
        await asyncio.sleep(_LOOK_SECONDS)
        left = await leftovers.waiting(stage)
    return left


async def _outcome(
    stage: Stage,
    plan: Plan,
    crowd: Crowd,
    striker: Striker,
    hits: Mapping[str, int],
    made: float,
    left: Mapping[str, int],
) -> Outcome:
    converged = time.monotonic()
    verdict = await judging.judge(stage, plan, crowd)
    verified, verify_faults = _verify(stage)
    return Outcome(
        verdict=verdict,
        statuses=truth.statuses(stage.store),
        load=crowd.people,
        striker=striker,
        kills={name: each.kills for name, each in stage.processes.items()},
        ended={name: each.ended for name, each in stage.processes.items() if each.ended},
        made_seconds=made - crowd.people.started,
        converged_seconds=converged - made,
        slow_lane=await leftovers.slow_lane(stage.tables),
        verified=verified,
        hits=hits,
        faults=[
            *(f"still on its way: {count} {what}" for what, count in left.items()),
            *verdict.faults,
            *verify_faults,
            *await _stop(stage),
            *_shown_nothing(plan, striker, hits),
        ],
    )


def _shown_nothing(plan: Plan, striker: Striker, hits: Mapping[str, int]) -> Sequence[str]:
    """Return what of the plan has hit nothing, so that it proves nothing."""
    purged = {strike.target for strike in plan.strikes if strike.blow is Blow.PURGE}
    found = [
        f"the purge of {queue} found nothing to throw away, so it has shown nothing"
        for queue in sorted(purged)
        if not striker.purged[queue]
    ]
    if not hits[EARLY]:
        found.append("no callback came before its payment's creation was answered")
    return found


async def _until_heard(stage: Stage, contracts: int) -> None:
    """Wait until everybody knows every contract from the bus."""
    for _ in range(300):
        asked = "SELECT COUNT(*) FROM contract"
        found = [(await stage.tables.rows(each, asked))[0][0] for each in HEARERS]
        if all(count == contracts for count in found):
            return
        await asyncio.sleep(0.1)
    raise ServerFailed("a service has not heard of the contracts")


async def _stop(stage: Stage) -> list[str]:
    """Stop what was killed so often once in order."""
    statuses = {name: await each.stop() for name, each in stage.processes.items()}
    return [f"{name} ended with {status}" for name, status in statuses.items() if status != 0]


def _verify(stage: Stage) -> tuple[str, list[str]]:
    """Let core-billing prove its own books as well."""
    try:
        printed = run_once(["-m", "core_billing", "verify"], stage.settings)
    except ServerFailed as error:
        return "failed", [str(error)]
    return printed.strip().splitlines()[-1] if printed.strip() else "silent", []
