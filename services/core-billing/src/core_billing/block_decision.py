"""Who is to be cut off now, of contracts that are short of money, and what spares the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from core_billing import blocks, pending
from core_billing.block_rows import Access
from core_billing.block_rules import Verdict, verdict
from core_billing.policies import BLOCK_CALENDAR
from core_billing.policy_rows import Policies
from core_billing.rules import Rules
from shared.db import Tx


@dataclass(frozen=True)
class Judged:
    """A contract that is short of money, and what is decided about it now."""

    access: Access
    verdict: Verdict
    postponed_until: datetime | None = None
    """A payment on its way spares it until then."""

    @property
    def is_due(self) -> bool:
        """Say whether nothing spares it but a promise that it may be given."""
        return self.verdict.block and self.postponed_until is None


class Circumstances(NamedTuple):
    """What is known of the payments on their way to contracts that are short."""

    heard: dict[int, datetime]
    """When a payment that is still open was heard of."""
    settled: set[int]
    """Those that a payment has reached since their block was postponed."""


def judge(
    rules: Rules, policies: Policies, access: Access, available_kopecks: int, day: date
) -> Verdict:
    """Return what the rules say of a contract with so much available on a day."""
    rule, calendar = blocks.rule_of(policies, access), policies.get(BLOCK_CALENDAR)
    return verdict(rule, calendar, available_kopecks, blocks.short_day(rules, access), day)


async def decide(
    tx: Tx, rules: Rules, policies: Policies, short: Sequence[Access], at: datetime
) -> list[Judged]:
    """Return those of these contracts whose rule cuts them off now, spared or not.

    The tariffs of their services have been asked before: see `exempt`.
    """
    day = rules.day(at)
    ruled = [(one, judge(rules, policies, one, one.available_kopecks, day)) for one in short]
    due = [(one, said) for one, said in ruled if said.block]
    if not due:
        return []
    around = await circumstances(tx, [one for one, _ in due], at)
    return [Judged(one, said, postponed(one, around, at)) for one, said in due]


async def circumstances(tx: Tx, due: Sequence[Access], at: datetime) -> Circumstances:
    """Return what is on its way to contracts that are to be cut off."""
    heard = await pending.open_since(tx, [one.contract_id for one in due], at)
    before = {
        one.contract_id: one.state.postponed_until - pending.POSTPONES
        for one in due
        if one.contract_id in heard and one.state.postponed_until is not None
    }
    return Circumstances(heard, await pending.settled(tx, before))


def postponed(one: Access, around: Circumstances, at: datetime) -> datetime | None:
    """Return until when a contract is spared because its payer has confirmed a payment.

    Once: another payment on its way spares it again only after one has arrived.
    """
    until = one.state.postponed_until
    if until is not None and at < until:
        return until
    heard = around.heard.get(one.contract_id)
    if heard is None or (until is not None and one.contract_id not in around.settled):
        return None
    return heard + pending.POSTPONES
