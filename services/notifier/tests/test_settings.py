"""Settings: every mistake is named before anything starts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from notifier.app import build
from notifier.settings import Settings
from shared.errors import SettingsError
from shared.settings import read


def given(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> Settings:
    """Read the settings from exactly this environment."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return read(Settings)


def test_a_working_environment(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    settings = given(monkeypatch, {**environment, "NOTIFIER_RETRY_DELAYS": "1s,2m"})
    assert settings.delivery_delays == (timedelta(seconds=1), timedelta(minutes=2))
    assert settings.low_balance_max_age == timedelta(hours=24)
    assert "=secret" not in repr(settings)
    assert "'secret'" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMTP_URL", "http://mail"),
        ("SMTP_URL", "smtp://robot:secret@mail?tls=1"),
        ("MAIL_FROM", "nobody"),
        ("MAIL_FROM", "a@example.org\nBcc: b@example.org"),
        ("SMS_PROVIDER", "pigeon"),
        ("SMSC_API_URL", "smsc"),
        ("NOTIFIER_RETRY_DELAYS", ""),
        ("NOTIFIER_RETRY_DELAYS", "soon"),
        ("NOTIFIER_ATTEMPTS_MAX", "0"),
        ("NOTIFIER_SMS_PER_SECOND", "0"),
        ("NOTIFIER_SEND_TIMEOUT", "0s"),
        ("NOTIFIER_SEND_TIMEOUT", "10m"),
        ("NOTIFIER_PAYMENT_MAX_AGE", "0s"),
        ("NOTIFIER_WEBHOOK_URL", "bras.example.org"),
        ("NOTIFIER_WEBHOOK_URL", "ftp://robot:secret@bras.example.org/"),
        ("NOTIFIER_WEBHOOK_URL", "https://robot:secret@bras.example.org:port/"),
        ("NOTIFIER_WEBHOOK_SECRETS", "bm90IGEgc2VjcmV0IGF0IGFsbCwgYnV0IGxvbmc="),
        ("NOTIFIER_WEBHOOK_SECRETS", "whsec_c2hvcnQ="),
        ("NOTIFIER_WEBHOOK_SECRETS", "whsec_*"),
        ("NOTIFIER_WEBHOOK_SECRETS", ",".join([f"whsec_{'A' * 32}"] * 6)),
        ("NOTIFIER_WEBHOOK_TIMEOUT", "0s"),
        ("NOTIFIER_WEBHOOK_TIMEOUT", "2m"),
        ("NOTIFIER_WEBHOOK_DELAYS", ""),
        ("NOTIFIER_WEBHOOK_DELAYS", "5s,0s"),
        ("NOTIFIER_WEBHOOK_DELAYS", "5s,2h"),
        ("NOTIFIER_WEBHOOK_PARALLEL", "0"),
    ],
)
def test_each_mistake_is_named(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], name: str, value: str
) -> None:
    with pytest.raises(SettingsError, match=f"^{name}: ") as refused:
        given(monkeypatch, {**environment, name: value})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("name", ["SMTP_URL", "MAIL_FROM", "SMS_PROVIDER"])
def test_where_messages_leave_is_no_guess(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], name: str
) -> None:
    with pytest.raises(SettingsError, match=name):
        given(monkeypatch, {k: v for k, v in environment.items() if k != name})


@pytest.mark.parametrize("name", ["SMSC_API_URL", "SMSC_LOGIN", "SMSC_PASSWORD"])
def test_smsc_needs_its_account(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], name: str
) -> None:
    without = {k: v for k, v in environment.items() if k != name}
    with pytest.raises(SettingsError, match="SMS_PROVIDER=smsc needs"):
        given(monkeypatch, without)
    assert given(monkeypatch, {**without, "SMS_PROVIDER": "log"}).smsc_api_url in (
        None,
        environment["SMSC_API_URL"],
    )


def test_messages_are_remembered_longer_than_they_stay_fresh(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    with pytest.raises(SettingsError, match="NOTIFIER_KEEP_MESSAGES"):
        given(monkeypatch, {**environment, "NOTIFIER_KEEP_MESSAGES": "5d"})


@pytest.mark.parametrize("page", ["", "/", "/sys", "/sys/send.php"])
def test_the_address_of_smsc_may_name_the_page(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], page: str
) -> None:
    settings = given(monkeypatch, {**environment, "SMSC_API_URL": f"https://smsc.ru{page}"})
    assert settings.smsc_api_url == "https://smsc.ru"


def test_an_access_controller_needs_a_secret(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    named = {**environment, "NOTIFIER_WEBHOOK_URL": "http://10.0.0.7:8000/access?key=hidden"}
    with pytest.raises(SettingsError, match="NOTIFIER_WEBHOOK_URL needs NOTIFIER_WEBHOOK_SECRETS"):
        given(monkeypatch, named)
    keys = f"whsec_{'A' * 32}, whsec_{'B' * 32}"
    settings = given(monkeypatch, {**named, "NOTIFIER_WEBHOOK_SECRETS": keys})
    assert len(settings.webhook_secrets) == 2
    assert settings.webhook_delays[0] == timedelta(seconds=5)
    assert not any(word in repr(settings) for word in ("hidden", "AAAA", "BBBB"))
    assert "access-watch" in [loop.name for loop in build(settings).loops]


def test_without_an_access_controller_nothing_is_sent(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    settings = given(monkeypatch, {**environment, "NOTIFIER_WEBHOOK_URL": ""})
    service = build(settings)
    assert not any("access" in loop.name for loop in service.loops)
    paths = {route.canonical for route in service.mounts["/notifier"].router.resources()}
    assert any(path.endswith("/v1/access") for path in paths)
