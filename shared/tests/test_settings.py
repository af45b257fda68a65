"""Settings: every mistake at once and by its variable, and no secret in anything printed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, ip_network
from typing import Any

import pytest
from pydantic import Field

from shared.crypto import token_hash
from shared.errors import SettingsError
from shared.settings import (
    ApiToken,
    Common,
    Duration,
    Durations,
    Networks,
    parse_duration,
    read,
)
from shared.topology import DELAY_SECONDS, SERVICES

KEYS = ("A" * 43 + "=", "Q" * 43 + "=")
TOKEN = token_hash("demo")
TO_READ = {"name": "x", "scopes": ["a:read"]}
GOOD = {
    "SALDO_DATABASE_URL": "postgresql+asyncpg://saldo:db-secret@db/{service}",
    "SALDO_BUS_URL": "amqp://saldo:bus-secret@mq/",
    "SALDO_PUBLIC_URL": "https://pay.example.org/saldo/",
    "SALDO_SIGNING_KEYS": "signing-secret-1, signing-secret-2",
    "SALDO_ENCRYPTION_KEYS": f"{KEYS[0]},{KEYS[1]}",
}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Returns the lines that an environment is refused with."""

    def lines(**changed: str | None) -> list[str]:
        for name, value in changed.items():
            if value is None:
                monkeypatch.delenv(name)
            else:
                monkeypatch.setenv(name, value)
        with pytest.raises(SettingsError) as error:
            read(Common)
        assert error.value.__cause__ is None
        return str(error.value).splitlines()

    return lines


def test_the_environment_is_read() -> None:
    settings = read(Common)
    assert settings.database_url_of("core_billing").endswith("@db/core_billing")
    assert settings.public_url == "https://pay.example.org/saldo"
    assert settings.listen == "127.0.0.1:8080"
    assert (settings.services, settings.bus_namespace) == (SERVICES, "")
    assert (settings.low_balance_kopecks, settings.poll_seconds) == (10_000, 2.0)
    assert (settings.cutover_at, settings.trusted_proxies, settings.api_tokens) == (None, (), {})
    assert settings.topology().delays == DELAY_SECONDS


def test_lists_moments_and_lengths_of_time_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALDO_SERVICES", " notifier , core-billing,")
    monkeypatch.setenv("SALDO_TRUSTED_PROXIES", "10.0.0.0/8, ::1/128")
    monkeypatch.setenv("SALDO_CUTOVER_AT", "2026-12-01T00:00:00+03:00")
    monkeypatch.setenv("SALDO_RETRY_DELAYS", "100ms,2s,1m")
    monkeypatch.setenv("SALDO_API_TOKENS", json.dumps({TOKEN.upper(): TO_READ}))
    settings = read(Common)
    assert settings.services == ("notifier", "core-billing")
    assert settings.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1/128"))
    assert settings.cutover_at == datetime(2026, 11, 30, 21, tzinfo=UTC)
    assert settings.topology().delays == (1, 2, 60)
    assert settings.topology().services == {"notifier", "core-billing"}
    assert settings.topology().bound("payment.posted") == ("notifier",)
    assert settings.api_tokens == {TOKEN: ApiToken(name="x", scopes=("a:read",))}


def test_every_mistake_is_listed_at_once_by_its_variable(refused: Any) -> None:
    lines = refused(
        SALDO_DATABASE_URL="mysql://x",
        SALDO_BUS_URL="http://x",
        SALDO_PUBLIC_URL=None,
        SALDO_SIGNING_KEYS="short",
        SALDO_ENCRYPTION_KEYS="x",
        SALDO_API_TOKENS="{",
        SALDO_SERVICES="notifer",
        SALDO_POLL_SECONDS="0",
        SALDO_RETRY_DELAYS="5s,soon",
        SALDO_TRUSTED_PROXIES="10.0.0.1/8",
        SALDO_CUTOVER_AT="2026-12-01T00:00:00",
        SALDO_LISTEN="8080",
        SALDO_LOW_BALANCE_KOPECKS="100.5",
        SALDO_BUS_NAMESPACE="a b",
        SALDO_LOG_LEVEL="LOUD",
    )
    named = [line.partition(":")[0].partition(".")[0] for line in lines]
    assert named == sorted(named)
    assert set(named) == {
        *("SALDO_DATABASE_URL", "SALDO_BUS_URL", "SALDO_PUBLIC_URL", "SALDO_SIGNING_KEYS"),
        *("SALDO_ENCRYPTION_KEYS", "SALDO_API_TOKENS", "SALDO_SERVICES", "SALDO_POLL_SECONDS"),
        *("SALDO_RETRY_DELAYS", "SALDO_TRUSTED_PROXIES", "SALDO_CUTOVER_AT", "SALDO_LISTEN"),
        *("SALDO_LOW_BALANCE_KOPECKS", "SALDO_BUS_NAMESPACE", "SALDO_LOG_LEVEL"),
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SALDO_DATABASE_URL", "postgresql+asyncpg://saldo:a@b:s3cret@db/x"),
        ("SALDO_DATABASE_URL", "postgresql://saldo:s3cret@db/x"),
        ("SALDO_DATABASE_URL", "sqlite:///s3cret.db"),
        ("SALDO_DATABASE_URL", ""),
        ("SALDO_BUS_URL", "amqps:/s3cret"),
        ("SALDO_BUS_URL", "amqp://saldo:s3cret@mq:port/"),
        ("SALDO_BUS_URL", "amqp://saldo:s3cret@mq:99999/"),
        ("SALDO_PUBLIC_URL", "https://pay.example.org/?s3cret=1"),
        ("SALDO_PUBLIC_URL", "ftp://s3cret"),
        ("SALDO_PUBLIC_URL", "https://"),
        ("SALDO_SIGNING_KEYS", "s3cret"),
        ("SALDO_SIGNING_KEYS", "a-key-that-is-long-enough,s3cret"),
        ("SALDO_SIGNING_KEYS", " , "),
        ("SALDO_ENCRYPTION_KEYS", f"{KEYS[0]},s3cret-s3cret"),
        ("SALDO_ENCRYPTION_KEYS", ""),
        ("SALDO_API_TOKENS", '{"s3cret": {"name": "a", "scopes": []}}'),
        ("SALDO_API_TOKENS", f'{{"{TOKEN}": {{"name": "", "scopes": []}}}}'),
        ("SALDO_API_TOKENS", f'{{"{TOKEN}": {{"name": "a", "scopes": [], "colour": 1}}}}'),
        ("SALDO_API_TOKENS", '["s3cret"]'),
        ("SALDO_SERVICES", "core-billing,unheard-of"),
        ("SALDO_SERVICES", ""),
        ("SALDO_LISTEN", "127.0.0.1:65536"),
        ("SALDO_LISTEN", "127.0.0.1:"),
        ("SALDO_RETRY_DELAYS", "5"),
        ("SALDO_POLL_SECONDS", "nan"),
        ("SALDO_TRUSTED_PROXIES", "proxy.example.org"),
    ],
)
def test_a_mistake_is_named_and_no_secret_is_quoted(name: str, value: str, refused: Any) -> None:
    (line,) = refused(**{name: value})
    assert line.startswith(name)
    assert not any(part in line for part in ("s3", "cret", *KEYS))


