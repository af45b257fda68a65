"""What is still on its way, and what has gone astray: counted in the services' own tables."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from faults import charged, messages, sbp
from faults.stage import SERVICES, Stage
from faults.tables import Tables

GATEWAY: Final = "gateway_yookassa"
GATEWAYS: Final = (GATEWAY, "gateway_sbp")
CORE: Final = "core_billing"
HEARERS: Final = (*GATEWAYS, "autopay", "notifier")
"""Who knows contracts from the bus."""

_UNDECIDED: Final = """
SELECT COUNT(*) FROM payment WHERE held IS NULL AND (
    status NOT IN ('succeeded', 'canceled')
    OR (status = 'succeeded' AND (acknowledged_at IS NULL OR say_at IS NOT NULL)))
"""
_CODE: Final = "provider_payment_id"
_UNHEARD: Final = "SELECT COUNT(*) FROM callback WHERE due_at IS NOT NULL AND known = true"
_SLOW: Final = "SELECT COUNT(*) FROM callback WHERE due_at IS NOT NULL AND known = false"
_UNSENT: Final = "SELECT COUNT(*) FROM outbox WHERE sent_at IS NULL"
_UNDONE: Final = "SELECT COUNT(*) FROM inbox WHERE done_at IS NULL"
_DEAD: Final = "SELECT COUNT(*) FROM dead_letter"
_CONFLICTS: Final = "SELECT COUNT(*) FROM event_conflict"
_UNCREDITED: Final = "SELECT COUNT(*) FROM uncredited"
_RETURNED: Final = """
SELECT COUNT(*) FROM payment JOIN source ON source.id = payment.source_id
WHERE source.name LIKE 'refund:%'
"""
_HELD: Final = "SELECT provider_payment_id FROM payment WHERE held IS NOT NULL"


async def waiting(stage: Stage) -> Mapping[str, int]:
    """Return what must still come to its end: what it is → how many. Empty is the end."""
    counts = await _count(
        stage.tables,
        {
            "gateway payments not terminal or not acknowledged": (GATEWAY, _UNDECIDED),
            **{
                f"{gateway} callbacks about known payments": (gateway, _UNHEARD)
                for gateway in GATEWAYS
            },
            **{f"{name} outbox rows": (package, _UNSENT) for name, package in SERVICES.items()},
            **{f"{name} inbox rows": (package, _UNDONE) for name, package in SERVICES.items()},
        },
    )
    at = datetime.now(UTC)
    counts |= charged.waiting(await charged.asked(stage.tables), at)
    if unsent := messages.waiting(await messages.read(stage.tables), at):
        counts["messages to subscribers"] = unsent
    if open_codes := await _open_codes(stage):
        counts["codes not terminal or not acknowledged"] = open_codes
    if missing := sbp.refunds(stage.store) - int((await stage.tables.rows(CORE, _RETURNED))[0][0]):
        counts["refunds of a bank that the ledger lacks"] = missing
    if not counts:
        # Asking the broker costs a second of a processor, so it is asked last.
        counts = await asyncio.to_thread(_queues, stage)
    return counts


async def _open_codes(stage: Stage) -> int:
    """Return how many codes are not at their end, but for those nobody has paid."""
    found = await stage.tables.rows(GATEWAYS[1], _UNDECIDED.replace("COUNT(*)", _CODE))
    unpaid = sbp.unpaid(stage.store)
    return sum(1 for (code,) in found if code not in unpaid)


async def astray(stage: Stage) -> Mapping[str, int]:
    """Return what should not exist at all: what it is → how many."""
    return await _count(
        stage.tables,
        {
            "core-billing dead letters": (CORE, _DEAD),
            "core-billing uncredited payments": (CORE, _UNCREDITED),
            **{
                f"{name} conflicting events": (package, _CONFLICTS)
                for name, package in SERVICES.items()
            },
        },
    )


async def slow_lane(tables: Tables) -> int:
    """Return how many callbacks about unknown payments wait; one a second is looked at."""
    return int((await tables.rows(GATEWAY, _SLOW))[0][0])


async def held(tables: Tables) -> set[str]:
    """Return the provider's ids of what the gateway holds back."""
    return {str(row[0]) for row in await tables.rows(GATEWAY, _HELD)}


async def _count(tables: Tables, wanted: Mapping[str, tuple[str, str]]) -> dict[str, int]:
    counted = {what: (await tables.rows(*where))[0][0] for what, where in wanted.items()}
    return {what: int(count) for what, count in counted.items() if count}


def _queues(stage: Stage) -> dict[str, int]:
    if stage.rabbitmq is None:
        return {}
    listed = stage.rabbitmq.ctl("list_queues", "--no-table-headers", "name", "messages")
    lines = [line.split() for line in listed.splitlines()]
    return {f"messages in {name}": int(count) for name, count in lines if int(count)}
