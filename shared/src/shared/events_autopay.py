"""Events of autopay and of messages: what is about to be charged, what became of it, who was told.

The base and the payments' own bodies are in `shared.events`; a charge itself travels as
`charge.requested` and `charge.failed` of `shared.events_gateway`.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.events import Count, EventData, Kopecks, Moment, Paid

Why = Literal["balance", "fee", "day"]
"""What a charge is for: a balance below the threshold, a fee to come, a day of the calendar."""


class MethodName(BaseModel):
    """Names a saved method: the account it was saved at, and our id of it there."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    provider: str
    method_ref: str


class MandateRevoked(EventData):
    """A subscriber has refused autopay: its methods are removed for good, tokens destroyed."""

    TYPE = "mandate.revoked"

    revision: Count
    mandate_id: str
    methods: tuple[MethodName, ...] = Field((), max_length=10)


class AutopayUpcoming(EventData):
    """A charge is going to be made; `skip_url` is the signed page on which it is called off."""

    TYPE = "autopay.upcoming"

    charge_id: str
    mandate_id: str
    amount_kopecks: Paid
    charge_at: Moment
    method_title: str = ""
    why: Why
    balance_kopecks: Kopecks
    fees_on: date | None = None
    skip_url: str = Field("", max_length=2048)
    mandate_url: str = Field("", max_length=2048)


class AutopayDropped(EventData):
    """A charge that was announced will not be made after all."""

    TYPE = "autopay.dropped"

    charge_id: str
    mandate_id: str
    amount_kopecks: Paid
    reason: str
    """paid, skipped, paused, revoked, method_gone, closed, late."""


class AutopayFailed(EventData):
    """A charge has come to nothing, and what happens next."""

    TYPE = "autopay.failed"

    charge_id: str
    mandate_id: str
    amount_kopecks: Paid
    method_title: str = ""
    reason: str
    next_try_at: Moment | None = None
    next_method_title: str | None = None
    """Another method is tried next: the reserve."""
    needs: Literal["nothing", "new_method", "promise"] = "nothing"
    """What the subscriber has to do: a new card, or a promised payment where all tries are over."""
    mandate_url: str = Field("", max_length=2048)


class AutopayExpiring(EventData):
    """A card of a mandate expires at the end of this or the next month."""

    TYPE = "autopay.expiring"

    mandate_id: str
    method_title: str = ""
    expires: str = Field(pattern=r"^\d{4}-\d{2}$")
    mandate_url: str = Field("", max_length=2048)


class MessageSent(EventData):
    """A message has left for a subscriber."""

    TYPE = "message.sent"

    message_id: str
    channel: str
    kind: str
    about: str
    """The id of the event it tells of."""


class MessageFailed(EventData):
    """A message will not reach its subscriber."""

    TYPE = "message.failed"

    message_id: str
    channel: str
    kind: str
    about: str
    reason: str
