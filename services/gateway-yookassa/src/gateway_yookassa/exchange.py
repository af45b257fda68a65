"""One exchange with YooKassa as the journal keeps it: masked, with what it is about."""

from __future__ import annotations

from typing import Any

import orjson

from gateway_yookassa import wire
from shared import log as logs
from shared.gateway.client import Exchange
from shared.gateway.journal import Entry


def entry(one: Exchange) -> Entry:
    """Return the entry of a request and its answer."""
    sent, said = _read(one.sent), _read(one.heard.body)
    about = wire.subject(one.path, sent, said)
    return Entry(
        one.at,
        "out",
        one.shop,
        f"{one.method} {_without_id(one.path)}",
        one.outcome,
        one.heard.status,
        round(one.seconds * 1_000_000),
        about.object_id,
        about.provider_payment_id,
        about.payment_id,
        logs.correlation_id(),
        wire.masked(sent).decode() or None,
        wire.masked(said).decode() or None,
    )


def _read(body: bytes | None) -> Any:
    """Return a body as JSON; None where it is none."""
    try:
        return orjson.loads(body) if body else None
    except orjson.JSONDecodeError:
        return None


def _without_id(path: str) -> str:
    """Put a word for what follows the collection: it may be a saved method's id."""
    parts = path.split("/")
    return "/".join(["", parts[1], *(["{id}"] if len(parts) > 2 else []), *parts[3:]])
