"""Delivers a bank's callbacks: on schedule, until accepted, a bounded number at a time."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from simulators.banks.bank import Bank

NAP = 1.0
"""The longest sleep in seconds between two looks at the schedule."""
LOST = "lost on its way"
SAID_MAX = 200


@dataclass(slots=True)
class Courier:
    """The loop that carries callbacks to where the merchant wants them."""

    bank: Bank
    session: aiohttp.ClientSession | None = None
    running: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self) -> None:
        """Deliver until cancelled."""
        self.bank.store.run(
            "UPDATE bank_delivery SET state = 'waiting' WHERE state = 'sending' AND bank = ?",
            self.bank.name,
        )
        while True:
            self.bank.bell.clear()
            for row in self._claim():
                task = asyncio.create_task(self._attempt(row))
                self.running.add(task)
                task.add_done_callback(self._landed)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._nap()):
                    await self.bank.bell.wait()

    async def deliver_now(self, object_id: str) -> None:
        """Make the first attempts for one object at once and wait for them."""
        rows = self.bank.store.all(
            "UPDATE bank_delivery SET state = 'sending' WHERE object_id = ? AND bank = ? "
            "AND state = 'waiting' AND attempts = 0 AND kind != 'forged' RETURNING *",
            object_id,
            self.bank.name,
        )
        for row in rows:
            await self._attempt(row)

    async def close(self) -> None:
        """Stop what is under way; what was cut off starts over with the next run."""
        for task in self.running:
            task.cancel()
        await asyncio.gather(*self.running, return_exceptions=True)
        if self.session is not None:
            await self.session.close()

    def _claim(self) -> list[sqlite3.Row]:
        room = self.bank.settings.webhook_concurrency - len(self.running)
        if room <= 0:
            return []
        return self.bank.store.all(
            "UPDATE bank_delivery SET state = 'sending' WHERE id IN (SELECT id FROM bank_delivery "
            "WHERE bank = ? AND state = 'waiting' AND due_at <= ? ORDER BY due_at, id LIMIT ?) "
            "RETURNING *",
            self.bank.name,
            self.bank.clock.now(),
            room,
        )

    def _nap(self) -> float:
        if len(self.running) >= self.bank.settings.webhook_concurrency:
            return NAP
        row = self.bank.store.one(
            "SELECT min(due_at) AS due FROM bank_delivery WHERE state = 'waiting' AND bank = ?",
            self.bank.name,
        )
        if row is None or row["due"] is None:
            return NAP
        late: int = row["due"] - self.bank.clock.now()
        return min(NAP, max(0.0, late / 1_000))

    def _landed(self, task: asyncio.Task[None]) -> None:
        self.running.discard(task)
        self.bank.bell.set()

    async def _attempt(self, row: sqlite3.Row) -> None:
        lost = self.bank.dice.random() < self.bank.mischief.attempt_loss
        if lost and row["kind"] != "forged":
            self._note(row, None, b"", LOST)
            return
        url = row["url"] or self.bank.callback_url
        if not url:
            self._note(row, None, b"", "no callback address")
            return
        try:
            async with self._session().post(
                url,
                data=row["body"].encode(),
                headers=json.loads(row["headers"]),
                allow_redirects=False,
            ) as response:
                self._note(row, response.status, await response.read(), None)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._note(row, None, b"", f"{type(error).__name__}: {error}"[:SAID_MAX])

    def _session(self) -> aiohttp.ClientSession:
        if self.session is None:
            settings = self.bank.settings
            self.session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=settings.webhook_concurrency),
                timeout=aiohttp.ClientTimeout(total=settings.webhook_timeout),
            )
        return self.session

    def _note(self, row: sqlite3.Row, status: int | None, said: bytes, error: str | None) -> None:
        bank, number, now = self.bank, row["attempts"] + 1, self.bank.clock.now()
        offsets = (0,) if row["kind"] == "forged" else bank.offsets
        state, due = "waiting", row["due_at"]
        if status is not None and bank.accepted(status, said):
            state = "done"
        elif number >= len(offsets):
            state = "given_up"
        else:
            due = max(now, due + bank.scaled(offsets[number] - offsets[number - 1]))
        with bank.store.transaction():
            bank.store.run(
                "UPDATE bank_delivery SET state = ?, attempts = ?, due_at = ?, status = ? "
                "WHERE id = ?",
                *(state, number, due, status, row["id"]),
            )
            bank.store.run(
                "INSERT OR REPLACE INTO bank_attempt VALUES (?, ?, ?, ?, ?, ?)",
                *(row["id"], number, now, status, said[:SAID_MAX].decode("utf-8", "replace")),
                error,
            )


COURIER: web.AppKey[Courier] = web.AppKey("sandbox-bank-courier", Courier)
