"""Outcomes written beforehand: what the next charge or refund shall come to.

A key names what is scripted: `method:<id>` for charges of one saved method, `charge` for any
charge, `refund:<payment id>` for refunds of one payment, `refund` for any refund. The narrower key
wins.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from simulators.record import dumps
from simulators.store import Store

SCHEMA = "CREATE TABLE IF NOT EXISTS script (key TEXT PRIMARY KEY, outcomes TEXT NOT NULL);"
LIMIT = 1_000

YOO_MONEY_REASONS = {"country_forbidden", "expired_on_confirmation", "internal_timeout"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an operation ends.

    `status` is `succeeded`, `canceled` (with a reason) or `pending`; after `delay` milliseconds a
    pending refund becomes what `then` says. `party` is derived from the reason where it is not
    given.
    """

    status: str = "succeeded"
    reason: str | None = None
    party: str | None = None
    delay: int = 0
    then: str = "succeeded"


def outcome(written: object) -> Outcome:
    """Read one outcome: `"succeeded"`, `"pending"`, a reason, or an object. Raises ValueError."""
    if isinstance(written, str):
        if written in {"succeeded", "pending"}:
            return Outcome(status=written)
        return Outcome(status="canceled", reason=written)
    if isinstance(written, dict):
        try:
            return Outcome(**written)
        except TypeError as error:
            raise ValueError(f"an outcome has no such field: {error}") from error
    raise ValueError("an outcome is a word or an object")


def write(store: Store, key: str, outcomes: list[Outcome]) -> None:
    """Replace what is scripted under the key; an empty list forgets it."""
    if len(outcomes) > LIMIT:
        raise ValueError(f"at most {LIMIT} outcomes")
    store.run("DELETE FROM script WHERE key = ?", key)
    if outcomes:
        text = dumps([asdict(each) for each in outcomes])
        store.run("INSERT INTO script (key, outcomes) VALUES (?, ?)", key, text)


def take(store: Store, *keys: str) -> Outcome:
    """Use up the first scripted outcome of the first key that has one; success where none is."""
    for key in keys:
        if found := scripted(store, key):
            first, *rest = found
            write(store, key, rest)
            return first
    return Outcome()


def scripted(store: Store, key: str) -> list[Outcome]:
    """Return the outcomes that wait under a key, the next one first."""
    row = store.one("SELECT outcomes FROM script WHERE key = ?", key)
    return [] if row is None else [Outcome(**each) for each in json.loads(row["outcomes"])]


def party(refused: Outcome) -> str:
    """Return who refused a payment."""
    if refused.party:
        return refused.party
    return "yoo_money" if refused.reason in YOO_MONEY_REASONS else "payment_network"
