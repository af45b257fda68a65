"""Giving promised payments: the contracts are locked before the rules look at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from core_billing import (
    accounts,
    consequences,
    ledger,
    policy_rows,
    promise_candidates,
    promise_rows,
    promise_rules,
)
from core_billing.accounts import Kept
from core_billing.changes import Change
from core_billing.contracts import Contract
from core_billing.drafts import Draft, Part, Payment
from core_billing.policies import PROMISE, of_group
from core_billing.promise_rows import Origin, Promise
from core_billing.promise_rules import Candidate, Decision, Wish
from core_billing.rules import Rules
from shared import outbox
from shared.db import Tx
from shared.events import Event
from shared.events_billing import PromiseGranted

FEE: Final = f"{accounts.FEE}promise"
"""The source of the fees for promises; a fee is ``promise:<id>`` in it."""


@dataclass(frozen=True, slots=True)
class Gift:
    """A promise that is allowed and is to be given."""

    candidate: Candidate
    decision: Decision
    origin: Origin
    by: str
    correlation_id: str


async def grant(
    tx: Tx,
    rules: Rules,
    contract: Contract,
    wish: Wish,
    by: str,
    at: datetime,
    correlation_id: str,
) -> Promise:
    """Give a promise to a contract, take its fee and unblock it; `by` is who gives it.

    Raises one of `promise_refusals.GIVING`.
    """
    await accounts.lock(tx, [accounts.of_contract(contract.number)])
    candidate = await promise_candidates.candidate(tx, rules, contract.id, at)
    today = rules.day(at)
    policies = await policy_rows.load(tx, today, of_group(candidate.group))
    rule = policies.get(PROMISE, of_group(candidate.group))
    decision = promise_rules.decide(rule, candidate, wish, today)
    gift = Gift(candidate, decision, wish.origin, by, correlation_id)
    return (await give(tx, rules, [gift], at))[contract.id]


async def give(tx: Tx, rules: Rules, gifts: Sequence[Gift], at: datetime) -> dict[int, Promise]:
    """Write allowed promises of locked contracts, with all that follows, in a few statements.

    Returns those given, by contract: none to one that has an open promise.
    """
    made = await promise_rows.insert(tx, [_row(rules, gift, at) for gift in gifts])
    given = [gift for gift in gifts if gift.candidate.contract_id in made]
    if not given:
        return {}
    lowered = {g.candidate.contract_id: g.decision.amount_kopecks for g in given}
    await promise_rows.set_floors(tx, lowered)
    granted = await promise_rows.open_of(tx, made)
    await _take_fees(tx, list(granted.values()), at)
    followed = {g.candidate.contract_id: g.correlation_id for g in given}
    said = [_said(rules, one, at, followed[one.contract_id]) for one in granted.values()]
    changes = [_change(one, followed[one.contract_id]) for one in granted.values()]
    said += await consequences.follow(tx, rules, changes, at)
    await outbox.add(tx, rules.producer, said, at)
    return granted


def _row(rules: Rules, gift: Gift, at: datetime) -> dict[str, Any]:
    until = rules.start(gift.decision.last_day + timedelta(days=1))
    # Who is told of the end now is not told of it again a moment later.
    soon = until - at <= promise_rows.SAID_BEFORE
    return {
        "contract_id": gift.candidate.contract_id,
        "amount_kopecks": gift.decision.amount_kopecks,
        "fee_kopecks": gift.decision.fee_kopecks,
        "paid_kopecks": 0,
        "granted_at": at,
        "until": until,
        "origin": gift.origin,
        "granted_by": gift.by,
        "ending_said_at": at if soon else None,
        "revision": gift.candidate.revision + 1,
    }


async def _take_fees(tx: Tx, granted: Sequence[Promise], at: datetime) -> None:
    charged = {accounts.of_contract(p.number): p for p in granted if p.fee_kopecks > 0}
    if not charged:
        return
    source = (await accounts.sources(tx, [FEE]))[FEE]
    kept: dict[str, Kept] = await accounts.lock(tx, charged)
    drafts = [
        Draft(_fee(one, at), source, 1, (Part(1, name, -one.fee_kopecks),), None)
        for name, one in charged.items()
    ]
    await ledger.write(tx, drafts, kept, at)


def _fee(one: Promise, at: datetime) -> Payment:
    return Payment(
        source=FEE,
        external_id=f"promise:{one.id}",
        amount_kopecks=-one.fee_kopecks,
        allocations=((one.number, -one.fee_kopecks),),
        paid_at=at,
    )


def _change(one: Promise, correlation_id: str) -> Change:
    return Change(one.contract_id, one.number, correlation_id, tied=True)


def _said(rules: Rules, one: Promise, at: datetime, correlation_id: str) -> Event:
    body = PromiseGranted(
        contract=one.number,
        occurred_at=at,
        revision=one.revision,
        promise_id=str(one.id),
        amount_kopecks=one.amount_kopecks,
        fee_kopecks=one.fee_kopecks,
        until=one.until,
        origin=Origin(one.origin).value,
    )
    return body.event(
        rules.producer.name,
        subject=one.number,
        revision=one.revision,
        correlation_id=correlation_id,
    )
