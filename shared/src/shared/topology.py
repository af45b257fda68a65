"""Who listens to what: event type → queues, and which queues exist in this installation.

`SALDO_SERVICES` names the deployed services. Only their queues are declared, and an event that no
deployed service listens to is not written to an outbox: nobody would ever take it out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

DEAD: Final = "dead"
"""The queue behind all others; core-billing stores what reaches it."""

MONEY: Final = "core-billing.money"
REST: Final = "core-billing.rest"
GATEWAY_YOOKASSA: Final = "gateway-yookassa"
GATEWAY_SBP: Final = "gateway-sbp"
NOTIFIER: Final = "notifier"

AUTOPAY: Final = "autopay"

GATEWAYS: Final = (GATEWAY_YOOKASSA, GATEWAY_SBP)
"""They hear the same: each knows its own payments, methods and charges by their account."""

SERVICES: Final = ("core-billing", "gateway-yookassa", "notifier")
"""What is deployed unless `SALDO_SERVICES` says otherwise."""
KNOWN: Final = (*SERVICES, GATEWAY_SBP, AUTOPAY)
"""What `SALDO_SERVICES` may name; of a service that is not ours yet only the queue is declared."""

LISTENERS: Final[Mapping[str, tuple[str, ...]]] = {
    "payment.succeeded": (MONEY, AUTOPAY),
    "payment.canceled": (MONEY, AUTOPAY),
    "payment.posted": (*GATEWAYS, NOTIFIER, AUTOPAY),
    "payment.unmatched": GATEWAYS,
    "refund.requested": GATEWAYS,
    "refund.succeeded": (MONEY,),
    "refund.failed": (MONEY,),
    "refund.posted": (*GATEWAYS, NOTIFIER, AUTOPAY),
    "payment_method.saved": (AUTOPAY, NOTIFIER),
    "payment_method.revoked": (AUTOPAY, NOTIFIER),
    "charge.requested": GATEWAYS,
    "charge.failed": (AUTOPAY,),
    "fee.charged": GATEWAYS,
    # On the queue of the money, so that one that has arrived proves how far behind the money is.
    "gateway.alive": (MONEY,),
    "payment.pending": (MONEY,),
    "payment.annulled": (NOTIFIER, AUTOPAY),
    "contract.blocked": (NOTIFIER, AUTOPAY),
    "contract.unblocked": (NOTIFIER, AUTOPAY),
    "promise.granted": (NOTIFIER,),
    "promise.ending": (NOTIFIER,),
    "promise.closed": (NOTIFIER,),
    "register.row": (REST,),
    "watch.set": (REST,),
    "watch.cleared": (REST,),
    "balance.low": (NOTIFIER, AUTOPAY),
    "balance.recovered": (NOTIFIER, AUTOPAY),
    "fee.upcoming": (NOTIFIER, AUTOPAY),
    "contract.due": (AUTOPAY,),
    "statement.ready": (NOTIFIER,),
    "contract.changed": (*GATEWAYS, NOTIFIER, AUTOPAY),
    "subscriber.changed": (NOTIFIER, AUTOPAY),
    "mandate.revoked": (*GATEWAYS, NOTIFIER),
    "autopay.upcoming": (NOTIFIER,),
    "autopay.dropped": (NOTIFIER,),
    "autopay.failed": (NOTIFIER,),
    "autopay.expiring": (NOTIFIER,),
    "message.sent": (REST,),
    "message.failed": (REST,),
}

PERSONAL: Final = frozenset(
    {"subscriber.changed", "autopay.upcoming", "autopay.failed", "autopay.expiring"}
)
"""Types whose bodies hold addresses, or links that act for their owner: they travel in the clear,
and an outbox keeps them sealed."""

DELAY_SECONDS: Final = (5, 15, 60, 180, 600)
"""Pauses before failed work is tried again; the last one repeats."""

ATTEMPTS_MAX: Final = 12
"""Attempts before a message goes to the dead queue: with the pauses above, more than an hour."""


def service_of(queue: str) -> str:
    """Return the service that owns a queue."""
    return queue.partition(".")[0]


def delay_seconds(attempt: int, delays: tuple[int, ...] = DELAY_SECONDS) -> int:
    """Return the pause after a failed attempt, counted from 1; raises ValueError below that."""
    if attempt < 1:
        raise ValueError(f"attempts are counted from 1, not {attempt}")
    return delays[min(attempt, len(delays)) - 1]


@dataclass(frozen=True)
class Topology:
    """The queues of one installation."""

    services: frozenset[str]
    namespace: str = ""
    delays: tuple[int, ...] = DELAY_SECONDS
    attempts_max: int = ATTEMPTS_MAX
    listeners: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: LISTENERS)

    def bound(self, kind: str) -> tuple[str, ...]:
        """Return the deployed queues that receive events of a type; none for an unknown type."""
        return self._bound.get(kind, ())

    def queues(self) -> tuple[str, ...]:
        """Return every deployed work queue, in a stable order."""
        return tuple(sorted({queue for kind in self.listeners for queue in self.bound(kind)}))

    @cached_property
    def _bound(self) -> Mapping[str, tuple[str, ...]]:
        return {
            kind: tuple(queue for queue in queues if service_of(queue) in self.services)
            for kind, queues in self.listeners.items()
        }
