"""Promised payments: addresses."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from core_billing import (
    contracts,
    policy_rows,
    promise_cancels,
    promise_candidates,
    promise_grants,
    promise_refusals,
    promise_rows,
)
from core_billing.contracts import Contract
from core_billing.policies import PROMISE, of_group
from core_billing.promise_rows import Origin, Promise
from core_billing.promise_rules import Wish
from core_billing.web.acting import Act, CheckView, Do, Done, perform, rehearse
from core_billing.web.base import CONTRACT_UNKNOWN, CORE, api, existing
from core_billing.web.promises_views import (
    PromiseActView,
    PromiseAsked,
    PromiseCanceled,
    PromiseOfferView,
    PromisesQuery,
    PromisesView,
    act_view,
    promise_view,
    terms_view,
)
from shared import api as apis
from shared import problem
from shared.db import Tx, reading
from shared.errors import invalid
from shared.money import Money

_GIVING: Final = (CONTRACT_UNKNOWN, *promise_refusals.GIVING)
_ID_MAX: Final = 2**63


@api.get(
    "/promises",
    answers={200: PromisesView},
    scope="promises:read",
    query=PromisesQuery,
    summary="Promised payments, newest first",
    refusals=(CONTRACT_UNKNOWN,),
)
async def list_promises(request: web.Request, query: PromisesQuery) -> web.Response:
    """Answer with a page of the history."""
    core = request.app[CORE]
    before = None if query.cursor is None else _cursor(query.cursor)
    async with reading(core.db) as tx:
        of = None if query.contract is None else (await existing(tx, query.contract)).id
        found = await promise_rows.page(tx, of, query.status, before, query.limit + 1)
        shown = found[: query.limit]
        theirs = await contracts.find_all(tx, {one.number for one in shown})
    more = str(shown[-1].id) if len(found) > query.limit else None
    items = [promise_view(core.rules, one, _own(theirs[one.number])) for one in shown]
    return apis.answer(PromisesView(items=items, next_cursor=more))


@api.get(
    "/contracts/{number}/promise",
    answers={200: PromiseOfferView},
    scope="promises:read",
    summary="What a contract may promise, or which rule says no",
    refusals=(CONTRACT_UNKNOWN,),
)
async def show_promise_offer(request: web.Request) -> web.Response:
    """Answer with the open promise and with what is offered to the subscriber and a manager."""
    core = request.app[CORE]
    at, language = core.clock(), problem.language(request)
    today = core.rules.day(at)
    async with reading(core.db) as tx:
        found = await existing(tx, request.match_info["number"])
        candidate = await promise_candidates.candidate(tx, core.rules, found.id, at)
        scope = of_group(candidate.group)
        rule = (await policy_rows.load(tx, today, scope)).get(PROMISE, scope)
    current = candidate.current
    shown = None if current is None else promise_view(core.rules, current, _own(found))
    return apis.answer(
        PromiseOfferView(
            contract=found.number,
            balance=Money(found.balance_kopecks),
            available=Money(found.available_kopecks),
            current=shown,
            subscriber=terms_view(rule, candidate, Origin.SUBSCRIBER, today, language),
            manager=terms_view(rule, candidate, Origin.MANAGER, today, language),
        )
    )


@api.post(
    "/promises",
    body=PromiseAsked,
    answers={201: PromiseActView},
    scope="promises:create",
    summary="Give a promised payment: it lowers the floor and unblocks at once",
    keyed=True,
    refusals=_GIVING,
)
async def give_promise(request: web.Request, asked: PromiseAsked) -> web.Response:
    """Give it."""
    return await perform(request, "promise.create", asked, _giving(asked))


@api.post(
    "/promises/check",
    body=PromiseAsked,
    answers={200: CheckView[PromiseActView]},
    scope="promises:create",
    summary="What giving a promised payment would do: its fee, its end, what is available then",
)
async def check_promise(request: web.Request, asked: PromiseAsked) -> web.Response:
    """Answer beforehand."""
    return await rehearse(request, _giving(asked))


@api.post(
    "/promises/{promise}/cancel",
    body=PromiseCanceled,
    answers={200: PromiseActView},
    scope="promises:annul",
    summary="Take a promised payment back; its fee stays",
    keyed=True,
    refusals=promise_refusals.CANCELLING,
)
async def cancel_promise(request: web.Request, asked: PromiseCanceled) -> web.Response:
    """Cancel it."""
    return await perform(request, "promise.cancel", asked, _canceling(request, asked))


@api.post(
    "/promises/{promise}/cancel/check",
    body=PromiseCanceled,
    answers={200: CheckView[PromiseActView]},
    scope="promises:annul",
    summary="What taking a promised payment back would do",
)
async def check_promise_cancel(request: web.Request, asked: PromiseCanceled) -> web.Response:
    """Answer beforehand."""
    return await rehearse(request, _canceling(request, asked))


def _giving(asked: PromiseAsked) -> Do:
    wish = Wish(Origin(asked.by), asked.amount.kopecks, asked.until, asked.waive_fee)

    async def do(tx: Tx, act: Act) -> Done:
        found = await existing(tx, asked.contract)
        rules = act.core.rules
        made = await promise_grants.grant(
            tx, rules, found, wish, act.actor, act.at, act.correlation_id
        )
        return await _done(tx, act, made, 201)

    return do


def _canceling(request: web.Request, asked: PromiseCanceled) -> Do:
    named = request.match_info["promise"]

    async def do(tx: Tx, act: Act) -> Done:
        promise_id = int(named) if _is_id(named) else None
        if promise_id is None:
            raise promise_refusals.UNKNOWN(promise=named)
        rules = act.core.rules
        now = await promise_cancels.cancel(
            tx, rules, promise_id, asked.revision, act.actor, act.at, act.correlation_id
        )
        return await _done(tx, act, now, 200)

    return do


async def _done(tx: Tx, act: Act, one: Promise, status: int) -> Done:
    now = await existing(tx, one.number)
    return Done(act_view(act.core.rules, one, now), f"promise:{one.id}", status)


def _own(found: Contract) -> int:
    return found.balance_kopecks + found.credit_limit_kopecks


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 19 and int(text) < _ID_MAX


def _cursor(text: str) -> int:
    if not _is_id(text):
        raise invalid(
            "cursor",
            "take `next_cursor` of the page before",
            "возьмите `next_cursor` предыдущей страницы",
        )
    return int(text)
