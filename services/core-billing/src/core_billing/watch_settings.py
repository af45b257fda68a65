"""What watchers ask for, as they say it on the bus."""

from __future__ import annotations

from collections.abc import Sequence

from core_billing import accounts, day_watches, due, watch_rows, watches
from core_billing.rules import Rules
from core_billing.watch_rows import BALANCE, DAYS_MAX, KINDS, Setting
from shared import outbox
from shared.clock import Clock
from shared.db import Tx
from shared.errors import NotFound, Poison, Text
from shared.events import Event, WatchCleared, WatchSet


async def hear(tx: Tx, rules: Rules, events: Sequence[Event], clock: Clock) -> None:
    """Keep what watchers ask for, and tell them at once what holds already.

    Raises NotFound for an unknown contract, and Poison for a watch that cannot be meant.
    """
    said = [(event, _watch(event)) for event in events]
    wanted = [(event, body) for event, body in said if body is not None]
    kept = await accounts.lock(
        tx, {accounts.of_contract(body.contract or "") for _, body in wanted}
    )
    at = clock()
    settings: list[Setting] = []
    touched: dict[int, str] = {}
    for event, body in wanted:
        account = kept.get(accounts.of_contract(body.contract or ""))
        if account is None:
            # Repeated, then kept among the dead letters: the contract may be restored by then.
            raise NotFound(Text("a watch for an unknown contract", "порог неизвестного договора"))
        settings.append(_setting(account.account_id, body))
        touched[account.account_id] = event.correlation_id
    await watch_rows.put(tx, settings)
    await watches.judge(tx, rules, touched, at)
    counting = {one.contract_id for one in settings if one.kind != BALANCE}
    days = {each: by for each, by in touched.items() if each in counting}
    await outbox.add(tx, rules.producer, await day_watches.look(tx, rules, days, at), at)
    await due.ask_again(tx, touched)


def _setting(contract_id: int, body: WatchSet | WatchCleared) -> Setting:
    if isinstance(body, WatchCleared):
        return Setting(contract_id, body.watcher, body.kind, body.revision, None)
    days = None if body.kind == BALANCE else body.days
    return Setting(
        *(contract_id, body.watcher, body.kind, body.revision),
        *(body.threshold_kopecks, days),
    )


def _watch(event: Event) -> WatchSet | WatchCleared | None:
    if event.type == WatchCleared.TYPE:
        return WatchCleared.of(event)
    if event.type != WatchSet.TYPE:
        return None
    body = WatchSet.of(event)
    if body.kind not in KINDS:
        raise Poison(f"a watch of an unknown kind: {body.kind}")
    if body.kind != BALANCE and (body.days is None or body.days > DAYS_MAX):
        raise Poison(f"a watch of the kind {body.kind} names from 0 to {DAYS_MAX} days")
    return body
