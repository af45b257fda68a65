"""Any sequence of saying, publishing, refusing, crashing and pruning, against a small model."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import select

from doubles import NOW, PRODUCER, Broker, make_event
from shared import conflict, outbox
from shared.clock import ManualClock
from shared.db import open_database, transaction
from shared.envelope import Event, decode

Answer = TypeVar("Answer")
PAUSES = (1, 2, 5, 15, 60)
numbers = st.integers(0, 6)


@dataclass(frozen=True)
class Said:
    """What the model knows of one event."""

    event: Event
    due: datetime
    sent: datetime | None = None
    attempts: int = 0
    leased_until: datetime | None = None

    def may_go(self, at: datetime) -> bool:
        free = self.leased_until is None or self.leased_until <= at
        return self.sent is None and self.due <= at and free


class Outbox(RuleBasedStateMachine):
    """The outbox on SQLite beside a dictionary that says what it should do."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.mkdtemp()
        self.db = open_database(f"sqlite+aiosqlite:///{self.folder}/outbox.db")
        self.clock = ManualClock(NOW)
        self.model: dict[UUID, Said] = {}
        self.conflicts: set[tuple[UUID, bytes]] = set()
        self.published: Counter[UUID] = Counter()
        self.run(self._create())

    def run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        return self.runner.run(work)

    async def _create(self) -> None:
        async with transaction(self.db) as tx:
            await tx.run_sync(outbox.schema.create_all)
            await tx.run_sync(conflict.schema.create_all)

    async def _add(self, events: list[Event], *, commit: bool) -> None:
        async with transaction(self.db) as tx:
            await outbox.add(tx, PRODUCER, events, self.clock())
            if not commit:
                raise LookupError

    @rule(said=st.lists(st.tuples(numbers, st.integers(1, 2)), max_size=4), commit=st.booleans())
    def say(self, said: list[tuple[int, int]], commit: bool) -> None:
        events = [make_event(number, amount) for number, amount in said]
        try:
            self.run(self._add(events, commit=commit))
        except LookupError:
            return
        for event in events:
            known = self.model.setdefault(event.id, Said(event, self.clock()))
            if known.event != event:
                self.conflicts.add((event.id, event.digest()))

    @rule(refused=st.sets(numbers), breaks=st.booleans())
    def relay(self, refused: set[int], breaks: bool) -> None:
        at = self.clock()
        due = {key: said for key, said in self.model.items() if said.may_go(at)}
        broker = Broker({make_event(number).id for number in refused}, breaks)
        try:
            more = self.run(outbox.relay(self.db, broker, self.clock, "gateway"))
        except ConnectionResetError:
            more = False
        assert more is False
        assert set(broker.ids) == due.keys()
        assert len(broker.ids) == len(due)
        for letter in (letter for batch in broker.given for letter in batch):
            said = due[letter.event_id]
            assert decode(letter.body) == said.event
            assert letter.attempt == said.attempts + 1
            self.model[letter.event_id] = self._after(said, at, broker)

    def _after(self, said: Said, at: datetime, broker: Broker) -> Said:
        refused = said.event.id in broker.refused
        if not refused:
            self.published[said.event.id] += 1
        if broker.breaks:
            return replace(said, leased_until=at + outbox.LEASE)
        if not refused:
            return replace(said, sent=at, leased_until=None)
        pause = timedelta(seconds=PAUSES[min(said.attempts, 4)])
        return replace(said, attempts=said.attempts + 1, due=at + pause, leased_until=None)

    @precondition(lambda self: self.model)
    @rule(wanted=st.sets(numbers, min_size=1))
    def say_again(self, wanted: set[int]) -> None:
        ids = [make_event(number).id for number in wanted]
        assert self.run(self._say_again(ids)) == self.model.keys() & set(ids)
        for key in self.model.keys() & set(ids):
            self.model[key] = Said(self.model[key].event, self.clock())

    async def _say_again(self, ids: list[UUID]) -> set[UUID]:
        async with transaction(self.db) as tx:
            return await outbox.say_again(tx, ids, self.clock())

    @rule(seconds=st.sampled_from([0.5, 1, 2, 14, 59, 60, 61, 86_400, 86_401]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    @rule()
    def prune(self) -> None:
        limit = self.clock() - timedelta(days=1)
        old = {key for key, said in self.model.items() if said.sent and said.sent < limit}
        assert self.run(outbox.prune(self.db, self.clock())) == len(old)
        for key in old:
            del self.model[key]

    @invariant()
    def the_tables_hold_what_the_model_holds(self) -> None:
        rows, kept = self.run(self._stored())
        assert rows == {
            key: Said(said.event, said.due, said.sent, said.attempts, said.leased_until)
            for key, said in self.model.items()
        }
        assert kept == self.conflicts

    async def _stored(self) -> tuple[dict[UUID, Said], set[tuple[UUID, bytes]]]:
        table = conflict.event_conflict
        async with transaction(self.db) as tx:
            rows = {
                row.event_id: Said(
                    decode(row.body), row.due_at, row.sent_at, row.attempts, row.leased_until
                )
                for row in await tx.execute(select(outbox.outbox))
            }
            kept = await tx.execute(select(table.c.event_id, table.c.digest))
            return rows, {(row.event_id, row.digest) for row in kept}

    def teardown(self) -> None:
        """At the end the broker works again: then every event that is known has been published."""
        for _ in range(2):
            self.clock.advance(timedelta(minutes=2))
            self.relay(set(), False)
        assert all(said.sent for said in self.model.values())
        assert self.model.keys() <= self.published.keys()
        self.run(self.db.close())
        self.runner.close()
        shutil.rmtree(self.folder)


TestOutbox = Outbox.TestCase
TestOutbox.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
