"""What the sandbox is told when it starts."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

ALL_METHODS = ("bank_card", "yoo_money", "sbp", "sberbank", "tinkoff_bank", "alfa_pay")
TEST_METHODS = ("bank_card", "yoo_money")
"""What a test shop accepts (YooKassa, "Testing"): nothing but cards and wallets."""

WEBHOOK_OFFSETS = (0, 10, 42, 84, 168, 672, 5376, 86016)
"""Seconds after the event at which it is delivered again, until 200 (yookassa-github-docs)."""

ACCESS_SECRET = "whsec_c2FuZGJveCBhY2Nlc3MgY29udHJvbGxlcg=="
"""What signs the webhooks to the access controller."""


@dataclass(frozen=True, slots=True)
class Shop:
    """A shop at YooKassa: who may call, and what the manager has switched on for it."""

    id: str
    key: str
    test: bool = True
    currency: str = "RUB"
    gateway_id: str = "2000001"
    methods: tuple[str, ...] = TEST_METHODS
    recurring: bool = True
    """Saving of methods and charges by them; off by default in live shops, on in test shops."""
    retry_on_page: bool = True
    """A failed attempt leaves the payment pending and the payer tries again ("smart payment")."""
    fiscalization: str | None = "avanpost"
    """The cash register's name in `/me`; None for a shop without receipts."""
    receipt_required: bool = False
    fee_basis_points: int = 280
    callback_url: str | None = None
    """Where this shop's notifications go, if not to the sandbox's own `callback_url`."""


DEMO_SHOPS = (
    Shop("100500", "test_demo"),
    Shop("100501", "live_demo", test=False, gateway_id="2000002", methods=ALL_METHODS),
    Shop("100502", "test_plain", gateway_id="2000003", recurring=False, fiscalization=None),
)


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """Everything a sandbox needs; the defaults suit a test.

    `public_url` is what a browser sees, with the prefix under which the sandbox is mounted:
    `http://127.0.0.1:8080/sandbox`. Raises ValueError for an address outside loopback.
    """

    public_url: str
    callback_url: str | None = None
    raiffeisen_callback_url: str | None = None
    tbank_callback_url: str | None = None
    store_path: str = ":memory:"
    shops: tuple[Shop, ...] = DEMO_SHOPS
    smtp_port: int = 0
    """0 chooses a free one; read it from `app[simulators.mail.sink.SINK].port` after the start."""
    smsc_login: str = "demo"
    smsc_password: str = field(default="demo", repr=False)
    smsc_apikey: str = field(default="demo-apikey", repr=False)
    smsc_balance_kopecks: int = 100_000_00
    access_secret: str = field(default=ACCESS_SECRET, repr=False)
    time_scale: float = 1.0
    """Multiplies the webhook schedule and the delays of receipts and refunds; 0.01 is fast."""
    webhook_offsets: tuple[int, ...] = WEBHOOK_OFFSETS
    webhook_concurrency: int = 16
    webhook_timeout: float = 10.0
    replay: Literal["current", "original"] = "current"
    """What a repeated key answers: the object as it is now, or the first answer."""
    seed: int = 1

    def __post_init__(self) -> None:
        banks = (self.raiffeisen_callback_url, self.tbank_callback_url)
        urls = [self.callback_url, *banks, *(shop.callback_url for shop in self.shops)]
        for url in filter(None, urls):
            require_loopback(url)


def require_loopback(url: str) -> str:
    """Return the address if it stays on this machine; raises ValueError otherwise."""
    host = urlsplit(url).hostname or ""
    if host != "localhost":
        try:
            local = ipaddress.ip_address(host).is_loopback
        except ValueError:
            local = False
        if not local:
            raise ValueError(f"the sandbox only talks to this machine, not to {host or url!r}")
    return url
