"""Whether a message that speaks of money is still true when it is about to leave. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from notifier.facts import Fact, FeeComing
from notifier.kinds import KINDS


@dataclass(frozen=True, slots=True)
class Standing:
    """How a contract stands as far as we have heard; None for what nobody has told us."""

    kopecks: int | None = None
    blocked: bool | None = None


def untrue(kind: str, facts: Fact, standing: Standing) -> str | None:
    """Return why a message must not be told any more, or None.

    Without a known balance it is told: the event that brought the fact was the last word.
    """
    if kind in ("blocked", "unblocked") and standing.blocked is not None:
        if standing.blocked == (kind == "blocked"):
            return None
        return "blocked_again" if standing.blocked else "unblocked"
    if not KINDS[kind].recheck or standing.kopecks is None:
        return None
    enough = facts.enough_kopecks
    return "paid" if enough is not None and standing.kopecks >= enough else None


def anew(kind: str, facts: Fact, standing: Standing) -> Fact | None:
    """Return the facts with the balance of now where that is another one, else None."""
    enough = facts.enough_kopecks
    if not KINDS[kind].recheck or standing.kopecks is None or enough is None:
        return None
    if getattr(facts, "balance_kopecks", standing.kopecks) == standing.kopecks:
        return None
    changed: dict[str, object] = {
        "balance_kopecks": standing.kopecks,
        "needed_kopecks": enough - standing.kopecks,
    }
    if isinstance(facts, FeeComing):
        changed["lines"] = ()  # they explained another sum
    return facts.model_copy(update=changed)
