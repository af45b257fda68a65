"""The life of a process: listen, work, be ready; then the same in reverse, losing nothing."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import pytest
from sqlalchemy import text

from doubles import NOW, PRODUCER, make_event
from shared import conflict, inbox, outbox, root, service
from shared.bus import StoreDead
from shared.clock import ManualClock
from shared.db import Database, transaction
from shared.errors import SettingsError
from shared.inbox import Consumer
from shared.loop import Loop
from shared.outbox import Letter
from shared.service import Process, Service, running


@dataclass
class Stage:
    """A bus, a lifespan and a loop that note what happens to them, and in which order."""

    db: Database
    noted: list[str] = field(default_factory=list)
    published: list[Letter] = field(default_factory=list)
    up: bool = True
    stepped: asyncio.Event = field(default_factory=asyncio.Event)
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    address: str = ""

    async def open(self) -> None:
        self.noted.append("bus open")

    async def publish(self, letters: Sequence[Letter]) -> Sequence[Exception | None]:
        self.published += letters
        self.heard.set()
        return [None] * len(letters)

    async def send(self, queue: str, letters: Sequence[Letter]) -> Sequence[Exception | None]:
        self.noted.append(f"sent to {queue}")
        return [None] * len(letters)

    async def consume(self, consumer: Consumer) -> None:
        self.noted.append(f"consume {consumer.queue}")

    async def consume_dead(self, _store: StoreDead) -> None:
        self.noted.append("consume dead")

    async def stop(self) -> None:
        self.noted.append(f"bus stop, ready {(await self.get('/readyz'))[0]}")

    async def close(self) -> None:
        self.noted.append(f"bus close, healthy {(await self.get('/healthz'))[0]}")

    def usable(self) -> bool:
        return self.up

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        self.noted.append("lifespan in")
        yield
        self.noted.append("lifespan out")

    async def step(self) -> bool:
        self.noted.append("step")
        self.stepped.set()
        return False

    async def get(self, path: str, **options: Any) -> tuple[int, str, Any]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(self.address + path, allow_redirects=False, **options) as answer,
        ):
            return answer.status, await answer.text(), answer.headers

    def service(self) -> Service:
        async def nothing(*_arguments: Any) -> None:
            return None

        return Service(
            "core-billing",
            self.db,
            PRODUCER,
            {},
            [Consumer("core-billing.money", self.db, nothing)],
            [Loop("own", self.step, 3600)],
            self.lifespan,
            nothing,
        )

    @asynccontextmanager
    async def run(self, **changed: Any) -> AsyncIterator[Process]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        one = replace(self.service(), **changed)
        process = Process([one], self, ManualClock(NOW))
        async with running(process, "127.0.0.1", port) as chosen:
            assert chosen == port
            yield process


@pytest.fixture
async def stage(sqlite_db: Database) -> Stage:
    async with transaction(sqlite_db) as tx:
        for schema in (outbox.schema, inbox.schema, conflict.schema):
            await tx.run_sync(schema.create_all)
    return Stage(sqlite_db)


async def test_it_listens_before_it_works_and_stops_in_reverse(stage: Stage) -> None:
    async with stage.run():
        await asyncio.wait_for(stage.stepped.wait(), 10)
        assert (await stage.get("/readyz"))[:2] == (200, "ready\n")
    assert stage.noted == [
        "bus open",
        "lifespan in",
        "consume core-billing.money",
        "consume dead",
        "step",
        "bus stop, ready 503",
        "lifespan out",
        "bus close, healthy 200",
    ]
    with pytest.raises(aiohttp.ClientConnectionError):
        await stage.get("/healthz")
    assert stage.db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


async def test_while_it_starts_it_is_alive_and_not_ready(stage: Stage) -> None:
    answers = []

    @asynccontextmanager
    async def starting() -> AsyncIterator[None]:
        answers.extend([await stage.get("/healthz"), await stage.get("/readyz")])
        yield

    async with stage.run(lifespan=starting):
        pass
    assert [answer[:2] for answer in answers] == [(200, "ok\n"), (503, "starting or stopping\n")]


class TestReadiness:
    async def test_without_its_bus_it_is_not_ready(self, stage: Stage) -> None:
        async with stage.run():
            stage.up = False
            assert (await stage.get("/readyz"))[:2] == (503, "the bus is not connected\n")
            assert (await stage.get("/healthz"))[0] == 200

    async def test_without_its_database_it_is_not_ready(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(root, "CHECK_SECONDS", 0.05)
        async with stage.run(), transaction(stage.db) as tx:
            await tx.execute(text("SELECT 1"))
            held = [await stage.db.engine.connect() for _ in range(7)]
            expected = (503, "core-billing: the database does not answer\n")
            assert (await stage.get("/readyz"))[:2] == expected
            for connection in held:
                await connection.close()
            assert (await stage.get("/readyz"))[0] == 200


class TestStart:
    async def test_a_port_that_is_taken_is_said_in_a_sentence(self, stage: Stage) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            process = Process([stage.service()], stage, ManualClock(NOW))
            with pytest.raises(SettingsError, match=f"127.0.0.1:{port} cannot be listened on"):
                async with running(process, "127.0.0.1", port):
                    pass
        assert stage.noted == []

    async def test_a_start_that_fails_leaves_nothing_behind(self, stage: Stage) -> None:
        @asynccontextmanager
        async def failing() -> AsyncIterator[None]:
            raise ValueError("no certificate")
            yield

        with pytest.raises(ValueError, match="no certificate"):
            async with stage.run(lifespan=failing):
                pass
        assert stage.noted == ["bus open", "bus close, healthy 200"]
        with pytest.raises(aiohttp.ClientConnectionError):
            await stage.get("/healthz")


class TestLoops:
    async def test_what_is_said_is_published_at_once(self, stage: Stage) -> None:
        async with stage.run():
            async with transaction(stage.db) as tx:
                await outbox.add(tx, PRODUCER, [make_event(1)], NOW)
            await asyncio.wait_for(stage.heard.wait(), 10)
        assert [letter.event_id for letter in stage.published] == [make_event(1).id]

    async def test_old_rows_are_pruned(self, stage: Stage) -> None:
        async with transaction(stage.db) as tx:
            await outbox.add(tx, PRODUCER, [make_event(1)], NOW)
            await tx.execute(text("UPDATE outbox SET sent_at = '2026-01-01 00:00:00.000000'"))
        async with stage.run(), asyncio.timeout(10):
            while await self.rows(stage):  # noqa: ASYNC110 - they live in a database
                await asyncio.sleep(0.001)

    async def rows(self, stage: Stage) -> int:
        async with transaction(stage.db) as tx:
            return int((await tx.execute(text("SELECT count(*) FROM outbox"))).scalar_one())

    async def test_a_loop_that_does_not_end_is_cancelled_and_left_behind(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(service, "STOP_SECONDS", 0.05)
        ended = []

        async def stuck() -> bool:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(list(stage.noted))
            return True

        async with stage.run(loops=[Loop("stuck", stuck, 1)]):
            await asyncio.sleep(0)
        assert len(ended) == 1
        assert "lifespan out" not in ended[0]

    async def test_dead_letters_are_sent_again_through_the_bus(self, stage: Stage) -> None:
        sent = asyncio.Event()

        async def replay(send: Any) -> bool:
            assert await send("notifier", [1]) == [None]
            sent.set()
            return False

        async with stage.run(replay=replay):
            await asyncio.wait_for(sent.wait(), 10)
        assert "sent to notifier" in stage.noted
