"""Notifications to be delivered, what mischief befalls them, and the log of attempts.

YooKassa API v3, "Webhooks": `{"type":"notification","event":"<object>.<status>","object":{...}}`,
the object as of the event, again and again until exactly 200. There is no event id and no signature
that anybody could check.
"""

from __future__ import annotations

import copy
import uuid
from dataclasses import dataclass, fields, replace
from random import Random
from typing import Any

from simulators.record import dumps
from simulators.store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS delivery (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, event TEXT NOT NULL, object_id TEXT NOT NULL,
    shop_id TEXT NOT NULL, body TEXT NOT NULL, source TEXT, created_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL,
    status INTEGER
);
CREATE INDEX IF NOT EXISTS delivery_due ON delivery (due_at) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS delivery_of ON delivery (object_id);
CREATE TABLE IF NOT EXISTS attempt (
    delivery_id INTEGER NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL,
    milliseconds INTEGER NOT NULL, status INTEGER, error TEXT, PRIMARY KEY (delivery_id, number)
);
"""

FOREIGN_SOURCE = "127.0.0.66"
"""The loopback address that forged notifications come from, outside any sensible allow list."""


@dataclass(slots=True)
class Mischief:
    """Probabilities (0 to 1) of what befalls a notification; delays in milliseconds."""

    duplicate: float = 0.0
    loss: float = 0.0
    """All attempts are lost: the notification never comes."""
    attempt_loss: float = 0.0
    """A single attempt is lost on its way; the schedule goes on."""
    forge: float = 0.0
    """Beside the true one, and at creation, somebody sends a lie."""
    forge_from_outside: bool = True
    delay: int = 0
    jitter: int = 0
    """A random extra delay; it reorders."""


@dataclass(frozen=True, slots=True)
class Told:
    """The object a notification speaks of, and whose it is."""

    shop_id: str
    object: dict[str, Any]

    @property
    def id(self) -> str:
        """Return the object's id."""
        return str(self.object["id"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One notification to be delivered; `kind` is true, duplicate or forged."""

    kind: str
    event: str = ""
    object_id: str = ""
    shop_id: str = ""
    body: str
    source: str | None = None
    """The loopback address it is sent from; None for the usual one."""
    created_at: int
    due_at: int
    state: str = "waiting"
    """waiting, sending, done, given_up, lost (mischief) or withheld (control)."""


COLUMNS = tuple(each.name for each in fields(Delivery))
INSERT = f"INSERT INTO delivery ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"


def announce(
    store: Store, dice: Random, mischief: Mischief, now: int, event: str, told: Told
) -> None:
    """Write the deliveries of one event, inside the transaction that makes it true."""
    lost = dice.random() < mischief.loss
    doubled = dice.random() < mischief.duplicate
    true = Delivery(
        kind="true",
        event=event,
        object_id=told.id,
        shop_id=told.shop_id,
        body=_body(event, told.object),
        created_at=now,
        due_at=now + mischief.delay,
        state="lost" if lost else "waiting",
    )
    for kind in ("true", "duplicate") if doubled else ("true",):
        insert(store, replace(true, kind=kind, due_at=true.due_at + _below(dice, mischief.jitter)))
    if dice.random() < mischief.forge:
        forge(store, dice, mischief, now, event, told)


def forge(store: Store, dice: Random, mischief: Mischief, now: int, event: str, told: Told) -> None:
    """Write a delivery that lies about the object; nobody repeats it."""
    forged = Delivery(
        kind="forged",
        event=event,
        object_id=told.id,
        shop_id=told.shop_id,
        body=_body(event, lie(told.object, dice)),
        source=FOREIGN_SOURCE if mischief.forge_from_outside else None,
        created_at=now,
        due_at=now + _below(dice, mischief.jitter),
    )
    insert(store, forged)


def lie(true: dict[str, Any], dice: Random) -> dict[str, Any]:
    """Return a forged copy: paid when it is not, a larger sum, an unknown id, another shop."""
    false = copy.deepcopy(true)
    kind = dice.choice(("paid", "sum", "unknown", "shop"))
    if kind == "paid":
        false |= {"status": "succeeded", "paid": True}
    elif kind == "sum":
        false["amount"] = {"value": "100000.00", "currency": "RUB"}
    elif kind == "unknown":
        false["id"] = str(uuid.UUID(int=dice.getrandbits(128)))
    else:
        false["recipient"] = {"account_id": "666", "gateway_id": "666"}
    return false


def hasten(store: Store, now: int, *, everything: bool = False) -> int:
    """Make what waits due now, with `everything` also what was lost or given up; count it."""
    states = "('waiting', 'lost', 'given_up', 'withheld')" if everything else "('waiting')"
    sql = f"UPDATE delivery SET state = 'waiting', due_at = ? WHERE state IN {states}"
    return store.run(sql, now)


def insert(store: Store, new: Delivery) -> None:
    """Write one delivery."""
    store.run(INSERT, *(getattr(new, name) for name in COLUMNS))


def _body(event: str, told: dict[str, Any]) -> str:
    return dumps({"type": "notification", "event": event, "object": told})


def _below(dice: Random, limit: int) -> int:
    return dice.randrange(limit) if limit > 0 else 0
