"""What subscribers were told in a run: the notifier's rows, and what reached the SMS provider.

Each rule returns the faults it found. What is due is worked out from the provider's money and from
the rows of those who decide, never from what the notifier has heard.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from faults.charged import moment
from faults.owed import Owed
from faults.tables import Tables

CORE: Final = "core_billing"
NOTIFIER: Final = "notifier"
CHANNELS: Final = ("sms", "email")
FAILED: Final = "autopay_failed"
REMINDER: Final = "low_balance_reminder"
LATER: Final = timedelta(hours=1)
"""A reminder comes days after its message, so it still waits at the end of a run."""

Told = tuple[str, str]
"""Whose message it is, and the name of what it tells."""

DROPPED: Final[Mapping[str, Collection[str]]] = {
    "low_balance": ("recovered", "paid"),
    REMINDER: ("recovered", "paid"),
    "method_saved": ("removed",),
    "method_removed": ("autopay_off",),
    "autopay_before": ("called_off",),
    "blocked": ("superseded", "unblocked"),
    "unblocked": ("superseded", "blocked_again"),
}
"""What may come to nothing, and why: it was not true any more when it would have left."""

_ROWS: Final = """
SELECT CAST(id AS TEXT), fact, contract, kind, channel, state, reason, attempts, due_at,
    CAST(event_id AS TEXT)
FROM message
"""
_ARRIVED: Final = "SELECT provider_id, count(*) FROM message WHERE channel = 'sms' GROUP BY 1"
_CROSSINGS: Final = """
SELECT contract.number, watch.kind, watch.crossing
FROM watch JOIN contract ON contract.id = watch.contract_id
WHERE watch.watcher = 'notifier' AND watch.kind IN ('balance', 'days')
"""
_ACCESS: Final = """
SELECT contract.number, block_change.revision, block_change.blocked
FROM block_change JOIN contract ON contract.id = block_change.contract_id
"""
_REVOKED: Final = "SELECT contract, CAST(id AS TEXT) FROM mandate WHERE state = 'revoked'"
_SAVED: Final = """
SELECT contract, shop, CAST(id AS TEXT), reason FROM payment_method WHERE revision > 0
"""
_SAID: Final = "SELECT CAST(event_id AS TEXT) FROM outbox WHERE type = 'autopay.failed'"
_REFUNDS: Final = """
SELECT source.name, payment.external_id, debit.name
FROM payment JOIN source ON source.id = payment.source_id
JOIN posting ON posting.payment_id = payment.id
JOIN account AS debit ON debit.id = posting.debit_id
WHERE source.name LIKE 'refund:%' AND debit.name LIKE 'contract:%'
"""
_BY_OWNER: Final = "removed"
"""Why a method ends that no decline has ended."""


@dataclass(frozen=True, slots=True)
class Message:
    """A row of the notifier's journal; ids are written without hyphens."""

    id: str
    told: Told
    kind: str
    channel: str
    state: str
    reason: str
    attempts: int
    due_at: datetime


async def read(tables: Tables) -> list[Message]:
    """Return every message there is.

    A failure of autopay goes by its event, because one may tell of a charge that was never made.
    """
    return [
        Message(
            plain(this),
            (contract, plain(event if kind == FAILED else fact)),
            kind,
            channel,
            state,
            reason or "",
            attempts,
            moment(due_at),
        )
        for (
            this,
            fact,
            contract,
            kind,
            channel,
            state,
            reason,
            attempts,
            due_at,
            event,
        ) in await tables.rows(NOTIFIER, _ROWS)
    ]


