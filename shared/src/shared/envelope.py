"""The envelope of every event: CloudEvents 1.0 in structured JSON, signed.

An event's id is made from what it says, never drawn: uuid5 of producer, type, subject and
revision. So the same fact said twice has one id, and every consumer recognises the repeat.
Source: CloudEvents specification 1.0.2, "JSON event format".
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid5

import orjson

from shared.crypto import Signer
from shared.errors import Poison

CONTENT_TYPE: Final = "application/cloudevents+json"
BODY_BYTES_MAX: Final = 64 * 1024

_NAMESPACE: Final = UUID("6e1f7a3c-6d5b-5b0e-9a52-1d1f1a0c7a11")
_PURPOSE: Final = "event"


@dataclass(frozen=True, slots=True)
class Event:
    """One fact or state, as its producer said it."""

    id: UUID
    source: str
    type: str
    subject: str
    time: datetime
    revision: str
    correlation_id: str
    data: Mapping[str, Any]

    def digest(self) -> bytes:
        """Return 16 bytes that differ where the data differ, whatever the order of the fields."""
        canonical = orjson.dumps(self.data, option=orjson.OPT_SORT_KEYS)
        return hashlib.blake2b(canonical, digest_size=16).digest()


def event_id(producer: str, kind: str, subject: str, revision: str) -> UUID:
    """Return the id of a fact; the same four words always give the same one."""
    return uuid5(_NAMESPACE, f"{producer}\x1f{kind}\x1f{subject}\x1f{revision}")


def encode(event: Event) -> bytes:
    """Return the event as the bytes that travel and are signed."""
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": str(event.id),
            "source": f"/{event.source}",
            "type": event.type,
            "subject": event.subject,
            "time": event.time.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "revision": event.revision,
            "correlationid": event.correlation_id,
            "data": dict(event.data),
        }
    )


def decode(body: bytes) -> Event:
    """Read an event's bytes; raises Poison for anything that is not a CloudEvent of ours."""
    if len(body) > BODY_BYTES_MAX:
        raise Poison(f"the event is larger than {BODY_BYTES_MAX} bytes")
    try:
        said = orjson.loads(body)
        time = datetime.fromisoformat(said["time"])
        event = Event(
            id=UUID(said["id"]),
            source=said["source"].removeprefix("/"),
            type=said["type"],
            subject=said["subject"],
            time=time.astimezone(UTC),
            revision=said["revision"],
            correlation_id=said.get("correlationid", ""),
            data=said["data"],
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise Poison(f"not an event: {error!r}") from error
    words = (event.type, event.subject, event.revision, event.correlation_id)
    if not all(isinstance(word, str) for word in words):
        raise Poison("not a CloudEvent: type, subject, revision and correlationid are texts")
    if said.get("specversion") != "1.0" or time.tzinfo is None or type(event.data) is not dict:
        raise Poison("not a CloudEvent 1.0 with an aware time and an object as data")
    return event


def sign(signer: Signer, body: bytes) -> str:
    """Return the signature that travels beside the bytes."""
    return signer.sign(_PURPOSE, body)


def verified(signer: Signer, body: bytes, signature: str) -> Event:
    """Check the signature and read the event; raises Poison for a forged or unsigned one."""
    if not signature or not signer.verify(_PURPOSE, body, signature):
        raise Poison("the event is unsigned, or its signature is wrong")
    return decode(body)
