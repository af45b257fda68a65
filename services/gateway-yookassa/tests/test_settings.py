"""What the environment must say, and what happens where it does not."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network

import orjson
import pytest

from gateway_yookassa.settings import Settings
from shared.crypto import new_encryption_key
from shared.errors import SettingsError
from shared.settings import read

BASE = {
    "SALDO_DATABASE_URL": "sqlite+aiosqlite:///./data/{service}.db",
    "SALDO_BUS_URL": "memory://",
    "SALDO_PUBLIC_URL": "https://pay.example.org",
    "SALDO_SIGNING_KEYS": "a signing key of the tests",
    "SALDO_ENCRYPTION_KEYS": new_encryption_key(),
    "YOOKASSA_SHOP_ID": "100500",
    "YOOKASSA_SECRET_KEY": "test_demo",
    "YOOKASSA_CALLBACK_NETWORKS": "185.71.76.0/27, 77.75.156.11, 2a02:5180::/32",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in BASE.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_the_defaults(environment: pytest.MonkeyPatch) -> None:
    settings = read(Settings)
    (shop,) = settings.accounts()
    assert (shop.account_id, shop.api_url) == ("100500", "https://api.yookassa.ru/v3")
    assert (shop.test, shop.requests_per_second) == (False, 10)
    assert (shop.create_seconds, shop.fetch_seconds) == (40, 8)
    assert settings.networks() == tuple(
        ip_network(part) for part in ("185.71.76.0/27", "77.75.156.11/32", "2a02:5180::/32")
    )
    timing = settings.timing()
    assert [pause.total_seconds() for pause in timing.poll] == [20, 40, 60, 120, 300, 600]
    assert timing.list_after == timedelta(hours=23)
    assert timing.create_lease == timedelta(seconds=80)
    assert [pause.total_seconds() for pause in timing.repeat] == [60, 120, 300, 600, 1800, 3600]


@pytest.mark.parametrize(
    "missing", ["YOOKASSA_SHOP_ID", "YOOKASSA_SECRET_KEY", "YOOKASSA_CALLBACK_NETWORKS"]
)
def test_without_what_it_needs_it_does_not_start(
    environment: pytest.MonkeyPatch, missing: str
) -> None:
    environment.delenv(missing)
    with pytest.raises(SettingsError, match=missing):
        read(Settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("YOOKASSA_SECRET_KEY", ""),
        ("YOOKASSA_SECRET_KEY", "  "),
        ("YOOKASSA_SHOP_ID", "shop"),
        ("YOOKASSA_CALLBACK_NETWORKS", ""),
        ("YOOKASSA_CALLBACK_NETWORKS", "everywhere"),
        ("YOOKASSA_CALLBACK_NETWORKS", "10.0.0.1/8"),
        ("YOOKASSA_REQUESTS_PER_SECOND", "0"),
        ("YOOKASSA_POLL_DELAYS", ""),
        ("YOOKASSA_POLL_DELAYS", "0s"),
        ("YOOKASSA_POLL_DELAYS", "20"),
        ("YOOKASSA_LIST_AFTER", "soon"),
        ("YOOKASSA_API_URL", "ftp://api.yookassa.ru"),
        ("YOOKASSA_SHOPS", "{"),
        ("YOOKASSA_SHOPS", '{"1": {}}'),
        ("YOOKASSA_SHOPS", '{"x": {"secret_key": "k"}}'),
        ("GATEWAY_YOOKASSA_AMOUNT_MAX", "0.50"),
        ("GATEWAY_YOOKASSA_AMOUNT_MIN", "1.001"),
    ],
)
def test_a_wrong_value_is_named_and_never_shown(
    environment: pytest.MonkeyPatch, name: str, value: str
) -> None:
    environment.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        read(Settings)
    assert name in str(refused.value)
    assert "test_demo" not in str(refused.value)


def test_any_network_has_to_be_said(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("YOOKASSA_CALLBACK_NETWORKS", "any")
    assert read(Settings).networks() is None


def test_several_shops(environment: pytest.MonkeyPatch) -> None:
    shops = {
        "100501": {"secret_key": "live_1", "api_url": "http://127.0.0.1/v3"},
        "100502": {"secret_key": "test_2", "test_mode": True},
    }
    environment.setenv("YOOKASSA_SHOPS", orjson.dumps(shops).decode())
    first, second, third = read(Settings).accounts()
    assert [shop.account_id for shop in (first, second, third)] == ["100500", "100501", "100502"]
    assert second.api_url == "http://127.0.0.1/v3"
    assert (first.test, second.test, third.test) == (False, False, True)
    environment.delenv("YOOKASSA_SHOP_ID")
    environment.delenv("YOOKASSA_SECRET_KEY")
    assert [shop.account_id for shop in read(Settings).accounts()] == ["100501", "100502"]


def test_secrets_do_not_show(environment: pytest.MonkeyPatch) -> None:
    settings = read(Settings)
    assert "test_demo" not in repr(settings)
    assert "test_demo" not in repr(settings.accounts())
