"""Carries out the blows of a plan, and says what each of them hit."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Final

from faults.plan import AUTOPAY, MONEY, QUEUES, Blow, Strike
from faults.stage import CORE, GATEWAY, Stage
from faults.supervised import run_once
from servers import broker
from servers.processes import ServerFailed

PURGE_AT_LEAST: Final = 20
GATHER_SECONDS: Final = 20.0


def needed(strike: Strike) -> tuple[str, ...]:
    """Return what must not be struck at the same time, in one order for everybody."""
    if strike.blow is Blow.PURGE:
        dams = {CORE} if QUEUES[strike.target] == GATEWAY else set()
        return tuple(sorted({QUEUES[strike.target], "rabbitmq", *dams}))
    return (strike.target,)


@dataclass
class Striker:
    """Strikes a stage; blows that need the same process or server wait for each other."""

    stage: Stage
    started: float
    """When the run began, by the monotonic clock."""
    done: list[str] = field(default_factory=list)
    purged: Counter[str] = field(default_factory=Counter)
    """Queue → messages thrown away."""
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def strike_all(self, strikes: Sequence[Strike]) -> None:
        """Carry out each strike at its moment."""
        async with asyncio.TaskGroup() as tasks:
            for strike in strikes:
                tasks.create_task(self._strike(strike))

    async def _strike(self, strike: Strike) -> None:
        await asyncio.sleep(max(0.0, self.started + strike.at - time.monotonic()))
        async with AsyncExitStack() as held:
            for name in needed(strike):
                await held.enter_async_context(self._locks.setdefault(name, asyncio.Lock()))
            begun = time.monotonic() - self.started
            hit = await self._carry_out(strike)
            taken = time.monotonic() - self.started - begun
        self.done.append(f"{begun:7.2f} s  {strike.blow:16} {strike.target}: {hit}, {taken:.1f} s")

    async def _carry_out(self, strike: Strike) -> str:
        if strike.blow is Blow.KILL:
            return await self._kill(strike.target)
        if strike.blow is Blow.PURGE:
            return await self._purge(strike.target)
        server = {
            Blow.RESTART_BROKER: self.stage.rabbitmq,
            Blow.RESTART_DATABASE: self.stage.postgres,
        }[strike.blow]
        if server is None:
            raise ServerFailed(f"there is no {strike.target} on this stage")
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        return "killed with all its processes and started"

    async def _kill(self, name: str) -> str:
        process = self.stage.processes[name]
        await process.up()
        process.kill()
        process.launch()
        return "killed and started"

    async def _purge(self, queue: str) -> str:
        """Let a queue fill while nobody drinks from it, or the purge would find nothing.

        Acknowledgements stop with the gateway itself, which then makes no payments: so events are
        dammed up before core-billing first, and it answers them while the gateway is down. What
        autopay hears comes from others, who go on.
        """
        rabbitmq = self.stage.rabbitmq
        if rabbitmq is None:
            raise ServerFailed("there is no broker on this stage")
        consumer, core = self.stage.processes[QUEUES[queue]], self.stage.processes[CORE]
        dammed = QUEUES[queue] == GATEWAY
        if dammed:
            core.kill()
            await _gather(rabbitmq.url, MONEY)
        consumer.kill()
        if dammed:
            core.launch()
        await _gather(rabbitmq.url, queue)
        thrown = await broker.purge(rabbitmq.url, queue)
        self.purged[queue] += thrown
        consumer.launch()
        if queue == AUTOPAY:
            await self._say_states_again()
        return f"{thrown} messages thrown away while {consumer.name} was down"

    async def _say_states_again(self) -> None:
        """Do what an operator does once a queue of states was lost: have them said again."""
        for package in ("core_billing", "gateway_yookassa"):
            await asyncio.to_thread(run_once, ["-m", package, "republish"], self.stage.settings)


async def _gather(url: str, queue: str) -> None:
    """Wait until a queue holds some messages that nobody takes, at most 20 seconds."""
    until = time.monotonic() + GATHER_SECONDS
    while time.monotonic() < until:
        if await broker.depth(url, queue) >= PURGE_AT_LEAST:
            return
        await asyncio.sleep(0.2)
