"""Which payments are looked for: what may be asked of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    """How money has come, as a manager would ask for it."""

    ONLINE = "online"
    """Any payment that a provider has confirmed, `card` and `sbp` among them."""
    CARD = "card"
    SBP = "sbp"
    CASH = "cash"
    CASHLESS = "cashless"
    OPENING = "opening"
    TRANSFER = "transfer"
    WRITE_OFF = "write_off"


class Status(StrEnum):
    """Where a payment's money is."""

    POSTED = "posted"
    """All of it is on contracts."""
    SUSPENSE = "suspense"
    """All or part of it is held."""
    ANNULLED = "annulled"
    CORRECTED = "corrected"
    """It is posted or held otherwise, or with another sum, than at first."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What is asked of payments; what is None is not asked. Moments are half-open intervals."""

    contract_id: int | None = None
    """Who holds it, or held it before it was annulled."""
    provider: str | None = None
    external_id: str | None = None
    """The provider's own id of the payment."""
    kind: Kind | None = None
    """None for money from outside: neither openings nor what moves between contracts."""
    method: str | None = None
    category: int | None = None
    manager: str | None = None
    amount_from: int | None = None
    """Kopecks, of the sum that stands now."""
    amount_to: int | None = None
    paid_from: datetime | None = None
    paid_before: datetime | None = None
    registered_from: datetime | None = None
    registered_before: datetime | None = None
    receipt_number: str | None = None
    payment_order_number: str | None = None
    order_id: str | None = None
    status: Status | None = None
    text: str | None = None
    """An id as it is, or a part of what stands beside a payment, in whichever case of letters."""
