"""All services as one process: the same values the single services run, on the memory bus."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from aiohttp import web

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
from shared.memory import MemoryBus
from shared.service import Process, Service
from shared.settings import Common, read

SBP: Final = "SBP_ACQUIRERS"
"""Where it names no bank, payments through SBP are not part of the process."""
HOME: Final = "/cabinet/"


@dataclass(frozen=True)
class Settings:
    """The settings of every service, read from one environment."""

    core: core_billing.settings.Settings
    gateway: gateway_yookassa.settings.Settings
    sbp: gateway_sbp.settings.Settings | None
    notifier: notifier.settings.Settings

    @property
    def packages(self) -> tuple[str, ...]:
        """The import names of the services that run."""
        sbp = ("gateway_sbp",) if self.sbp is not None else ()
        return ("core_billing", "gateway_yookassa", *sbp, "notifier")

    @property
    def common(self) -> Common:
        """What all of them share."""
        return self.core


def read_settings() -> Settings:
    """Read the environment for all services; raises SettingsError with every mistake of one."""
    return Settings(
        core=read(core_billing.settings.Settings),
        gateway=read(gateway_yookassa.settings.Settings),
        sbp=read(gateway_sbp.settings.Settings) if os.environ.get(SBP, "").strip() else None,
        notifier=read(notifier.settings.Settings),
    )


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
        notifier.app.build(settings.notifier, clock),
    )
    common = settings.common
    said = common.topology()
    # All of them run, whatever else `SALDO_SERVICES` names.
    topology = replace(said, services=said.services | {service.name for service in services})
    bus = MemoryBus(topology, common.signer(), clock)
    return Process(services, bus, clock, mounts=mounts or {}, home=HOME)
