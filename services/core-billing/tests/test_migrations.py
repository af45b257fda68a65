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


async def test_refunds_under_way_are_asked_for_again(database_url: str) -> None:
    await migrations.migrate(database_url, PACKAGE)
    ends = {"under-way": "NULL, NULL", "failed": "'{at}', NULL", "sent": "NULL, '{at}'"}
    at = "2026-11-22 12:00:00+00:00"

    def upgrade(connection: Any) -> list[Any]:
        config = migrations._config(PACKAGE)
        config.attributes["connection"] = connection
        command.downgrade(config, "0003")
        for name, end in ends.items():
            connection.exec_driver_sql(
                "INSERT INTO refund (provider, provider_payment_id, amount_kopecks, refund_id,"
                " reason, requested_at, failed_at, succeeded_at)"
                f" VALUES ('yookassa:1', 'p1', 100, '{name}', '', '{at}', {end.format(at=at)})"
            )
        command.upgrade(config, "0004")
        due = "SELECT refund_id, says FROM refund WHERE say_at = requested_at"
        return [tuple(row) for row in connection.exec_driver_sql(due)]

    assert await migrations._run(database_url, upgrade) == [("under-way", 1)]
