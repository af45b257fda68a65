"""What the addresses of tariffs and services ask and answer."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from core_billing.fee_calendar import charges
from core_billing.policy_values import Day, Flag, NotNegative
from core_billing.registration import Line, Wrong
from core_billing.services import Service
from core_billing.tariffs import Tariff
from shared.money import RUB, Money, WireMoney


def _filled(value: str) -> str:
    if not value:
        raise Wrong("not empty", "не пустое")
    return value


Name = Annotated[Line, AfterValidator(_filled), Field(min_length=1, max_length=100)]
Label = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$", examples=["internet", "tv"])]
Revision = Annotated[int, Field(ge=1, lt=2**31, strict=True)]


class TariffAsked(BaseModel):
    """A new tariff: what it is for, and what a whole month costs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    service: Label
    charging: Literal["monthly", "daily"] = "monthly"
    price: NotNegative
    charge_while_blocked: Flag = False
    blocks: Flag = True


class TariffEdit(BaseModel):
    """What is to be different; `price` needs the day from which it holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name | None = None
    price: NotNegative | None = None
    valid_from: Day | None = None
    charge_while_blocked: Flag | None = None
    blocks: Flag | None = None
    closed: Flag | None = None
    revision: Revision | None = None

    @model_validator(mode="after")
    def _price_has_its_day(self) -> Self:
        if (self.price is None) is not (self.valid_from is None):
            raise Wrong("give price and valid_from together", "укажите price и valid_from вместе")
        return self

    @property
    def columns(self) -> dict[str, Any]:
        """Return what is said of the tariff itself."""
        said = self.model_dump(include={"name", "charge_while_blocked", "blocks", "closed"})
        return {name: value for name, value in said.items() if value is not None}


class PriceView(BaseModel):
    """A price of a tariff, and who has set it."""

    price: WireMoney
    currency: str = RUB
    valid_from: date
    set_by: str
    set_at: datetime


class TariffView(BaseModel):
    """A tariff; `price` is today's for a whole month, `prices` are all, past and planned."""

    id: str
    name: str
    service: str
    charging: str
    price: WireMoney
    currency: str = RUB
    charge_while_blocked: bool
    blocks: bool
    closed: bool
    revision: int
    changed_by: str
    changed_at: datetime
    prices: list[PriceView]


class TariffsView(BaseModel):
    """A page of tariffs; `next_cursor` is null on the last one."""

    items: list[TariffView]
    next_cursor: str | None


class ServiceAsked(BaseModel):
    """A new service of a contract, from today where no day is given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tariff: Name
    starts_on: Day | None = None


class ServiceEdit(BaseModel):
    """Another tariff from a day on, or the last day; an `ends_on` of null takes the end back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tariff: Name | None = None
    since: Day | None = Field(None, alias="from")
    ends_on: Day | None = None
    revision: Revision | None = None

    @model_validator(mode="after")
    def _one_change(self) -> Self:
        planned = self.tariff is not None and self.since is not None
        half = self.tariff is not None or self.since is not None
        if planned is self.ends or half is not planned:
            raise Wrong(
                "give either tariff and from, or ends_on", "укажите tariff и from или ends_on"
            )
        return self

    @property
    def ends(self) -> bool:
        """Say whether it speaks of the service's end."""
        return "ends_on" in self.model_fields_set


class NextFeeView(BaseModel):
    """The next fee: the day it falls due and its amount."""

    on: date
    amount: WireMoney
    currency: str = RUB


class TurnView(BaseModel):
    """From this day on the service has this tariff."""

    since: date
    tariff: str


class ServiceView(BaseModel):
    """A service of a contract; `tariff` is today's, `tariffs` are all, past and planned.

    `next_fee` is null where nothing is left to be charged.
    """

    id: str
    contract: str
    service: str
    charging: str
    tariff: str
    starts_on: date
    ends_on: date | None
    charged_through: date
    next_fee: NextFeeView | None
    tariffs: list[TurnView]
    revision: int
    changed_by: str
    changed_at: datetime


class ServicesView(BaseModel):
    """A page of services; `next_cursor` is null on the last one."""

    items: list[ServiceView]
    next_cursor: str | None


def tariff_view(now: Tariff, today: date) -> TariffView:
    """Return what is shown of a tariff."""
    return TariffView(
        id=str(now.id),
        name=now.name,
        service=now.label,
        charging=now.charging,
        price=Money(now.price_on(today).month_kopecks),
        charge_while_blocked=now.charge_while_blocked,
        blocks=now.blocks,
        closed=now.closed,
        revision=now.revision,
        changed_by=now.changed_by,
        changed_at=now.changed_at,
        prices=[
            PriceView(
                price=Money(one.month_kopecks),
                valid_from=one.valid_from,
                set_by=one.set_by,
                set_at=one.set_at,
            )
            for one in now.prices
        ],
    )


def service_view(now: Service, number: str, today: date) -> ServiceView:
    """Return what is shown of a service."""
    due = None if now.due_on is None else next(charges(now.plan, now.due_on), None)
    return ServiceView(
        id=str(now.id),
        contract=number,
        service=now.label,
        charging=now.charging,
        tariff=now.tariff_on(today).name,
        starts_on=now.starts_on,
        ends_on=now.ends_on,
        charged_through=now.charged_through,
        next_fee=None if due is None else NextFeeView(on=due.start, amount=Money(due.kopecks)),
        tariffs=[TurnView(since=turn.since, tariff=turn.tariff.name) for turn in now.turns],
        revision=now.revision,
        changed_by=now.changed_by,
        changed_at=now.changed_at,
    )
