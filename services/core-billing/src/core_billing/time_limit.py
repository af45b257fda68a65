"""Reading for people: a question that would keep the database busy for long is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shared.db import Database, Tx, reading, sqlstate
from shared.errors import Refusal

SECONDS_MAX: Final = 10
_CANCELED: Final = "57014"
# What is asked differs from time to time, so a plan made for anything asked would fit nothing.
_LIMITED: Final = text(
    "SELECT set_config('statement_timeout', :most, true),"
    " set_config('plan_cache_mode', 'force_custom_plan', true)"
)

TOO_WIDE: Final = Refusal(
    "search_too_wide",
    422,
    f"The search took longer than {SECONDS_MAX} s: narrow it, by a period or a contract",
    f"Поиск шёл дольше {SECONDS_MAX} с: сузьте его, например периодом или договором",
)


@asynccontextmanager
async def reading_briefly(db: Database) -> AsyncIterator[Tx]:
    """Open a transaction that only reads, no statement of it longer than a person waits.

    Raises the refusal `search_too_wide` for a longer one. SQLite, with one user, has no limit.
    """
    async with reading(db) as tx:
        if db.postgres:
            await tx.execute(_LIMITED, {"most": f"{int(SECONDS_MAX * 1000)}ms"})
        try:
            yield tx
        except DBAPIError as error:
            if sqlstate(error) != _CANCELED:
                raise
            raise TOO_WIDE() from error
