"""What a cash register behind a shop is to a gateway: pure, in nobody's words.

A receipt goes to the tax office after its payment, by itself and later, so that it has a life of
its own: it is asked about, and what becomes of it never touches the payment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from shared.gateway.provider import Failure, Missing
from shared.gateway.receipt import Receipt


class Kind(StrEnum):
    """What a receipt is of."""

    PAYMENT = "payment"
    REFUND = "refund"
    OFFSET = "offset"
    """An advance that a service has used up."""


class Registration(StrEnum):
    """How far a receipt has come on its way to the tax office."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Registered:
    """What a provider says of a receipt's registration, and the numbers a tax officer asks for."""

    registration: Registration
    receipt_id: str | None = None
    document: str = ""
    """The number of the fiscal document, tag 1040."""
    storage: str = ""
    """The number of the fiscal storage, tag 1041."""
    attribute: str = ""
    """The fiscal attribute of the document, tag 1077."""
    registered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """A receipt as its provider lists it."""

    id: str
    provider_payment_id: str | None
    text: str
    """The name of its first line."""
    mode: str
    kopecks: int
    registered: Registered


class Till(Protocol):
    """The cash register behind one shop."""

    @property
    def apart(self) -> bool:
        """Whether payments and refunds are printed by requests of their own, as offsets always are.

        Such a cash register knows each receipt by its key and is asked about it by that.
        """

    def receipt_request(self, kind: Kind, receipt: Receipt, provider_payment_id: str) -> bytes:
        """Return the bytes that ask for a receipt apart from its payment.

        Raises ValueError for what the cash register has no words for.
        """

    async def create_receipt(self, key: str, request: bytes) -> Issued | Failure:
        """Ask for a receipt; the same key and bytes never make a second one within a day."""

    async def receipts_of(self, provider_payment_id: str) -> Sequence[Issued] | Failure:
        """Return the receipts of a payment, newest first; offsets are among them.

        Nobody asks where all go apart.
        """

    async def registration(self, kind: Kind, about: str) -> Registered | Missing | Failure:
        """Ask how a receipt stands.

        `about` is the provider's id of the payment or the refund that the receipt went with, of an
        offset the receipt's own; where all go apart, the key under which it was asked for.
        """
