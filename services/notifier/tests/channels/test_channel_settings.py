"""Which channels the settings make, and every mistake about them by its name."""

from __future__ import annotations

import pytest

from notifier.channels import making
from notifier.channels.guard import Guarded
from notifier.channels.log import Log
from notifier.reports import Reports
from notifier.settings import Settings
from shared.clock import system_clock
from shared.errors import SettingsError
from shared.settings import read

KEY = f"whsec_{'A' * 32}"
SMPP = {
    "SMPP_URL": "smpp://saldo@smsc.example.org",
    "SMPP_PASSWORD": "hidden",
    "SMPP_SENDER": "ISP",
}
BOT = {"NOTIFIER_BOT_URL": "https://bot.example.org", "NOTIFIER_BOT_TOKEN": "1:hidden"}
HOOK = {
    "NOTIFIER_MESSAGES_WEBHOOK_URL": "https://crm.example.org/hidden",
    "NOTIFIER_MESSAGES_WEBHOOK_SECRETS": KEY,
}


def given(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], **changes: str) -> Settings:
    """Read the settings from this environment."""
    for name, value in {**environment, **changes}.items():
        monkeypatch.setenv(name, value)
    return read(Settings)


@pytest.mark.parametrize(
    ("changes", "names", "kind"),
    [
        ({}, ["sms", "email"], "Smsc"),
        ({"SMS_PROVIDER": "smsru", "SMSRU_API_ID": "hidden"}, ["sms", "email"], "SmsRu"),
        ({"SMS_PROVIDER": "smpp", **SMPP}, ["sms", "email"], "Smpp"),
        ({"SMS_PROVIDER": "log"}, ["sms", "email"], "Log"),
        ({**BOT, **HOOK}, ["sms", "email", "bot", "webhook"], "Smsc"),
    ],
)
async def test_channels_of_the_settings(
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    changes: dict[str, str],
    names: list[str],
    kind: str,
) -> None:
    settings = given(monkeypatch, environment, **changes)
    assert "hidden" not in repr(settings)
    db = settings.database("notifier")
    into = Reports(db, settings.vault(), system_clock)
    made = making.channels(settings, into, system_clock)
    assert [each.name for each in made] == names
    inner = made[0]._channel if isinstance(made[0], Guarded) else made[0]
    assert type(inner).__name__ == kind
    assert all(isinstance(each, Guarded | Log) for each in made)
    assert [making.per_second(settings, each) for each in made] == [5, 10, 20, 50][: len(made)]
    await db.close()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"SMS_PROVIDER": "smsru"}, "SMS_PROVIDER=smsru needs SMSRU_API_ID"),
        ({"SMS_PROVIDER": "smpp", **SMPP, "SMPP_PASSWORD": ""}, "SMS_PROVIDER=smpp needs"),
        ({"SMS_PROVIDER": "smpp", **SMPP, "SMPP_SENDER": ""}, "SMS_PROVIDER=smpp needs"),
        ({**BOT, "NOTIFIER_BOT_TOKEN": ""}, "NOTIFIER_BOT_URL needs NOTIFIER_BOT_TOKEN"),
        ({**HOOK, "NOTIFIER_MESSAGES_WEBHOOK_SECRETS": ""}, "NOTIFIER_MESSAGES_WEBHOOK_SECRETS"),
        ({"NOTIFIER_CHANNELS": "email,bot"}, "NOTIFIER_CHANNELS names bot"),
        ({"NOTIFIER_CHANNELS": "webhook"}, "NOTIFIER_CHANNELS names webhook"),
        ({"SMPP_URL": "smpp://saldo:hidden@host"}, "SMPP_URL: "),
        ({"SMPP_URL": "smpp://host"}, "SMPP_URL: "),
        ({"SMPP_URL": "http://a@host"}, "SMPP_URL: "),
        ({"SMPP_URL": f"smpp://{'a' * 16}@host"}, "SMPP_URL: "),
        ({"SMPP_SENDER": "Салдо"}, "SMPP_SENDER: "),
        ({"SMPP_SYSTEM_TYPE": "longer than twelve"}, "SMPP_SYSTEM_TYPE: "),
        ({"SMPP_WINDOW": "0"}, "SMPP_WINDOW: "),
        ({"SMPP_LONG": "pigeon"}, "SMPP_LONG: "),
        ({"NOTIFIER_BOT_TOKEN": "1:a/b"}, "NOTIFIER_BOT_TOKEN: "),
        ({"NOTIFIER_BOT_URL": "bot"}, "NOTIFIER_BOT_URL: "),
        ({"NOTIFIER_REPORT_SECRET": "hidden"}, "NOTIFIER_REPORT_SECRET: "),
        ({"NOTIFIER_REPORT_SECRET": "with spaces and more"}, "NOTIFIER_REPORT_SECRET: "),
        ({"NOTIFIER_REPORT_NETWORKS": "everywhere"}, "NOTIFIER_REPORT_NETWORKS: "),
        ({"NOTIFIER_BREAKER_PAUSES": ""}, "NOTIFIER_BREAKER_PAUSES: "),
        ({"NOTIFIER_BREAKER_PAUSES": "2h"}, "NOTIFIER_BREAKER_PAUSES: "),
        ({"NOTIFIER_SMTP_CONNECTIONS": "0"}, "NOTIFIER_SMTP_CONNECTIONS: "),
    ],
)
def test_each_mistake_is_named(
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    changes: dict[str, str],
    named: str,
) -> None:
    with pytest.raises(SettingsError, match=named) as refused:
        given(monkeypatch, environment, **changes)
    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize("page", ["", "/", "/sms", "/sms/send"])
def test_the_address_of_smsru_may_name_the_page(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], page: str
) -> None:
    settings = given(monkeypatch, environment, SMSRU_API_URL=f"https://sms.ru{page}")
    assert settings.smsru_api_url == "https://sms.ru"
