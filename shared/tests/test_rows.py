"""Many rows at once: the same answers on both databases, in one statement."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    bindparam,
    select,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import StatementError

from shared.db import Database, Instant, is_outage, is_postgres, metadata, transaction
from shared.rows import among, chosen, insert_new, keep_newest, listed, update_each

AT = datetime(2026, 11, 22, 12, 0, 0, 250_000, tzinfo=UTC)
schema = metadata()
thing = Table(
    "order",
    schema,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("name", Text),
    Column("user", Text),
    Column("at", Instant),
    Column("key", Uuid),
    Column("body", LargeBinary),
    Column("fine", Boolean),
    Column("tries", Integer, nullable=False, server_default="7"),
    UniqueConstraint("name", "user"),
)


state = Table(
    "group",
    schema,
    Column("name", Text, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("at", Instant),
)


@pytest.fixture(name="db")
async def _db(db: Database) -> Database:
    async with transaction(db) as tx:
        await tx.run_sync(schema.create_all)
    return db


async def inserted(db: Database, *rows: dict[str, Any], returning: str = "name") -> list[Any]:
    async with transaction(db) as tx:
        return await insert_new(tx, thing, rows, returning)


async def stored(db: Database) -> list[Any]:
    async with transaction(db) as tx:
        return list(await tx.execute(select(thing.c.name, thing.c.user).order_by(thing.c.id)))


async def test_only_new_rows_are_returned(db: Database) -> None:
    assert await inserted(db, {"name": "a", "user": "x"}, {"name": "b", "user": "x"}) == ["a", "b"]
    assert await inserted(db, {"name": "b", "user": "x"}, {"name": "b", "user": "y"}) == ["b"]
    assert await stored(db) == [("a", "x"), ("b", "x"), ("b", "y")]


async def test_duplicates_inside_one_batch_are_inserted_once(db: Database) -> None:
    row = {"name": "a", "user": "x"}
    assert await inserted(db, row, dict(row), {"name": "b", "user": "x"}, dict(row)) == ["a", "b"]
    assert await stored(db) == [("a", "x"), ("b", "x")]


async def test_nothing_is_equal_to_nothing(db: Database) -> None:
    row = {"name": "a", "user": None}
    assert await inserted(db, row, dict(row)) == ["a", "a"]
    assert await inserted(db, row) == ["a"]
    assert await stored(db) == [("a", None)] * 3


async def test_a_column_without_any_value_is_written(db: Database) -> None:
    rows = [{"name": f"n{n}", "user": None, "at": None, "key": None} for n in range(3)]
    assert await inserted(db, *rows) == ["n0", "n1", "n2"]


async def test_values_of_every_kind_come_back_as_they_went(db: Database) -> None:
    row = {
        "name": "a",
        "at": AT.astimezone(timezone(timedelta(hours=3))),
        "key": uuid4(),
        "body": b"\x00\xff",
        "fine": True,
    }
    assert await inserted(db, row, {**row, "name": "b", "at": None, "body": b""}) == ["a", "b"]
    async with transaction(db) as tx:
        back = (await tx.execute(select(thing).where(thing.c.name == "a"))).one()
    assert (back.at, back.key, back.body, back.fine) == (
        AT,
        row["key"],
        row["body"],
        True,
    )
    assert back.tries == 7


async def test_a_moment_without_a_zone_is_not_stored(db: Database) -> None:
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 - that is the point
    with pytest.raises((StatementError, ValueError), match="without a zone"):
        await inserted(db, {"name": "a", "at": naive})


async def test_no_rows_are_no_statement(db: Database) -> None:
    assert await inserted(db) == []


async def test_rows_of_different_columns_are_refused_not_cut(db: Database) -> None:
    with pytest.raises(ValueError, match="different columns"):
        await inserted(db, {"name": "a"}, {"name": "b", "user": "x"})
    with pytest.raises(ValueError, match="different columns"):
        await inserted(db, {"name": "a", "user": "x"}, {"name": "b"})
    assert await stored(db) == []


async def test_a_large_batch_is_one_transaction_with_every_row(db: Database) -> None:
    rows = [{"name": f"n{n}", "user": "x"} for n in range(3000)]
    assert await inserted(db, *rows[:1500]) == [row["name"] for row in rows[:1500]]
    assert set(await inserted(db, *rows)) == {row["name"] for row in rows[1500:]}


async def test_on_postgres_a_batch_of_any_size_is_one_statement(postgres_db: Database) -> None:
    async with transaction(postgres_db) as tx:
        await tx.run_sync(schema.create_all)
        driver: Any = (await tx.get_raw_connection()).driver_connection
        seen: list[str] = []
        driver.add_query_logger(lambda record: seen.append(record.query))
        for size in (1, 40, 500):
            rows = [{"name": f"n{size}-{n}", "user": "x"} for n in range(size)]
            assert len(await insert_new(tx, thing, rows, "name")) == size
            await asyncio.sleep(0)  # the driver tells its loggers a turn later
        assert len(seen) == 3
        assert len(set(seen)) == 1


async def test_the_first_statement_of_a_transaction_is_rolled_back_with_it(db: Database) -> None:
    """Straight through the driver it would have committed by itself."""

    async def fail_after_two() -> None:
        async with transaction(db) as tx:
            await insert_new(tx, thing, [{"name": "a", "user": "x"}], "name")
            await insert_new(tx, thing, [{"name": "b", "user": "x"}], "name")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail_after_two()
    assert await stored(db) == []


async def test_a_connection_that_the_server_closed_is_an_outage(postgres_db: Database) -> None:
    async with transaction(postgres_db) as tx:
        await tx.run_sync(schema.create_all)

    async def lose_it() -> None:
        async with transaction(postgres_db) as tx:
            await insert_new(tx, thing, [{"name": "a", "user": "x"}], "name")
            driver: Any = (await tx.get_raw_connection()).driver_connection
            driver.terminate()
            await insert_new(tx, thing, [{"name": "b", "user": "x"}], "name")

    with pytest.raises(Exception) as raised:  # noqa: PT011 - judged in the next line
        await lose_it()
    assert is_outage(raised.value)
    assert await inserted(postgres_db, {"name": "c", "user": "x"}) == ["c"]


async def test_any_column_can_be_returned(db: Database) -> None:
    rows = [{"name": "a", "user": "x"}, {"name": "b", "user": "y"}]
    assert await inserted(db, *rows, returning="user") == ["x", "y"]
    assert len(set(await inserted(db, {"name": "c"}, {"name": "d"}, returning="id"))) == 2


async def test_each_row_gets_its_own_values(db: Database) -> None:
    await inserted(db, *({"name": n, "user": "x", "tries": 1, "at": AT} for n in "abc"))
    wanted = [
        {"name": "a", "user": "x", "tries": 5, "fine": None},
        {"name": "c", "user": "x", "tries": 6, "fine": True},
        {"name": "c", "user": "nobody", "tries": 9, "fine": True},
    ]
    async with transaction(db) as tx:
        await update_each(tx, thing, wanted, "name", "user", clear=("at",))
        await update_each(tx, thing, [], "name")
        columns = (thing.c.name, thing.c.user, thing.c.tries, thing.c.fine, thing.c.at)
        rows = [tuple(row) for row in await tx.execute(select(*columns).order_by(thing.c.name))]
    assert rows == [("a", "x", 5, None, None), ("b", "x", 1, None, AT), ("c", "x", 6, True, None)]


async def test_a_key_can_be_cleared(db: Database) -> None:
    await inserted(db, {"name": "a", "user": "x", "tries": 1})
    async with transaction(db) as tx:
        await update_each(
            tx, thing, [{"name": "a", "user": "x", "tries": 2}], "name", "user", clear=("user",)
        )
        rows = [tuple(row) for row in await tx.execute(select(thing.c.user, thing.c.tries))]
    assert rows == [(None, 2)]


async def test_updates_of_different_columns_are_refused(db: Database) -> None:
    async with transaction(db) as tx:
        with pytest.raises(ValueError, match="different columns"):
            await update_each(tx, thing, [{"name": "a", "tries": 1}, {"name": "b"}], "name")


async def test_a_list_is_compared_alike_on_both(db: Database) -> None:
    await inserted(db, *({"name": n, "user": "x"} for n in "abc"))
    async with transaction(db) as tx:
        named = select(thing.c.name).order_by(thing.c.name)
        direct = await tx.execute(named.where(among(tx, thing.c.name, {"a", "c", "z"})))
        assert list(direct.scalars()) == ["a", "c"]
        later = named.where(listed(is_postgres(tx), thing.c.name, "names"))
        for names, found in ((["b", "c"], ["b", "c"]), ([], []), (["a"], ["a"])):
            assert list((await tx.execute(later, {"names": names})).scalars()) == found


async def test_chosen_rows_are_found_without_reading_the_table(postgres_db: Database) -> None:
    """What a prepared statement costs must not grow with the table."""
    async with transaction(postgres_db) as tx:
        await tx.run_sync(schema.create_all)
        await insert_new(tx, thing, [{"name": f"n{n}", "user": "x"} for n in range(5000)], "id")
        await tx.exec_driver_sql('ANALYZE "order"')
        await tx.exec_driver_sql("SET LOCAL plan_cache_mode = force_generic_plan")
        few = select(thing.c.id).order_by(thing.c.id).limit(bindparam("most")).with_for_update()
        wanted = update(thing).where(chosen(True, thing.c.id, few)).values(user="y")
        compiled = wanted.compile(dialect=postgresql.dialect())
        plain = str(compiled).replace("%(user)s", "$2").replace("%(most)s", "$1")
        await tx.exec_driver_sql(f"PREPARE choose(bigint, text) AS {plain}")
        plan = await tx.exec_driver_sql("EXPLAIN EXECUTE choose(3, 'y')")
        assert "Seq Scan" not in "\n".join(plan.scalars())


async def test_only_what_was_chosen_is_changed(db: Database) -> None:
    await inserted(db, *({"name": n, "user": "x"} for n in "abc"))
    async with transaction(db) as tx:
        few = select(thing.c.id).order_by(thing.c.name.desc()).limit(bindparam("most"))
        wanted = update(thing).where(chosen(is_postgres(tx), thing.c.id, few)).values(tries=9)
        await tx.execute(wanted, {"most": 2})
        rows = [tuple(row) for row in await tx.execute(select(thing.c.name, thing.c.tries))]
    assert sorted(rows) == [("a", 7), ("b", 9), ("c", 9)]


async def kept(db: Database, *rows: tuple[str, int, datetime | None]) -> set[tuple[str, int]]:
    named = [{"name": name, "revision": revision, "at": at} for name, revision, at in rows]
    async with transaction(db) as tx:
        return {
            (one["name"], one["revision"]) for one in await keep_newest(tx, state, "name", named)
        }


async def states(db: Database) -> list[Any]:
    async with transaction(db) as tx:
        return list(await tx.execute(select(state).order_by(state.c.name)))


async def test_of_each_thing_the_newest_state_is_kept_in_whatever_order(db: Database) -> None:
    later = AT + timedelta(hours=1)
    assert await kept(db, ("b", 2, AT), ("a", 1, AT), ("b", 5, later), ("b", 3, AT)) == {
        ("a", 1),
        ("b", 5),
    }
    assert await kept(db, ("b", 4, AT), ("a", 2, None), ("c", 1, AT)) == {("a", 2), ("c", 1)}
    assert await kept(db, ("a", 2, AT), ("b", 1, AT)) == set()
    assert await states(db) == [("a", 2, None), ("b", 5, later), ("c", 1, AT)]


async def test_no_state_is_no_statement(db: Database) -> None:
    assert await kept(db) == set()


async def test_states_of_different_columns_are_refused(db: Database) -> None:
    rows = [{"name": "a", "revision": 1}, {"name": "b", "revision": 1, "at": AT}]
    async with transaction(db) as tx:
        with pytest.raises(ValueError, match="different columns"):
            await keep_newest(tx, state, "name", rows)
