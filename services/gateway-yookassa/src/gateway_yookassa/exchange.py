"""One exchange with YooKassa as the journal keeps it: masked, with what it is about."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson

from gateway_yookassa import wire
from shared import log as logs
from shared.gateway.journal import Entry


def entry(
    at: datetime,
    shop: str,
    call: tuple[str, str],
    outcome: str,
    status: int | None,
    seconds: float,
    sent: Any,
    said: Any,
) -> Entry:
    """Return the entry of a request; `call` is its method and path, the bodies are read."""
    method, path = call
    about = wire.subject(path, sent, said)
    return Entry(
        at,
        "out",
        shop,
        f"{method} {_without_id(path)}",
        outcome,
        status,
        round(seconds * 1_000_000),
        about.object_id,
        about.provider_payment_id,
        about.payment_id,
        logs.correlation_id(),
        wire.masked(sent).decode() or None,
        wire.masked(said).decode() or None,
    )


def read(body: bytes | None) -> Any:
    """Return a body as JSON; None where it is none."""
    try:
        return orjson.loads(body) if body else None
    except orjson.JSONDecodeError:
        return None


def _without_id(path: str) -> str:
    """Put a word for what follows the collection: it may be a saved method's id."""
    parts = path.split("/")
    return "/".join(["", parts[1], *(["{id}"] if len(parts) > 2 else []), *parts[3:]])
