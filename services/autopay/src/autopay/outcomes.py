"""Concludes charges by what gateways and core-billing say of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from autopay import charges, occasions
from autopay.case import Charge, State
from autopay.mandate import Trigger
from autopay.outcome import Outcome, booked, conclude, unknown
from shared.db import Tx
from shared.metrics import alarm


async def contracts_of(tx: Tx, said: Sequence[Outcome]) -> set[str]:
    """Return whose charges are spoken of: as they are known here, else as it is said."""
    known = await charges.named(tx, {each.charge_id for each in said})
    of_known = {each.contract for each in known.values()}
    return of_known | {each.contract for each in said if each.contract is not None}


async def keep(
    tx: Tx, said: Sequence[Outcome], credited: Mapping[str, datetime], at: datetime
) -> dict[str, str]:
    """Conclude charges of locked contracts; return those that have failed now, by contract.

    `credited` names the charges whose money has been posted. That proves a success as well, but
    only marks it: the gateway's own word concludes the charge, for as long as it can be hoped for.
    """
    ids = {each.charge_id for each in said} | credited.keys()
    before = await charges.named(tx, ids)
    after = dict(before)
    failed: dict[str, str] = {}
    for each in said:
        charge = after.get(each.charge_id)
        if charge is None:
            _meet(after, each, at)
            continue
        now = conclude(charge, each, at)
        after[charge.id] = now.charge
        if now.alarm is not None:
            alarm(now.alarm, charge_id=charge.id, contract=charge.contract, state=charge.state)
        if now.charge.state is State.FAILED and charge.state is not State.FAILED:
            failed[charge.contract] = charge.id
    for charge_id, moment in credited.items():
        if charge_id in after and after[charge_id].credited_at is None:
            after[charge_id] = replace(after[charge_id], credited_at=moment)
        if charge_id in after and after[charge_id].state is State.UNCLEAR:
            charge = after[charge_id]
            after[charge_id] = conclude(charge, booked(charge), at).charge
    await charges.insert(tx, [each for each in after.values() if each.id not in before])
    changed = [each for each in after.values() if each.id in before and each != before[each.id]]
    await charges.write(tx, changed)
    await _close_days(tx, changed, at)
    return {each: this for each, this in failed.items() if after[this].state is State.FAILED}


def _meet(known: dict[str, Charge], said: Outcome, at: datetime) -> None:
    """Take note of a charge that is not known here: after a restored backup it may have been."""
    alarm("autopay_charge_unknown", charge_id=said.charge_id, contract=said.contract)
    if said.succeeded:
        known[said.charge_id] = unknown(said, at)


async def _close_days(tx: Tx, changed: Iterable[Charge], at: datetime) -> None:
    """A day's fixed sum that has been paid is all that its day asked for."""
    paid = {
        (each.contract, each.occasion)
        for each in changed
        if each.state is State.SUCCEEDED and each.why == Trigger.DAY
    }
    known = await occasions.named(tx, paid)
    closed = [
        replace(each, state=occasions.CLOSED, reason="paid", closed_at=at)
        for each in known.values()
        if each.state == occasions.OPEN
    ]
    await occasions.write(tx, closed)
