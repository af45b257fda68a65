"""A webhook as the Standard Webhooks specification (1.0.0) has it: what is sent, how it is signed.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final
from uuid import UUID, uuid5

import orjson

from notifier.access_leases import Leased
from shared.events_billing import ContractBlocked, ContractUnblocked
from shared.money import RUB, Money

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = range(24, 65)
RETRY_AFTER_MAX: Final = timedelta(minutes=15)
_NAMESPACE: Final = UUID("7c1c6f55-58b1-5d0c-9f0e-3c6c2f6f6a41")
_GONE: Final = 410
_TOO_MANY: Final = 429
_UNAVAILABLE: Final = 503


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an attempt."""

    status: int | None
    """None where no answer was read."""
    error: str = ""
    retry_after: timedelta | None = None
    """How long the receiver asks to be left alone, within a limit."""

    @property
    def taken(self) -> bool:
        """Whether the receiver has taken the state: 2xx is the only word for it."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """Whether the receiver wants nothing any more."""
        return self.status == _GONE

    @property
    def crowded(self) -> bool:
        """Whether the receiver wants fewer requests, whatever they are about."""
        return self.status == _TOO_MANY


def secret(written: str) -> bytes:
    """Return the key that a `whsec_` secret holds; raises ValueError, without it, for another."""
    encoded = written.removeprefix(PREFIX)
    try:
        key = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if encoded == written or len(key) not in SECRET_BYTES:
        raise ValueError(f"expected {PREFIX} and the base64 of 24 to 64 random bytes")
    return key


def signature(secrets: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """Return one signature for each secret: whoever still knows an older one reads it, too."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    made = (hmac.digest(key, signed, "sha256") for key in secrets)
    return " ".join(f"v1,{base64.b64encode(each).decode()}" for each in made)


def message_id(contract: str, revision: int) -> str:
    """Return the id of what is told: a repeat has the same one. It holds no full stop."""
    what = f"{contract}\x1f{revision}"
    return f"msg_{uuid5(_NAMESPACE, what).hex}"


def headers(secrets: Sequence[bytes], state: Leased, body: bytes, at: datetime) -> dict[str, str]:
    """Return the headers of an attempt made at a moment."""
    return signed(secrets, message_id(state.contract, state.revision), body, at)


def signed(secrets: Sequence[bytes], this: str, body: bytes, at: datetime) -> dict[str, str]:
    """Return the headers of a webhook with an id, as it is sent at a moment."""
    timestamp = int(at.timestamp())
    return {
        "Content-Type": "application/json",
        "User-Agent": "Saldo",
        "webhook-id": this,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secrets, this, timestamp, body),
    }


def body(state: Leased) -> bytes:
    """Return what is told about a contract; amounts are roubles as text."""
    kind = ContractBlocked.TYPE if state.blocked else ContractUnblocked.TYPE
    since = state.occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    data = {
        "contract": state.contract,
        "blocked": state.blocked,
        "revision": state.revision,
        "reason": state.reason,
        "balance": str(Money(state.balance_kopecks)),
        "available": str(Money(state.available_kopecks)),
        "currency": RUB,
        "since": since,
    }
    return orjson.dumps({"type": kind, "timestamp": since, "data": data})


def answered(status: int, headers: Mapping[str, str], at: datetime) -> Answer:
    """Read the answer of a receiver."""
    asked = None
    if status in (_TOO_MANY, _UNAVAILABLE):
        asked = _retry_after(headers.get("Retry-After", ""), at)
    return Answer(status, f"HTTP {status}", asked)


def _retry_after(written: str, at: datetime) -> timedelta | None:
    """Read seconds or a date (RFC 9110, 10.2.3); None for anything else."""
    try:
        if written.strip().isdecimal():
            asked = timedelta(seconds=min(int(written.strip()[:9]), 10**6))
        else:
            moment = parsedate_to_datetime(written)
            asked = moment.replace(tzinfo=moment.tzinfo or UTC) - at
    except (ValueError, OverflowError, TypeError):
        return None
    return max(timedelta(0), min(asked, RETRY_AFTER_MAX))
