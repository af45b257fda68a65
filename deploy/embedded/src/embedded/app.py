"""All services as one process: the same values the single services run, on the memory bus."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from aiohttp import web

import autopay.app
import autopay.settings
import core_billing.app
import core_billing.settings
import gateway_sbp.app
import gateway_sbp.settings
import gateway_yookassa.app
import gateway_yookassa.settings
import notifier.app
import notifier.settings
from shared import migrations
from shared.clock import Clock
from shared.errors import SettingsError
from shared.memory import MemoryBus
from shared.service import Process, Service
from shared.settings import Common, read

SBP: Final = "SBP_ACQUIRERS"
"""Where it names no bank, payments through SBP are not part of the process."""
HOME: Final = "/cabinet/"

AnySettings = TypeVar("AnySettings", bound=Common)


@dataclass(frozen=True)
class Settings:
    """The settings of every service, read from one environment."""

    core: core_billing.settings.Settings
    gateway: gateway_yookassa.settings.Settings
    sbp: gateway_sbp.settings.Settings | None
    autopay: autopay.settings.Settings | None
    notifier: notifier.settings.Settings

    @property
    def packages(self) -> tuple[str, ...]:
        """The import names of the services that run."""
        return tuple(name.replace("-", "_") for name in self.common.services)

    @property
    def common(self) -> Common:
        """What all of them share."""
        return self.core


def read_settings() -> Settings:
    """Read the environment for all services; raises SettingsError with every mistake of one.

    Each is told what runs here: an event for a service that does not run would never be taken, one
    for a service that nobody names would never be said.
    """
    core = read(core_billing.settings.Settings)
    sbp = read(gateway_sbp.settings.Settings) if os.environ.get(SBP, "").strip() else None
    charging = read(autopay.settings.Settings) if autopay.app.NAME in core.services else None
    runs = (
        core_billing.app.NAME,
        gateway_yookassa.app.NAME,
        *([] if sbp is None else [gateway_sbp.app.NAME]),
        *([] if charging is None else [autopay.app.NAME]),
        notifier.app.NAME,
    )
    _require(core.services, runs)
    return Settings(
        core=_knowing(core, runs),
        gateway=_knowing(read(gateway_yookassa.settings.Settings), runs),
        sbp=None if sbp is None else _knowing(sbp, runs),
        autopay=None if charging is None else _knowing(charging, runs),
        notifier=_knowing(read(notifier.settings.Settings), runs),
    )


def _require(named: Sequence[str], runs: Sequence[str]) -> None:
    """Refuse to start without a service that is named: its queue would fill, the bus stay shut."""
    missing = [name for name in named if name not in runs]
    if missing:
        hint = f" (gateway-sbp runs where {SBP} names a bank)" if "gateway-sbp" in missing else ""
        raise SettingsError(
            f"SALDO_SERVICES: {', '.join(missing)} would not run in this process{hint}:"
            f" leave it out, or name only {', '.join(runs)}"
        )


def _knowing(settings: AnySettings, runs: tuple[str, ...]) -> AnySettings:
    return settings.model_copy(update={"services": runs})


async def migrate(settings: Settings) -> None:
    """Bring every service's database to its newest version."""
    for package in settings.packages:
        await migrations.migrate(settings.common.database_url_of(package), package)


def build(
    settings: Settings, clock: Clock, mounts: Mapping[str, web.Application] | None = None
) -> Process:
    """Build the process; `mounts` are further applications beside the services."""
    services: Sequence[Service] = (
        core_billing.app.build(settings.core, clock),
        gateway_yookassa.app.build(settings.gateway, clock),
        *([] if settings.sbp is None else [gateway_sbp.app.build(settings.sbp, clock)]),
        *([] if settings.autopay is None else [autopay.app.build(settings.autopay, clock)]),
        notifier.app.build(settings.notifier, clock),
    )
    common = settings.common
    bus = MemoryBus(common.topology(), common.signer(), clock)
    return Process(services, bus, clock, mounts=mounts or {}, home=HOME)
