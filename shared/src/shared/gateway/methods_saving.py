"""Saved methods as payments, charges and people change them: the row and what is said, at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select

from shared import outbox
from shared.db import Tx
from shared.errors import Invalid, invalid
from shared.events import Event
from shared.events_gateway import ChargeFailed, FailureClass
from shared.gateway import methods, methods_rules
from shared.gateway.gateway import Gateway
from shared.gateway.method import MethodStatus, ProviderMethod
from shared.gateway.methods_rules import Change, Method
from shared.gateway.payments import payment
from shared.gateway.settle import Decision, Payment
from shared.metrics import alarm

BY_PAYER: Final = "removed"


async def follow(
    tx: Tx, gateway: Gateway, decisions: Sequence[Decision], at: datetime
) -> list[Event]:
    """Save and end the methods that decided payments are about; return what is to be said."""
    said: list[Event] = []
    for decision in decisions:
        event = decision.event
        if decision.saved is not None:
            said += await _keep(tx, gateway, decision.payment, decision.saved, at)
        elif isinstance(event, ChargeFailed) and event.failure is FailureClass.HARD:
            said += await _end(tx, gateway, event, at)
    return said


async def remove(
    tx: Tx, gateway: Gateway, method_id: UUID, at: datetime, contract: str | None = None
) -> Method | None:
    """Remove a method for good; None where there is none, or another contract has it.

    Removed again it stays as it is.
    """
    known = await methods.lock(tx, method_id)
    if known is None or contract not in (None, known.contract):
        return None
    change = methods_rules.removed(known, BY_PAYER, at)
    if change.method != known:
        await methods.write(tx, change.method)
        await outbox.add(tx, gateway.producer, events_of(gateway, change), at)
    return change.method


def events_of(gateway: Gateway, change: Change) -> list[Event]:
    """Return what a change says, as events of this gateway."""
    if change.event is None:
        return []
    event = change.event.event(
        gateway.producer.name,
        subject=change.event.method_ref,
        revision=change.event.revision,
        correlation_id=change.method.correlation_id,
    )
    return [event]


async def _keep(
    tx: Tx, gateway: Gateway, paid: Payment, saved: ProviderMethod, at: datetime
) -> list[Event]:
    """Keep what a payment has saved, once: told again it meets its row, removed or not."""
    if paid.consent is None or len(paid.allocations) != 1:
        return []
    new = Method(
        id=methods.id_of(paid.id),
        shop=paid.shop,
        contract=paid.allocations[0].contract,
        status=MethodStatus.PENDING,
        consent=paid.consent,
        correlation_id=paid.correlation_id,
        created_at=at,
    )
    change = methods_rules.told(new, saved, at)
    holder = await methods.holding(tx, paid.shop, gateway.vault.fingerprints(saved.token))
    if holder not in (None, new.id):
        # The provider gave one token to two payments; the first method keeps it.
        alarm("method_token_taken", provider=paid.shop, payment_id=str(paid.id))
        return []
    contact = select(payment.c.contact).where(payment.c.id == paid.id).scalar_subquery()
    extra = {**sealed(gateway, saved.token), "payment_id": paid.id, "contact": contact}
    made = await methods.insert(tx, change.method, extra)
    return events_of(gateway, change) if made else []


def not_saved(field: str) -> Invalid:
    """Return what is said where a method is to be saved that its shop does not save."""
    return invalid(
        field,
        "this shop does not save this payment method: leave it out",
        "этот магазин не сохраняет такой способ оплаты: уберите это поле",
    )


def sealed(gateway: Gateway, token: str) -> dict[str, str]:
    """Return how a provider's token is stored: encrypted, and what it is found by."""
    vault = gateway.vault
    return {"token": vault.encrypt(token), "token_hash": vault.fingerprints(token)[0]}


async def _end(tx: Tx, gateway: Gateway, failed: ChargeFailed, at: datetime) -> list[Event]:
    method_id = methods.parse(failed.method_ref)
    known = None if method_id is None else await methods.lock(tx, method_id)
    # A charge that names another contract's method, or one not bound yet, says nothing about it.
    if known is None or known.contract != failed.contract:
        return []
    if known.status is not MethodStatus.ACTIVE:
        return []
    change = methods_rules.ended(known, failed.reason, at)
    if change.method != known:
        await methods.write(tx, change.method)
    return events_of(gateway, change)
