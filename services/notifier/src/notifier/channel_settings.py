"""Where messages leave: the settings of the providers."""

from __future__ import annotations

from datetime import timedelta
from email.utils import parseaddr
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from notifier import addresses, webhook
from notifier.channels.smpp_keeper import parse_url as parse_smpp_url
from notifier.channels.smpp_receipt import IdForm
from notifier.channels.smtp_pool import parse_url
from shared.settings import Common, Durations, HttpUrl, Networks, Secrets

LOG_URL: Final = "log://"
"""As `SMTP_URL`: e-mail is only written to the log."""
SECRET_LENGTH_MIN: Final = 16


def _smtp_url(value: SecretStr) -> SecretStr:
    if value.get_secret_value() != LOG_URL:
        parse_url(value.get_secret_value())
    return value


def _mail_from(value: str) -> str:
    if not value.isprintable() or addresses.email(parseaddr(value)[1]) is None:
        raise ValueError("expected an address such as Saldo <billing@example.org>")
    return value


def _smsc_base(value: str) -> str:
    """Take the address with or without the page: SMSC.ru documents `<base>/sys/send.php`."""
    return value.removesuffix("/send.php").removesuffix("/sys")


def _smsru_base(value: str) -> str:
    """Take the address with or without the page: SMS.ru documents `<base>/sms/send`."""
    return value.removesuffix("/send").removesuffix("/sms")


def _smpp_url(value: str) -> str:
    if value:
        parse_smpp_url(value, "")
    return value


def _latin(value: str) -> str:
    if not value.isascii() or not value.isprintable():
        raise ValueError("expected Latin letters, digits and signs")
    return value


def webhook_url(value: SecretStr) -> SecretStr:
    """Take an address that may hold a password, or nothing; raises ValueError without it."""
    written = value.get_secret_value()
    try:
        parts = urlsplit(written)
        usable = not written or (parts.scheme in ("http", "https") and parts.hostname)
        usable = usable and parts.port != 0 and written.isprintable() and " " not in written
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("expected an address such as https://bras.example.org/access")
    return value


