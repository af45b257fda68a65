"""Opening contracts: one by the API, thousands from a file, with the balance they bring along.

The same number with the same content is a repeat and changes nothing; with other content it is
refused, naming what differs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from core_billing import accounts, contracts, ledger, subscribers, terms, watch_rows, watches
from core_billing.contracts import Contract, contract
from core_billing.drafts import Payment
from core_billing.registration import NewContract
from core_billing.rules import Rules
from core_billing.subscribers import Subscriber
from core_billing.terms import Terms
from shared import outbox
from shared.crypto import Vault
from shared.db import Tx
from shared.errors import Text as Sentence
from shared.errors import Unavailable
from shared.rows import insert_new

_AT_ONCE = Sentence(
    "The same contract is being opened at this moment: repeat the request",
    "Этот же договор открывается прямо сейчас: повторите запрос",
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A contract that is asked for, and its password as it will be kept."""

    asked: NewContract
    password_hash: str | None
    correlation_id: str

    @property
    def number(self) -> str:
        """Return the contract's number."""
        return self.asked.number

    @property
    def subscriber_id(self) -> str | None:
        """Return the subscriber's id where the caller has given one."""
        return self.asked.subscriber.id


@dataclass(frozen=True, slots=True)
class Opened:
    """What became of one of them: made now, there already, or differing in these fields."""

    new: bool
    differs: tuple[str, ...] = ()


async def open_all(
    tx: Tx, vault: Vault, rules: Rules, wanted: Sequence[Wanted], at: datetime
) -> list[Opened]:
    """Open the contracts that do not exist yet; one answer for each, in order.

    No number may come twice. Whether a password is still the same is not looked at here. Raises
    Unavailable where somebody else is opening the same contract or subscriber at this moment.
    """
    known = await contracts.find_all(tx, [want.number for want in wanted])
    differs = await _compare_all(tx, vault, known, [w for w in wanted if w.number in known])
    fresh = [want for want in wanted if want.number not in known]
    given = {want.subscriber_id for want in fresh if want.subscriber_id is not None}
    known_people = await subscribers.find(tx, vault, given)
    people = dict(known_people)
    new: dict[str, tuple[Wanted, Subscriber]] = {}
    for want in fresh:
        person = _person(want)
        fields = subscribers.differences(people.setdefault(person.id, person), person)
        if fields:
            differs[want.number] = tuple(f"subscriber.{name}" for name in fields)
        else:
            new[want.number] = (want, people[person.id])
    strangers = [person for key, person in people.items() if key not in known_people]
    if len(await subscribers.add(tx, vault, strangers)) != len(strangers):
        raise Unavailable(_AT_ONCE)
    await _open_new(tx, rules, list(new.values()), strangers, at)
    return [Opened(want.number in new, differs.get(want.number, ())) for want in wanted]


async def _compare_all(
    tx: Tx, vault: Vault, known: Mapping[str, Contract], wanted: Sequence[Wanted]
) -> dict[str, tuple[str, ...]]:
    people = await subscribers.find(tx, vault, {c.subscriber_id for c in known.values()})
    openings = await ledger.find(tx, {(accounts.OPENING, want.number) for want in wanted})
    held = await terms.find_all(tx, {one.id for one in known.values()})
    found = {}
    for want in wanted:
        now, opening = known[want.number], openings.get((accounts.OPENING, want.number))
        brought = 0 if opening is None else opening.amount_kopecks
        fields = _differences(want, now, people[now.subscriber_id], brought)
        days = want.asked.low_balance_days
        # Whoever says nothing of it does not contradict a manager who has set it since.
        if days is not None and days != held[now.id].low_balance_days:
            fields = (*fields, "low_balance_days")
        if fields:
            found[want.number] = fields
    return found


