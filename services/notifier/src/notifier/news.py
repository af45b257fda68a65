"""What an event tells a subscriber: its kind, the name of its fact, and the facts. Pure.

A fact has one name under whatever event it comes, so that it is told once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from notifier.facts import Fact
from notifier.kinds import KindName
from shared.events import PaymentPosted
from shared.events_billing import PaymentAnnulled

ACCESS: Final = "access:"


@dataclass(frozen=True, slots=True)
class News:
    """Something to be told; `until` is when it is true no more, beside its age."""

    kind: KindName
    fact: str
    facts: Fact
    until: datetime | None = None


def payment_fact(body: PaymentPosted | PaymentAnnulled) -> str:
    """Return the name of a payment: an id is unique at its provider only."""
    return f"{body.provider}:{body.provider_payment_id}"


def crossing_fact(watcher: str, kind: str, crossing: int) -> str:
    """Return the name of a crossing: each kind of watch counts its own."""
    return f"{watcher}:{crossing}" if kind == "balance" else f"{watcher}:{kind}:{crossing}"


def access_fact(revision: int) -> str:
    """Return the name of a state of access, the same for both of its kinds."""
    return f"{ACCESS}{revision}"
