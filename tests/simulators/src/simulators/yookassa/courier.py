"""Delivers notifications: on schedule, until exactly 200, a bounded number at a time."""

from __future__ import annotations

import asyncio
import base64
import secrets
import sqlite3
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from simulators.yookassa.provider import Provider

NAP = 1.0
"""The longest sleep in seconds between two looks at the schedule."""
LOST = "lost on its way"


@dataclass(slots=True)
class Courier:
    """The loop that carries notifications to the shops' callback addresses."""

    provider: Provider
    sessions: dict[str | None, aiohttp.ClientSession] = field(default_factory=dict)
    """One per sender's address: forged notifications come from another one."""
    running: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self) -> None:
        """Deliver until cancelled."""
        provider = self.provider
        provider.store.run("UPDATE delivery SET state = 'waiting' WHERE state = 'sending'")
        while True:
            provider.bell.clear()
            for row in self._claim():
                task = asyncio.create_task(self._attempt(row))
                self.running.add(task)
                task.add_done_callback(self._landed)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._nap()):
                    await provider.bell.wait()

    async def deliver_now(self, object_id: str) -> None:
        """Make the due attempts for one object at once and wait for them; for early arrivals."""
        rows = self.provider.store.all(
            "UPDATE delivery SET state = 'sending' WHERE object_id = ? AND state = 'waiting' "
            "AND attempts = 0 AND kind != 'forged' RETURNING *",
            object_id,
        )
        for row in rows:
            await self._attempt(row)

    async def close(self) -> None:
        """Stop what is under way; a delivery that was cut off starts over with the next run."""
        for task in self.running:
            task.cancel()
        await asyncio.gather(*self.running, return_exceptions=True)
        for session in self.sessions.values():
            await session.close()

    def _claim(self) -> list[sqlite3.Row]:
        room = self.provider.settings.webhook_concurrency - len(self.running)
        if room <= 0:
            return []
        return self.provider.store.all(
            "UPDATE delivery SET state = 'sending' WHERE id IN (SELECT id FROM delivery "
            "WHERE state = 'waiting' AND due_at <= ? ORDER BY due_at, id LIMIT ?) RETURNING *",
            self.provider.clock.now(),
            room,
        )

    def _nap(self) -> float:
        if len(self.running) >= self.provider.settings.webhook_concurrency:
            return NAP
        row = self.provider.store.one(
            "SELECT min(due_at) AS due FROM delivery WHERE state = 'waiting'"
        )
        if row is None or row["due"] is None:
            return NAP
        late: int = row["due"] - self.provider.clock.now()
        return min(NAP, max(0.0, late / 1_000))

    def _landed(self, task: asyncio.Task[None]) -> None:
        self.running.discard(task)
        self.provider.bell.set()

    async def _attempt(self, row: sqlite3.Row) -> None:
        clock = self.provider.clock
        started = clock.now()
        if (
            row["kind"] != "forged"
            and self.provider.dice.random() < self.provider.mischief.attempt_loss
        ):
            status: int | None = None
            error: str | None = LOST
        else:
            status, error = await self._post(row)
        self._note(row, started, status, error)

    async def _post(self, row: sqlite3.Row) -> tuple[int | None, str | None]:
        shop = self.provider.shops.get(row["shop_id"])
        url = (shop and shop.callback_url) or self.provider.callback_url
        if not url:
            return None, "no callback address"
        headers = {"Content-Type": "application/json", "Signature": _signature(row["object_id"])}
        try:
            session = self._session(row["source"])
            async with session.post(
                url, data=row["body"].encode(), headers=headers, allow_redirects=False
            ) as response:
                return response.status, None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return None, f"{type(error).__name__}: {error}"[:200]

    def _session(self, source: str | None) -> aiohttp.ClientSession:
        if source not in self.sessions:
            address = (source, 0) if source else None
            connector = aiohttp.TCPConnector(
                limit=self.provider.settings.webhook_concurrency, local_addr=address
            )
            timeout = aiohttp.ClientTimeout(total=self.provider.settings.webhook_timeout)
            self.sessions[source] = aiohttp.ClientSession(connector=connector, timeout=timeout)
        return self.sessions[source]

    def _note(self, row: sqlite3.Row, started: int, status: int | None, error: str | None) -> None:
        provider = self.provider
        number = row["attempts"] + 1
        now = provider.clock.now()
        offsets = (0,) if row["kind"] == "forged" else provider.settings.webhook_offsets
        state, due = "waiting", row["due_at"]
        if status == web.HTTPOk.status_code:
            state = "done"
        elif number >= len(offsets):
            state = "given_up"
        else:
            # The staff's numbers are offsets from the first delivery, not pauses between two.
            due = max(now, row["due_at"] + provider.scaled(offsets[number] - offsets[number - 1]))
        with provider.store.transaction():
            provider.store.run(
                "UPDATE delivery SET state = ?, attempts = ?, due_at = ?, status = ? WHERE id = ?",
                state,
                number,
                due,
                status,
                row["id"],
            )
            provider.store.run(
                "INSERT OR REPLACE INTO attempt VALUES (?, ?, ?, ?, ?, ?)",
                row["id"],
                number,
                started,
                now - started,
                status,
                error,
            )


COURIER: web.AppKey[Courier] = web.AppKey("yookassa-courier", Courier)


def _signature(object_id: str) -> str:
    # The real header has this shape; nobody outside YooKassa can check it, and nobody should try.
    return f"v1 {object_id.replace('-', '')} 1 {base64.b64encode(secrets.token_bytes(32)).decode()}"
