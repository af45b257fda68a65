"""Settings: the environment, read once at start, every mistake reported at once.

The names are fixed by the design, so each field carries its variable as an alias. Lists are
separated by commas, durations are written ``20s``, ``10m``, ``23h`` or ``1d``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Final, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.crypto import Signer, Vault
from shared.db import Database, open_database
from shared.errors import SettingsError
from shared.outbox import Producer
from shared.settings_forms import (
    MEMORY_BUS,
    BusUrl,
    Commas,
    DatabaseUrl,
    Duration,
    Durations,
    EncryptionKeys,
    HttpUrl,
    Json,
    Listen,
    Network,
    Networks,
    Roubles,
    Secrets,
    Services,
    SigningKeys,
    parse_duration,
)
from shared.topology import DELAY_SECONDS, SERVICES, Topology

__all__ = [
    "MEMORY_BUS",
    "Commas",
    "Duration",
    "Durations",
    "HttpUrl",
    "Json",
    "Network",
    "Networks",
    "Roubles",
    "Secrets",
    "parse_duration",
]


_PART_OF: Final = {"refunds": "payments"}


class ApiToken(BaseModel):
    """Who a bearer token belongs to, what it may do, and where it may send browsers back to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=64)
    scopes: tuple[str, ...]
    return_urls: tuple[str, ...] = ()

    def may(self, scope: str) -> bool:
        """Say whether the token holds a scope.

        The right to write stands for all rights of its area: to read, create, edit and annul. That
        to payments includes that to their refunds; ``*`` is every right there is.
        """
        area, _, right = scope.rpartition(":")
        areas = {area, _PART_OF.get(area, area)}
        enough = {"*"} | {f"{one}:{act}" for one in areas for act in (right, "write")}
        return not enough.isdisjoint(self.scopes)


def _hashed(tokens: Any) -> Any:
    """Refuse a token that was written as it is; the message must not say which."""
    known = {str(key).lower(): value for key, value in dict(tokens).items()}
    if not all(re.fullmatch("[0-9a-f]{64}", key) for key in known):
        raise ValueError("expected the SHA-256 of each token, 64 hexadecimal characters")
    return known


Tokens = Json[Annotated[dict[str, ApiToken], BeforeValidator(_hashed)]]
"""The SHA-256 of each bearer token → whose it is and what it may do."""


class Common(BaseSettings):
    """What every service reads; a service's own settings inherit from it."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        populate_by_name=True,
        # Tests and the demo name fields; a variable cannot be called so, hence LISTEN is not ours.
        env_prefix="=",
        hide_input_in_errors=True,
    )

    listen: Listen = Field("127.0.0.1:8080", validation_alias="SALDO_LISTEN")
    database_url: DatabaseUrl = Field(validation_alias="SALDO_DATABASE_URL", repr=False)
    bus_url: BusUrl = Field(validation_alias="SALDO_BUS_URL", repr=False)
    public_url: HttpUrl = Field(validation_alias="SALDO_PUBLIC_URL")
    signing_keys: SigningKeys = Field(validation_alias="SALDO_SIGNING_KEYS")
    encryption_keys: EncryptionKeys = Field(validation_alias="SALDO_ENCRYPTION_KEYS")
    api_tokens: Tokens = Field({}, validation_alias="SALDO_API_TOKENS")
    services: Services = Field(SERVICES, validation_alias="SALDO_SERVICES")
    bus_namespace: str = Field(
        "", validation_alias="SALDO_BUS_NAMESPACE", pattern=r"^[0-9A-Za-z._-]{0,40}$"
    )
    cutover_at: AwareDatetime | None = Field(None, validation_alias="SALDO_CUTOVER_AT")
    low_balance_kopecks: int = Field(10_000, validation_alias="SALDO_LOW_BALANCE_KOPECKS")
    poll_seconds: float = Field(2.0, validation_alias="SALDO_POLL_SECONDS", gt=0, le=60)
    trusted_proxies: Networks = Field((), validation_alias="SALDO_TRUSTED_PROXIES")
    retry_delays: Durations = Field(
        (), validation_alias="SALDO_RETRY_DELAYS", description="pauses before failed events repeat"
    )
    log_level: str = Field(
        "INFO", validation_alias="SALDO_LOG_LEVEL", pattern="^(DEBUG|INFO|WARNING|ERROR)$"
    )

    def signer(self) -> Signer:
        """Return what signs and checks events and links."""
        return Signer([key.get_secret_value() for key in self.signing_keys])

    def vault(self) -> Vault:
        """Return what encrypts and reads personal data and provider tokens."""
        return Vault([key.get_secret_value() for key in self.encryption_keys])

    def topology(self, own: str | None = None) -> Topology:
        """Return the queues of this installation.

        Where `SALDO_SERVICES` is not said, the service `own` is deployed beside the usual ones:
        it runs, after all.
        """
        seconds = tuple(max(1, round(delay.total_seconds())) for delay in self.retry_delays)
        services = frozenset(self.services)
        if own is not None and "services" not in self.model_fields_set:
            services |= {own}
        return Topology(services, self.bus_namespace, delays=seconds or DELAY_SECONDS)

    def producer(self, service: str) -> Producer:
        """Return who a service is when it says events."""
        return Producer(service, self.topology(service), self.signer(), self.vault())

    def database_url_of(self, import_name: str) -> str:
        """Return the address of one service's database."""
        return self.database_url.replace("{service}", import_name)

    def database(self, import_name: str) -> Database:
        """Make the engine of one service's database."""
        return open_database(self.database_url_of(import_name))


AnySettings = TypeVar("AnySettings", bound=Common)


def read(settings: Callable[[], AnySettings]) -> AnySettings:
    """Read the environment; raises SettingsError that lists every mistake, one a line."""
    try:
        return settings()
    except ValidationError as error:
        lines = [f"{_variable(item)}: {item['msg']}" for item in error.errors()]
        raise SettingsError("\n".join(sorted(lines))) from None


def _variable(item: Any) -> str:
    location = item["loc"]
    return ".".join(str(part) for part in location) if location else "settings"
