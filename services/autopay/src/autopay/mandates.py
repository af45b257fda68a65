"""Mandates: made, changed, paused, skipped and revoked, each act with its proof of consent.

A contract has one live mandate, by a unique index. What is revoked stays as a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID, uuid4

import orjson
from sqlalchemy import Row

from autopay import (
    accounts,
    cases,
    charges,
    consents,
    methods,
    reviews,
    telling,
    watches,
)
from autopay import mandate_table as table
from autopay.autopay import Autopay
from autopay.calendar_days import first_day
from autopay.case import UPCOMING, Account, Cause
from autopay.consents import Consent
from autopay.mandate import Mandate, Terms, check
from autopay.mandate_checks import check_contract, check_methods
from autopay.mandate_refusals import (
    CHARGE_GONE,
    CHARGE_UNKNOWN,
    MANDATE_EXISTS,
    MANDATE_UNKNOWN,
    PAUSE_PAST,
    PAUSE_TOO_LONG,
    REVOKED_ALREADY,
)
from autopay.mandate_table import find, of_contract, page
from autopay.schedule import day_of
from shared import outbox
from shared.db import Tx

__all__ = [
    "change",
    "create",
    "find",
    "history",
    "of_contract",
    "page",
    "pause",
    "resume",
    "revoke",
    "skip",
]

PAUSE_DAYS_MAX: Final = 366


async def create(
    tx: Tx, autopay: Autopay, contract: str, terms: Terms, consent: Consent, at: datetime
) -> Mandate:
    """Make the mandate of a contract.

    Raises Invalid for impossible terms or a method that is not a live one of this contract,
    NotFound for an unknown contract, Conflict for a closed one or where a live mandate stands.
    """
    check(terms, autopay.rules.limits)
    held = await accounts.lock(tx, [contract])
    await check_contract(tx, contract)
    await check_methods(tx, contract, terms)
    made = Mandate(
        id=uuid4(),
        contract=contract,
        revision=1,
        state=table.ACTIVE,
        terms=terms,
        paused_until=None,
        skip_next=False,
        created_at=at,
        changed_at=at,
    )
    if not await table.insert(tx, made, first_day(made, at)):
        raise MANDATE_EXISTS()
    await _note(tx, made, "create", consent)
    await _watch(tx, autopay, made, terms, at)
    return await _reviewed(tx, autopay, held, made, Cause(look=True), at)


async def change(
    tx: Tx, autopay: Autopay, this: UUID, terms: Terms, consent: Consent, at: datetime
) -> Mandate:
    """Put other terms in place; what was planned under the old ones is dropped.

    Raises as `create`, NotFound for an unknown mandate, Conflict for a revoked one.
    """
    check(terms, autopay.rules.limits)
    held, known = await _locked(tx, this)
    await check_methods(tx, known.contract, terms)
    changed = _next(known, at, terms=terms)
    same = (known.terms.trigger, known.terms.day_of_month) == (terms.trigger, terms.day_of_month)
    moved = {} if same else {"next_day": first_day(changed, at)}
    await table.write(tx, changed, **moved)
    await _note(tx, changed, "change", consent)
    await _watch(tx, autopay, changed, terms, at)
    return await _reviewed(tx, autopay, held, changed, Cause(call_off="changed", look=True), at)


async def pause(
    tx: Tx, autopay: Autopay, this: UUID, until: date, consent: Consent, at: datetime
) -> Mandate:
    """Make no charges before a day of the mandate's zone; raises Invalid for a day not to come."""
    held, known = await _locked(tx, this)
    today = day_of(at, known.terms.zone)
    if until <= today:
        raise PAUSE_PAST()
    if (until - today).days > PAUSE_DAYS_MAX:
        raise PAUSE_TOO_LONG(days=PAUSE_DAYS_MAX)
    changed = _next(known, at, paused_until=until)
    await table.write(tx, changed)
    await _note(tx, changed, "pause", consent, until.isoformat())
    return await _reviewed(tx, autopay, held, changed, Cause(), at)


async def resume(tx: Tx, autopay: Autopay, this: UUID, consent: Consent, at: datetime) -> Mandate:
    """End a pause, and look at the last known balance."""
    held, known = await _locked(tx, this)
    changed = _next(known, at, paused_until=None)
    await table.write(tx, changed)
    await _note(tx, changed, "resume", consent)
    return await _reviewed(tx, autopay, held, changed, Cause(look=True), at)


