"""Whether blocks may happen now: the queue of the money is asked, and what withholds them is told.

The decision itself is in `block_guards`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from core_billing import block_guards, life
from core_billing.block_guards import Guard, Withheld
from core_billing.rules import Core
from shared.db import transaction
from shared.metrics import alarm

ALARM_EVERY: Final = timedelta(minutes=1)


@dataclass
class Gate:
    """What one process knows of whether it may block, and when it did what it does seldom."""

    core: Core
    bus_usable: Callable[[], bool]
    began_at: datetime | None = None
    alarmed_at: datetime | None = None
    swept_at: datetime | None = None
    """When the rules of all blocked contracts were last looked at."""


async def may_block(gate: Gate, at: datetime) -> bool:
    """Say whether blocks may happen now; ask the queue of the money, complain of what withholds.

    A queue that nobody has asked lately is asked, and blocks wait for the answer.
    """
    core = gate.core
    own = core.rules.producer
    async with transaction(core.db) as tx:
        signs, stuck = await life.signs(tx), await life.is_stuck(tx)
        here = gate.bus_usable() and not stuck
        found = block_guards.withheld(own.name, own.topology.services, signs, at, bus=here)
        if any(one.service == own.name for one in found) or _is_ageing(signs.get(own.name), at):
            await life.ask_queue(tx, core.rules, at)
    _complain(gate, found, at)
    return not found


def _complain(gate: Gate, found: Sequence[Withheld], at: datetime) -> None:
    """Raise an alarm for what withholds blocks, at most once a minute.

    Nobody is called silent before we have listened for as long as that takes.
    """
    calm = {Guard.QUEUE_ASKED}
    if at - (gate.began_at or at) < block_guards.GATEWAY_MAX:
        calm.add(Guard.GATEWAY_SILENT)
    serious = [one for one in found if one.guard not in calm]
    if not serious or (gate.alarmed_at is not None and at - gate.alarmed_at < ALARM_EVERY):
        return
    gate.alarmed_at = at
    for one in serious:
        alarm("blocks_withheld", reason=str(one.guard), service=one.service)


def _is_ageing(sign: life.Sign | None, at: datetime) -> bool:
    """Say whether it is time to ask again, so that a steady flow of blocks need not wait."""
    return sign is None or sign.said_at is None or at - sign.said_at >= life.ASKED_EVERY
