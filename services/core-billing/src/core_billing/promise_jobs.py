"""What promised payments do by themselves: they end, say so before, and are given automatically.

Each batch is a transaction; a contract that another replica works on is left to it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from core_billing import (
    accounts,
    consequences,
    promise_candidates,
    promise_grants,
    promise_rows,
    promise_rules,
    promises,
    terms,
)
from core_billing.changes import Change
from core_billing.policies import PROMISE, of_group
from core_billing.policy_rows import Policies
from core_billing.promise_grants import Gift
from core_billing.promise_rows import Origin, Promise, Status
from core_billing.promise_rules import Candidate, Wish
from core_billing.promises import Closing
from core_billing.rules import Core, Rules
from shared import log, outbox
from shared.db import Tx, transaction
from shared.errors import SaldoError
from shared.events import Event
from shared.events_billing import PromiseEnding

BATCH_MAX: Final = 200
EVERY_SECONDS: Final = 30.0


async def step(core: Core, limit: int = BATCH_MAX) -> bool:
    """End one batch of promises and announce the end of another; say whether more may be due."""
    at = core.clock()
    async with transaction(core.db) as tx:
        ended = await end_due(tx, core.rules, at, limit)
    async with transaction(core.db) as tx:
        told = await say_ending(tx, core.rules, at, limit)
    return max(ended, told) == limit


async def end_due(tx: Tx, rules: Rules, at: datetime, limit: int) -> int:
    """End promises whose time is over, each contract once; return how many.

    Where balance and credit limit are above zero nothing is owed; else it is overdue.
    """
    names = await promise_rows.lock_due(tx, at, limit)
    due, own = await _locked(tx, names)
    due = [one for one in due if one.until <= at and one.status is Status.ACTIVE]
    correlation_id = log.new_correlation_id()
    overdue = [one for one in due if own[one.contract_id] < 0]
    fine = [one for one in due if own[one.contract_id] >= 0]
    closings = [Closing(one, "ended", correlation_id) for one in fine]
    said = await promises.close(tx, rules, closings, at)
    said += await _become_overdue(tx, rules, overdue, at, correlation_id)
    changes = [Change(one.contract_id, one.number, correlation_id, tied=True) for one in due]
    said += await consequences.follow(tx, rules, changes, at)
    await outbox.add(tx, rules.producer, said, at)
    return len(due)


async def say_ending(tx: Tx, rules: Rules, at: datetime, limit: int) -> int:
    """Say once of promises still owed that they end within 24 hours; return how many."""
    names = await promise_rows.lock_ending(tx, at, limit)
    ending, own = await _locked(tx, names)
    ending = [one for one in ending if one.ending_said_at is None and at < one.until]
    rows = [{"id": one.id, "ending_said_at": at, "revision": one.revision + 1} for one in ending]
    await promise_rows.change(tx, rows)
    said = [_ending(rules, one, own[one.contract_id], at) for one in ending]
    await outbox.add(tx, rules.producer, said, at)
    return len(ending)


async def before_block(
    tx: Tx, rules: Rules, policies: Policies, contract_ids: Collection[int], at: datetime
) -> set[int]:
    """Give automatic promises to those of these contracts that want one and may have it.

    Returns those that are saved by it: they lack nothing any more. The caller has locked the
    contracts, a bounded batch, and `policies` hold the settings of their groups.
    """
    held = await terms.find_all(tx, contract_ids)
    wanting = {each: one for each, one in held.items() if one.automatic_promise}
    if not wanting:
        return set()
    found = await promise_candidates.candidates(tx, rules, wanting, at)
    gifts = [automatic(rules, policies, one, at) for one in found.values()]
    given = await promise_grants.give(tx, rules, [one for one in gifts if one is not None], at)
    return set(given)


def automatic(rules: Rules, policies: Policies, candidate: Candidate, at: datetime) -> Gift | None:
    """Return the promise that a contract gets by itself; none where a rule says no."""
    rule = policies.get(PROMISE, of_group(candidate.group))
    if not rule.automatic or candidate.available_kopecks >= 0:
        return None
    today = rules.day(at)
    last_day = promise_rules.last_day_by_rule(rule, candidate.since, Origin.AUTOMATIC, today)
    amount = promise_rules.suggested(rule, candidate, rule.fee.kopecks, last_day)
    wish = Wish(Origin.AUTOMATIC, amount)
    try:
        decision = promise_rules.decide(rule, candidate, wish, today)
    except SaldoError:
        return None
    by = rules.producer.name
    return Gift(candidate, decision, Origin.AUTOMATIC, by, log.new_correlation_id())


async def _locked(tx: Tx, names: Sequence[str]) -> tuple[list[Promise], dict[int, int]]:
    """Return the open promises of locked accounts as they now are, and what they have without.

    They may have changed between the choice and the lock.
    """
    kept = await accounts.lock(tx, names)
    own = {one.account_id: one.kopecks + one.credit_limit_kopecks for one in kept.values()}
    found = await promise_rows.open_of(tx, own) if own else {}
    return list(found.values()), own


async def _become_overdue(
    tx: Tx, rules: Rules, due: Sequence[Promise], at: datetime, correlation_id: str
) -> list[Event]:
    rows = [{"id": one.id, "overdue_at": at, "revision": one.revision + 1} for one in due]
    await promise_rows.change(tx, rows)
    await promise_rows.set_floors(tx, {one.contract_id: 0 for one in due})
    return [promises.said_closed(rules, one, "overdue", at, correlation_id) for one in due]


def _ending(rules: Rules, one: Promise, own_kopecks: int, at: datetime) -> Event:
    body = PromiseEnding(
        contract=one.number,
        occurred_at=at,
        revision=one.revision + 1,
        promise_id=str(one.id),
        amount_kopecks=one.amount_kopecks,
        owed_kopecks=promise_rules.owed(one, own_kopecks),
        until=one.until,
    )
    return body.event(
        rules.producer.name,
        subject=one.number,
        revision=body.revision,
        correlation_id=log.new_correlation_id(),
    )
