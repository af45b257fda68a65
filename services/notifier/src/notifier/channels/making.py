"""The channels that the settings ask for, each behind a breaker of its own."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from notifier import reports, webhook
from notifier.channel_settings import LOG_URL
from notifier.channels.bot import Bot
from notifier.channels.guard import Guarded
from notifier.channels.hook import Hook
from notifier.channels.log import Log
from notifier.channels.port import Channel
from notifier.channels.smpp import Smpp, Writing
from notifier.channels.smpp_keeper import Keeper, parse_url
from notifier.channels.smpp_wire import Address
from notifier.channels.smsc import Smsc
from notifier.channels.smsru import SmsRu
from notifier.channels.smtp import Smtp
from notifier.channels.smtp_pool import parse_url as parse_smtp_url
from notifier.reports import Reports
from notifier.settings import Settings
from shared.breaker import Breaker
from shared.clock import Clock

_PATIENCE: Final = 0.9
"""A channel gives up before delivery does: it knows how far it has come."""
_HOOK_PARALLEL: Final = 8


def channels(settings: Settings, into: Reports, clock: Clock) -> list[Channel]:
    """Return the channels there are; reports that come over a channel go `into` the journal."""
    found = [_sms(settings, into, clock), _email(settings)]
    if settings.bot_url is not None:
        token = settings.bot_token.get_secret_value()
        found.append(Bot(settings.bot_url, token, _seconds(settings)))
    if settings.messages_webhook_url.get_secret_value():
        found.append(_hook(settings, clock))
    return [each if isinstance(each, Log) else _guarded(settings, each) for each in found]


def per_second(settings: Settings, channel: Channel) -> int:
    """Return how many messages a second may leave by a channel."""
    return {
        "sms": settings.sms_per_second,
        "email": settings.emails_per_second,
        "bot": settings.bot_per_second,
        "webhook": settings.messages_webhook_per_second,
    }[channel.name]


def _guarded(settings: Settings, channel: Channel) -> Channel:
    name = f"notifier:{channel.name}"
    return Guarded(channel, Breaker(name, settings.breaker_failures, settings.breaker_pauses))


def _sms(settings: Settings, into: Reports, clock: Clock) -> Channel:
    if settings.sms_provider == "smpp":
        return _smpp(settings, into, clock)
    if settings.sms_provider == "smsru":
        api_id = settings.smsru_api_id.get_secret_value()
        return SmsRu(settings.smsru_api_url, api_id, settings.smsru_sender, _seconds(settings))
    if settings.sms_provider == "smsc" and settings.smsc_api_url is not None:
        return Smsc(
            settings.smsc_api_url,
            settings.smsc_login,
            settings.smsc_password.get_secret_value(),
            settings.smsc_sender,
            _seconds(settings),
        )
    return Log("sms")


def _smpp(settings: Settings, into: Reports, clock: Clock) -> Channel:
    password = settings.smpp_password.get_secret_value()
    peer = replace(
        parse_url(settings.smpp_url, password, settings.smpp_system_type),
        timeout=_seconds(settings),
        window=settings.smpp_window,
        receipt_ids=settings.smpp_receipt_ids,
    )
    source = Address(settings.smpp_sender_ton, settings.smpp_sender_npi, settings.smpp_sender)
    keeper = Keeper(peer, partial(reports.keep, into), clock)
    return Smpp(keeper, Writing(source, settings.smpp_long), settings.smpp_window)


def _email(settings: Settings) -> Channel:
    url = settings.smtp_url.get_secret_value()
    if url == LOG_URL:
        return Log("email")
    return Smtp(
        parse_smtp_url(url), settings.mail_from, _seconds(settings), settings.smtp_connections
    )


def _hook(settings: Settings, clock: Clock) -> Channel:
    secrets = [webhook.secret(s.get_secret_value()) for s in settings.messages_webhook_secrets]
    url = settings.messages_webhook_url.get_secret_value()
    return Hook(url, secrets, _seconds(settings), _HOOK_PARALLEL, clock)


def _seconds(settings: Settings) -> float:
    return settings.send_timeout.total_seconds() * _PATIENCE
