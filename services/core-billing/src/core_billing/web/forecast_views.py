"""What the addresses of recommended payments and forecasts ask and answer, as models."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from core_billing.block_rules import TEXTS as RULE_TEXTS
from core_billing.block_rules import Reason
from core_billing.forecast import Cause, Forecast, Step, needed
from core_billing.policies import BlockMode, Mode
from core_billing.policy_values import Day
from core_billing.position import Position
from core_billing.recommend import Kind, Recommendation
from shared.errors import Language, Refusal, Text
from shared.money import RUB, Money, WireMoney

MODE_UNKNOWN: Final = Refusal(
    *("mode_unknown", 422),
    f"Recommended payments know these modes: {', '.join(Mode)}",
    f"Рекомендуемый платёж считается так: {', '.join(Mode)}",
    field="mode",
)


class _UnknownMode(ValueError):
    """A mode that there is none of; `complaints` quotes its text and its code."""

    text = Text(MODE_UNKNOWN.en, MODE_UNKNOWN.ru)
    code = MODE_UNKNOWN.code


def _mode(value: Any) -> Any:
    if value not in tuple(Mode):
        raise _UnknownMode
    return value


class RecommendedQuery(BaseModel):
    """How to compute a recommended payment: as the settings say where nothing is said here.

    `date` is the day on which it will be paid: today, if none is given.
    """

    model_config = ConfigDict(extra="forbid")

    mode: Annotated[Mode, BeforeValidator(_mode)] | None = None
    periods: Annotated[int, Field(ge=1, le=24)] | None = None
    date: Day | None = None


class LineView(BaseModel):
    """A part of the recommended payment and what it is for; `kind` is for programs."""

    what: str
    amount: WireMoney
    kind: Kind


class RecommendedView(BaseModel):
    """A recommended payment, which its lines sum to; `minimum` is the least that is offered.

    `covers_until` is the last day whose fees it pays; null where it pays debts only.
    """

    amount: WireMoney
    lines: list[LineView]
    minimum: WireMoney
    currency: str = RUB
    mode: Mode
    covers_until: date | None


class CauseView(BaseModel):
    """The fee or the end of a promise that takes the available sum below zero, and its day."""

    on: date
    amount: WireMoney
    service_id: int | None
    label: str | None
    tariff: str | None


class ForecastView(BaseModel):
    """When the contract will be blocked if nothing is paid, and why; null where it will not be.

    `needed` is what must be paid now, so that there is money until `needed_until`; `lacks` is what
    will be missing on the day of the block, or else on `short_on`, the first day below zero.
    """

    contract: str
    available: WireMoney
    currency: str = RUB
    blocked: bool
    blocks_on: date | None
    short_on: date | None
    reason: Cause
    text: str
    cause: CauseView | None
    rule: BlockMode
    lacks: WireMoney
    needed: WireMoney
    needed_until: date
    seen_until: date


class ForecastsQuery(BaseModel):
    """Which page of the forecasts."""

    model_config = ConfigDict(extra="forbid")

    cursor: Annotated[str, Field(pattern=r"^[0-9]{1,9}$")] | None = None
    limit: int = Field(50, ge=1, le=100)


class ForecastsView(BaseModel):
    """A page of forecasts in the order of the contracts; `next_cursor` is null on the last one."""

    items: list[ForecastView]
    next_cursor: str | None


def recommended_view(found: Recommendation, mode: Mode, chosen: Language) -> RecommendedView:
    """Return what is shown of a recommended payment."""
    lines = [
        LineView(what=line.what.in_(chosen), amount=Money(line.kopecks), kind=line.kind)
        for line in found.lines
    ]
    return RecommendedView(
        amount=Money(found.kopecks),
        lines=lines,
        minimum=Money(found.minimum_kopecks),
        mode=mode,
        covers_until=found.covers_until,
    )


def forecast_view(
    position: Position, found: Forecast, today: date, chosen: Language
) -> ForecastView:
    """Return what is shown of a forecast."""
    kopecks, until = needed(position, found, today)
    return ForecastView(
        contract=position.number,
        available=Money(position.available_kopecks),
        blocked=position.blocked,
        blocks_on=found.blocks_on,
        short_on=found.short_on,
        reason=found.cause,
        text=sentence(found).in_(chosen),
        cause=None if found.step is None else _cause(found.step),
        rule=position.rule.mode,
        lacks=Money(found.lacks_kopecks),
        needed=Money(kopecks),
        needed_until=until,
        seen_until=found.seen_until,
    )


def _cause(step: Step) -> CauseView:
    fee = step.cause is Cause.FEE
    return CauseView(
        on=step.day,
        amount=Money(step.kopecks),
        service_id=step.service_id if fee else None,
        label=step.label if fee else None,
        tariff=step.tariff if fee else None,
    )


_SPARED: Final = {
    Cause.BLOCKED: Text("It is blocked already", "Договор уже заблокирован"),
    Cause.CLOSED: Text("It is closed", "Договор закрыт"),
    Cause.NEVER: RULE_TEXTS[Reason.NEVER],
    Cause.EXEMPT: Text("Its tariffs block nobody", "Его тарифы не блокируются за долг"),
    Cause.DISABLED: RULE_TEXTS[Reason.DISABLED],
    Cause.NO_SERVICES: Text("It has no services to pay for", "Платных услуг на договоре нет"),
    Cause.WITHIN_RULE: Text(
        "It will lack money, but less than its rule takes to block",
        "Денег не хватит, но меньше, чем нужно для блокировки по правилу договора",
    ),
}


def sentence(found: Forecast) -> Text:
    """Return the forecast as a sentence."""
    if found.blocks_on is None:
        until = found.seen_until
        enough = Text(f"There is enough until {until}", f"Денег хватит до {until:%d.%m.%Y}")
        return _SPARED.get(found.cause, enough)
    when, lacks = found.blocks_on, Money(found.lacks_kopecks)
    why = _why(found.step)
    return Text(
        f"It will be blocked on {when}: {why.en}; {lacks} will be missing",
        f"Будет заблокирован {when:%d.%m.%Y}: {why.ru}; не хватит {lacks} руб.",
    )


def _why(step: Step | None) -> Text:
    if step is None:
        return Text("it owes already", "уже есть долг")
    if step.cause is Cause.PROMISE_END:
        return Text(
            f"the promised payment ends on {step.day}",
            f"заканчивается обещанный платёж {step.day:%d.%m.%Y}",
        )
    fee = Money(step.kopecks)
    return Text(
        f'"{step.tariff}" charges {fee} on {step.day}',
        f"списание {fee} руб. по тарифу «{step.tariff}» {step.day:%d.%m.%Y}",
    )
