"""Charges of saved methods: each asked for once on the bus, sent once, answered once.

A charge is a payment that nobody confirms. Its id and its key are made of the charge's own id, so
that a row that was lost is written again as it was, and the provider knows the request. One that
is first heard of after its time may be such a row, so it is looked for before it is called late.
What can never be charged is kept as a charge that has failed, so that no stays no. Whoever asks
again for what has ended has lost our answer, and hears it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

from shared import outbox
from shared.db import Tx, raise_signal
from shared.errors import Invalid, Poison
from shared.events import Allocation, Event, event_id
from shared.events_gateway import ChargeFailed, ChargeRequested, FailureClass
from shared.gateway import fiscal, methods, payments, settle
from shared.gateway.gateway import PAYMENTS, Gateway
from shared.gateway.method import MethodStatus
from shared.gateway.provider import Order, Status
from shared.gateway.receipt import NoContact
from shared.gateway.settle import Payment
from shared.gateway.settling import FAILED, conclude, success_of
from shared.metrics import alarm
from shared.money import Money

_IDS: Final = UUID("7d0a3f1e-61c4-4f4b-9c39-0a2f4a7de5b2")


class Refusal(NamedTuple):
    """Why a charge comes to nothing, and what that says about the next one."""

    reason: str
    failure: FailureClass


UNKNOWN: Final = Refusal("method_unknown", FailureClass.HARD)
FOREIGN: Final = Refusal("method_of_another_contract", FailureClass.HARD)
NO_SHOP: Final = Refusal("shop_not_configured", FailureClass.SHOP)
NO_CONTACT: Final = Refusal("no_contact", FailureClass.SHOP)
AMOUNT: Final = Refusal("amount_out_of_limits", FailureClass.SHOP)


async def take(tx: Tx, gateway: Gateway, events: Sequence[Event], at: datetime) -> None:
    """Write down the charges that were asked for, each once; those of other gateways are left.

    Raises Poison for one without a contract.
    """
    for event in events:
        if event.type != ChargeRequested.TYPE:
            continue
        said = ChargeRequested.of(event)
        if gateway.concerns(said.provider):
            await _take(tx, gateway, said, event.correlation_id, at)


async def _take(
    tx: Tx,
    gateway: Gateway,
    said: ChargeRequested,
    correlation_id: str,
    at: datetime,
) -> None:
    new = _payment(said, correlation_id, at)
    refusal, extra = await _prepare(tx, gateway, said, new)
    if not await payments.insert(tx, new, extra):
        await _meet(tx, gateway, new, at)
    elif refusal is None:
        raise_signal(tx, PAYMENTS)
    else:
        if refusal in (FOREIGN, NO_SHOP, NO_CONTACT):
            alarm(f"charge_{refusal.reason}", charge_id=said.charge_id, provider=said.provider)
        decision = settle.canceled(new, refusal.reason, at, refusal.failure)
        await conclude(tx, gateway, [(new, decision)], at)


async def _prepare(
    tx: Tx, gateway: Gateway, said: ChargeRequested, new: Payment
) -> tuple[Refusal | None, dict[str, Any]]:
    """Return why a charge cannot be, or what is stored with one that can."""
    provider = gateway.providers.get(said.provider)
    if provider is None:
        return NO_SHOP, {}
    method_id = methods.parse(said.method_ref)
    method = None if method_id is None else await methods.row_of(tx, method_id)
    if method is None or method.shop != said.provider:
        return UNKNOWN, {}
    if method.contract != said.contract:
        return FOREIGN, {}
    try:
        gateway.terms[said.provider].check_amount(Money(said.amount_kopecks))
    except Invalid:
        return AMOUNT, {}
    if method.token is None:
        return gone(MethodStatus(method.status)), {}
    try:
        receipt = fiscal.of_charge(
            gateway, new.shop, new.amount_kopecks, method.contact, said.occurred_at
        )
    except NoContact:
        return NO_CONTACT, {}
    order = Order(
        new.id,
        new.allocations,
        new.amount_kopecks,
        None,
        token=gateway.vault.decrypt(method.token),
        charge_id=new.charge_id,
        receipt=receipt,
    )
    line = fiscal.line(receipt)
    key = uuid5(_IDS, f"key:{new.id}").hex
    sealed = gateway.seal(provider.request(order))
    return None, {
        "key": key,
        "request": sealed,
        "due_at": new.created_at,
        "contact": method.contact,
        "receipt": None if line is None else line.written(),
        **_perhaps_sent(gateway, said, new),
    }


def _perhaps_sent(gateway: Gateway, said: ChargeRequested, new: Payment) -> dict[str, Any]:
    """Return what makes a charge that is heard of too late be looked for first."""
    if not new.heard_late:
        return {}
    look_at = max(new.created_at, said.not_after + gateway.timing.doubt)
    return {"first_sent_at": said.occurred_at, "list_at": look_at, "due_at": look_at}


async def _meet(tx: Tx, gateway: Gateway, new: Payment, at: datetime) -> None:
    """A charge asked for again is the same charge; with other data it is nobody's, and loud.

    Its end is said again for as long as the outbox keeps it.
    """
    known = await payments.find_charge(tx, new.shop, new.charge_id or "")
    asked = (new.method_ref, new.amount_kopecks, new.allocations)
    # One that was adopted after its row was lost does not know its method.
    before = known and (known.method_ref or new.method_ref, known.amount_kopecks, known.allocations)
    if before != asked:
        alarm("charge_conflict", charge_id=new.charge_id, provider=new.shop)
    elif known is not None and known.status.rank >= Status.CANCELED.rank:
        await outbox.say_again(tx, [_end_of(gateway, known)], at)


def _end_of(gateway: Gateway, charge: Payment) -> UUID:
    """Return the id of the event that says what became of a charge."""
    if charge.status is Status.SUCCEEDED:
        return success_of(gateway, charge).id
    name = gateway.producer.name
    return event_id(name, ChargeFailed.TYPE, charge.charge_id or "", FAILED)


def gone(status: MethodStatus) -> Refusal:
    """Return what is said of a charge whose method is not active any more."""
    return Refusal(f"method_{status}", FailureClass.HARD)


def _payment(said: ChargeRequested, correlation_id: str, at: datetime) -> Payment:
    if said.contract is None:
        raise Poison("a charge without a contract")
    part = Allocation(contract=said.contract, amount_kopecks=said.amount_kopecks)
    return Payment(
        id=uuid5(_IDS, f"{said.provider} {said.charge_id}"),
        shop=said.provider,
        status=Status.CREATING,
        amount_kopecks=said.amount_kopecks,
        allocations=(part,),
        correlation_id=correlation_id,
        created_at=at,
        charge_id=said.charge_id,
        method_ref=said.method_ref,
        not_after=said.not_after,
    )
