"""The journal: what comes in is stored behind the work, found by payment, and kept for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from shared.db import Database, reading, transaction
from shared.gateway import journal as journals
from shared.gateway.journal import Entry, Journal, journal
from shared.metrics import JOURNAL_LOST

SERVICE = "gateway-of-the-test"
THEIRS = "3294d482-000f-5000-8000-1a2b3c4d5e6f"
DAYS = timedelta(days=90)


def _lost(reason: str) -> float:
    return JOURNAL_LOST.labels(SERVICE, reason)._value.get()


@pytest.fixture
def book(stand: Any, monkeypatch: pytest.MonkeyPatch) -> Journal:
    monkeypatch.setattr(journals, "GATHER_SECONDS", 0.001)
    monkeypatch.setattr(journals, "AGAIN_SECONDS", 0.001)
    monkeypatch.setattr(journals, "alarm", lambda kind, **_: stand.alarms.append(kind))
    return Journal(stand.gateway.db, SERVICE, stand.clock, DAYS)


@pytest.fixture
def make_entry(clock: Any) -> Callable[..., Entry]:
    def make(**changes: Any) -> Entry:
        entry = Entry(
            *(clock(), "out", "bank:1", "GET /payments/{id}", "answer", 200, 1234),
            *(THEIRS, THEIRS, None, "corr", None, '{"status":"pending"}'),
        )
        return entry._replace(**changes)

    return make


async def _about(db: Database, named: str, before_id: int | None = None, limit: int = 100) -> Any:
    async with reading(db) as tx:
        return await journals.about(tx, named, before_id, limit)


async def test_entries_are_stored_as_they_were_noted(
    stand: Any, book: Journal, make_entry: Any
) -> None:
    one = make_entry(payment_id=uuid4(), sent='{"a":"é\\u0000"}')
    other = make_entry(direction="in", status=None, object_id=None, provider_payment_id=None)
    async with book.running():
        book.note(one)
        book.note(other)
    rows = sorted(await stand.rows(journal), key=lambda row: row.id)
    assert [tuple(row)[1:] for row in rows] == [tuple(one), tuple(other)]


async def test_more_than_a_batch_is_stored_in_order(
    stand: Any, book: Journal, make_entry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "BATCH_MAX", 7)
    async with book.running():
        for number in range(50):
            book.note(make_entry(micros=number))
    rows = sorted(await stand.rows(journal), key=lambda row: row.id)
    assert [row.micros for row in rows] == list(range(50))


async def test_what_does_not_fit_is_counted_and_one_alarm(
    stand: Any, book: Journal, make_entry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "QUEUE_MAX", 3)
    before = _lost("full")
    for _ in range(5):
        book.note(make_entry())
    assert _lost("full") == before + 2
    assert stand.alarms == ["journal_incomplete"]
    async with book.running():
        pass
    assert len(await stand.rows(journal)) == 3


async def test_an_outage_of_the_database_loses_nothing(
    stand: Any, book: Journal, make_entry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failures, over = journals.add, 3, asyncio.Event()

    async def add(*args: Any) -> None:
        nonlocal failures
        if failures:
            failures -= 1
            raise ConnectionResetError("as told")
        over.set()
        await real(*args)

    monkeypatch.setattr(journals, "add", add)
    async with book.running():
        for number in range(4):
            book.note(make_entry(micros=number))
        await over.wait()
    rows = sorted(await stand.rows(journal), key=lambda row: row.id)
    assert [row.micros for row in rows] == [0, 1, 2, 3]
    assert stand.alarms == []


async def test_what_is_still_there_when_an_outage_outlives_us_is_counted(
    stand: Any, book: Journal, make_entry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def add(*_args: Any) -> None:
        raise ConnectionResetError("as told")

    monkeypatch.setattr(journals, "add", add)
    before = _lost("failed")
    async with book.running():
        book.note(make_entry())
    assert _lost("failed") == before + 1
    assert stand.alarms == ["journal_incomplete"]


async def test_an_entry_the_database_refuses_goes_alone(
    stand: Any, book: Journal, make_entry: Any
) -> None:
    before = _lost("failed")
    async with book.running():
        for entry in (make_entry(micros=1), make_entry(shop=None), make_entry(micros=3)):
            book.note(entry)
    assert sorted(row.micros for row in await stand.rows(journal)) == [1, 3]
    assert _lost("failed") == before + 1
    assert stand.alarms == ["journal_incomplete"]


async def test_strangers_fill_no_disk(stand: Any, book: Journal, make_entry: Any) -> None:
    before, made = _lost("spared"), 0

    def make() -> Entry:
        nonlocal made
        made += 1
        entry: Entry = make_entry()
        return entry

    async with book.running():
        for _ in range(150):
            book.note_stranger(make)
    assert made == len(await stand.rows(journal)) == 100
    assert _lost("spared") == before + 50
    assert stand.alarms == []


async def test_a_payment_is_found_by_either_id(stand: Any, book: Journal, make_entry: Any) -> None:
    begun = await stand.wish()
    ours: UUID = begun.payment.id
    theirs = (await stand.row(ours)).provider_payment_id
    wanted = {
        "creation without an answer": {"payment_id": ours},
        "question": {"provider_payment_id": theirs},
        "both": {"payment_id": ours, "provider_payment_id": theirs},
        "refund": {"object_id": "r-1", "provider_payment_id": theirs},
    }
    none = {"object_id": None, "provider_payment_id": None}
    async with book.running():
        for call, changes in wanted.items():
            book.note(make_entry(**{**none, "call": call, **changes}))
        book.note(make_entry(call="of another payment"))
        book.note(make_entry(call="of none", **none))
    for named in (str(ours), str(ours).upper(), theirs):
        rows = await _about(stand.gateway.db, named)
        assert [row.call for row in rows] == list(reversed(wanted))
    assert await _about(stand.gateway.db, "nothing") == []


async def test_pages_go_back_in_time(stand: Any, book: Journal, make_entry: Any) -> None:
    async with book.running():
        for number in range(10):
            book.note(make_entry(micros=number))
    seen: list[int] = []
    before_id = None
    while rows := await _about(stand.gateway.db, THEIRS, before_id, 3):
        seen += [row.micros for row in rows]
        before_id = rows[-1].id
    assert seen == list(range(9, -1, -1))


async def test_the_old_is_deleted_some_at_a_time(
    stand: Any, book: Journal, make_entry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "PRUNE_MAX", 4)
    loop = book.loop()
    async with book.running():
        for _ in range(6):
            book.note(make_entry(at=stand.clock() - DAYS - timedelta(seconds=1)))
        book.note(make_entry(at=stand.clock() - DAYS))
    assert [await loop.step(), await loop.step()] == [True, False]
    assert [row.at for row in await stand.rows(journal)] == [stand.clock() - DAYS]
    async with transaction(stand.gateway.db) as tx:
        assert await journals.prune(tx, stand.clock() - DAYS) == 0


class Auditor:
    """Somebody who reads the journal over HTTP."""

    def __init__(self, caller: Any, stand: Any) -> None:
        self._caller = caller
        self._stand = stand

    async def ask(self, query: str, token: str = "auditor") -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token}"}
        answer = await self._caller._client.get(f"/yookassa/v1/journal?{query}", headers=headers)
        return answer.status, await answer.json(content_type=None)

    async def entries(self, count: int) -> list[Any]:
        """Wait until so many have been written behind the work."""
        async with asyncio.timeout(20):
            while True:
                rows = await self._stand.rows(journal)
                if len(rows) >= count:
                    return sorted(rows, key=lambda row: row.id)
                await asyncio.sleep(0.01)


@pytest.fixture
async def auditor(stand: Any, make_caller: Any) -> Auditor:
    return Auditor(await make_caller(), stand)


async def test_every_visit_is_written_down(auditor: Auditor) -> None:
    call = auditor._caller.call
    fine = orjson.dumps({"id": THEIRS, "event": "payment.succeeded", "secret": "x"})
    ignored = orjson.dumps({"id": THEIRS, "event": "refund.succeeded", "secret": "x"})
    given = {"X-Correlation-Id": "corr-1"}
    for body in (fine, fine, ignored, b"{", b"x" * 70_000):
        await call(body, given)
    await call(b"nope", {**given, "Content-Encoding": "deflate"})
    rows = await auditor.entries(6)
    kept = '{"event":"payment.succeeded"}'
    found = [
        (row.call, row.outcome, row.status, row.said, row.object_id)
        for row in sorted(rows, key=lambda row: row.id)
    ]
    assert found == [
        ("payment.succeeded", "accepted", 200, kept, THEIRS),
        ("payment.succeeded", "accepted", 200, kept, THEIRS),
        ("callback", "ignored", 200, '{"event":"refund.succeeded"}', None),
        ("callback", "malformed", 400, None, None),
        ("callback", "malformed", 413, None, None),
        ("callback", "malformed", 400, None, None),
    ]
    assert {(row.direction, row.correlation_id) for row in rows} == {("in", "corr-1")}
    assert all(row.micros > 0 for row in rows)


async def test_a_visit_from_outside_is_written_down(stand: Any, make_caller: Any) -> None:
    auditor = Auditor(await make_caller(allowed=("185.71.76.0/27",)), stand)
    await auditor._caller.call(orjson.dumps({"id": THEIRS, "event": "payment.succeeded"}))
    (row,) = await auditor.entries(1)
    assert (row.outcome, row.status, row.said) == ("refused", 403, None)


async def test_the_journal_is_read_over_http(auditor: Auditor) -> None:
    for _ in range(3):
        body = orjson.dumps({"id": THEIRS, "event": "payment.succeeded"})
        await auditor._caller.call(body, {"X-Correlation-Id": "corr-1"})
    await auditor.entries(3)
    status, page = await auditor.ask(f"payment={THEIRS}&limit=2")
    assert (status, len(page["entries"])) == (200, 2)
    entry = page["entries"][0]
    assert entry["said"] == {"event": "payment.succeeded"}
    assert (entry["direction"], entry["call"]) == ("in", "payment.succeeded")
    assert entry["at"] == "2026-11-22T09:00:00Z"
    _, rest = await auditor.ask(f"payment={THEIRS}&cursor={page['next_cursor']}")
    assert (len(rest["entries"]), rest["next_cursor"]) == (1, None)
    assert await auditor.ask(f"payment={uuid4()}") == (200, {"entries": [], "next_cursor": None})


@pytest.mark.parametrize(
    ("query", "token", "status"),
    [
        ("payment=x", "reader", 403),
        ("payment=x", "nobody", 401),
        ("", "auditor", 422),
        ("payment=x&cursor=0", "auditor", 422),
        ("payment=x&cursor=one", "auditor", 422),
        (f"payment=x&cursor={2**63}", "auditor", 422),
        (f"payment={'x' * 65}", "auditor", 422),
        ("payment=x&limit=201", "auditor", 422),
        ("payment=%00", "auditor", 422),
    ],
)
async def test_what_cannot_be_asked_is_refused(
    auditor: Auditor, query: str, token: str, status: int
) -> None:
    assert (await auditor.ask(query, token))[0] == status
