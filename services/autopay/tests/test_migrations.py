"""The migrations make what the code expects."""

from __future__ import annotations

from collections.abc import Callable

from shared import migrations


async def test_migrations_make_the_schemas(fresh_database: Callable[[str], str]) -> None:
    database_url = fresh_database("autopay")
    await migrations.migrate(database_url, "autopay")
    assert await migrations.differences(database_url, "autopay") == []
    assert await migrations.is_current(database_url, "autopay")
