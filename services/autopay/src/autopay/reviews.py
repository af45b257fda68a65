"""Looks at cases, decides, and writes down what was decided, in the transaction that looked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from autopay import cases, charges, mandate_table, methods, occasions, pauses, telling
from autopay.acts import Acts
from autopay.autopay import Autopay
from autopay.case import Account, Case, Cause
from autopay.decide import decide
from autopay.mandate_table import Kept
from shared import outbox
from shared.db import Tx
from shared.metrics import alarm

_NOTHING = Cause()


async def review(
    tx: Tx,
    autopay: Autopay,
    accounts: Mapping[str, Account],
    causes: Mapping[str, Cause],
    at: datetime,
) -> int:
    """Look at those locked contracts that have a live mandate; return how many there were."""
    found = await cases.live(tx, accounts, at)
    await settle(tx, autopay, found, causes, at)
    return len(found)


async def settle(
    tx: Tx, autopay: Autopay, found: Sequence[Case], causes: Mapping[str, Cause], at: datetime
) -> None:
    """Decide each case, and write down what follows."""
    decided = [
        decide(case, autopay.rules, causes.get(case.contract, _NOTHING), at) for case in found
    ]
    await _write_charges(tx, decided)
    await _write_occasions(tx, decided)
    await mandate_table.write_plans(tx, [kept for acts in decided if (kept := _plan(acts))])
    longest: dict[str, tuple[datetime, str]] = {}
    for acts in decided:
        if acts.stopped:
            await methods.end(tx, acts.stopped, acts.case.contract, methods.STOPPED, at)
        for provider, pause in acts.pauses.items():
            longest[provider] = max(longest.get(provider, pause), pause)
        for kind, what in acts.alarms:
            alarm(kind, **what)
    await pauses.put(tx, longest, at)
    said = [
        event
        for acts in decided
        for event in telling.events(autopay, acts, _correlation(acts, causes))
    ]
    await outbox.add(tx, autopay.producer, said, at)


async def _write_charges(tx: Tx, decided: Sequence[Acts]) -> None:
    """Write what was concluded before what is new: a contract has one open charge at a time.

    Raises RuntimeError where a new one is there already, for then it must not be said.
    """
    before = {each.id: each for acts in decided for each in acts.case.charges}
    after = [each for acts in decided for each in acts.charges.values()]
    await charges.write(tx, [e for e in after if e.id in before and e != before[e.id]])
    new = [each for each in after if each.id not in before]
    written = await charges.insert(tx, new)
    if len(written) < len(new):
        raise RuntimeError("a charge that was planned anew is there already")


async def _write_occasions(tx: Tx, decided: Sequence[Acts]) -> None:
    before = {(each.contract, each.key): each for acts in decided for each in acts.case.occasions}
    after = [each for acts in decided for each in acts.occasions.values()]
    await occasions.open_new(tx, [e for e in after if (e.contract, e.key) not in before])
    known = [(e, before[e.contract, e.key]) for e in after if (e.contract, e.key) in before]
    await occasions.write(tx, [now for now, was in known if now != was])


def _plan(acts: Acts) -> Kept | None:
    """Return what planning has changed of a mandate, if anything."""
    if acts.mandate is None:
        return None
    was = Kept(acts.case.mandate or acts.mandate, acts.case.next_day, acts.case.look_at)
    now = Kept(acts.mandate, acts.next_day, acts.look_at)
    return now if now != was else None


def _correlation(acts: Acts, causes: Mapping[str, Cause]) -> str:
    return causes.get(acts.case.contract, _NOTHING).correlation_id
