"""The forms in which settings are written: lists, lengths of time, addresses, keys."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from shared.crypto import Vault
from shared.money import WireMoney
from shared.topology import KNOWN

MEMORY_BUS: Final = "memory://"

Value = TypeVar("Value")

_UNITS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?P<number>\d{1,7})(?P<unit>ms|s|m|h|d)", re.ASCII)


def _split(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())


def parse_duration(value: Any) -> Any:
    """Read ``20s`` as a timedelta; raises ValueError for anything but number and unit."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("expected a number with ms, s, m, h or d, such as 20s")
    return timedelta(seconds=int(match["number"]) * _UNITS[match["unit"]])


def _from_json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError("expected JSON") from None


def _durations(value: Any) -> Any:
    return tuple(parse_duration(part) for part in _split(value))


def _http_url(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", value):
        raise ValueError("expected an address such as https://pay.example.org")
    return value.rstrip("/")


def _database_url(value: str) -> str:
    try:
        driver = make_url(value.replace("{service}", "service")).drivername
    except (ArgumentError, ValueError):  # the latter quotes a part of the password
        driver = ""
    if driver not in ("postgresql+asyncpg", "sqlite+aiosqlite"):
        raise ValueError("expected postgresql+asyncpg://... or sqlite+aiosqlite:///...")
    return value


def _bus_url(value: str) -> str:
    try:
        address = urlsplit(value)
        known = address.scheme in ("amqp", "amqps") and address.hostname and address.port != 0
    except ValueError:  # a port that is none; it quotes a part of the password, too
        known = False
    if not known and value != MEMORY_BUS:
        raise ValueError("expected amqp://user:password@host/ or memory://")
    return value


def _listen(value: str) -> str:
    if int(value.rpartition(":")[2]) > 65_535:
        raise ValueError("a port is at most 65535")
    return value


def _deployed(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names or not set(names) <= set(KNOWN):
        raise ValueError(f"expected one or more of {', '.join(KNOWN)}")
    return names


def _strong(keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if not keys or any(len(key.get_secret_value()) < 16 for key in keys):
        raise ValueError("expected one or more keys of at least 16 characters")
    return keys


def _readable(keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    Vault([key.get_secret_value() for key in keys])
    return keys


Listen = Annotated[str, Field(pattern=r"^[^\s]+:\d{1,5}$"), AfterValidator(_listen)]
"""Host and port, such as ``127.0.0.1:8080``."""
DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
"""The address of PostgreSQL or SQLite; may hold ``{service}``."""
BusUrl = Annotated[str, AfterValidator(_bus_url)]
"""The address of RabbitMQ, or ``memory://``."""
Commas = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""A comma-separated list of texts."""
Services = Annotated[Commas, AfterValidator(_deployed)]
"""The names of the deployed services."""
Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
"""A length of time such as ``20s``."""
Durations = Annotated[tuple[timedelta, ...], NoDecode, BeforeValidator(_durations)]
"""A comma-separated list of lengths of time."""
Roubles = Annotated[WireMoney, NoDecode]
"""An amount such as ``650.00``; decoded as JSON it would be a float before anybody looks."""
Json = Annotated[Value, NoDecode, BeforeValidator(_from_json)]
"""A value written as JSON; a mistake in it is listed with the others."""
HttpUrl = Annotated[str, AfterValidator(_http_url)]
"""An address without query and without a slash at its end."""
Network = IPv4Network | IPv6Network
Networks = Annotated[
    tuple[Network, ...],
    NoDecode,
    BeforeValidator(lambda value: tuple(ip_network(part) for part in _split(value))),
]
"""A comma-separated list of networks such as ``10.0.0.0/8``."""
Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)]
"""A comma-separated list of texts that no log shows."""
SigningKeys = Annotated[Secrets, AfterValidator(_strong)]
EncryptionKeys = Annotated[Secrets, AfterValidator(_readable)]