def test_settings_print_no_secret() -> None:
    settings = read(Common)
    for printed in (repr(settings), str(settings)):
        assert "secret" not in printed
        assert not any(key in printed for key in KEYS)


def test_other_programs_variables_are_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LISTEN", "SERVICES", "DATABASE_URL", "POLL_SECONDS", "BUS_NAMESPACE"):
        monkeypatch.setenv(name, "5")
    settings = read(Common)
    assert (settings.listen, settings.services) == ("127.0.0.1:8080", SERVICES)
    assert (settings.poll_seconds, settings.bus_namespace) == (2.0, "")


def test_tests_and_the_demo_may_name_fields() -> None:
    settings = Common.model_validate({"listen": "127.0.0.1:9", "bus_url": "memory://"})
    assert (settings.listen, settings.bus_url) == ("127.0.0.1:9", "memory://")


def test_settings_never_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        read(Common).listen = "0.0.0.0:1"  # type: ignore[misc]


def test_keys_may_be_rotated() -> None:
    settings = read(Common)
    assert settings.signer().verify("x", b"m", settings.signer().sign("x", b"m"))
    assert settings.vault().decrypt(settings.vault().encrypt("text")) == "text"
    producer = settings.producer("core-billing")
    assert (producer.name, producer.topology) == ("core-billing", settings.topology())


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("20s", 20), ("100ms", 0.1), ("10m", 600), ("23h", 82_800), ("1d", 86_400), (" 1s ", 1)],
)
def test_a_length_of_time_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "value", ["", "20", "s", "-1s", "1.5s", "1 s", "٢s", "12345678s", 20, None]
)
def test_nothing_else_is_a_length_of_time(value: Any) -> None:
    with pytest.raises(ValueError, match="20s"):
        parse_duration(value)


def test_a_service_adds_settings_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(Common):
        delays: Durations = Field(validation_alias="OWN_DELAYS")
        pause: Duration = Field(timedelta(seconds=1), validation_alias="OWN_PAUSE")
        networks: Networks = Field((), validation_alias="OWN_NETWORKS")

    monkeypatch.setenv("OWN_DELAYS", "20s,1m")
    monkeypatch.setenv("OWN_NETWORKS", "192.0.2.0/24")
    settings = read(Own)
    assert settings.delays == (timedelta(seconds=20), timedelta(minutes=1))
    assert (settings.pause, IPv4Address("192.0.2.7") in settings.networks[0]) == (
        timedelta(seconds=1),
        True,
    )


def test_the_right_to_write_includes_the_right_to_read() -> None:
    token = ApiToken(name="x", scopes=("payments:write", "contracts:read"))
    assert [token.may(scope) for scope in ("payments:write", "payments:read")] == [True, True]
    assert [token.may(scope) for scope in ("contracts:write", "contracts:read")] == [False, True]
    assert [token.may(scope) for scope in ("refunds:write", "refunds:read")] == [True, True]
    narrow = ApiToken(name="x", scopes=("refunds:write",))
    assert [narrow.may(scope) for scope in ("refunds:write", "refunds:read")] == [True, True]
    assert [narrow.may(scope) for scope in ("payments:write", "payments:read")] == [False, False]
    assert not token.may("payments")
    assert [token.may(f"payments:{act}") for act in ("create", "edit", "annul")] == [True] * 3
    clerk = ApiToken(name="x", scopes=("payments:create",))
    assert [clerk.may(f"payments:{act}") for act in ("create", "edit", "annul", "write")] == [
        *(True, False, False, False)
    ]
    assert ApiToken(name="x", scopes=("*",)).may("settings:write")
