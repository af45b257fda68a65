"""What the environment says about any gateway: how long things wait, what is taken, what is kept.

A gateway's own settings inherit from `GatewaySettings` and say how their names begin; what a
provider has its own name for is declared there anew.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    AliasGenerator,
    BeforeValidator,
    DirectoryPath,
    Field,
    SecretStr,
)
from pydantic_settings import NoDecode, SettingsConfigDict

from shared.gateway.folder import Folder
from shared.gateway.gateway import Timing
from shared.gateway.limits import Limits
from shared.gateway.reconciliation import Read, Receive, single
from shared.gateway.reconciliation_rest import Inlet
from shared.settings import Common, Duration, Durations, Networks

ANY: Final = "any"
MIB: Final = 1024 * 1024

_SECOND: Final = timedelta(seconds=1)
_MINUTE: Final = timedelta(minutes=1)


def named(prefix: str) -> SettingsConfigDict:
    """Return the configuration of settings whose names begin so, such as ``GATEWAY_SBP_``."""
    return SettingsConfigDict(
        alias_generator=AliasGenerator(validation_alias=lambda name: f"{prefix}{name.upper()}")
    )


def _networks(value: Any) -> Any:
    return None if isinstance(value, str) and value.strip().lower() == ANY else value


def _some(value: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
    if value == ():
        raise ValueError("name the provider's networks, or any")
    return value


def _pauses(value: tuple[timedelta, ...]) -> tuple[timedelta, ...]:
    if not value or any(pause <= timedelta(0) for pause in value):
        raise ValueError("one or more pauses above zero, such as 20s,40s,1m")
    return value


def _secret(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().strip():
        raise ValueError("must not be empty")
    return value


Pauses = Annotated[Durations, AfterValidator(_pauses)]
Sources = Annotated[Networks | None, NoDecode, BeforeValidator(_networks), AfterValidator(_some)]
"""Networks that callbacks may come from; None for ``any``."""
Secret = Annotated[SecretStr, AfterValidator(_secret)]


class GatewaySettings(Common):
    """The settings that every gateway has."""

    poll_delays: Pauses
    list_after: Duration
    unclear_delays: Pauses = tuple(n * _SECOND for n in (2, 5, 15, 30, 60, 120, 300, 600))
    stale_delays: Pauses = (0.3 * _SECOND, _SECOND, 2 * _SECOND, 5 * _SECOND)
    repeat_delays: Pauses = tuple(n * _MINUTE for n in (1, 2, 5, 10, 30, 60))
    doubt: Duration = 2 * _MINUTE
    acknowledged_within: Duration = timedelta(hours=1)
    hold_warning: Duration = timedelta(hours=6)
    answer_within: Duration = 8 * _SECOND
    contract_wait: Duration = 2 * _SECOND
    save_methods: bool = False
    charging_pause: Duration = timedelta(hours=1)
    binding_term: Duration = 70 * _MINUTE
    create_timeout: Duration = 40 * _SECOND
    fetch_timeout: Duration = 8 * _SECOND
    receipt_delays: Pauses = (30 * _SECOND, *(n * _MINUTE for n in (1, 5, 15, 60, 180)))
    receipt_overdue: Duration = timedelta(days=3)
    breaker_failures: int = Field(5, ge=1, le=1000)
    breaker_pauses: Pauses = tuple(n * _SECOND for n in (1, 2, 5, 10, 20))
    journal_days: int = Field(90, ge=1, le=3660)
    registers_dir: DirectoryPath | None = None
    register_mib_max: int = Field(64, ge=1, le=1024)

    def timing(self) -> Timing:
        """Return how long things wait."""
        return Timing(
            poll=self.poll_delays,
            retry=self.unclear_delays,
            stale=self.stale_delays,
            repeat=self.repeat_delays,
            list_after=self.list_after,
            doubt=self.doubt,
            acknowledged_within=self.acknowledged_within,
            answer_within=self.answer_within,
            create_lease=2 * self.create_timeout,
            fetch_lease=2 * self.fetch_timeout,
            receipts=self.receipt_delays,
            receipt_overdue=self.receipt_overdue,
            poll_seconds=self.poll_seconds,
            hold_warning=self.hold_warning,
            charging_pause=self.charging_pause,
            binding_term=self.binding_term,
        )

    def inlet_of(self, read: Read) -> Inlet:
        """Return how the registers come in that can be read so."""
        return self.inlet_for(single(read))

    def inlet_for(self, receive: Receive) -> Inlet:
        """Return how the registers come in that files hold, several in one if need be."""
        return Inlet(receive, self.register_mib_max * MIB)

    def folder_of(self, inlet: Inlet) -> Folder | None:
        """Return the folder that is watched for registers, if any."""
        return None if self.registers_dir is None else Folder(self.registers_dir, inlet)

    @property
    def journal_kept(self) -> timedelta:
        """How long the journal is kept."""
        return timedelta(days=self.journal_days)

    def limits(self) -> Limits:
        """Return what is taken from callers."""
        return Limits(self.public_url, self.contract_wait, self.trusted_proxies)
