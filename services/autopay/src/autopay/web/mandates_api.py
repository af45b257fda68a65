"""`/autopay/v1/mandates`: what contracts let us charge, for the operator's own systems."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from pydantic import BaseModel

from autopay import accounts, directory, mandates, terms_refusals
from autopay.mandate import Mandate
from autopay.mandate_refusals import (
    CHARGE_GONE,
    CHARGE_UNKNOWN,
    CONTRACT_CLOSED,
    CONTRACT_UNKNOWN,
    MANDATE_EXISTS,
    MANDATE_UNKNOWN,
    METHOD_UNKNOWN,
    PAUSE_PAST,
    PAUSE_TOO_LONG,
    RESERVE_UNKNOWN,
    REVOKED_ALREADY,
)
from autopay.web.acting import Act, perform
from autopay.web.base import AUTOPAY, api, cursor, existing, read_cursor
from autopay.web.bodies import ChangedMandate, MandatesQuery, NewMandate, Pausing, SkipQuery
from autopay.web.shown import consent_list, detail
from autopay.web.views import ConsentList, MandateDetail, MandatePage, MandateView, mandate_fields
from shared import api as apis
from shared.db import Tx, reading
from shared.errors import Refusal

_USUAL_ZONE: Final = "Europe/Moscow"
_TERMS: Final = (METHOD_UNKNOWN, RESERVE_UNKNOWN, *terms_refusals.ALL)
CHANGED: Final = Refusal(
    "mandate_changed",
    409,
    "The mandate has changed meanwhile (revision {revision}): look at it again",
    "Поручение тем временем изменилось (версия {revision}): посмотрите его снова",
)


@api.post(
    "/v1/mandates",
    body=NewMandate,
    answers={201: MandateDetail},
    scope="mandates:write",
    summary="Make the mandate of a contract",
    refusals=(CONTRACT_UNKNOWN, CONTRACT_CLOSED, MANDATE_EXISTS, *_TERMS),
    keyed=True,
)
async def create_mandate(request: web.Request, asked: NewMandate) -> web.Response:
    """Make a mandate, once per Idempotency-Key."""

    async def do(tx: Tx, act: Act) -> BaseModel:
        entry = await directory.find(tx, asked.contract)
        terms = asked.terms(entry.timezone if entry else _USUAL_ZONE)
        consent = act.consent(asked.consent)
        made = await mandates.create(tx, act.autopay, asked.contract, terms, consent, act.at)
        return await detail(tx, made, act.at)

    return await perform(request, asked, do, 201)


@api.get(
    "/v1/mandates",
    answers={200: MandatePage},
    scope="mandates:read",
    query=MandatesQuery,
    summary="List mandates, newest first",
)
async def list_mandates(request: web.Request, query: MandatesQuery) -> web.Response:
    """Answer one page of mandates."""
    before = read_cursor(query.cursor) if query.cursor else None
    async with reading(request.app[AUTOPAY].db) as tx:
        found = await mandates.page(
            tx, limit=query.limit + 1, contract=query.contract, state=query.state, before=before
        )
    shown = found[: query.limit]
    more = cursor(shown[-1].created_at, shown[-1].id) if len(found) > query.limit else None
    items = [MandateView(**mandate_fields(one)) for one in shown]
    return apis.answer(MandatePage(items=items, next_cursor=more))


@api.get(
    "/v1/mandates/{id}",
    answers={200: MandateDetail},
    scope="mandates:read",
    summary="A mandate in words: terms, the charge to come and why, the journal of consent",
    refusals=(MANDATE_UNKNOWN,),
)
async def show_mandate(request: web.Request) -> web.Response:
    """Answer one mandate, live or revoked."""
    autopay = request.app[AUTOPAY]
    async with reading(autopay.db) as tx:
        found = await existing(tx, request.match_info["id"])
        return apis.answer(await detail(tx, found, autopay.clock()))


@api.get(
    "/v1/mandates/{id}/consents",
    answers={200: ConsentList},
    scope="mandates:read",
    summary="The journal of consent, with the words agreed to: the proof",
    refusals=(MANDATE_UNKNOWN,),
)
async def list_consents(request: web.Request) -> web.Response:
    """Answer the newest acts of the journal, oldest first."""
    async with reading(request.app[AUTOPAY].db) as tx:
        found = await existing(tx, request.match_info["id"])
        return apis.answer(await consent_list(tx, found))


@api.put(
    "/v1/mandates/{id}",
    body=ChangedMandate,
    answers={200: MandateDetail},
    scope="mandates:write",
    summary="Put other terms in place; of two who change one revision the second is refused",
    refusals=(MANDATE_UNKNOWN, REVOKED_ALREADY, CHANGED, *_TERMS),
)
async def change_mandate(request: web.Request, asked: ChangedMandate) -> web.Response:
    """Change the terms; the same request again changes nothing."""

    async def do(tx: Tx, act: Act) -> BaseModel:
        now = await _held(tx, request)
        terms = asked.terms(now.terms.timezone)
        if now.revision != asked.revision:
            if now.revision != asked.revision + 1 or now.terms != terms:
                raise CHANGED(revision=now.revision)
        else:
            consent = act.consent(asked.consent)
            now = await mandates.change(tx, act.autopay, now.id, terms, consent, act.at)
        return await detail(tx, now, act.at)

    return await perform(request, asked, do)


@api.post(
    "/v1/mandates/{id}/pause",
    body=Pausing,
    answers={200: MandateDetail},
    scope="mandates:write",
    summary="Charge nothing before a day; asked again the last day counts",
    refusals=(MANDATE_UNKNOWN, REVOKED_ALREADY, PAUSE_PAST, PAUSE_TOO_LONG),
    keyed=True,
)
async def pause_mandate(request: web.Request, asked: Pausing) -> web.Response:
    """Pause a mandate."""

    async def do(tx: Tx, act: Act) -> BaseModel:
        now, consent = await _held(tx, request), act.consent(asked.consent)
        if now.paused_until != asked.until:
            now = await mandates.pause(tx, act.autopay, now.id, asked.until, consent, act.at)
        return await detail(tx, now, act.at)

    return await perform(request, asked, do)


@api.post(
    "/v1/mandates/{id}/resume",
    answers={200: MandateDetail},
    scope="mandates:write",
    summary="End a pause now",
    refusals=(MANDATE_UNKNOWN, REVOKED_ALREADY),
    keyed=True,
)
async def resume_mandate(request: web.Request) -> web.Response:
    """Resume a mandate; one that is not paused stays as it is."""

    async def do(tx: Tx, act: Act) -> BaseModel:
        now = await _held(tx, request)
        if now.paused_until is not None:
            now = await mandates.resume(tx, act.autopay, now.id, act.consent(), act.at)
        return await detail(tx, now, act.at)

    return await perform(request, None, do)


@api.post(
    "/v1/mandates/{id}/skip",
    query=SkipQuery,
    answers={200: MandateDetail},
    scope="mandates:write",
    summary="Leave out the named charge, or the next one; name it or send a key to repeat safely",
    refusals=(MANDATE_UNKNOWN, REVOKED_ALREADY, CHARGE_UNKNOWN, CHARGE_GONE),
    keyed=True,
)
async def skip_charge(request: web.Request, query: SkipQuery) -> web.Response:
    """Leave one charge out."""

    async def do(tx: Tx, act: Act) -> BaseModel:
        now = await _held(tx, request)
        now = await mandates.skip(
            tx, act.autopay, now.id, act.consent(), act.at, charge_id=query.charge
        )
        return await detail(tx, now, act.at)

    return await perform(request, None, do)


@api.post(
    "/v1/mandates/{id}/revoke",
    answers={200: MandateDetail},
    scope="mandates:write",
    summary="End a mandate for good, at once; its methods are removed",
    refusals=(MANDATE_UNKNOWN,),
    keyed=True,
)
async def revoke_mandate(request: web.Request) -> web.Response:
    """Revoke a mandate; a revoked one stays as it is."""

    async def do(tx: Tx, act: Act) -> BaseModel:
        now = await _held(tx, request)
        now = await mandates.revoke(tx, act.autopay, now.id, act.consent(), act.at, "asked")
        return await detail(tx, now, act.at)

    return await perform(request, None, do)


async def _held(tx: Tx, request: web.Request) -> Mandate:
    """Return the mandate of the address once nobody else can change it."""
    found = await existing(tx, request.match_info["id"])
    await accounts.lock(tx, [found.contract])
    return await existing(tx, request.match_info["id"])
