"""When a charge is sent: judged each time it is claimed, immediately before it is sent.

After its first sending the provider's word alone ends it: what is unclear is repeated until
`not_after` and while its method is active, then looked for in the provider's list, and never said
to have failed while nobody knows. Later than its time nothing is sent: a payer is not charged hours
after they were told, nor after they have removed the method.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from shared.db import Tx, reading, transaction
from shared.events_gateway import FailureClass
from shared.gateway import charging, leases, methods, payments, settle
from shared.gateway.charges import UNKNOWN, Refusal, gone
from shared.gateway.charging import Pause
from shared.gateway.gateway import Gateway
from shared.gateway.leases import Lease
from shared.gateway.method import MethodStatus
from shared.gateway.provider import Failure, Refused, Status, Throttled, Unclear
from shared.gateway.settle import Payment
from shared.gateway.settling import announce, conclude
from shared.metrics import alarm

STALE: Final = "not_after"
PAUSED: Final = "charging_paused"

_JUST_AFTER: Final = timedelta(seconds=1)


async def admit(gateway: Gateway, lease: Lease) -> Lease | None:
    """Judge a charge; return its lease where it is to be sent now."""
    at, known = gateway.clock(), lease.payment
    if lease.first_sent_at is not None:
        return lease if await _repeats(gateway, lease, at) else None
    async with transaction(gateway.db) as tx:
        locked = await payments.lock(tx, known.id)
        if locked is None or not await leases.holds(tx, lease):
            return None
        if locked.status is not Status.CREATING:
            await leases.release(tx, lease, None)
            return None
        pause = await charging.paused(tx, known.shop, at)
        refusal = await _judge(tx, locked, pause, at)
        if refusal is None and pause is None:
            return await leases.sending(tx, lease, at, _list_at(gateway, locked, at))
        if refusal is None:
            await leases.release(tx, lease, _wait(locked, pause, at))
            return None
        decision = settle.canceled(locked, refusal.reason, at, refusal.failure)
        await conclude(tx, gateway, [(locked, decision)], at)
        await leases.release(tx, lease, None)
    announce(decision)
    return None


async def hold_back(gateway: Gateway, lease: Lease, refused: Refused, at: datetime) -> None:
    """Pause a shop that may not charge; a charge that was certainly not made waits with it."""
    shop, until = lease.payment.shop, at + gateway.timing.charging_pause
    first = lease.attempt == 1
    doubt = at + gateway.timing.doubt
    async with transaction(gateway.db) as tx:
        pause = Pause(shop, at, until, refused.code)
        began = await charging.pause(tx, pause)
        if first:
            unsent = {"first_sent_at": None, "list_at": None}
            await leases.release(tx, lease, _wait(lease.payment, pause, at), **unsent)
        else:
            # An earlier sending may have been taken, so this refusal proves nothing: ask the list.
            await leases.release(tx, lease, doubt, list_at=doubt)
    if began:
        charging.announce(shop, refused.code, until)


def unclear(lease: Lease, outcome: Failure, at: datetime) -> dict[str, Any]:
    """Alarm about a charge that nobody knows the end of; return what its row forgets.

    One that was turned away unread has not been sent: it is judged again before it is. One that was
    heard of too late was not sent just now, but looked for.
    """
    unsent = isinstance(outcome, Throttled) or (isinstance(outcome, Unclear) and outcome.unsent)
    if lease.attempt == 1 and unsent and not lease.payment.heard_late:
        return {"first_sent_at": None, "list_at": None}
    looked = lease.list_at is not None and at >= lease.list_at
    if lease.attempt == 1 or looked:
        alarm("charge_unclear", provider=lease.payment.shop, charge_id=lease.payment.charge_id)
    return {}


def in_flight(gateway: Gateway, lease: Lease, at: datetime) -> bool:
    """Say whether a charge that the list does not show may still turn up there.

    A list may lag, and a charge said to have failed would be made anew: so it stays in flight for
    as long as its key would be known, a day.
    """
    sent = lease.first_sent_at
    if lease.payment.charge_id is None or sent is None:
        return False
    return at < sent + gateway.timing.list_after


async def why_unsent(gateway: Gateway, late: Payment, at: datetime) -> Refusal:
    """Return why a charge that was heard of too late, and is in no list, was not made."""
    async with reading(gateway.db) as tx:
        pause = await charging.paused(tx, late.shop, at)
        return await _judge(tx, late, pause, at) or Refusal(STALE, FailureClass.STALE)


async def _repeats(gateway: Gateway, lease: Lease, at: datetime) -> bool:
    """Say whether a charge is sent again; of one that may not be, the provider's list decides."""
    async with transaction(gateway.db) as tx:
        if await _judge(tx, lease.payment, None, at) is None:
            return True
        when = at + gateway.timing.doubt
        await leases.release(tx, lease, when, list_at=when)
    return False


async def _judge(tx: Tx, known: Payment, pause: Pause | None, at: datetime) -> Refusal | None:
    method_id = methods.parse(known.method_ref or "")
    method = None if method_id is None else await methods.find(tx, method_id)
    if method is None:
        return UNKNOWN
    if method.status is not MethodStatus.ACTIVE:
        return gone(method.status)
    if known.not_after is None or at <= known.not_after:
        return None
    # Nobody could have sent it: the shop is to blame, and a new charge soon would meet the same.
    if pause is not None:
        return Refusal(PAUSED, FailureClass.SHOP)
    return Refusal(STALE, FailureClass.STALE)


def _wait(known: Payment, pause: Pause | None, at: datetime) -> datetime:
    """Until the pause is over, and no longer than the charge's own time."""
    until = at if pause is None else pause.paused_until
    if known.not_after is None:
        return until
    return min(until, max(known.not_after, at) + _JUST_AFTER)


def _list_at(gateway: Gateway, known: Payment, at: datetime) -> datetime:
    """When a request that is still unclear may not be repeated any more: its time has passed."""
    latest = at + gateway.timing.list_after
    if known.not_after is None:
        return latest
    return min(latest, max(known.not_after, at) + gateway.timing.doubt)
