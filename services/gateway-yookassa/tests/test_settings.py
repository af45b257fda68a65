"""What the environment must say, and what happens where it does not."""

from __future__ import annotations

from datetime import time, timedelta
from ipaddress import ip_network

import orjson
import pytest

from gateway_yookassa.settings import Settings
from shared.crypto import new_encryption_key
from shared.errors import SettingsError
from shared.gateway.receipt import Mode, ReceiptTerms, TaxSystem
from shared.gateway.vat import Vat
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
        ("YOOKASSA_METHODS", "carrier_pigeon"),
        ("YOOKASSA_METHODS", "sbp,sbp"),
        ("YOOKASSA_CAPTURE", "perhaps"),
        ("GATEWAY_YOOKASSA_AMOUNT_MAX", "0.50"),
        ("GATEWAY_YOOKASSA_AMOUNT_MIN", "1.001"),
        ("GATEWAY_YOOKASSA_SWEEP_AT", "at night"),
        ("GATEWAY_YOOKASSA_SWEEP_AT", "25:00"),
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


@pytest.mark.parametrize(("said", "meant"), [("03:15", time(3, 15)), ("off", None)])
def test_lists_are_compared_at_night_or_never(
    environment: pytest.MonkeyPatch, said: str, meant: time | None
) -> None:
    assert read(Settings).sweep_at == time(4, 30)
    environment.setenv("GATEWAY_YOOKASSA_SWEEP_AT", said)
    assert read(Settings).sweep_at == meant


def test_any_network_has_to_be_said(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("YOOKASSA_CALLBACK_NETWORKS", "any")
    assert read(Settings).networks() is None


def test_several_shops(environment: pytest.MonkeyPatch) -> None:
    shops = {
        "100501": {
            "secret_key": "live_1",
            "api_url": "http://127.0.0.1/v3",
            "operators": ["ООО Связь"],
            "amount_max": "1000.00",
            "requests_per_second": 2.5,
        },
        "100502": {"secret_key": "test_2", "test_mode": True, "operators": []},
    }
    environment.setenv("YOOKASSA_SHOPS", orjson.dumps(shops).decode())
    first, second, third = read(Settings).accounts()
    assert [shop.account_id for shop in (first, second, third)] == ["100500", "100501", "100502"]
    assert second.api_url == "http://127.0.0.1/v3"
    assert (first.test, second.test, third.test) == (False, False, True)
    assert [shop.requests_per_second for shop in (first, second, third)] == [10, 2.5, 10]
    terms = read(Settings).terms()
    assert [said.operators for said in terms.values()] == [None, {"ООО Связь"}, set()]
    most = [str(said.amount_max) for said in terms.values()]
    assert most == ["350000.00", "1000.00", "350000.00"]
    environment.delenv("YOOKASSA_SHOP_ID")
    environment.delenv("YOOKASSA_SECRET_KEY")
    assert [shop.account_id for shop in read(Settings).accounts()] == ["100501", "100502"]


def test_each_shop_offers_what_it_has(environment: pytest.MonkeyPatch) -> None:
    shops = {
        "100501": {"secret_key": "live_1", "operators": ["b"], "methods": ["sbp"], "sbp_qr": False},
        "100502": {"secret_key": "live_2", "operators": ["c"], "methods": [], "capture": True},
    }
    environment.setenv("YOOKASSA_SHOPS", orjson.dumps(shops).decode())
    environment.setenv("YOOKASSA_METHODS", "bank_card, sbp")
    environment.setenv("YOOKASSA_CAPTURE", "false")
    first, second, third = read(Settings).terms().values()
    offered = [[means.code for means in said.offered] for said in (first, second, third)]
    assert offered == [["bank_card", "sbp"], ["sbp"], []]
    assert [said.shows_codes for said in (first, second, third)] == [True, False, True]
    assert [said.capture for said in (first, second, third)] == [False, False, True]


def test_every_mistake_in_the_shops_is_said(environment: pytest.MonkeyPatch) -> None:
    shops = {
        "1": {"secret_key": "live_1", "operators": ["ООО Связь"]},
        "2": {"secret_key": "live_2", "operators": ["ООО Связь"], "amount_min": "9.00"},
        "3": {"secret_key": "live_3", "amount_max": "0.50"},
        "4": {"secret_key": "live_4"},
    }
    environment.setenv("YOOKASSA_SHOPS", orjson.dumps(shops).decode())
    with pytest.raises(SettingsError) as refused:
        read(Settings)
    said = str(refused.value)
    assert "ООО Связь is an operator of the shops 1 and 2" in said
    assert "shop 3: the smallest amount" in said
    assert "the shops 100500, 3, 4 name no operators" in said
    assert "live_" not in said


def test_some_shop_must_take_new_payments(environment: pytest.MonkeyPatch) -> None:
    for name in ("YOOKASSA_SHOP_ID", "YOOKASSA_SECRET_KEY"):
        environment.delenv(name)
    environment.setenv("YOOKASSA_SHOPS", '{"1": {"secret_key": "live_1", "operators": []}}')
    with pytest.raises(SettingsError, match="no shop takes new payments"):
        read(Settings)


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"operators": ["  "]}, "operators"),
        ({"operators": "ООО Связь"}, "operators"),
        ({"amount_max": 1000}, "amount_max"),
        ({"requests_per_second": 0}, "requests_per_second"),
        ({"operater": ["x"]}, "operater"),
        ({"methods": ["carrier_pigeon"]}, "methods"),
        ({"capture": "perhaps"}, "capture"),
    ],
)
def test_a_mistake_in_one_shop_is_named(
    environment: pytest.MonkeyPatch, said: dict[str, object], field: str
) -> None:
    shops = {"100501": {"secret_key": "live_1", **said}}
    environment.setenv("YOOKASSA_SHOPS", orjson.dumps(shops).decode())
    with pytest.raises(SettingsError, match=f"YOOKASSA_SHOPS.100501.{field}"):
        read(Settings)


