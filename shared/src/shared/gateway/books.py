"""Compares a provider's books with ours: pure, so that every difference can be tried alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.gateway.differences import Difference, Name
from shared.gateway.provider import Kind, Status
from shared.gateway.register import Row
from shared.gateway.settle import BEFORE_CUTOVER
from shared.money import Money


@dataclass(frozen=True, slots=True)
class Standing:
    """How one payment or refund stands here."""

    status: Status
    amount_kopecks: int | None
    """What the provider took or gave back, as we booked it."""
    held: str | None = None
    """Why it is not booked although it succeeded."""
    net_kopecks: int | None = None
    """What of it reaches the bank account, where the provider said so."""
    at: datetime | None = None
    """When the money moved, as we booked it."""

    @property
    def booked(self) -> bool:
        """Say whether it is a success of ours."""
        return self.status is Status.SUCCEEDED


def compare(row: Row, ours: Standing | None) -> Difference | None:
    """Return how a row of the provider differs from us; None where both agree.

    What was made before the cutover is the old billing's: it is known here and never booked.
    """
    if ours is None:
        return _differs(row, Name.MISSING_HERE, "", str(Money(row.amount_kopecks)))
    if ours.held == BEFORE_CUTOVER:
        return None
    if not ours.booked:
        return _differs(row, Name.STATUS, ours.held or str(ours.status), str(Status.SUCCEEDED))
    if ours.amount_kopecks != row.amount_kopecks:
        booked = Money(ours.amount_kopecks or 0)
        return _differs(row, Name.AMOUNT, str(booked), str(Money(row.amount_kopecks)))
    if not row.adds_up:
        return _differs(row, Name.FEE, str(Money(row.amount_kopecks)), _parts(row))
    if None not in (row.net_kopecks, ours.net_kopecks) and row.net_kopecks != ours.net_kopecks:
        return _differs(row, Name.FEE, str(Money(ours.net_kopecks or 0)), _parts(row))
    return None


def differences(rows: Iterable[Row], ours: Mapping[str, Standing]) -> dict[str, Difference]:
    """Return the differences of rows by the provider's id."""
    compared = ((row.id, compare(row, ours.get(row.id))) for row in rows)
    return {provider_id: found for provider_id, found in compared if found is not None}


def missing(kind: Kind, provider_id: str, payment_id: str, amount_kopecks: int) -> Difference:
    """Return the difference of a success of ours that the provider's books lack."""
    amount = str(Money(amount_kopecks))
    return Difference(kind, provider_id, payment_id, Name.MISSING_THERE, amount, "")


def _differs(row: Row, name: Name, expected: str, found: str) -> Difference:
    return Difference(row.kind, row.id, row.payment_id, name, expected, found)


def _parts(row: Row) -> str:
    """Return what an amount is said to be made of."""
    parts = (row.net_kopecks, row.fee_kopecks, row.vat_kopecks)
    return " + ".join("?" if part is None else str(Money(part)) for part in parts)
