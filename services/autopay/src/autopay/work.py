"""What autopay does by itself: charges that are to be said or made, days, and missing outcomes.

Each step takes a batch of contracts that nobody else holds, and looks at them as at any other
news. A case that cannot be decided holds up nobody but itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import Select

from autopay import accounts, charges, mandate_table, outcomes, reviews, telling
from autopay.autopay import Autopay
from autopay.case import Account, State
from autopay.outcome import booked
from shared import outbox
from shared.db import is_outage, transaction
from shared.metrics import alarm

BATCH_MAX: Final = 500
ASK_AGAIN: Final = timedelta(minutes=1)
"""The least time between two askings for one charge."""

_log = structlog.get_logger(__name__)

Due = Callable[[datetime], Select[Any]]


async def announce_due(autopay: Autopay) -> bool:
    """Say the charges whose notice is due."""
    return await _step(autopay, charges.to_announce)


async def request_due(autopay: Autopay) -> bool:
    """Ask for the charges whose moment has come."""
    return await _step(autopay, charges.to_request)


async def look_due(autopay: Autopay) -> bool:
    """Look at mandates whose pause is over, whose day is near, or whose month has begun."""
    return await _step(autopay, mandate_table.to_look)


async def ask_again(autopay: Autopay) -> bool:
    """Ask again for charges that have no outcome although they are dead: an event may be lost.

    A gateway sends nothing after `not_after`, so that this makes no charge: it says again what
    became of it, or that it was never made. The pauses double, and after a day nobody asks.
    """
    at = autopay.clock()
    async with transaction(autopay.db) as tx:
        silent = await charges.unanswered(tx, at, BATCH_MAX)
        if not silent:
            return False
        asked = {telling.request_id(autopay, each.id): each for each in silent}
        said = await outbox.published(tx, asked)
        due = [
            this
            for this, moment in said.items()
            if at - moment >= max(ASK_AGAIN, moment - (asked[this].requested_at or moment))
        ]
        await outbox.say_again(tx, due, at)
    for this in due:
        _log.warning("charge.asked_again", charge_id=asked[this].id, contract=asked[this].contract)
    return False


async def watch_unclear(autopay: Autopay) -> bool:
    """Mark charges that have no outcome long after they were dead; each is an alarm, once.

    They stay in flight: nobody knows whether they were made, so no other is made instead. One whose
    money is on its contract has succeeded, although its gateway's word is lost.
    """
    at = autopay.clock()
    async with transaction(autopay.db) as tx:
        due = charges.overdue(at - autopay.rules.unclear_after).limit(BATCH_MAX)
        held = await accounts.lock_free(tx, due, BATCH_MAX)
        if not held:
            return False
        known = await charges.of(tx, held, at)
        late = [
            each
            for each in (charge for made in known.values() for charge in made)
            if each.state is State.REQUESTED
            and each.not_after is not None
            and each.not_after < at - autopay.rules.unclear_after
        ]
        paid = [booked(each) for each in late if each.credited_at is not None]
        await outcomes.keep(tx, paid, {}, at)
        silent = [replace(each, state=State.UNCLEAR) for each in late if each.credited_at is None]
        await charges.write(tx, silent)
    for each in silent:
        alarm(
            "autopay_charge_unclear",
            charge_id=each.id,
            contract=each.contract,
            provider=each.method.provider,
            correlation_id=each.correlation_id,
        )
    return len(held) == BATCH_MAX


async def _step(autopay: Autopay, due: Due) -> bool:
    at = autopay.clock()
    found: Mapping[str, Account] = {}
    try:
        async with transaction(autopay.db) as tx:
            found = await accounts.lock_free(tx, due(at).limit(BATCH_MAX), BATCH_MAX)
            await reviews.review(tx, autopay, found, {}, at)
    except Exception as error:
        if is_outage(error) or not found:
            raise
        _log.warning("work.batch_split", contracts=len(found), error=repr(error))
        await _one_by_one(autopay, found, at)
        return False
    return len(found) == BATCH_MAX


async def _one_by_one(autopay: Autopay, found: Mapping[str, Account], at: datetime) -> None:
    for contract in found:
        try:
            async with transaction(autopay.db) as tx:
                held = await accounts.lock(tx, [contract])
                await reviews.review(tx, autopay, held, {}, at)
        except Exception as error:
            if is_outage(error):
                raise
            alarm("autopay_undecided", contract=contract, error=repr(error))