async def skip(
    tx: Tx,
    autopay: Autopay,
    this: UUID,
    consent: Consent,
    at: datetime,
    charge_id: str | None = None,
) -> Mandate:
    """Leave out the named charge, or the one that is planned, or else the next one.

    Raises NotFound for a charge of another mandate, Conflict for one that has left already. A
    charge that has been left out already is left out.
    """
    held, known = await _locked(tx, this)
    planned = await charges.upcoming(tx, known.contract)
    if charge_id is not None:
        named = await charges.find(tx, charge_id)
        if named is None or named.mandate_id != this:
            raise CHARGE_UNKNOWN()
        if named.state is charges.State.DROPPED:
            return known
        if named.state not in UPCOMING:
            raise CHARGE_GONE()
        planned = named
    off = planned is not None and planned.state in UPCOMING
    changed = _next(known, at, skip_next=known.skip_next or not off)
    await table.write(tx, changed)
    detail = planned.id if planned is not None and off else ""
    await _note(tx, changed, "skip", consent, detail)
    cause = Cause(call_off="skipped") if off else Cause()
    return await _reviewed(tx, autopay, held, changed, cause, at)


async def revoke(
    tx: Tx, autopay: Autopay, this: UUID, consent: Consent, at: datetime, reason: str
) -> Mandate:
    """End a mandate for good, at once; its methods are removed. A repeat changes nothing.

    What has been asked for already is concluded by what becomes of it. Source: 376-FZ, in force
    since 2026-03-01: what a consumer has withdrawn is not charged any more.
    """
    held, known = await _locked(tx, this, also_revoked=True)
    if not known.live:
        return known
    ended = _next(known, at, state=table.REVOKED, revoked_at=at, skip_next=False)
    await table.write(tx, ended, reason=reason, next_day=None, look_at=None)
    await _note(tx, ended, "revoke", consent, reason)
    names = ended.terms.methods
    await methods.end(tx, dict.fromkeys(names, reason), ended.contract, methods.REVOKED, at)
    await _watch(tx, autopay, ended, None, at)
    await outbox.add(tx, autopay.producer, [telling.revoked(autopay, ended, names, at)], at)
    await _take_back(tx, autopay, ended.contract, at)
    await reviews.settle(tx, autopay, await cases.load(tx, held, {}, at), {}, at)
    return ended


async def history(tx: Tx, this: UUID) -> Sequence[Row[Any]]:
    """Return the consent journal of a mandate, oldest first."""
    return await consents.history(tx, this)


async def _locked(
    tx: Tx, this: UUID, *, also_revoked: bool = False
) -> tuple[dict[str, Account], Mandate]:
    """Hold a mandate's contract; return how it stands, and the mandate."""
    known = await find(tx, this)
    if known is None:
        raise MANDATE_UNKNOWN()
    held = await accounts.lock(tx, [known.contract])
    known = await find(tx, this) or known
    if not known.live and not also_revoked:
        raise REVOKED_ALREADY()
    return held, known


async def _take_back(tx: Tx, autopay: Autopay, contract: str, at: datetime) -> None:
    """Make a charge that was asked for one that is only announced, if the asking is still here.

    That of a dead charge may be here to be said once more: it is no sign that nobody has heard it.
    """
    asked = await charges.upcoming(tx, contract)
    if asked is None or asked.state is not charges.State.REQUESTED:
        return
    if (asked.not_after or at) < at:
        return
    if await outbox.withdraw(tx, [telling.request_id(autopay, asked.id)]):
        state = charges.State.ANNOUNCED
        await charges.write(tx, [replace(asked, state=state, requested_at=None, not_after=None)])


async def _watch(tx: Tx, autopay: Autopay, of: Mandate, terms: Terms | None, at: datetime) -> None:
    said = await watches.want(tx, autopay.producer.name, of.contract, terms, at, of.id.hex)
    await outbox.add(tx, autopay.producer, said, at)


async def _note(tx: Tx, of: Mandate, act: str, consent: Consent, detail: str = "") -> None:
    # A method is a named tuple, which it does not take for a list by itself.
    said = orjson.dumps(asdict(of.terms), default=list, option=orjson.OPT_SORT_KEYS)
    await consents.add(tx, of.id, of.contract, act, consent, said.decode(), detail)


async def _reviewed(
    tx: Tx,
    autopay: Autopay,
    held: dict[str, Account],
    changed: Mandate,
    cause: Cause,
    at: datetime,
) -> Mandate:
    cause = replace(cause, correlation_id=changed.id.hex)
    await reviews.review(tx, autopay, held, {changed.contract: cause}, at)
    return await find(tx, changed.id) or changed


def _next(known: Mandate, at: datetime, **changes: Any) -> Mandate:
    return replace(known, revision=known.revision + 1, changed_at=at, **changes)
