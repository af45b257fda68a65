"""Until when a message has to be told, and whether that lets it wait for the morning. Pure."""

from __future__ import annotations

from datetime import date, datetime, time

from notifier.facts import FACTS, AutopayBefore, FeeComing, LowBalance
from notifier.quiet import QuietHours, allowed_from
from shared.clock import MOSCOW


def can_wait(kind: str, written: str) -> bool:
    """Say whether what a journal's row tells is known to be in time in the morning.

    A balance may run out before, where nobody knows the day. What cannot be read waits for nothing:
    whoever writes it will say so.
    """
    try:
        facts = FACTS[kind].model_validate_json(written)
    except ValueError:
        return False
    return not isinstance(facts, LowBalance) or facts.blocks_on is not None


def leaves_from(
    quiet: QuietHours | None, zone: str | None, kind: str, written: str, at: datetime
) -> datetime:
    """Return from when on a message may leave: `at`, or the end of quiet hours.

    What would be too late then leaves at once; what is too late already disturbs nobody at night.
    """
    morning = allowed_from(quiet, zone, at)
    if morning <= at:
        return at
    late = _late_from(kind, written)
    return at if late is not None and at < late <= morning else morning


def _late_from(kind: str, written: str) -> datetime | None:
    """Return from when on it is of no use: money is taken, or services stop."""
    try:
        facts = FACTS[kind].model_validate_json(written)
    except (KeyError, ValueError):
        return None
    if isinstance(facts, AutopayBefore):
        return facts.charge_at
    if isinstance(facts, FeeComing):
        return _begins(min(facts.fees_on, facts.blocks_on or facts.fees_on))
    if isinstance(facts, LowBalance) and facts.blocks_on is not None:
        return _begins(facts.blocks_on)
    return None


def _begins(day: date) -> datetime:
    return datetime.combine(day, time(), MOSCOW)