def test_secrets_do_not_show(environment: pytest.MonkeyPatch) -> None:
    settings = read(Settings)
    assert "test_demo" not in repr(settings)
    assert "test_demo" not in repr(settings.accounts())


def test_receipts_of_one_shop_and_of_several(environment: pytest.MonkeyPatch) -> None:
    assert read(Settings).terms()["yookassa:100500"].receipts is None
    environment.setenv("YOOKASSA_RECEIPTS", '{"vat": "base", "mode": "full_prepayment"}')
    shops = {
        "100501": {
            "secret_key": "live_1",
            "operators": ["ООО Связь"],
            "receipts": {"vat": "5", "tax_system": "usn_income", "delivery": "other"},
        },
        "100502": {
            "secret_key": "live_2",
            "operators": ["АО Сеть"],
            "receipts": {"vat": "none", "enabled": False},
        },
        "100503": {"secret_key": "live_3", "operators": ["ИП Иванов"]},
    }
    environment.setenv("YOOKASSA_SHOPS", orjson.dumps(shops).decode())
    one, other, off, like = (said.receipts for said in read(Settings).terms().values())
    assert one == like == ReceiptTerms(Vat.BASE, mode=Mode.FULL_PREPAYMENT)
    assert other == ReceiptTerms(Vat.FIVE, tax_system=TaxSystem.SIMPLIFIED, email_needed=False)
    assert off is None


@pytest.mark.parametrize(
    ("said", "about"),
    [
        ("vat", "expected JSON"),
        ("{}", "vat"),
        ('{"vat": "22"}', "vat"),
        ('{"vat": 5.0}', "vat"),
        ('{"vat": "base", "mode": "credit"}', "mode"),
        ('{"vat": "base", "subject": "air"}', "subject"),
        ('{"vat": "base", "tax_system": "envd"}', "tax_system"),
        ('{"vat": "base", "delivery": "pigeon"}', "delivery"),
        ('{"vat": "base", "text": ""}', "text"),
        ('{"vat": "base", "text": " x"}', "text"),
        ('{"vat": "base", "offset_text": "{contract}"}', "offset_text"),
        ('{"vat": "base", "offset_text": "{"}', "offset_text"),
        ('{"vat": "base", "offset_text": "{}"}', "offset_text"),
        ('{"vat": "base", "nds": 22}', "nds"),
    ],
)
def test_a_mistake_in_the_receipts_is_named(
    environment: pytest.MonkeyPatch, said: str, about: str
) -> None:
    environment.setenv("YOOKASSA_RECEIPTS", said)
    environment.setenv("YOOKASSA_API_URL", "nowhere")
    with pytest.raises(SettingsError, match=about) as refused:
        read(Settings)
    assert "YOOKASSA_RECEIPTS" in str(refused.value)
    assert "YOOKASSA_API_URL" in str(refused.value)