def arrived(store: Path) -> dict[str, int]:
    """Return how often each message has reached the SMS provider, repeats among them."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=10)) as opened:
        return {plain(this): count for this, count in opened.execute(_ARRIVED) if this}


def credited(owed: Iterable[Owed], source: str) -> set[Told]:
    """Return what is told of money that has come to a contract."""
    provider = source.removeprefix("payment:")
    return {(one.contract, plain(f"{provider}:{one.payment_id}")) for one in owed if one.contract}


async def refunds(tables: Tables) -> set[Told]:
    """Return what is told of money that the ledger has taken off contracts again."""
    return {
        (
            debit.removeprefix("contract:"),
            plain(f"{source.removeprefix('refund:')}:{external_id}"),
        )
        for source, external_id, debit in await tables.rows(CORE, _REFUNDS)
    }


async def of_autopay(tables: Tables) -> dict[str, set[Told]]:
    """Return by kind what is told of methods, mandates and failed charges."""
    saved = [
        (contract, plain(f"{shop}:{this}"), reason)
        for contract, shop, this, reason in await tables.rows("gateway_yookassa", _SAVED)
    ]
    return {
        "method_saved": {(contract, fact) for contract, fact, _ in saved},
        "method_removed": {
            (contract, fact) for contract, fact, reason in saved if reason == _BY_OWNER
        },
        "autopay_off": {
            (contract, plain(this)) for contract, this in await tables.rows("autopay", _REVOKED)
        },
        FAILED: {("", plain(event)) for (event,) in await tables.rows("autopay", _SAID)},
    }


async def of_billing(tables: Tables) -> dict[str, set[Told]]:
    """Return by kind what is told of low balances and of access to services."""
    crossings = await tables.rows(CORE, _CROSSINGS)
    access = await tables.rows(CORE, _ACCESS)
    return {
        "low_balance": {
            (contract, f"notifier:{n}" if kind == "balance" else f"notifier:{kind}:{n}")
            for contract, kind, newest in crossings
            for n in range(1, newest + 1)
        },
        "blocked": {(contract, f"access:{n}") for contract, n, blocked in access if blocked},
        "unblocked": {(contract, f"access:{n}") for contract, n, blocked in access if not blocked},
    }


def told(messages: Sequence[Message], due: Mapping[str, Collection[Told]]) -> list[str]:
    """Each due fact is told once by each channel, and nothing else is told."""
    wrong = []
    said = Counter((one.kind, _key(one), one.channel) for one in messages)
    for kind, facts in due.items():
        for fact in facts:
            for channel in CHANNELS:
                count = said.pop((kind, fact, channel), 0)
                if count != 1:
                    wrong.append(f"{kind} of {' '.join(fact)} by {channel}: {count} messages")
    for one in messages:
        if (one.kind, _key(one), one.channel) in said and not _need_not_be(one, due):
            what = f"{one.kind} of {' '.join(one.told)} by {one.channel}"
            wrong.append(f"{what}: {one.state}, and there is nothing to tell")
    return wrong


def finished(messages: Iterable[Message], at: datetime) -> list[str]:
    """Each message has left, or has come to nothing for a reason that its kind allows."""
    return [
        f"{one.kind} of {' '.join(one.told)} by {one.channel}: {one.state} {one.reason}".rstrip()
        for one in messages
        if one.state != "sent"
        and one.reason not in DROPPED.get(one.kind, ())
        and not (one.kind == REMINDER and one.state == "new" and one.due_at > at + LATER)
    ]


def delivered(messages: Iterable[Message], arrivals: Mapping[str, int]) -> list[str]:
    """What was sent has reached the SMS provider once, whatever died meanwhile.

    The provider is asked about an SMS of unknown outcome before it is sent again.
    """
    by_id = {one.id: one for one in messages if one.channel == "sms"}
    wrong = [
        f"{one.kind} of {' '.join(one.told)}: sent, and not arrived"
        for this, one in by_id.items()
        if one.state == "sent" and this not in arrivals
    ]
    for this, count in arrivals.items():
        one = by_id.get(this)
        if one is None:
            wrong.append(f"SMS {this}: arrived, and nobody has sent it")
        elif count > 1:
            wrong.append(f"{one.kind} of {' '.join(one.told)}: arrived {count} times")
        elif one.state != "sent" and not one.attempts:
            wrong.append(f"{one.kind} of {' '.join(one.told)}: arrived, and is {one.state}")
    return wrong


def waiting(messages: Iterable[Message], at: datetime) -> int:
    """Return how many messages are still to leave."""
    return sum(one.state in ("new", "ready") and one.due_at <= at + LATER for one in messages)


def states(messages: Iterable[Message]) -> Mapping[str, int]:
    """Return how many messages there are, by kind and state."""
    return dict(sorted(Counter(f"{one.kind} {one.state}" for one in messages).items()))


def tried_again(messages: Iterable[Message]) -> Mapping[str, int]:
    """Return how many messages were given to a channel more than once, by channel.

    Such a message was in hand when its process was killed, or its channel failed: whether the
    first attempt had arrived was in doubt.
    """
    return dict(Counter(one.channel for one in messages if one.attempts > 1))


def plain(written: str) -> str:
    """Return an id, or what holds one, without hyphens: the two databases write ids differently."""
    return str(written).replace("-", "")


def _key(one: Message) -> Told:
    return ("", one.told[1]) if one.kind == FAILED else one.told


def _need_not_be(one: Message, due: Mapping[str, Collection[Told]]) -> bool:
    if one.kind == REMINDER:
        return one.told in due.get("low_balance", ())
    return one.state == "dropped" and one.reason in DROPPED.get(one.kind, ())
