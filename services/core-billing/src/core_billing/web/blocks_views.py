"""What the addresses of blocks ask and answer."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from core_billing.block_dry_run import Foretold, Spared
from core_billing.block_guards import TEXTS as GUARDS
from core_billing.block_guards import Guard, Withheld
from core_billing.block_rows import Access, Changed
from core_billing.block_rules import TEXTS as REASONS
from core_billing.block_rules import Reason
from core_billing.blocks import COVERED, EXEMPT
from core_billing.export import Encoding, Line
from core_billing.life import Sign
from shared.errors import Language, Text
from shared.money import RUB, Money, WireMoney

Day = date
"""A field called `date` hides the type of that name."""
Cursor = Annotated[str, Field(pattern=r"^[0-9]{1,9}$")]
"""Below what a column of ids holds."""

_UNBLOCKED = {
    COVERED: Text("there is money again", "деньги снова есть"),
    EXEMPT: Text(
        "its rule or its tariffs block it no more", "правило или тарифы больше не блокируют"
    ),
}
_SPARED = {
    Spared.PENDING_PAYMENT: Text("a payment is on its way", "платёж уже в пути"),
    Spared.AUTOMATIC_PROMISE: Text(
        "it is given a promised payment by itself", "обещанный платёж включится сам"
    ),
    Spared.EXCLUDED_DAY: REASONS[Reason.EXCLUDED_DAY],
}
_TITLES = (
    Text("Contract", "Договор"),
    Text("Blocked on", "Дата блокировки"),
    Text("Reason", "Причина"),
    Text("Balance", "Баланс"),
    Text("Available then", "Доступно на дату"),
    Text("To be paid", "Нужно внести"),
    Text("Short since", "Не хватает с"),
    Text("Spared by", "Не заблокируют, потому что"),
)


class BlockedQuery(BaseModel):
    """Which page of the list."""

    model_config = ConfigDict(extra="forbid")

    cursor: Cursor | None = None
    limit: int = Field(100, ge=1, le=1000)


class AccessView(BaseModel):
    """Whether a contract is blocked; `detail` says why, or why it was unblocked."""

    contract: str
    blocked: bool
    revision: int
    """Grows with each change; none has been yet where it is 0."""
    reason: str | None
    detail: str | None
    since: datetime | None
    """When it was blocked or unblocked."""
    short_since: datetime | None
    """Since when less than nothing is available."""
    postponed_until: datetime | None
    """A payment on its way has postponed the block until then."""
    balance: WireMoney
    available: WireMoney
    currency: str = RUB


class BlockedView(BaseModel):
    """A page of blocked contracts; `next_cursor` is null on the last one."""

    items: list[AccessView]
    next_cursor: str | None


class ChangeView(BaseModel):
    """One change of a contract's access."""

    revision: int
    blocked: bool
    reason: str
    detail: str
    at: datetime


class ChangesView(BaseModel):
    """A page of changes, newest first; `next_cursor` is null on the last one."""

    items: list[ChangeView]
    next_cursor: str | None


class WithheldView(BaseModel):
    """What withholds all blocks, whose fault it is, and what to do."""

    guard: Guard
    service: str
    detail: str


class SignView(BaseModel):
    """What a service has last said of itself, and when that was heard."""

    service: str
    said_at: datetime | None
    heard_at: datetime | None
    unsettled_seconds: int
    """How long its oldest payment that is due to be looked at has been due."""
    unpublished_seconds: int
    """How long its oldest event has waited to be published."""


class StateView(BaseModel):
    """Whether blocks may happen now; unblocking always may."""

    allowed: bool
    withheld: list[WithheldView]
    signs: list[SignView]


class DryRunQuery(BaseModel):
    """Which night, in which form; without a date the next one."""

    model_config = ConfigDict(extra="forbid")

    date: Day | None = None
    format: Literal["json", "csv", "xlsx"] = "json"
    encoding: Encoding | None = None
    """Of a CSV file; without it, that of the manager's setting."""
    lang: Literal["ru", "en"] = "ru"
    """Of a file; the JSON follows Accept-Language."""
    cursor: Cursor | None = None
    limit: int = Field(100, ge=1, le=1000)


class ForetoldView(BaseModel):
    """A contract that would be blocked if nothing were paid, or that something spares."""

    contract: str
    blocks_on: date
    reason: Reason
    detail: str
    balance: WireMoney
    available: WireMoney
    """On that day, with the fees that fall due by then."""
    needed: WireMoney
    """What has to be paid before."""
    short_since: date
    spared_by: Spared | None
    currency: str = RUB


class DryRunView(BaseModel):
    """What would be blocked by the end of a night; a page may be short before the last one."""

    date: Day
    items: list[ForetoldView]
    next_cursor: str | None


def access_view(one: Access, language: Language) -> AccessView:
    """Return what is shown of a contract's access."""
    state = one.state
    return AccessView(
        contract=one.number,
        blocked=state.blocked,
        revision=state.revision,
        reason=state.reason or None,
        detail=detail_of(state.reason).in_(language) if state.reason else None,
        since=state.changed_at,
        short_since=state.short_since,
        postponed_until=state.postponed_until,
        balance=Money(one.balance_kopecks),
        available=Money(one.available_kopecks),
    )


def change_view(one: Changed, language: Language) -> ChangeView:
    """Return what is shown of a change."""
    return ChangeView(
        revision=one.revision,
        blocked=one.blocked,
        reason=one.reason,
        detail=detail_of(one.reason).in_(language),
        at=one.at,
    )


def detail_of(reason: str) -> Text:
    """Return why a contract was blocked or unblocked."""
    unblocked = _UNBLOCKED.get(reason)
    return REASONS[Reason(reason)] if unblocked is None else unblocked


def withheld_view(one: Withheld, language: Language) -> WithheldView:
    """Return what is shown of what withholds blocks."""
    detail = GUARDS[one.guard].in_(language)
    return WithheldView(guard=one.guard, service=one.service, detail=detail)


def sign_view(one: Sign) -> SignView:
    """Return what is shown of a sign of life."""
    return SignView(
        service=one.name,
        said_at=one.said_at,
        heard_at=one.heard_at,
        unsettled_seconds=one.unsettled_seconds,
        unpublished_seconds=one.unpublished_seconds,
    )


def foretold_view(one: Foretold, language: Language) -> ForetoldView:
    """Return what is shown of a contract that would be blocked."""
    return ForetoldView(
        contract=one.position.number,
        blocks_on=one.blocks_on,
        reason=one.reason,
        detail=REASONS[one.reason].in_(language),
        balance=Money(one.position.balance_kopecks),
        available=Money(one.available_kopecks),
        needed=Money(one.lacks_kopecks),
        short_since=one.short_since,
        spared_by=one.spared_by,
    )


def titles(language: Language) -> list[str]:
    """Return the titles of the columns of a file."""
    return [title.in_(language) for title in _TITLES]


def line(one: Foretold, language: Language) -> Line:
    """Return a line of a file."""
    return (
        one.position.number,
        one.blocks_on,
        REASONS[one.reason].in_(language),
        Money(one.position.balance_kopecks),
        Money(one.available_kopecks),
        Money(one.lacks_kopecks),
        one.short_since,
        "" if one.spared_by is None else _SPARED[one.spared_by].in_(language),
    )
