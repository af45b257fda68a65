"""Revoked mandates: the methods they name are removed at once and for good, as by the stop button.

Autopay refuses a charge by itself once its mandate is revoked; here the means to make one is
destroyed. Whatever comes later, or comes again, finds no token: a charge that was asked for and
not sent is refused, one that was sent is settled by the provider's word. Source: 376-FZ, which
forbids to charge a method that its owner has withdrawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from shared import outbox
from shared.db import Tx
from shared.errors import Poison
from shared.events import Event
from shared.events_autopay import MandateRevoked
from shared.gateway import methods, methods_rules
from shared.gateway.gateway import Gateway
from shared.gateway.methods_saving import BY_PAYER, events_of
from shared.metrics import alarm


async def hear(tx: Tx, gateway: Gateway, events: Sequence[Event], at: datetime) -> None:
    """Remove what revoked mandates name here; what other gateways keep is left to them.

    A method that is unknown, or another contract's, is left as it is, aloud: it may mean that
    somebody's refusal is not carried out. Raises Poison for an event without a contract.
    """
    refused = sorted(set(_named(gateway, events)))
    if not refused:
        return
    ids = {method_id for method_id, _ in refused}
    known = {method.id: method for method in await methods.lock_all(tx, ids)}
    said: list[Event] = []
    for method_id, contract in refused:
        method = known.get(method_id)
        if method is None or method.contract != contract:
            kind = "mandate_method_unknown" if method is None else "mandate_method_foreign"
            alarm(kind, method_ref=str(method_id), contract=contract)
            continue
        change = methods_rules.removed(method, BY_PAYER, at)
        if change.method != method:
            await methods.write(tx, change.method)
            said += events_of(gateway, change)
    await outbox.add(tx, gateway.producer, said, at)


def _named(gateway: Gateway, events: Sequence[Event]) -> Iterator[tuple[UUID, str]]:
    """Yield the methods of this gateway that are to go, each with whose it has to be."""
    for event in events:
        if event.type != MandateRevoked.TYPE:
            continue
        body = MandateRevoked.of(event)
        if body.contract is None:
            raise Poison("a revoked mandate without a contract")
        for named in body.methods:
            if not gateway.concerns(named.provider):
                continue
            method_id = methods.parse(named.method_ref)
            if method_id is None:
                alarm("mandate_method_unknown", method_ref=named.method_ref, contract=body.contract)
            else:
                yield method_id, body.contract
