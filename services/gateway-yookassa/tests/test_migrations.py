"""The migrations make what the code expects."""

from __future__ import annotations

from shared import migrations


async def test_migrations_make_the_schemas(database_url: str) -> None:
    await migrations.migrate(database_url, "gateway_yookassa")
    assert await migrations.differences(database_url, "gateway_yookassa") == []
    assert await migrations.is_current(database_url, "gateway_yookassa")
