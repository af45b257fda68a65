"""Sessions: they hold, end by themselves, and are ended by their owner."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from core_billing import sessions
from shared.db import Database, reading, transaction

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


async def start(db: Database, at: datetime = AT, who: str = "s1", replaces: str = "") -> str:
    async with transaction(db) as tx:
        return await sessions.start(tx, who, "100245", "Chrome, Android", at, replaces)


async def holds(db: Database, token: str, at: datetime) -> bool:
    async with reading(db) as tx:
        return await sessions.find(tx, token, at) is not None


async def test_a_token_opens_its_session_and_no_other_text_does(db: Database) -> None:
    token = await start(db)
    async with reading(db) as tx:
        found = await sessions.find(tx, token, AT)
        assert found is not None
        assert (found.subscriber_id, found.contract, found.device) == (
            "s1",
            "100245",
            "Chrome, Android",
        )
        rows = (await tx.execute(sessions.session.select())).all()
    assert token not in str(rows)
    assert not await holds(db, token + "x", AT)
    assert not await holds(db, rows[0].token_hash, AT)


async def test_a_session_ends_when_nobody_used_it_for_a_day(db: Database) -> None:
    token = await start(db)
    assert await holds(db, token, AT + DAY - timedelta(seconds=1))
    assert not await holds(db, token, AT + DAY)


async def test_use_prolongs_a_session_up_to_thirty_days(db: Database) -> None:
    token = await start(db)
    at = AT
    while at < AT + 30 * DAY - timedelta(hours=20):
        at += timedelta(hours=20)
        async with reading(db) as tx:
            known = await sessions.find(tx, token, at)
        assert known is not None
        await sessions.touch(db, known, at)
    assert await holds(db, token, AT + 30 * DAY - timedelta(seconds=1))
    assert not await holds(db, token, AT + 30 * DAY)


async def test_use_is_written_once_a_minute_at_most(db: Database) -> None:
    token = await start(db)
    for seconds, seen in ((59, 0), (60, 60)):
        at = AT + timedelta(seconds=seconds)
        async with reading(db) as tx:
            known = await sessions.find(tx, token, at)
        assert known is not None
        await sessions.touch(db, known, at)
        async with reading(db) as tx:
            after = await sessions.find(tx, token, at)
        assert after is not None
        assert after.seen_at == AT + timedelta(seconds=seen)


async def test_signing_in_again_ends_the_session_it_replaces(db: Database) -> None:
    first = await start(db)
    second = await start(db, replaces=first)
    assert first != second
    assert not await holds(db, first, AT)
    assert await holds(db, second, AT)


async def test_a_subscriber_sees_and_ends_only_their_own(db: Database) -> None:
    mine, other = await start(db), await start(db, who="s2")
    async with transaction(db) as tx:
        (own,) = await sessions.of_subscriber(tx, "s1", AT)
        (foreign,) = await sessions.of_subscriber(tx, "s2", AT)
        assert not await sessions.revoke(tx, "s1", foreign.id)
        assert not await sessions.revoke(tx, "s1", uuid4())
        assert await sessions.revoke(tx, "s1", own.id)
    assert not await holds(db, mine, AT)
    assert await holds(db, other, AT)


async def test_the_twenty_first_session_ends_the_one_unused_longest(db: Database) -> None:
    tokens = [await start(db, AT + timedelta(seconds=n)) for n in range(21)]
    at = AT + timedelta(minutes=1)
    assert [await holds(db, token, at) for token in tokens] == [False] + [True] * 20


async def test_pruning_takes_what_no_longer_holds(db: Database) -> None:
    old, new = await start(db), await start(db, AT + timedelta(hours=1))
    assert await sessions.prune(db, AT + DAY) == 1
    assert not await holds(db, old, AT)
    assert await holds(db, new, AT + DAY)
