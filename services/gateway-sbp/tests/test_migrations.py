"""The migrations make what the code expects."""

from __future__ import annotations

from collections.abc import Callable

from shared import migrations


async def test_migrations_make_the_schemas(fresh_database: Callable[[str], str]) -> None:
    database_url = fresh_database("sbp")
    await migrations.migrate(database_url, "gateway_sbp")
    assert await migrations.differences(database_url, "gateway_sbp") == []
    assert await migrations.is_current(database_url, "gateway_sbp")
