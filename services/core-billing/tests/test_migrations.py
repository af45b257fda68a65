"""The migrations make what the code expects, and can be undone."""

from typing import Any

from alembic import command
from sqlalchemy import inspect

from core_billing.app import PACKAGE
from shared import migrations


async def test_migrations_and_code_agree(database_url: str) -> None:
    assert not await migrations.is_current(database_url, PACKAGE)
    await migrations.migrate(database_url, PACKAGE)
    await migrations.migrate(database_url, PACKAGE)
    assert await migrations.is_current(database_url, PACKAGE)
    assert await migrations.differences(database_url, PACKAGE) == []


async def test_everything_can_be_undone_and_done_again(database_url: str) -> None:
    await migrations.migrate(database_url, PACKAGE)

    def undo(connection: Any) -> None:
        config = migrations._config(PACKAGE)
        config.attributes["connection"] = connection
        command.downgrade(config, "base")

    await migrations._run(database_url, undo)
    left = await migrations._run(database_url, lambda c: inspect(c).get_table_names())
    assert left == [migrations.version_table(PACKAGE)]
    await migrations.migrate(database_url, PACKAGE)
    assert await migrations.differences(database_url, PACKAGE) == []
