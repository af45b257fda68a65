"""One run on a stage that is up: prepare, let it happen, wait for the end, check."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from faults import books, checker, leftovers, load, owed, sbp, truth
from faults.books import Books
from faults.checker import Source
from faults.leftovers import GATEWAYS
from faults.load import Load
from faults.owed import Owed
from faults.plan import Plan
from faults.provider import EARLY
from faults.sbp import People
from faults.settings import SHOP
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

    callbacks: Callbacks
    statuses: Mapping[str, int]
    """The provider's payments by status."""
    provider_kopecks: int
    ledger_kopecks: int
    load: Load
    striker: Striker
    kills: Mapping[str, int]
    ended: Mapping[str, list[int]]
    """Processes that ended by themselves, with their exit statuses."""
    made_seconds: float
    converged_seconds: float
    slow_lane: int
    verified: str
    sbp: Mapping[str, Any] = field(default_factory=dict)
    """What happened at the banks of SBP."""
    hits: Mapping[str, int] = field(default_factory=dict)
    """How often each kind of fault befell a call to the provider."""
    faults: list[str] = field(default_factory=list)


async def drive(stage: Stage, plan: Plan, until: float = math.inf) -> Outcome:
    """Run a plan on a stage; `until`, by the monotonic clock, all must have come to its end."""
    await load.prepare(stage, plan)
    await _until_heard(stage, len(plan.contracts))
    people, payers = load.people(stage, plan), load.payers(stage, plan)
    striker = Striker(stage, people.started)
    await people.provider.make_trouble()
    await payers.make_trouble()
    await asyncio.gather(people.run(), payers.run(), striker.strike_all(plan.strikes))
    hits = await people.provider.calm_down()
    await payers.calm_down()
    made = time.monotonic()
    left = await converge(stage, min(made + CONVERGE_SECONDS, until))
    outcome = await _judge(stage, plan, (people, payers), striker, made, left)
    outcome.hits = hits
    if not hits[EARLY]:
        outcome.faults.append("no callback came before its payment's creation was answered")
    return outcome


async def converge(stage: Stage, until: float) -> Mapping[str, int]:
    """Wait until nothing is on its way any more; return what still is when the time is over."""
    left: Mapping[str, int] = {"nothing was looked at": 1}
    while left and time.monotonic() < until:
        await asyncio.sleep(_LOOK_SECONDS)
        left = await leftovers.waiting(stage)
    return left


async def _judge(
    stage: Stage,
    plan: Plan,
    crowd: tuple[Load, People],
    striker: Striker,
    made: float,
    left: Mapping[str, int],
) -> Outcome:
    converged, (people, payers) = time.monotonic(), crowd
    taken, ledger = truth.payments(stage.store), await books.read(stage.tables)
    debts = owed.owed(plan.orders, taken, SHOP)
    by_sbp = sbp.owed(plan.sbp, stage.store)
    accounts: dict[Source, Sequence[Owed]] = {SHOP: debts} | by_sbp
    everything = [one for each in accounts.values() for one in each]
    back = sbp.returned(plan.sbp, stage.store)
    verified, verify_faults = _verify(stage)
    outcome = Outcome(
        callbacks=truth.callbacks(stage.store),
        statuses=truth.statuses(stage.store),
        provider_kopecks=sum(one.kopecks for one in everything) - sum(one.kopecks for one in back),
        ledger_kopecks=sum(checker.total(ledger, account) for account in accounts),
        sbp={
            "acts": dict(payers.acts),
            "callbacks": sbp.deliveries(stage.store),
            **{
                bank.source: [len(each), sum(one.kopecks for one in each)]
                for bank, each in by_sbp.items()
            },
            "sent back": [len(back), sum(one.kopecks for one in back)],
        },
        load=people,
        striker=striker,
        kills={name: each.kills for name, each in stage.processes.items()},
        ended={name: each.ended for name, each in stage.processes.items() if each.ended},
        made_seconds=made - people.started,
        converged_seconds=converged - made,
        slow_lane=await leftovers.slow_lane(stage.tables),
        verified=verified,
    )
    outcome.faults += [
        *people.refused,
        *payers.refused,
        *(f"still on its way: {count} {what}" for what, count in left.items()),
        *(f"astray: {count} {what}" for what, count in (await leftovers.astray(stage)).items()),
        *checker.keys(owed.made(plan.orders, taken), plan.orders),
        *checker.decided(taken),
        *_ledger(accounts, ledger),
        *checker.returned(back, ledger, sbp.TBANK),
        *checker.sums(everything, ledger, plan.contracts, *accounts, back=back),
        *checker.balances(ledger.balances),
        *checker.held(owed.foreign(taken, SHOP), await leftovers.held(stage.tables)),
        *checker.answers(outcome.callbacks.answered),
        *verify_faults,
    ]
    messages = await leftovers.told(stage)
    if messages is not None:
        for account, each in accounts.items():
            name = account.source.removeprefix("payment:")
            mine = [one for one in messages if one.startswith(f"{name}:")]
            outcome.faults += checker.told(each, mine, account)
    outcome.faults += await _stop(stage)
    if any(strike.blow == "purge" for strike in plan.strikes) and not striker.purged:
        outcome.faults.append("the purge found nothing to throw away, so it has shown nothing")
    return outcome


def _ledger(accounts: Mapping[Source, Sequence[Owed]], ledger: Books) -> list[str]:
    sources = {account.source for account in accounts} | {checker.refunds(sbp.TBANK)}
    found = [checker.ledger(each, ledger, one, sources) for one, each in accounts.items()]
    return [fault for faults in found for fault in faults]


async def _until_heard(stage: Stage, contracts: int) -> None:
    """Wait until the gateway knows every contract from the bus."""
    for _ in range(300):
        asked = "SELECT COUNT(*) FROM contract"
        found = [(await stage.tables.rows(each, asked))[0][0] for each in GATEWAYS]
        if all(count == contracts for count in found):
            return
        await asyncio.sleep(0.1)
    raise ServerFailed("the gateway has not heard of the contracts")


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
