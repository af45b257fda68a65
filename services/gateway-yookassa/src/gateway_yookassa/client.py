"""The way to YooKassa: where a shop is, and what its answers mean.

A POST waits 40 s: YooKassa answers within 30 or gives up with a 500.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import aiohttp
from pydantic import SecretStr

from gateway_yookassa import exchange, wire
from shared.gateway.answer import Answer
from shared.gateway.client import Client, Endpoint, Heard
from shared.gateway.journal import Journal
from shared.gateway.provider import Failure, Missing, Unclear


@dataclass(frozen=True)
class Shop:
    """Where a shop is and what opens it."""

    account_id: str
    secret_key: SecretStr
    api_url: str
    test: bool
    requests_per_second: float
    create_seconds: float
    fetch_seconds: float
    breaker_failures: int = 5
    breaker_pauses: tuple[timedelta, ...] = tuple(timedelta(seconds=n) for n in (1, 2, 5, 10, 20))


def client(shop: Shop, journal: Journal | None = None) -> Client:
    """Return a shop's way; nothing is connected yet."""
    credentials = (shop.account_id, shop.secret_key.get_secret_value())
    endpoint = Endpoint(
        shop=wire.shop_name(shop.account_id),
        url=shop.api_url,
        requests_per_second=shop.requests_per_second,
        headers={"Authorization": aiohttp.encode_basic_auth(*credentials)},
        breaker_failures=shop.breaker_failures,
        breaker_pauses=shop.breaker_pauses,
    )
    return Client(endpoint, _meaning, exchange.entry, journal)


def _meaning(heard: Heard, reading: bool) -> Answer | Missing | Failure:
    if heard.status is None:
        return Unclear(heard.fault)
    if heard.status != 200:
        return wire.failure(heard.status, heard.body, reading=reading)
    try:
        return Answer(wire.answer(heard.body))
    except wire.Unreadable as error:
        return Unclear(f"unreadable: {error}")
