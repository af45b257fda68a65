"""All services as one process: the same values the single services run, on the memory bus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web

import core_billing.app
import core_billing.settings
import gateway_yookassa.app
import gateway_yookassa.settings
import notifier.app
import notifier.settings
from shared import migrations
from shared.clock import Clock
from shared.memory import MemoryBus
from shared.service import Process, Service
from shared.settings import Common, read

PACKAGES: Final = ("core_billing", "gateway_yookassa", "notifier")
HOME: Final = "/cabinet/"


@dataclass(frozen=True)
class Settings:
    """The settings of every service, read from one environment."""

    core: core_billing.settings.Settings
    gateway: gateway_yookassa.settings.Settings
    notifier: notifier.settings.Settings

    @property
    def common(self) -> Common:
        """What all of them share."""
        return self.core


def read_settings() -> Settings:
    """Read the environment for all services; raises SettingsError with every mistake of one."""
    return Settings(
        core=read(core_billing.settings.Settings),
        gateway=read(gateway_yookassa.settings.Settings),
        notifier=read(notifier.settings.Settings),
    )


async def migrate(settings: Settings) -> None:
    """Bring every service's database to its newest version."""
    for package in PACKAGES:
        await migrations.migrate(settings.common.database_url_of(package), package)


def build(
    settings: Settings, clock: Clock, mounts: Mapping[str, web.Application] | None = None
) -> Process:
    """Build the process; `mounts` are further applications beside the services."""
    services: Sequence[Service] = (
        core_billing.app.build(settings.core, clock),
        gateway_yookassa.app.build(settings.gateway, clock),
        notifier.app.build(settings.notifier, clock),
    )
    common = settings.common
    bus = MemoryBus(common.topology(), common.signer(), clock)
    return Process(services, bus, clock, mounts=mounts or {}, home=HOME)
