"""Whoever looks for secrets must find those that are there."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Column, Integer, LargeBinary, Table, Text, Uuid, insert

import needles
from shared.db import metadata, open_database, transaction

PHONE, EMAIL = "+79161234567", "ivan.petrov@example.ru"
TOKEN, KEY = "2d8f3c1a-000f-5000-8000-7a7a7a7a7a7a", "live_AbCdEf123456"
NEEDLES = {"phone": PHONE, "email": EMAIL, "token": TOKEN, "key": KEY}

schema = metadata()
table = Table(
    "some order",
    schema,
    Column("id", Integer, primary_key=True),
    Column("text", Text),
    Column("bytes", LargeBinary),
    Column("uuid", Uuid),
)


@pytest.mark.parametrize(
    ("hay", "names"),
    [
        ("all quiet: +7916*****67, ivan***@example.ru, live_***", []),
        ("tel:79161234567", ["phone"]),
        ("9161234567 is how he says it", ["phone"]),
        ("to=IVAN.Petrov%40example.ru", ["email"]),
        (TOKEN.replace("-", "").upper(), ["token"]),
        ("Basic bGl2ZV9BYkNkRWYxMjM0NTY=", ["key"]),
        (f"\\x{KEY.encode().hex()}", ["key"]),
        (f"{PHONE} {EMAIL} {TOKEN} {KEY}", ["phone", "email", "token", "key"]),
    ],
)
def test_a_needle_is_found_however_it_is_written(hay: str, names: list[str]) -> None:
    assert needles.found(hay, NEEDLES) == names


@pytest.mark.parametrize(
    ("column", "value", "name"),
    [
        ("text", f"an address: {EMAIL}", "email"),
        ("bytes", f'{{"phone":"{PHONE}"}}'.encode(), "phone"),
        ("bytes", b"\xff\x00" + KEY.encode(), "key"),
        ("uuid", UUID(TOKEN), "token"),
    ],
)
async def test_every_column_of_every_table_is_looked_into(
    database_url: str, column: str, value: Any, name: str
) -> None:
    db = open_database(database_url)
    async with transaction(db) as tx:
        await tx.run_sync(schema.create_all)
    before = await needles.dump(database_url)
    async with transaction(db) as tx:
        await tx.execute(insert(table).values({column: value}))
    await db.close()
    assert needles.found(before, NEEDLES) == []
    assert needles.found(await needles.dump(database_url), NEEDLES) == [name]
