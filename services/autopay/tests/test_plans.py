"""What is looked for in every round is found by an index, however many rows there have been."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event as listening

from autopay import accounts, charges, mandate_table
from shared.db import transaction

if TYPE_CHECKING:
    from conftest import World

NOON = datetime(2026, 11, 22, 9, tzinfo=UTC)
MANY = 500


@pytest.mark.parametrize(
    ("due", "index"),
    [
        (charges.to_announce, "ix_charge_announce"),
        (charges.to_request, "ix_charge_due"),
        (charges.overdue, "ix_charge_unclear"),
        (mandate_table.to_look, "ix_mandate_look"),
    ],
)
async def test_what_is_due_is_found_by_its_index(light: World, due: Any, index: str) -> None:
    async with transaction(light.db) as tx:
        plan = await _plan(light, accounts.lock_free(tx, due(NOON).limit(MANY), MANY))
    assert index in plan


async def test_the_live_mandate_of_a_contract_is_found_by_its_index(light: World) -> None:
    async with transaction(light.db) as tx:
        assert "uq_mandate_live" in await _plan(light, mandate_table.live(tx, ["1", "2"]))


async def _plan(world: World, asking: Any) -> str:
    """Return how SQLite goes about what is asked."""
    asked: list[tuple[str, Any]] = []

    def hear(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        asked.append((statement, values))

    engine = world.db.engine.sync_engine
    listening.listen(engine, "before_cursor_execute", hear)
    await asking
    listening.remove(engine, "before_cursor_execute", hear)
    ((statement, values),) = asked
    async with world.db.engine.connect() as connection:
        rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        return "\n".join(row.detail for row in rows)
