"""The settings that managers change: addresses."""

from __future__ import annotations

from aiohttp import web

from core_billing import policies, policy_changes, policy_rows
from core_billing.policy_changes import REFUSALS, SETTING_SCOPE, SETTING_UNKNOWN, Change
from core_billing.policy_rows import EVERYBODY
from core_billing.web.acting import Act, CheckView, Do, Done, perform, rehearse
from core_billing.web.base import CORE, api
from core_billing.web.policies_views import (
    SettingBody,
    SettingChangeView,
    SettingHistoryQuery,
    SettingHistoryView,
    SettingsQuery,
    SettingsView,
    change_view,
    setting_view,
)
from shared import api as apis
from shared.db import Tx, reading


@api.get(
    "/settings",
    answers={200: SettingsView},
    scope="settings:read",
    query=SettingsQuery,
    summary="The settings of the billing and what holds today",
)
async def list_settings(request: web.Request, query: SettingsQuery) -> web.Response:
    """Answer with every setting."""
    core = request.app[CORE]
    today = core.rules.day(core.clock())
    asked = [f"{kind}:{name}" for kind, name in query.scopes()]
    async with reading(core.db) as tx:
        held = await policy_rows.load(tx, today, *asked)
        planned = await policy_rows.planned(tx, today, *asked)
        changed = {one: await policy_rows.revisions(tx, one) for one in (EVERYBODY, *asked)}
    items = [setting_view(policy, held, planned, changed, asked) for policy in policies.ALL]
    return apis.answer(SettingsView(items=items))


@api.get(
    "/settings/{name:[a-z_]{1,64}}/history",
    answers={200: SettingHistoryView},
    scope="settings:read",
    query=SettingHistoryQuery,
    summary="Who has changed a setting, when and from which day, newest first",
    refusals=(SETTING_UNKNOWN, SETTING_SCOPE),
)
async def list_setting_changes(request: web.Request, query: SettingHistoryQuery) -> web.Response:
    """Answer with a page of a setting's changes."""
    policy = policy_changes.known(request.match_info["name"])
    named = query.scopes()
    scope = policy_changes.scope_of(policy, named) if named else None
    before = None if query.cursor is None else int(query.cursor)
    async with reading(request.app[CORE].db) as tx:
        found = await policy_rows.history(tx, policy.name, scope, before, query.limit + 1)
    shown = [change_view(kept) for kept in found[: query.limit]]
    more = shown[-1].id if len(found) > query.limit else None
    return apis.answer(SettingHistoryView(items=shown, next_cursor=more))


@api.post(
    "/settings",
    body=SettingBody,
    answers={201: SettingChangeView},
    scope="settings:edit",
    summary="Change a setting from today or from a later day",
    refusals=REFUSALS,
)
async def change_setting(request: web.Request, asked: SettingBody) -> web.Response:
    """Change a setting; what was done under its earlier values stays."""
    return await perform(request, "setting.edit", asked, await _changing(request, asked))


@api.post(
    "/settings/check",
    body=SettingBody,
    answers={200: CheckView[SettingChangeView]},
    scope="settings:edit",
    summary="What changing a setting would do",
)
async def check_setting(request: web.Request, asked: SettingBody) -> web.Response:
    """Answer what changing it would do."""
    return await rehearse(request, await _changing(request, asked))


async def _changing(request: web.Request, asked: SettingBody) -> Do:
    change = Change(
        name=asked.name,
        value=asked.value,
        scopes=asked.scopes(),
        valid_from=asked.valid_from,
        reason=asked.reason,
        revision=await _seen(request, asked),
    )

    async def do(tx: Tx, act: Act) -> Done:
        kept = await policy_changes.apply(tx, act.core.rules, change, act.actor, act.at)
        return Done(change_view(kept), f"setting:{kept.name}")

    return do


async def _seen(request: web.Request, asked: SettingBody) -> int:
    """Return the newest revision that the caller has seen: the one that stands where none is said.

    Read before the change locks anything, so that of two at once the second is told of the first.
    """
    if asked.revision is not None or len(asked.scopes()) > 1:
        return asked.revision or 0
    scope = ":".join(asked.scopes()[0]) if asked.scopes() else EVERYBODY
    async with reading(request.app[CORE].db) as tx:
        newest = await policy_rows.newest(tx, asked.name, scope)
    return 0 if newest is None else newest.revision
