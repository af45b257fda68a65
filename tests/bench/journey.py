"""Rows: from the payer's click to the balance, at 100 payments a second, through every process."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final

import asyncpg

from bench.figures import Figure, Row, Sense, absolute, percentile
from bench.stand import Stand, connect
from bench.town import CORE, Town, town

LATE: Final = Row(
    "end_to_end_p99",
    "callback → balance at 100 payments/s, 99 of 100",
    "ms",
    300,
    Sense.AT_MOST,
    on_ratio=False,
)
ERRORS: Final = Row(
    "end_to_end_errors", "payments of these not credited", "", 0, Sense.EXACTLY, on_ratio=False
)
SETTINGS: Final[Mapping[str, str]] = {"YOOKASSA_REQUESTS_PER_SECOND": "300"}
PER_SECOND: Final = 100

_CONTRACTS: Final = 1000
_LOOK_SECONDS: Final = 0.003
_PATIENCE_SECONDS: Final = 10.0
_UNSETTLED_SECONDS: Final = 1.0
_NEWER: Final = "SELECT id, external_id FROM payment WHERE id > $1 ORDER BY id"


def journey(stand: Stand) -> Sequence[Figure]:
    """Measure the whole way; the latency is repeated as often as there are rounds."""
    return asyncio.run(_journey(stand))


async def _journey(stand: Stand) -> list[Figure]:
    late: list[float] = []
    middle: list[float] = []
    missing = 0
    count = round(PER_SECOND * stand.size.travelled)
    async with town(stand, _CONTRACTS, SETTINGS) as ready:
        for number in range(1, stand.size.rounds + 1):
            ids = await ready.make_payments(count)
            await asyncio.to_thread(stand.quiet)
            await asyncio.to_thread(stand.checkpoint)
            waited = await _travelled(ready, ids)
            late.append(percentile(waited, 0.99) * 1000)
            middle.append(percentile(waited, 0.5) * 1000)
            missing += count - len(waited)
            stand.say(
                f"{LATE.name} {number}: p50 {middle[-1]:.0f} ms, p99 {late[-1]:.0f} ms,"
                f" {count - len(waited)} missing"
            )
    note = f"from the payer's click at the provider; p50 {percentile(middle, 0.5):.0f} ms"
    followed = f"of {count * stand.size.rounds}"
    return [absolute(LATE, late, note), absolute(ERRORS, [missing], followed)]


async def _travelled(ready: Town, ids: Sequence[str]) -> list[float]:
    """Pay at an even pace; return how long each took, of those that arrived."""
    connection = await connect(ready.databases[CORE])
    try:
        watching = asyncio.create_task(_watch(connection, len(ids)))
        begun = time.perf_counter()
        moments = {one: begun + place / PER_SECOND for place, one in enumerate(ids)}
        await asyncio.gather(*(_pay(ready, one, at) for one, at in moments.items()))
        arrived = await watching
        return [arrived[one] - moments[one] for one in ids if one in arrived]
    finally:
        await connection.close()


async def _pay(ready: Town, payment_id: str, at: float) -> None:
    await asyncio.sleep(max(0.0, at - time.perf_counter()))
    await ready.control("POST", "/payments/pay", {"ids": [payment_id]})


async def _watch(connection: asyncpg.Connection, count: int) -> Mapping[str, float]:
    """See payments reach the ledger, whose commit is the balance's; return the moments.

    Ids are given before they are committed, so a smaller one may be seen after a greater one: what
    was seen within the last second is looked at again.
    """
    arrived: dict[str, float] = {}
    seen: deque[tuple[float, int]] = deque()
    settled = await connection.fetchval("SELECT coalesce(max(id), 0) FROM payment")
    until = time.perf_counter() + count / PER_SECOND + _PATIENCE_SECONDS
    while len(arrived) < count and time.perf_counter() < until:
        for row in await connection.fetch(_NEWER, settled):
            now = time.perf_counter()
            if arrived.setdefault(row["external_id"], now) == now:
                seen.append((now, row["id"]))
        while seen and seen[0][0] < time.perf_counter() - _UNSETTLED_SECONDS:
            settled = max(settled, seen.popleft()[1])
        await asyncio.sleep(_LOOK_SECONDS)
    return arrived
