"""Rows: each of 200 payments told of hundreds of times, and credited once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from random import Random
from typing import Final

from bench import notice, posts
from bench.figures import Figure, Row, Sense, absolute, percentile
from bench.posts import Answered
from bench.stand import Stand, value
from bench.town import CALLBACKS, CORE, Town, town

PAYMENTS: Final = 200
CLIENTS: Final = 8
POSTINGS: Final = Row(
    "storm_postings",
    f"postings of {PAYMENTS} payments told of many times",
    "",
    PAYMENTS,
    Sense.EXACTLY,
    on_ratio=False,
)
BAD: Final = Row(
    "storm_bad_answers", "answers to that but 2xx", "", 0, Sense.EXACTLY, on_ratio=False
)

_SETTLE_SECONDS: Final = 60.0


def storm(stand: Stand) -> Sequence[Figure]:
    """Deliver, wait until all is settled, and count."""
    return asyncio.run(_storm(stand))


async def _storm(stand: Stand) -> list[Figure]:
    count = stand.size.deliveries
    async with town(stand, PAYMENTS, {"YOOKASSA_REQUESTS_PER_SECOND": "300"}) as ready:
        ids = await ready.make_payments(PAYMENTS)
        # The provider's own notifications are lost: only ours arrive.
        await ready.control("PUT", "/mischief", {"loss": 1.0})
        await ready.control("POST", "/payments/pay", {"ids": ids})
        stand.say(f"{POSTINGS.name}: {count} deliveries of {len(ids)} payments")
        answered = await posts.send(ready.gateway_url + CALLBACKS, _told(ids, count), CLIENTS)
        postings = await _settled(ready)
    rate = count / answered.seconds
    late = percentile(answered.latencies, 0.99) * 1000
    note = f"{count} deliveries by {CLIENTS} clients at {rate:.0f}/s; p99 {late:.0f} ms"
    return [
        absolute(POSTINGS, [postings], note),
        absolute(BAD, [_missing(answered, count)], f"{dict(answered.statuses)}"),
    ]


def _told(ids: Sequence[str], count: int) -> Iterator[bytes]:
    dice = Random(1)
    bodies = [notice.body(one) for one in ids]
    return (dice.choice(bodies) for _ in range(count))


def _missing(answered: Answered, count: int) -> int:
    """Count the bad answers and those that never came."""
    return answered.bad + max(0, count - sum(answered.statuses.values()))


async def _settled(ready: Town) -> int:
    """Wait until every payment is posted and the gateway asks no more; count the postings."""
    url, waited = ready.databases[CORE], 0.0
    while await _postings(url) < PAYMENTS and waited < _SETTLE_SECONDS:
        await asyncio.sleep(0.5)
        waited += 0.5
    await asyncio.sleep(2.0)  # a second posting of one of them would come now
    return await _postings(url)


async def _postings(url: str) -> int:
    return await asyncio.to_thread(value, url, "SELECT count(*) FROM posting")
