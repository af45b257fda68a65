"""Tells the operator's access controller who may use the network, in a lane of its own.

Each attempt takes the row as it is then, under a lease, and sends that. A newer revision waits for
the end of the attempt and is sent after it; a state is never given up while it is the newest one.
No transaction is open while the controller is asked.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog
from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    TCPConnector,
)

from notifier import access, access_leases, webhook
from notifier.access_leases import UNREACHED, Leased
from notifier.webhook import Answer
from shared.clock import Clock
from shared.db import Database, reading, transaction
from shared.log import bind_correlation
from shared.metrics import ACCESS_UNDELIVERED, WEBHOOKS, alarm

OVERDUE: Final = timedelta(minutes=10)
HOLD_MAX: Final = timedelta(minutes=1)
"""The longest time for which one answer of 429 keeps everything back."""
_HOLD: Final = timedelta(seconds=5)
_LOOK: Final = timedelta(seconds=5)
_CONNECT_SECONDS_MAX: Final = 5.0
_ANSWER_BYTES_MAX: Final = 64 * 1024

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Target:
    """The controller, and how patient we are with it."""

    url: str = field(repr=False)
    secrets: tuple[bytes, ...] = field(repr=False)
    """Newest first; each of them signs."""
    timeout: timedelta
    """For one attempt; a lease lasts twice as long."""
    delays: tuple[timedelta, ...]
    """Pauses after failed attempts; the last one repeats for ever."""
    parallel: int

    @property
    def address(self) -> str:
        """The name under which it is remembered: the address itself may hold a password."""
        return hashlib.sha256(self.url.encode()).hexdigest()


@dataclass
class Lane:
    """Everything that is needed to tell the controller, and what is on its way now."""

    db: Database
    clock: Clock
    target: Target
    session: ClientSession | None = None
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    unreached: bool = False
    """Whether an attempt of ours has found no receiver since the last one that did."""
    woken_at: datetime | None = None


@asynccontextmanager
async def opened(lane: Lane) -> AsyncIterator[None]:
    """Hold the connections; at the end wait for what is on its way."""
    seconds = lane.target.timeout.total_seconds()
    limits = ClientTimeout(total=seconds, connect=min(seconds, _CONNECT_SECONDS_MAX))
    connections = TCPConnector(limit=lane.target.parallel)
    async with ClientSession(
        timeout=limits, connector=connections, cookie_jar=DummyCookieJar()
    ) as session:
        lane.session = session
        try:
            yield
        finally:
            await drain(lane)
            lane.session = None


async def drain(lane: Lane) -> None:
    """Wait for the attempts on their way; one that cannot end is cut off, and its lease ends."""
    while lane.tasks:
        tasks = set(lane.tasks)
        _, late = await asyncio.wait(tasks, timeout=2 * lane.target.timeout.total_seconds())
        for task in late:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, BaseException):
                _log.warning("webhook.cut_off", error=repr(result))
        lane.tasks -= tasks


async def step(lane: Lane) -> bool:
    """Begin as many attempts as there is room for; each that ends asks for the next step.

    Raises what an attempt died of, so that the loop pauses and says so.
    """
    _raise_failed(lane)
    room = lane.target.parallel - len(lane.tasks)
    if room <= 0:
        return False
    at = lane.clock()
    async with transaction(lane.db) as tx:
        if not await access_leases.open_to(tx, lane.target.address, at):
            return False
        until = at + 2 * lane.target.timeout
        batch = await access_leases.lease(tx, at, until=until, limit=room)
    for leased in batch:
        task = asyncio.create_task(_deliver(lane, leased))
        lane.tasks.add(task)
        task.add_done_callback(lambda _: lane.db.signal(access.SIGNAL).set())
    return False


async def watch(lane: Lane) -> bool:
    """Count what is owed, and raise one alarm for states that have failed for ten minutes."""
    async with reading(lane.db) as tx:
        ACCESS_UNDELIVERED.set(await access.owed_count(tx))
    async with transaction(lane.db) as tx:
        late = await access.mark_overdue(tx, lane.clock(), OVERDUE)
    if late:
        first = min(late, key=lambda row: str(row.contract))
        what = {"contract": first.contract, "reason": first.last_error}
        alarm("webhook_undelivered", count=len(late), **what)
    return False


def _raise_failed(lane: Lane) -> None:
    ended = {task for task in lane.tasks if task.done()}
    lane.tasks -= ended
    died = [task for task in ended if not task.cancelled()]
    errors = [error for task in died if (error := task.exception()) is not None]
    for error in errors[:1]:
        raise error


async def _deliver(lane: Lane, leased: Leased) -> None:
    with bind_correlation(leased.correlation_id):
        if lane.clock() + lane.target.timeout > leased.until:
            async with transaction(lane.db) as tx:
                await access_leases.give_back(tx, leased, lane.clock())
            return
        answer = await _send(lane, leased)
        await _mark(lane, leased, answer)


async def _send(lane: Lane, leased: Leased) -> Answer:
    if lane.session is None:
        raise RuntimeError("the lane is not open")
    body = webhook.body(leased)
    headers = webhook.headers(lane.target.secrets, leased, body, lane.clock())
    request = lane.session.post(lane.target.url, data=body, headers=headers, allow_redirects=False)
    try:
        async with request as response:
            await _read(response)
            return webhook.answered(response.status, response.headers, lane.clock())
    except (ClientConnectorError, ConnectionTimeoutError) as error:
        _log.info("webhook.unreached", error=type(error).__name__)
        return Answer(None, UNREACHED)
    except TimeoutError:
        return Answer(None, "no answer in time")
    except (ClientError, OSError, ValueError) as error:
        return Answer(None, f"no answer ({type(error).__name__})")


async def _read(response: ClientResponse) -> None:
    """Take the words of an answer, as far as they go: its status has said everything."""
    size = 0
    try:
        async for chunk in response.content.iter_chunked(8192):
            size += len(chunk)
            if size > _ANSWER_BYTES_MAX:
                break
    except (ClientError, TimeoutError, OSError):
        response.close()


async def _mark(lane: Lane, leased: Leased, answer: Answer) -> None:
    at = lane.clock()
    async with transaction(lane.db) as tx:
        if answer.taken and answer.status is not None:
            stood = await access_leases.succeed(tx, leased, answer.status, at)
        else:
            due_at = at + _pause(lane.target, leased, answer)
            stood = await access_leases.fail(tx, leased, answer.status, answer.error, due_at)
        if answer.gone:
            await access_leases.close_to(tx, lane.target.address, gone_at=at)
        elif answer.crowded:
            until = at + min(answer.retry_after or _HOLD, HOLD_MAX)
            await access_leases.close_to(tx, lane.target.address, held_until=until)
    _say(leased, answer, stood)
    if answer.taken:
        await _wake(lane, at)
    elif answer.error == UNREACHED:
        lane.unreached = True


async def _wake(lane: Lane, at: datetime) -> None:
    """Have those tried now that found no receiver, other replicas' too, but do not look always."""
    if not lane.unreached and lane.woken_at is not None and at < lane.woken_at + _LOOK:
        return
    lane.unreached, lane.woken_at = False, at
    async with transaction(lane.db) as tx:
        await access_leases.wake_unreached(tx, at)


def _pause(target: Target, leased: Leased, answer: Answer) -> timedelta:
    pause = target.delays[min(leased.attempt, len(target.delays)) - 1]
    return max(pause, answer.retry_after or timedelta(0))


def _say(leased: Leased, answer: Answer, stood: bool) -> None:
    what = {
        "contract": leased.contract,
        "revision": leased.revision,
        "blocked": leased.blocked,
        "attempt": leased.attempt,
    }
    WEBHOOKS.labels("delivered" if answer.taken else "failed").inc()
    if answer.taken:
        _log.info("webhook.delivered", status=answer.status, **what)
    else:
        _log.warning("webhook.failed", reason=answer.error, **what)
    if answer.gone:
        alarm(
            "webhook_gone", do="ask the receiver, then python -m notifier access --resume", **what
        )
    if not stood:
        _log.warning("webhook.lease_lost", **what)
