"""Cuts off whose money has run out, and lets in again who was missed: a bounded step at a time.

What is to be done is looked for without locks, and decided once more under the contract's lock in
the transaction that does it: money that came meanwhile wins. A contract that somebody else holds is
passed over, because that may be the very payment; the next step sees it again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog

from core_billing import accounts, block_decision, block_rows, blocks, promise_jobs
from core_billing import block_services as services
from core_billing.block_decision import Judged
from core_billing.block_gate import Gate, may_block
from core_billing.block_rows import Access
from core_billing.policy_rows import Policies, load_all
from core_billing.rules import Core, Rules
from shared import log, outbox
from shared.db import Tx, is_outage, is_repeatable, reading, transaction
from shared.events import Event
from shared.metrics import alarm

PAGE_MAX: Final = 500
SWEEP_EVERY: Final = timedelta(minutes=1)
"""How often the rules of all blocked contracts are looked at; money is looked for each time."""

_log = structlog.get_logger(__name__)


async def step(gate: Gate) -> bool:
    """Look at all contracts once: unblock, note who is short, block; the next look is later."""
    core, at = gate.core, gate.core.clock()
    gate.began_at = gate.began_at or at
    async with reading(core.db) as tx:
        policies = await load_all(tx, core.rules.day(at))
    await _let_in(gate, policies, at)
    await _forget(core)
    await _cut_off(gate)
    return False


async def _let_in(gate: Gate, policies: Policies, at: datetime) -> None:
    """Unblock those that money has reached past us, or whose rule blocks them no more."""
    core, after, find = gate.core, 0, block_rows.covered
    if gate.swept_at is None or at - gate.swept_at >= SWEEP_EVERY:
        gate.swept_at, find = at, block_rows.blocked

    async def free(page: Sequence[Access]) -> None:
        async with reading(core.db) as tx:
            chosen = [one for one, _ in await _freed(tx, core.rules, policies, page, at)]
        if chosen:
            await _unblock(core, policies, chosen, at)

    while True:
        async with reading(core.db) as tx:
            page = await find(tx, after, PAGE_MAX)
        await _apart(page, free)
        if len(page) < PAGE_MAX:
            return
        after = page[-1].contract_id


async def _apart(
    page: Sequence[Access], work: Callable[[Sequence[Access]], Awaitable[None]]
) -> None:
    """Do something with a page; where it fails on data, pass over those contracts alone."""
    try:
        await work(page)
    except Exception as error:
        if is_outage(error) or is_repeatable(error) or not page:
            raise
        if len(page) == 1:
            _log.exception("contract.failed", contract=page[0].number)
            alarm("block_failed", contract=page[0].number, error=type(error).__name__)
            return
        half = len(page) // 2
        await _apart(page[:half], work)
        await _apart(page[half:], work)


async def _unblock(core: Core, policies: Policies, free: Sequence[Access], at: datetime) -> None:
    correlation_id = log.new_correlation_id()
    async with transaction(core.db) as tx:
        held = [one for one in await _held(tx, free) if one.state.blocked]
        chosen = await _freed(tx, core.rules, policies, held, at)
        told = {one.contract_id: correlation_id for one, _ in chosen}
        said = await blocks.unblock(tx, core.rules, chosen, told, at)
        await outbox.add(tx, core.rules.producer, said, at)


async def _freed(
    tx: Tx, rules: Rules, policies: Policies, page: Sequence[Access], at: datetime
) -> list[tuple[Access, str]]:
    """Return the blocked contracts that may be used again, each with the reason."""
    exempt = await services.exempt(tx, [one.contract_id for one in page], rules.day(at))
    return [
        (one, blocks.COVERED if blocks.is_covered(one) else blocks.EXEMPT)
        for one in page
        if one.open
        and (blocks.is_covered(one) or one.contract_id in exempt or blocks.is_never(policies, one))
    ]


async def _forget(core: Core) -> None:
    """Forget since when those were short whom money has reached past us."""
    async with reading(core.db) as tx:
        page = await block_rows.recovered(tx, PAGE_MAX)
    if not page:
        return
    async with transaction(core.db) as tx:
        await blocks.forget(tx, await _held(tx, page))


async def _cut_off(gate: Gate) -> None:
    """Look at all who are short; each page by what holds when it is looked at."""
    core, after = gate.core, 0
    while True:
        at = core.clock()
        async with reading(core.db) as tx:
            policies = await load_all(tx, core.rules.day(at))
            page = await block_rows.short(tx, after, PAGE_MAX)
        await _apart(page, partial(_look, gate, policies, at))
        if len(page) < PAGE_MAX:
            return
        after = page[-1].contract_id


async def _look(gate: Gate, policies: Policies, at: datetime, page: Sequence[Access]) -> None:
    """Decide about contracts that are short, and do what is to be done."""
    core = gate.core
    async with reading(core.db) as tx:
        exempt = await services.exempt(tx, _ids(page), policies.day)
        held = [one for one in page if one.contract_id not in exempt]
        judged = await block_decision.decide(tx, core.rules, policies, held, at)
    due = {one.access.contract_id for one in judged if one.is_due}
    allowed = bool(due) and await may_block(gate, at)
    news = {one.access.contract_id for one in judged if _is_news(one)}
    news |= {one.contract_id for one in page if one.state.short_since is None}
    news |= due if allowed else set()
    chosen = [one for one in page if one.contract_id in news]
    await _act(core, policies, chosen, at, block=allowed)


def _is_news(one: Judged) -> bool:
    until = one.postponed_until
    return until is not None and until != one.access.state.postponed_until


async def _act(
    core: Core, policies: Policies, chosen: Sequence[Access], at: datetime, *, block: bool
) -> None:
    """Decide once more about these contracts under their locks, and write what comes of it."""
    if not chosen:
        return
    rules = core.rules
    async with transaction(core.db) as tx:
        short = [one for one in await _held(tx, chosen) if _is_short(one)]
        exempt = await services.exempt(tx, _ids(short), policies.day)
        bound = [one for one in short if one.contract_id not in exempt]
        judged = await block_decision.decide(tx, rules, policies, bound, at)
        due = [one for one in judged if one.is_due and block]
        promised = await _promised(tx, rules, policies, due, at)
        cut = [one for one in due if one.access.contract_id not in promised]
        done = {one.access.contract_id for one in cut} | promised
        await _note(tx, [one for one in short if one.contract_id not in done], judged, at)
        await _block(tx, rules, cut, at)


async def _promised(
    tx: Tx, rules: Rules, policies: Policies, due: Sequence[Judged], at: datetime
) -> set[int]:
    """Give automatic promises to those that may have one; return who was."""
    wanted = [one.access.contract_id for one in due if one.access.automatic_promise]
    return await promise_jobs.before_block(tx, rules, policies, wanted, at) if wanted else set()


async def _note(tx: Tx, short: Sequence[Access], judged: Sequence[Judged], at: datetime) -> None:
    """Write since when contracts are short, and until when blocks are postponed.

    They are tied, so that the money that comes ends the time they are short in its transaction.
    """
    until = {one.access.contract_id: one.postponed_until for one in judged if _is_news(one)}
    changed = [
        (
            one,
            replace(
                one.state,
                short_since=one.state.short_since or at,
                postponed_until=until.get(one.contract_id, one.state.postponed_until),
            ),
        )
        for one in short
        if one.state.short_since is None or one.contract_id in until
    ]
    if changed:
        await accounts.tie_all(tx, _ids([one for one, _ in changed]))
        await block_rows.put(tx, changed)


async def _block(tx: Tx, rules: Rules, cut: Sequence[Judged], at: datetime) -> list[Event]:
    if not cut:
        return []
    chosen = [(one.access, str(one.verdict.reason)) for one in cut]
    said = await blocks.block(tx, rules, chosen, at, log.new_correlation_id())
    await outbox.add(tx, rules.producer, said, at)
    _log.info("contracts.blocked", count=len(cut))
    return said


async def _held(tx: Tx, wanted: Sequence[Access]) -> list[Access]:
    """Lock those of these contracts that are free; return how they stand now."""
    locked = await block_rows.lock_free(tx, set(_ids(wanted))) if wanted else []
    return await block_rows.find(tx, locked) if locked else []


def _is_short(one: Access) -> bool:
    return one.open and one.available_kopecks < 0 and not one.state.blocked


def _ids(page: Sequence[Access]) -> list[int]:
    return [one.contract_id for one in page]
