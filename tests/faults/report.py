"""What a run prints: its schedule beforehand, its figures and faults afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from faults.drive import Outcome
from faults.plan import Plan
from faults.truth import Callbacks

SHOWN_MAX: Final = 60


def schedule(kind: str, plan: Plan) -> str:
    """Describe a plan: what will be bought, forged and struck, and when."""
    fates = Counter(str(order.fate) for order in plan.orders)
    strikes = [f"  {s.at:7.2f} s  {s.blow:16} {s.target}" for s in plan.strikes]
    bought = (
        f"{len(plan.orders)} payments on {len(plan.contracts) - len(plan.wishes)} contracts in "
        f"{plan.size.seconds:.0f} s: {_counts(fates)}"
    )
    ends = Counter(str(wish.end) for wish in plan.wishes)
    agreed = f"{len(plan.wishes)} mandates of autopay: {_counts(ends)}"
    lied = f"{len(plan.lies)} forgeries of our own beside the simulator's"
    return "\n".join(
        [f"\n== {kind}, seed {plan.seed}", bought, agreed, lied, "schedule:", *strikes]
    )


def summary(kind: str, outcome: Outcome) -> str:
    """Describe what came of a run, with both totals and every fault."""
    lines = [
        f"\n== {kind}: what happened",
        *(f"  {line}" for line in sorted(outcome.striker.done)),
        f"kills: {_counts(outcome.kills)}; ended by themselves: {dict(outcome.ended) or 'none'}",
        f"provider's payments: {_counts(outcome.statuses)}",
        *_callbacks(outcome.callbacks),
        f"callbacks about unknown payments still in the slow lane: {outcome.slow_lane}",
        f"what befell calls to the provider: {_counts(outcome.hits)}",
        *(f"by SBP, {what}: {said}" for what, said in outcome.verdict.sbp.items()),
        *(f"autopay, {what}: {said}" for what, said in outcome.verdict.autopay.items()),
        f"messages: {_counts(outcome.verdict.messages)}",
        f"clients: {_counts(outcome.load.client.statuses)}",
        f"clients waited {_waited(sorted(outcome.load.seconds))}",
        f"payments were made in {outcome.made_seconds:.0f} s",
        f"all was settled {outcome.converged_seconds:.0f} s later",
        f"core-billing verify: {outcome.verified}",
        f"provider's total {_roubles(outcome.verdict.provider_kopecks)}",
        f"  ledger's total {_roubles(outcome.verdict.ledger_kopecks)}",
        f"faults: {len(outcome.faults)}",
        *(f"  {fault}" for fault in outcome.faults[:SHOWN_MAX]),
    ]
    if len(outcome.faults) > SHOWN_MAX:
        lines.append(f"  and {len(outcome.faults) - SHOWN_MAX} more")
    return "\n".join(lines)


def _callbacks(callbacks: Callbacks) -> Sequence[str]:
    return (
        f"callbacks sent: {callbacks.sent} ({_counts(callbacks.by_kind)})",
        f"callbacks answered: {callbacks.arrived} (with {_counts(callbacks.answered)})",
        f"callbacks never delivered: {callbacks.never_delivered}",
    )


def _counts(counts: Mapping[Any, int]) -> str:
    return ", ".join(f"{what}: {number}" for what, number in counts.items()) or "none"


def _waited(seconds: Sequence[float]) -> str:
    if not seconds:
        return "for nothing"
    middle, late = seconds[len(seconds) // 2], seconds[len(seconds) * 99 // 100]
    return f"{middle:.2f} s (median), {late:.2f} s (p99), {seconds[-1]:.2f} s (longest)"


def _roubles(kopecks: int) -> str:
    return f"{kopecks // 100}.{kopecks % 100:02d} RUB"
