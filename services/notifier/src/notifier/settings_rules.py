"""The settings of who is told by which way, when, and how often."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from notifier import quiet
from notifier.channels.port import CHANNEL_NAMES, ChannelName
from notifier.gate import Rules
from notifier.journal import REMINDERS_MAX
from notifier.kinds import KINDS
from notifier.limits import Limits
from notifier.reach import Reaching
from notifier.turns import Patience
from shared.settings import Commas, Common, Duration


def _known(wanted: tuple[str, ...]) -> tuple[str, ...]:
    if not wanted or len(set(wanted)) < len(wanted) or not set(wanted) <= set(CHANNEL_NAMES):
        raise ValueError(
            f"expected some of {','.join(CHANNEL_NAMES)}, each once, the first one first"
        )
    return wanted


def _kinds(wanted: tuple[str, ...]) -> tuple[str, ...]:
    if not set(wanted) <= {*KINDS, "all"}:
        raise ValueError(f"expected all, or some of {','.join(KINDS)}")
    return wanted


def _hours(written: str) -> str:
    quiet.parse(written)
    return written


class RuleSettings(Common):
    """What decides which messages leave, by which way, and when."""

    channels: Annotated[Commas, AfterValidator(_known)] = Field(
        ("email", "sms"),
        validation_alias="NOTIFIER_CHANNELS",
        description="the channels there are, in the order in which they are tried",
    )
    fallback: Annotated[Commas, AfterValidator(_kinds)] = Field(
        (),
        validation_alias="NOTIFIER_FALLBACK",
        description="kinds that go by the first channel that works, or all; others go by each",
    )
    fallback_after: Duration = Field(
        timedelta(hours=1),
        validation_alias="NOTIFIER_FALLBACK_AFTER",
        description="how long a channel may get nothing through before the next one takes over",
        gt=timedelta(0),
    )
    report_wait: Duration = Field(
        timedelta(hours=1),
        validation_alias="NOTIFIER_REPORT_WAIT",
        description="how long the next channel waits for a report of delivery",
    )
    confirmed: Literal["core", "asked"] = Field(
        "core",
        validation_alias="NOTIFIER_CONFIRMED",
        description="core: addresses of the billing are trusted; asked: only those confirmed here",
    )
    quiet_hours: Annotated[str, AfterValidator(_hours)] = Field(
        "21:00-09:00",
        validation_alias="NOTIFIER_QUIET_HOURS",
        description="by the subscriber's own clock; empty: none",
    )
    per_hour: int = Field(5, validation_alias="NOTIFIER_PER_HOUR", ge=0, le=1000)
    per_day: int = Field(15, validation_alias="NOTIFIER_PER_DAY", ge=0, le=1000)
    remind_after: Duration = Field(
        timedelta(days=3), validation_alias="NOTIFIER_REMIND_AFTER", gt=timedelta(0)
    )
    remind_max: int = Field(1, validation_alias="NOTIFIER_REMIND_MAX", ge=0, le=REMINDERS_MAX)

    def channel_names(self) -> tuple[ChannelName, ...]:
        """Return the channels of this installation, in the order in which they are tried."""
        return tuple(name for one in self.channels for name in CHANNEL_NAMES if name == one)

    def reaching(self) -> Reaching:
        """Return how people are reached."""
        return Reaching(self.channel_names(), frozenset(self.fallback), self.confirmed == "core")

    def rules(self) -> Rules:
        """Return when messages may leave, and how often."""
        limits = Limits(self.per_hour, self.per_day)
        hours = quiet.parse(self.quiet_hours)
        return Rules(hours, limits, self.remind_after, self.remind_max)

    def turns(self) -> Patience:
        """Return how long a channel has before the next one takes over."""
        return Patience(self.fallback_after, self.report_wait)
