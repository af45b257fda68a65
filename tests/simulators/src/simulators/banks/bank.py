"""The insides of a simulated bank: its memory, its clock, its dice, and what it tells."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from aiohttp import web

from simulators.banks.faults import FaultPlan
from simulators.clock import SandboxClock
from simulators.record import dumps
from simulators.settings import SandboxSettings
from simulators.store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS bank_delivery (
    id INTEGER PRIMARY KEY, bank TEXT NOT NULL, kind TEXT NOT NULL, object_id TEXT NOT NULL,
    url TEXT, headers TEXT NOT NULL, body TEXT NOT NULL, created_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL,
    status INTEGER
);
CREATE INDEX IF NOT EXISTS bank_delivery_due ON bank_delivery (bank, due_at)
    WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS bank_delivery_of ON bank_delivery (object_id);
CREATE TABLE IF NOT EXISTS bank_attempt (
    delivery_id INTEGER NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL, status INTEGER,
    said TEXT, error TEXT, PRIMARY KEY (delivery_id, number)
);
"""
INSERT = (
    "INSERT INTO bank_delivery (bank, kind, object_id, url, headers, body, created_at, due_at,"
    " state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


@dataclass(slots=True)
class Mischief:
    """Probabilities (0 to 1) of what befalls a callback; delays in milliseconds."""

    duplicate: float = 0.0
    loss: float = 0.0
    """All attempts are lost: the callback never comes."""
    attempt_loss: float = 0.0
    forge: float = 0.0
    """Beside the true one somebody sends a lie, signed by somebody else."""
    delay: int = 0
    jitter: int = 0
    """A random extra delay; it reorders."""


@dataclass(frozen=True, slots=True)
class Told:
    """One callback: about what, and the very bytes."""

    object_id: str
    body: str
    headers: Mapping[str, str]
    url: str | None = None
    """Where this one goes, if not to the bank's callback address."""


Lie = Callable[[Told, Random], Told]


@dataclass(slots=True)
class Bank:
    """One simulated bank."""

    name: str
    settings: SandboxSettings
    store: Store
    clock: SandboxClock
    dice: Random
    faults: FaultPlan
    callback_url: str | None
    lie: Lie
    """Makes a forged callback of a true one."""
    offsets: tuple[int, ...]
    """Seconds after the event at which a callback is delivered, until it is accepted."""
    accepted: Callable[[int, bytes], bool]
    """Says whether an answer ends the repeats."""
    knobs: dict[str, Any]
    """What documentation leaves open, and what may go wrong in a callback; see the README."""
    mischief: Mischief = field(default_factory=Mischief)
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    scripts: dict[str, list[Any]] = field(default_factory=dict)
    """What the next charges, refunds and receipts come to."""

    def announce(self, told: Told) -> None:
        """Have a callback delivered; inside the transaction that makes it true."""
        lost = self.dice.random() < self.mischief.loss
        doubled = self.dice.random() < self.mischief.duplicate
        for kind in ("true", "duplicate") if doubled else ("true",):
            self.post(kind, told, self.mischief.delay, "lost" if lost else "waiting")
        if self.dice.random() < self.mischief.forge:
            self.forge(told)
        self.bell.set()

    def forge(self, told: Told) -> None:
        """Have a lie about it delivered once."""
        self.post("forged", self.lie(told, self.dice), 0, "waiting")
        self.bell.set()

    def post(self, kind: str, told: Told, delay: int, state: str) -> None:
        """Write one delivery."""
        now = self.clock.now()
        late = self.dice.randrange(self.mischief.jitter) if self.mischief.jitter > 0 else 0
        written = (self.name, kind, told.object_id, told.url, dumps(dict(told.headers)), told.body)
        self.store.run(INSERT, *written, now, now + delay + late, state)

    def outcome(self, key: str, default: Any) -> Any:
        """Take the next scripted outcome, or the usual one."""
        waiting = self.scripts.get(key)
        return waiting.pop(0) if waiting else default

    def scaled(self, seconds: float) -> int:
        """Return a delay of the bank in milliseconds, at the sandbox's pace."""
        return round(seconds * 1_000 * self.settings.time_scale)

    def address(self, path: str) -> str:
        """Return the address of something of this bank's."""
        return f"{self.settings.public_url.rstrip('/')}/{self.name}/{path}"


BANK: web.AppKey[Bank] = web.AppKey("sandbox-bank", Bank)


def bank_of(request: web.Request) -> Bank:
    """Return the bank that a request has come to."""
    return request.config_dict[BANK]