def _differences(
    want: Wanted, now: Contract, person: Subscriber, brought_kopecks: int
) -> tuple[str, ...]:
    asked = want.asked
    low = None if asked.low_balance is None else asked.low_balance.kopecks
    other_id = want.subscriber_id is not None and want.subscriber_id != person.id
    pairs = {
        "operator": (asked.operator, now.operator),
        "balance": (asked.balance.kopecks, brought_kopecks),
        "credit_limit": (asked.credit_limit.kopecks, now.credit_limit_kopecks),
        "low_balance": (low, now.low_balance_kopecks),
        "subscriber.id": (other_id, False),
        "password": (asked.password is not None, now.has_password),
    }
    own = [name for name, (one, other) in pairs.items() if one != other]
    fields = subscribers.differences(person, asked.subscriber)
    return (*own, *(f"subscriber.{name}" for name in fields))


def _person(want: Wanted) -> Subscriber:
    asked = want.asked.subscriber
    return Subscriber(
        id=asked.id or uuid4().hex,
        name=asked.name,
        phone=asked.phone,
        email=asked.email,
        language=asked.language,
        timezone=asked.timezone,
        revision=1,
    )


async def _open_new(
    tx: Tx,
    rules: Rules,
    new: Sequence[tuple[Wanted, Subscriber]],
    strangers: Sequence[Subscriber],
    at: datetime,
) -> None:
    if not new:
        return
    limits = {want.number: want.asked.credit_limit.kopecks for want, _ in new}
    ids = await accounts.open_contracts(tx, limits)
    if len(ids) != len(new):
        raise Unavailable(_AT_ONCE)
    rows = [_row(ids[want.number], want, person, at) for want, person in new]
    await insert_new(tx, contract, rows, "id")
    await _bring_balances(tx, [want for want, _ in new], at)
    await watch_rows.add_default(tx, list(ids.values()))
    await terms.add(tx, _own_terms(ids, new, at))
    await _tell(tx, rules, new, strangers, at)
    touched = {ids[want.number]: want.correlation_id for want, _ in new}
    await watches.judge(tx, rules, touched, at)


def _row(contract_id: int, want: Wanted, person: Subscriber, at: datetime) -> dict[str, object]:
    asked = want.asked
    return {
        "id": contract_id,
        "number": want.number,
        "subscriber_id": person.id,
        "operator": asked.operator,
        "low_balance_kopecks": None if asked.low_balance is None else asked.low_balance.kopecks,
        "password_hash": want.password_hash,
        "revision": 1,
        "created_at": at,
    }


def _own_terms(
    ids: Mapping[str, int], new: Sequence[tuple[Wanted, Subscriber]], at: datetime
) -> list[Terms]:
    """Return the terms of those that come with some; the others have those of everybody."""
    days = {ids[want.number]: want.asked.low_balance_days for want, _ in new}
    return [
        Terms(each, revision=1, low_balance_days=own, changed_at=at)
        for each, own in days.items()
        if own is not None
    ]


async def _bring_balances(tx: Tx, wanted: Sequence[Wanted], at: datetime) -> None:
    """Post ``opening:<number>``, once, for each contract that brings a balance along."""
    brought = [
        Payment(
            source=accounts.OPENING,
            external_id=want.number,
            amount_kopecks=want.asked.balance.kopecks,
            allocations=((want.number, want.asked.balance.kopecks),),
            paid_at=at,
        )
        for want in wanted
        if want.asked.balance
    ]
    if brought:
        await ledger.post(tx, brought, at)


async def _tell(
    tx: Tx,
    rules: Rules,
    new: Sequence[tuple[Wanted, Subscriber]],
    strangers: Sequence[Subscriber],
    at: datetime,
) -> None:
    by_person = {person.id: want.correlation_id for want, person in new}
    now = await contracts.find_all(tx, [want.number for want, _ in new])
    events = [subscribers.changed(rules, p, at, by_person[p.id]) for p in strangers]
    events += [
        contracts.changed(rules, now[want.number], at, want.correlation_id) for want, _ in new
    ]
    await outbox.add(tx, rules.producer, events, at)
