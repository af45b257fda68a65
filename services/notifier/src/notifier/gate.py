"""What may leave now: the last look before a message does, in the transaction that leases it.

The money is held against what core said last, quiet hours against the recipient's clock, and
frequency against what has left for the contract. What may not leave yet is due later; what is no
longer true is dropped, and a text whose money has changed is written anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import Row, or_, select

from notifier import balances, leases, standing
from notifier.deadlines import leaves_from
from notifier.facts import FACTS, Fact
from notifier.journal import NEW_SIGNAL
from notifier.kinds import KINDS
from notifier.limits import DAY, NO_LIMITS, Limits
from notifier.message_table import in_state, message
from notifier.quiet import QuietHours
from notifier.standing import Standing
from shared.db import Tx, raise_signal
from shared.rows import among

_MONEY: Final = frozenset(name for name, kind in KINDS.items() if kind.recheck) | {
    "blocked",
    "unblocked",
}
# One on its way is in doubt, too; what a provider has certainly not taken disturbed nobody.
_MAY_HAVE_LEFT: Final = or_(in_state("sent", "undelivered"), message.c.doubtful)


@dataclass(frozen=True)
class Rules:
    """When messages may leave, and how often."""

    quiet: QuietHours | None = None
    limits: Limits = NO_LIMITS
    remind_after: timedelta = timedelta(days=3)
    remind_max: int = 0


DEFAULT_RULES: Final = Rules()


@dataclass
class Verdicts:
    """What the last look has decided."""

    leaving: list[Row[Any]] = field(default_factory=list)
    dropped: list[dict[str, Any]] = field(default_factory=list)
    anew: list[dict[str, Any]] = field(default_factory=list)
    held: list[dict[str, Any]] = field(default_factory=list)


async def look(
    tx: Tx, channel: str, rows: Sequence[Row[Any]], rules: Rules, at: datetime
) -> Verdicts:
    """Decide about due messages, and write what does not leave now."""
    verdicts = Verdicts()
    money = await standings(tx, rows)
    left = await _left_lately(tx, channel, rows, rules, at)
    for row in rows:
        _judge(verdicts, row, money, left, rules, at)
    for group in (verdicts.dropped, verdicts.anew, verdicts.held):
        await leases.change(tx, group)
    return verdicts


def wake(tx: Tx, verdicts: Verdicts) -> None:
    """Have the texts that are no longer right written anew at once."""
    if verdicts.anew:
        raise_signal(tx, NEW_SIGNAL)


async def standings(tx: Tx, rows: Sequence[Row[Any]]) -> Mapping[str, Standing]:
    """Return how the contracts stand of which messages speak whose truth hangs on that."""
    return await balances.find(tx, {row.contract for row in rows if row.kind in _MONEY})


def untrue(row: Row[Any], money: Mapping[str, Standing]) -> str | None:
    """Return why a message must not be told any more, or None."""
    facts, known = _facts(row), money.get(row.contract)
    return standing.untrue(row.kind, facts, known) if facts and known else None


def anew(row: Row[Any], money: Mapping[str, Standing]) -> Fact | None:
    """Return a message's facts with the money of now where that has changed, else None."""
    facts, known = _facts(row), money.get(row.contract)
    return standing.anew(row.kind, facts, known) if facts and known else None


def _judge(
    verdicts: Verdicts,
    row: Row[Any],
    money: Mapping[str, Standing],
    left: Mapping[str, list[datetime]],
    rules: Rules,
    at: datetime,
) -> None:
    reason = untrue(row, money)
    # After a first attempt the words stay: whoever got them must not get others under one key.
    changed = None if reason or row.attempts else anew(row, money)
    if reason:
        verdicts.dropped.append(ended(row.id, reason, at))
    elif changed:
        verdicts.anew.append(
            {
                "id": row.id,
                "state": "new",
                "facts": changed.model_dump_json(),
                "sealed": None,
                "due_at": at,
            }
        )
    elif (moment := _free_from(row, left, rules, at)) > at:
        verdicts.held.append({"id": row.id, "due_at": moment})
    else:
        verdicts.leaving.append(row)
        if row.contract in left:
            left[row.contract].append(at)


def ended(this: UUID, reason: str, at: datetime) -> dict[str, Any]:
    """Return the columns of a message that is dropped."""
    return {"id": this, "state": "dropped", "reason": reason, "done_at": at}


def _free_from(
    row: Row[Any], left: Mapping[str, list[datetime]], rules: Rules, at: datetime
) -> datetime:
    moment = leaves_from(rules.quiet, row.zone, row.kind, row.facts, at)
    if row.contract in left and _counted(row.kind) and not row.attempts:
        moment = max(moment, rules.limits.free_from(left[row.contract], at))
    return moment


async def _left_lately(
    tx: Tx, channel: str, rows: Sequence[Row[Any]], rules: Rules, at: datetime
) -> dict[str, list[datetime]]:
    """Return when messages left in the last day, for the contracts that limits are asked of."""
    contracts = sorted({row.contract for row in rows if _counted(row.kind)})
    if not contracts or not rules.limits:
        return {}
    left: dict[str, list[datetime]] = {contract: [] for contract in contracts}
    found = await tx.execute(
        select(message.c.contract, message.c.tried_at).where(
            among(tx, message.c.contract, contracts),
            message.c.channel == channel,
            message.c.tried_at > at - DAY,
            _MAY_HAVE_LEFT,
        )
    )
    for row in found:
        left[row.contract].append(row.tried_at)
    return left


def _counted(kind: str) -> bool:
    known = KINDS.get(kind)
    return known is not None and known.counted


def _facts(row: Row[Any]) -> Fact | None:
    model = FACTS.get(row.kind)
    if model is None or row.kind not in _MONEY:
        return None
    try:
        return model.model_validate_json(row.facts)
    except ValidationError:
        return None
