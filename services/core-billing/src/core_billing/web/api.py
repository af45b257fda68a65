"""The API of the operator's own systems: contracts and their entries.

What managers do with money stands in the modules of `areas`, one for each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from core_billing import accounts, audit, contracts, history, openings, passwords
from core_billing.contracts import Contract
from core_billing.history import Cursor
from core_billing.openings import Wanted
from core_billing.registration import NewContract
from core_billing.rules import Core
from core_billing.web.areas import ALL
from core_billing.web.base import CORE, PREFIX, api, existing
from core_billing.web.views import (
    ContractView,
    EntriesView,
    PageQuery,
    contract_view,
    entry_view,
)
from shared import api as apis
from shared import idempotency
from shared.api import TOKEN
from shared.db import Tx, reading, transaction
from shared.errors import Conflict, FieldError, Text
from shared.idempotency import Answer
from shared.log import correlation_id
from shared.settings import ApiToken

__all__ = ["CORE", "PREFIX", "api", "application"]


@api.post(
    "/contracts",
    body=NewContract,
    answers={201: ContractView, 200: ContractView},
    scope="contracts:write",
    summary="Open a contract; the same number and content again is answered 200",
    keyed=True,
)
async def open_contract(request: web.Request, asked: NewContract) -> web.Response:
    """Open a contract with its subscriber and the balance it brings along."""
    core = request.app[CORE]
    want = Wanted(asked, await passwords.hashed(asked.password), correlation_id())
    key, token = apis.idempotency_key(request), request[TOKEN].name
    async with transaction(core.db) as tx:
        if key is None:
            return _response(await _open(tx, core, want, token))
        body, signer = asked.model_dump_json().encode(), core.rules.producer.signer
        first = await idempotency.claim(tx, signer, token, key, body, core.clock())
        if first is None:
            first = await _open(tx, core, want, token)
            await idempotency.keep(tx, token, key, first)
        return _response(first)


async def _open(tx: Tx, core: Core, want: Wanted, actor: str) -> Answer:
    at = core.clock()
    [opened] = await openings.open_all(tx, core.vault, core.rules, [want], at)
    differs = list(opened.differs)
    password = want.asked.password
    if not opened.new and not differs and password is not None:
        differs += [] if await _same_password(tx, want.number, password) else ["password"]
    if differs:
        raise _other_content(want.number, differs)
    if opened.new:
        subject = accounts.of_contract(want.number)
        await audit.add(tx, at, actor, "contract.open", subject, _told(want), want.correlation_id)
    now = (await contracts.find_all(tx, [want.number]))[want.number]
    body = contract_view(now, core.rules.low_balance_kopecks).model_dump_json().encode()
    return Answer(201 if opened.new else 200, body)


@api.get(
    "/contracts/{number}",
    answers={200: ContractView},
    scope="contracts:read",
    summary="A contract with its balance",
)
async def show_contract(request: web.Request) -> web.Response:
    """Answer with the contract as it stands."""
    core = request.app[CORE]
    async with reading(core.db) as tx:
        found = await _existing(tx, request)
    return apis.answer(contract_view(found, core.rules.low_balance_kopecks))


@api.get(
    "/contracts/{number}/entries",
    answers={200: EntriesView},
    scope="contracts:read",
    query=PageQuery,
    summary="What moved the contract's money, newest first",
)
async def list_entries(request: web.Request, query: PageQuery) -> web.Response:
    """Answer with a page of the contract's entries."""
    after = None if query.cursor is None else Cursor.read(query.cursor)
    async with reading(request.app[CORE].db) as tx:
        found = await _existing(tx, request)
        entries = await history.entries(tx, [found], after, query.limit + 1)
    shown = entries[: query.limit]
    more = shown[-1].id if len(entries) > query.limit else None
    return apis.answer(EntriesView(items=[entry_view(e) for e in shown], next_cursor=more))


def application(core: Core, tokens: dict[str, ApiToken]) -> web.Application:
    """Return the API, to be mounted at its prefix."""
    if not ALL:
        raise AssertionError("the areas register their addresses when they are imported")
    app = api.application(tokens)
    app[CORE] = core
    return app


def _told(want: Wanted) -> dict[str, Any]:
    """Return what the audit log keeps of an opening: nothing about the person."""
    kept = {"number", "operator", "balance", "credit_limit", "low_balance", "low_balance_days"}
    return want.asked.model_dump(mode="json", include=kept, exclude_none=True)


async def _same_password(tx: Tx, number: str, password: str) -> bool:
    login = await contracts.login(tx, number)
    kept = None if login is None else login.password_hash
    return await asyncio.to_thread(contracts.check_password, kept, password)


def _other_content(number: str, differs: Sequence[str]) -> Conflict:
    differs_here = Text("differs from the contract that exists", "не такое, как у договора")
    return Conflict(
        Text(
            f"The contract {number} exists with other content: {', '.join(differs)}",
            f"Договор {number} уже есть с другим содержанием: {', '.join(differs)}",
        ),
        fields=[FieldError(name, differs_here) for name in differs],
    )


async def _existing(tx: Tx, request: web.Request) -> Contract:
    return await existing(tx, request.match_info["number"])


def _response(answer: Answer) -> web.Response:
    return web.Response(body=answer.body, status=answer.status, content_type="application/json")
