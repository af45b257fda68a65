"""How reconciliation looks from outside: days, registers, differences."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import Row

from shared.gateway.differences import Source
from shared.gateway.registers import Taken
from shared.gateway.sweeps import Sweep
from shared.money import Money, WireMoney


class _Query(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DaysQuery(_Query):
    """Which days are wanted; the last month where nothing is said."""

    shop: str | None = Field(None, max_length=64)
    since: date | None = None
    until: date | None = None


class DifferencesQuery(_Query):
    """Which differences are wanted."""

    shop: str | None = Field(None, max_length=64)
    day: date | None = None
    state: Literal["open", "settled"] | None = None
    cursor: int = Field(0, ge=0, lt=2**63)
    limit: int = Field(100, ge=1, le=500)


class RegisterView(BaseModel):
    """A register and how far it is applied; `repeated` says that the same file was taken before."""

    id: UUID
    shop: str
    kind: Literal["payment", "refund"]
    day: date
    file: str
    state: Literal["running", "stopped", "done"]
    rows: int
    done: int
    differences: int
    amount: WireMoney
    received_at: AwareDatetime
    finished_at: AwareDatetime | None
    repeated: bool = False


class DayView(BaseModel):
    """What was compared of one day: the provider's list, or a register."""

    shop: str
    day: date
    source: Literal["list", "register"]
    kind: Literal["payment", "refund"]
    state: Literal["running", "stopped", "incomplete", "done"]
    rows: int
    """How many the provider has."""
    amount: WireMoney
    unreadable: int
    differences: int
    """How many there were when it was compared."""
    open_differences: int
    """How many of that day and source are open now."""
    file: str | None = None
    finished_at: AwareDatetime | None


class DaysView(BaseModel):
    """Days, the newest first."""

    items: tuple[DayView, ...]


class DifferenceView(BaseModel):
    """One difference: what we have is expected, what the provider has is found."""

    id: int
    shop: str
    day: date
    kind: Literal["payment", "refund"]
    provider_id: str
    provider_payment_id: str
    difference: str
    source: Literal["list", "register"]
    expected: str
    found: str
    state: Literal["open", "settled"]
    outcome: str
    first_seen_at: AwareDatetime
    last_seen_at: AwareDatetime
    settled_at: AwareDatetime | None


class DifferencesView(BaseModel):
    """Differences, in the order in which they were found first."""

    items: tuple[DifferenceView, ...]
    next_cursor: int | None


def register_view(taken: Taken, at: datetime, *, repeated: bool = False) -> RegisterView:
    """Return how a register looks from outside."""
    said: dict[str, Any] = _register(taken, at)
    return RegisterView(
        id=taken.id, done=taken.done, received_at=taken.received_at, repeated=repeated, **said
    )


def register_day(taken: Taken, counts: Mapping[tuple[date, str], int], at: datetime) -> DayView:
    """Return a register as a part of its day."""
    said: dict[str, Any] = _register(taken, at)
    number = counts.get((taken.register.day, Source.REGISTER), 0)
    return DayView(source="register", unreadable=0, open_differences=number, **said)


def list_view(swept: Sweep, counts: Mapping[tuple[date, str], int]) -> DayView:
    """Return a sweep as a part of its day."""
    said: dict[str, Any] = {
        "shop": swept.task.shop,
        "day": swept.task.day,
        "kind": str(swept.task.kind),
        "state": swept.state,
    }
    return DayView(
        source="list",
        rows=swept.listed,
        amount=Money(swept.amount_kopecks),
        unreadable=swept.unreadable,
        differences=swept.differences,
        open_differences=counts.get((swept.task.day, Source.LIST), 0),
        finished_at=swept.finished_at,
        **said,
    )


def difference_view(row: Row[Any]) -> DifferenceView:
    """Return how a difference looks from outside."""
    fields = {name: getattr(row, name) for name in DifferenceView.model_fields.keys() & row._fields}
    return DifferenceView(difference=row.name, **fields)


def _register(taken: Taken, at: datetime) -> dict[str, Any]:
    return {
        "shop": taken.register.shop,
        "kind": str(taken.register.kind),
        "day": taken.register.day,
        "file": taken.file,
        "state": taken.state(at),
        "rows": taken.register.rows,
        "amount": Money(taken.register.amount_kopecks),
        "differences": taken.differences,
        "finished_at": taken.finished_at,
    }
