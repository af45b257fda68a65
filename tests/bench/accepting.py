"""Rows: callbacks accepted durably by a real gateway, beside a handler that only reads the body."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from bench import bare, wrk
from bench.figures import Figure, Round, Row, Sense, absolute, paired
from bench.stand import Stand, execute, value
from bench.town import CALLBACKS, GATEWAY, SHOP, Town, town
from faults.supervised import Supervised
from servers.processes import LOOPBACK, ServerFailed, free_ports

RATE: Final = Row("callback_accept", "callbacks stored durably before each is answered", "/s", 0.3)
LATE: Final = Row(
    "callback_accept_p99", "99 of 100 of them answered", "ms", 60, Sense.AT_MOST, on_ratio=False
)

_CONTRACTS: Final = 100
_PER_ROUND: Final = 200_000
"""Payments that callbacks of one round can be about; each is told of once."""
_FIRST: Final = 0x32000000
_KNOWN: Final = (
    "INSERT INTO payment (id, shop, provider_payment_id, status, amount_kopecks, allocations,"
    " correlation_id, created_at) SELECT gen_random_uuid(), 'yookassa:{shop}',"
    " to_hex({first} + n) || '-000f-5000-8000-000000000000', 'pending', 65000,"
    " '[[\"100245\", 65000]]', 'bench', now() FROM generate_series(0, {count} - 1) AS n"
)


def accept(stand: Stand) -> Sequence[Figure]:
    """Measure the gateway beside the bare handler, both behind the same load generator."""
    return asyncio.run(_accept(stand))


async def _accept(stand: Stand) -> list[Figure]:
    rounds: list[Round] = []
    late: list[float] = []
    async with town(stand, _CONTRACTS) as ready, _bare(stand) as bare_url:
        url = ready.databases[GATEWAY]
        count = _PER_ROUND * stand.size.rounds
        known = _KNOWN.format(shop=SHOP, first=_FIRST, count=count)
        await asyncio.to_thread(execute, url, known, "VACUUM ANALYZE")
        for number in range(stand.size.rounds):
            await asyncio.to_thread(stand.quiet)
            first = _FIRST + number * _PER_ROUND
            plain = await _loaded(stand, bare_url, bare.PATH, first)
            await asyncio.to_thread(stand.checkpoint)
            ours = await _stored(stand, ready, first)
            rounds.append((ours.rate, plain.rate))
            late.append(ours.late_ms)
            stand.say(
                f"{RATE.name} {number + 1}: {ours.rate:.0f}/s beside {plain.rate:.0f}/s,"
                f" p99 {ours.late_ms:.0f} ms"
            )
    by = "wrk" if wrk.installed() else "wrk is not installed: our own client"
    note = f"{wrk.CONNECTIONS} connections; {by}"
    return [paired(RATE, rounds, note), absolute(LATE, late, note)]


async def _stored(stand: Stand, ready: Town, first: int) -> wrk.Load:
    """Load the gateway; raises ServerFailed where an answer promised what is not stored."""
    url = ready.databases[GATEWAY]
    before = await _callbacks(url)
    done = await _loaded(stand, ready.gateway_url, CALLBACKS, first)
    stored = await _callbacks(url) - before
    if done.bad or stored < done.count or done.count > _PER_ROUND:
        raise ServerFailed(f"{done.count} answers, {done.bad} bad ones, {stored} stored")
    return done


async def _loaded(stand: Stand, url: str, path: str, first: int) -> wrk.Load:
    return await asyncio.to_thread(wrk.load, url, path, first, stand.size.seconds, stand.folder)


async def _callbacks(url: str) -> int:
    return await asyncio.to_thread(value, url, "SELECT count(*) FROM callback")


@asynccontextmanager
async def _bare(stand: Stand) -> AsyncIterator[str]:
    (port,) = free_ports(1)
    url = f"http://{LOOPBACK}:{port}"
    command = ["-m", "bench.bare", str(port)]
    log = stand.folder / "bare.log"
    process = Supervised("bare", command, {}, url + bare.PATH, log, stand.guardian)
    try:
        await process.start()
        yield url
    finally:
        await process.stop()