def _webhook_secrets(value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    for each in value:
        webhook.secret(each.get_secret_value())
    return value


def _long(value: SecretStr) -> SecretStr:
    written = value.get_secret_value()
    if written and (len(written) < SECRET_LENGTH_MIN or not written.isalnum()):
        raise ValueError(f"expected {SECRET_LENGTH_MIN} or more letters and digits")
    return value


def _token(value: SecretStr) -> SecretStr:
    written = value.get_secret_value()
    if not all(char.isascii() and (char.isalnum() or char in ":_-") for char in written):
        raise ValueError("expected a bot's token: Latin letters, digits, : _ and -")
    return value


def _pauses(value: tuple[timedelta, ...]) -> tuple[timedelta, ...]:
    if not value or not all(timedelta(0) < each <= timedelta(hours=1) for each in value):
        raise ValueError("expected lengths of time of more than nothing and at most 1h")
    return value


WebhookUrl = Annotated[SecretStr, AfterValidator(webhook_url)]
"""An address that may hold a password; empty for none."""
WebhookSecrets = Annotated[Secrets, Field(max_length=5), AfterValidator(_webhook_secrets)]


class ChannelSettings(Common):
    """The providers of messages, and how patient the notifier is with them as a whole."""

    smtp_url: Annotated[SecretStr, AfterValidator(_smtp_url)] = Field(validation_alias="SMTP_URL")
    mail_from: Annotated[str, AfterValidator(_mail_from)] = Field(validation_alias="MAIL_FROM")
    smtp_connections: int = Field(4, validation_alias="NOTIFIER_SMTP_CONNECTIONS", ge=1, le=32)

    sms_provider: Literal["smsc", "smsru", "smpp", "log"] = Field(validation_alias="SMS_PROVIDER")
    smsc_api_url: Annotated[HttpUrl, AfterValidator(_smsc_base)] | None = Field(
        None, validation_alias="SMSC_API_URL"
    )
    smsc_login: str = Field("", validation_alias="SMSC_LOGIN")
    smsc_password: SecretStr = Field(SecretStr(""), validation_alias="SMSC_PASSWORD")
    smsc_sender: str = Field("", validation_alias="SMSC_SENDER", max_length=15)
    smsru_api_url: Annotated[HttpUrl, AfterValidator(_smsru_base)] = Field(
        "https://sms.ru", validation_alias="SMSRU_API_URL"
    )
    smsru_api_id: SecretStr = Field(SecretStr(""), validation_alias="SMSRU_API_ID")
    smsru_sender: str = Field("", validation_alias="SMSRU_SENDER", max_length=15)
    smpp_url: Annotated[str, AfterValidator(_smpp_url)] = Field(
        "",
        validation_alias="SMPP_URL",
        description="smpp://system_id@host:2775, or smpps://... for TLS",
    )
    smpp_password: SecretStr = Field(SecretStr(""), validation_alias="SMPP_PASSWORD")
    smpp_system_type: Annotated[str, AfterValidator(_latin)] = Field(
        "", validation_alias="SMPP_SYSTEM_TYPE", max_length=12
    )
    smpp_sender: Annotated[str, AfterValidator(_latin)] = Field(
        "", validation_alias="SMPP_SENDER", max_length=20
    )
    smpp_sender_ton: int = Field(5, validation_alias="SMPP_SENDER_TON", ge=0, le=6)
    smpp_sender_npi: int = Field(0, validation_alias="SMPP_SENDER_NPI", ge=0, le=18)
    smpp_long: Literal["udh", "sar", "payload"] = Field(
        "udh",
        validation_alias="SMPP_LONG",
        description="how a long text travels: parts with headers, with parameters, or whole",
    )
    smpp_window: int = Field(10, validation_alias="SMPP_WINDOW", ge=1, le=200)
    smpp_receipt_ids: IdForm = Field(
        "as_is",
        validation_alias="SMPP_RECEIPT_IDS",
        description="hex or decimal where receipts write ids otherwise than the answers do",
    )

    bot_url: HttpUrl | None = Field(
        None,
        validation_alias="NOTIFIER_BOT_URL",
        description="a Bot API such as https://api.telegram.org; empty: no such channel",
    )
    bot_token: Annotated[SecretStr, AfterValidator(_token)] = Field(
        SecretStr(""), validation_alias="NOTIFIER_BOT_TOKEN"
    )
    bot_per_second: int = Field(20, validation_alias="NOTIFIER_BOT_PER_SECOND", ge=1, le=1000)

    messages_webhook_url: WebhookUrl = Field(
        SecretStr(""),
        validation_alias="NOTIFIER_MESSAGES_WEBHOOK_URL",
        description="the operator's system that gets messages; empty: no such channel",
    )
    messages_webhook_secrets: WebhookSecrets = Field(
        (), validation_alias="NOTIFIER_MESSAGES_WEBHOOK_SECRETS"
    )
    messages_webhook_per_second: int = Field(
        50, validation_alias="NOTIFIER_MESSAGES_WEBHOOK_PER_SECOND", ge=1, le=1000
    )

    breaker_failures: int = Field(
        5,
        validation_alias="NOTIFIER_BREAKER_FAILURES",
        description="failures of a channel in a row after which it rests",
        ge=1,
        le=1000,
    )
    breaker_pauses: Annotated[Durations, AfterValidator(_pauses)] = Field(
        tuple(timedelta(seconds=s) for s in (15, 30, 60, 120, 300)),
        validation_alias="NOTIFIER_BREAKER_PAUSES",
    )

    report_secret: Annotated[SecretStr, AfterValidator(_long)] = Field(
        SecretStr(""),
        validation_alias="NOTIFIER_REPORT_SECRET",
        description="the key in the address that providers report delivery to; empty: none may",
    )
    report_networks: Networks = Field(
        (),
        validation_alias="NOTIFIER_REPORT_NETWORKS",
        description="where reports may come from; empty: anywhere",
    )

    def wrong_channels(self) -> list[str]:
        """Return what is missing for the channels that are wanted."""
        wrong = []
        smsc = self.smsc_api_url and self.smsc_login and self.smsc_password.get_secret_value()
        if self.sms_provider == "smsc" and not smsc:
            wrong.append("SMS_PROVIDER=smsc needs SMSC_API_URL, SMSC_LOGIN and SMSC_PASSWORD")
        if self.sms_provider == "smsru" and not self.smsru_api_id.get_secret_value():
            wrong.append("SMS_PROVIDER=smsru needs SMSRU_API_ID")
        smpp = self.smpp_url and self.smpp_password.get_secret_value() and self.smpp_sender
        if self.sms_provider == "smpp" and not smpp:
            wrong.append("SMS_PROVIDER=smpp needs SMPP_URL, SMPP_PASSWORD and SMPP_SENDER")
        if self.bot_url and not self.bot_token.get_secret_value():
            wrong.append("NOTIFIER_BOT_URL needs NOTIFIER_BOT_TOKEN")
        if self.messages_webhook_url.get_secret_value() and not self.messages_webhook_secrets:
            wrong.append("NOTIFIER_MESSAGES_WEBHOOK_URL needs NOTIFIER_MESSAGES_WEBHOOK_SECRETS")
        return wrong
