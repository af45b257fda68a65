"""What a subscriber would have received: SMS and e-mails, newest last in the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulators.clock import iso
from simulators.record import load
from simulators.store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
    number INTEGER PRIMARY KEY, channel TEXT NOT NULL, sender TEXT NOT NULL,
    recipient TEXT NOT NULL, subject TEXT, text TEXT NOT NULL, html TEXT,
    received_at INTEGER NOT NULL, provider_id TEXT, parts INTEGER NOT NULL, parked INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS message_named ON message (provider_id, recipient);
"""
KEPT = 100_000
"""Messages kept; the oldest go first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One SMS or e-mail.

    `parked` marks one that was sent twice under the same id: it is shown to tests and never to
    people.
    """

    number: int = 0
    channel: str
    sender: str
    recipient: str
    subject: str | None = None
    text: str
    html: str | None = None
    received_at: int
    provider_id: str | None = None
    parts: int = 1
    parked: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the message for `/sandbox/messages.json`."""
        return {
            "number": self.number,
            "channel": self.channel,
            "from": self.sender,
            "to": self.recipient,
            "subject": self.subject,
            "text": self.text,
            "html": self.html,
            "received_at": iso(self.received_at),
            "id": self.provider_id,
            "parts": self.parts,
            "parked": self.parked,
        }


def add(store: Store, new: Message) -> int:
    """Keep the message and return its number."""
    number = store.insert(
        "INSERT INTO message (channel, sender, recipient, subject, text, html, received_at,"
        " provider_id, parts, parked) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        new.channel,
        new.sender,
        new.recipient,
        new.subject,
        new.text,
        new.html,
        new.received_at,
        new.provider_id,
        new.parts,
        new.parked,
    )
    store.run("DELETE FROM message WHERE number <= ?", number - KEPT)
    return number


def newest(store: Store, limit: int, *, after: int = 0, parked: bool = False) -> list[Message]:
    """Return the newest messages first; parked ones only where they are asked for."""
    rows = store.all(
        "SELECT * FROM message WHERE number > ? AND parked <= ? ORDER BY number DESC LIMIT ?",
        after,
        parked,
        limit,
    )
    return [load(Message, row) for row in rows]


def last_named(store: Store, provider_id: str, recipient: str) -> Message | None:
    """Return the last SMS of this id to this number."""
    row = store.one(
        "SELECT * FROM message WHERE channel = 'sms' AND provider_id = ? AND recipient = ? "
        "ORDER BY parked, number DESC LIMIT 1",
        provider_id,
        recipient,
    )
    return None if row is None else load(Message, row)


def clear(store: Store) -> None:
    """Forget them all."""
    store.run("DELETE FROM message")
