"""Dead letters: kept until a person decides, and replayed with the same bytes to the same queue."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from sqlalchemy import select

from core_billing import dead
from core_billing.dead import dead_letter
from shared.bus import DeadLetter
from shared.db import reading, transaction
from shared.metrics import ALARMS, DEAD_LETTERS
from shared.outbox import Letter

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def letter(event_id: UUID | None, queue: str = "notifier", **data: Any) -> DeadLetter:
    """Return a letter that has died."""
    body = orjson.dumps({"id": str(event_id), "data": data})
    return DeadLetter(queue, event_id, "payment.posted", body, "signed", 12, "it cannot be")


class Bus:
    """Takes letters; refuses those for a queue it does not have."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Letter]] = []
        self.missing: set[str] = set()

    async def send(self, queue: str, letters: Sequence[Letter]) -> Sequence[Exception | None]:
        """Put letters into one queue."""
        if queue in self.missing:
            return [ConnectionError("no such queue") for _ in letters]
        self.sent += [(queue, one) for one in letters]
        return [None for _ in letters]


async def die(books: Any, *letters: DeadLetter) -> None:
    """Let letters reach the dead queue."""
    await dead.storing(books.db, books.clock)(letters)


async def waiting(books: Any) -> list[Any]:
    """Return the letters that wait for a person."""
    async with reading(books.db) as tx:
        return list(await dead.find(tx))


async def ask(books: Any, *events: UUID) -> int:
    """Ask for a replay of some events, or of all."""
    async with transaction(books.db) as tx:
        return await dead.ask_replay(tx, events or None, books.clock())


async def test_a_letter_is_kept_as_it_came(books: Any) -> None:
    one, event = ALARMS.labels("dead_letter")._value.get(), uuid4()
    given = letter(event, amount=5)
    await die(books, given)
    [row] = await waiting(books)
    assert (row.queue, row.event_id, row.type) == ("notifier", event, "payment.posted")
    assert (row.body, row.signature, row.reason) == (given.body, "signed", "it cannot be")
    assert (row.died_at, row.deaths, row.replay_at) == (AT, 1, None)
    assert ALARMS.labels("dead_letter")._value.get() == one + 1
    assert await dead.count(books.db) == 1
    assert DEAD_LETTERS._value.get() == 1


async def test_copies_are_one_letter_for_each_queue(books: Any) -> None:
    event = uuid4()
    await die(books, letter(event), letter(event))
    books.clock.advance(timedelta(hours=1))
    await die(books, letter(event), letter(event, queue="core-billing.money"), letter(None))
    assert [(row.queue, row.deaths) for row in await waiting(books)] == [
        ("notifier", 3),
        ("core-billing.money", 1),
        ("notifier", 1),
    ]
    assert (await waiting(books))[0].died_at == AT + timedelta(hours=1)


async def test_a_replay_sends_the_same_bytes_to_that_queue_once(books: Any) -> None:
    bus, first, second = Bus(), uuid4(), uuid4()
    given = letter(first, queue="core-billing.money")
    await die(books, given, letter(second))
    assert await dead.replay(books.db, bus.send, books.clock) is False
    assert bus.sent == []
    assert await ask(books, first) == 1
    assert await dead.replay(books.db, bus.send, books.clock) is False
    assert bus.sent == [
        ("core-billing.money", Letter(first, "payment.posted", given.body, "signed"))
    ]
    await dead.replay(books.db, bus.send, books.clock)
    assert len(bus.sent) == 1
    assert [row.event_id for row in await waiting(books)] == [second]
    assert DEAD_LETTERS._value.get() == 1
    async with reading(books.db) as tx:
        [shown] = await dead.find(tx, first)
    assert shown.replayed_at == AT
    assert await ask(books) == 1
    assert await ask(books, first) == 1
    await dead.replay(books.db, bus.send, books.clock)
    assert [one.event_id for _, one in bus.sent] == [first, first, second]
    assert await dead.count(books.db) == 0


async def test_what_dies_again_waits_again(books: Any) -> None:
    bus, event = Bus(), uuid4()
    await die(books, letter(event))
    await ask(books)
    await dead.replay(books.db, bus.send, books.clock)
    assert await waiting(books) == []
    await die(books, letter(event))
    [row] = await waiting(books)
    assert (row.deaths, row.replay_at, row.replayed_at) == (2, None, None)
    await dead.replay(books.db, bus.send, books.clock)
    assert len(bus.sent) == 1


async def test_what_dies_while_it_is_sent_is_not_hidden(books: Any) -> None:
    event = uuid4()
    await die(books, letter(event))
    await ask(books)

    async def send(queue: str, letters: Sequence[Letter]) -> Sequence[Exception | None]:
        await die(books, letter(event))
        return [None]

    await dead.replay(books.db, send, books.clock)
    [row] = await waiting(books)
    assert row.deaths == 2


async def test_a_refused_letter_stays_asked_for(books: Any) -> None:
    bus, first, second = Bus(), uuid4(), uuid4()
    bus.missing = {"gone"}
    await die(books, letter(first, queue="gone"), letter(second))
    await ask(books)
    await dead.replay(books.db, bus.send, books.clock)
    assert [one.event_id for _, one in bus.sent] == [second]
    bus.missing = set()
    await dead.replay(books.db, bus.send, books.clock)
    assert [one.event_id for _, one in bus.sent] == [second, first]


async def test_what_nobody_wants_any_more_is_not_sent(books: Any) -> None:
    bus, late, soon = Bus(), uuid4(), uuid4()
    await die(
        books,
        letter(late, not_after=AT.isoformat()),
        letter(soon, not_after=(AT + timedelta(minutes=10)).isoformat()),
        letter(None),
    )
    assert await ask(books) == 1
    books.clock.advance(timedelta(minutes=10))
    await dead.replay(books.db, bus.send, books.clock)
    assert bus.sent == []
    assert len(await waiting(books)) == 3


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"data": 1}', b'{"data":{"not_after":"x"}}'])
async def test_an_unreadable_letter_is_kept_and_shown(books: Any, body: bytes) -> None:
    given = DeadLetter("notifier", uuid4(), "", body, "", 1, "unreadable")
    await die(books, given)
    assert await ask(books) == 1
    bus = Bus()
    await dead.replay(books.db, bus.send, books.clock)
    assert bus.sent[0][1].body == body


async def test_many_letters_go_in_pieces(books: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(dead, "REPLAY_MAX", 2)
    bus = Bus()
    await die(books, *(letter(uuid4(), n=n) for n in range(5)))
    assert await ask(books) == 5
    more = [await dead.replay(books.db, bus.send, books.clock) for _ in range(3)]
    assert more == [True, True, False]
    assert len(bus.sent) == 5
    async with reading(books.db) as tx:
        rows = (await tx.execute(select(dead_letter.c.replayed_at))).scalars()
        assert set(rows) == {AT}


async def test_replayed_letters_are_forgotten_after_a_while(books: Any, monkeypatch: Any) -> None:
    bus, events = Bus(), [uuid4() for _ in range(4)]
    await die(books, *(letter(event) for event in events))
    await ask(books, *events[:3])
    await dead.replay(books.db, bus.send, books.clock)
    assert await dead.prune(books.db, AT + dead.KEEP) == 0
    monkeypatch.setattr(dead, "PRUNE_MAX", 2)
    later = AT + dead.KEEP + timedelta(seconds=1)
    assert [await dead.prune(books.db, later) for _ in range(3)] == [2, 1, 0]
    assert [row.event_id for row in await waiting(books)] == events[3:]
