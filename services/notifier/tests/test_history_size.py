"""What is asked again and again reads few rows, however many messages were sent before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from notifier import history, journal, leases, progress, turns
from notifier.turns import Patience
from shared.db import Database, Tx, transaction

if TYPE_CHECKING:
    from conftest import Said

pytestmark = [pytest.mark.connected, pytest.mark.postgres]
SENT = 20_000
FEW = 100
TIMES = 8
_FILL = text(
    """
    INSERT INTO message (id, fact, contract, kind, channel, urgency, state, facts, event_id,
        correlation_id, created_at, expires_at, due_at, attempts, doubtful, tried_at, done_at)
    SELECT gen_random_uuid(), n, 'c-' || n % 1000, 'payment', (ARRAY['sms', 'email'])[n % 2 + 1], 1,
        'sent', '{}', gen_random_uuid(), 'c-77', at, at, at, 1, false, at, at
    FROM (SELECT n, CAST(:until AS timestamptz) - n * interval '5 minutes' AS at
          FROM generate_series(1, :sent) AS n) AS sent
    """
)
_READ = text(
    "SELECT COALESCE(sum(seq_tup_read + idx_tup_fetch), 0) FROM pg_stat_xact_user_tables"
    " WHERE relname = 'message'"
)


@pytest.fixture
def database_url(prepared_postgres: str) -> str:
    """Only PostgreSQL counts what it reads."""
    return prepared_postgres


@pytest.fixture
async def old(db: Database, said: Said) -> Database:
    """A database in which everything was sent, the last message two hours ago."""
    async with transaction(db) as tx:
        await tx.execute(_FILL, {"sent": SENT, "until": said.NOON - timedelta(hours=2)})
        await tx.execute(text("ANALYZE message"))
    return db


_Asked = Callable[[Tx, datetime], Awaitable[Any]]


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(
            lambda tx, at: turns.silent(tx, ["sms", "email"], Patience(), at), id="silent"
        ),
        pytest.param(progress.look, id="progress"),
        pytest.param(lambda tx, at: leases.room(tx, "sms", at, 5), id="room"),
        pytest.param(lambda tx, at: leases.due(tx, "sms", at, 200), id="due"),
        pytest.param(lambda tx, at: leases.take_new(tx, at, 200), id="new"),
        pytest.param(journal.expire, id="expire"),
        pytest.param(lambda tx, at: journal.prune(tx, at - timedelta(days=90)), id="prune"),
        *(
            pytest.param(lambda tx, _at, s=s: history.page(tx, limit=50, state=s), id=f"list-{s}")
            for s in ("new", "ready", "undelivered", "failed", "dropped", "skipped")
        ),
    ],
)
async def test_little_is_read(old: Database, said: Said, ask: _Asked) -> None:
    """After a few times a statement may get a plan that does not look at its values."""
    async with transaction(old) as tx:
        for _ in range(TIMES):
            before = (await tx.execute(_READ)).scalar_one()
            await ask(tx, said.NOON)
            assert (await tx.execute(_READ)).scalar_one() - before < FEW
