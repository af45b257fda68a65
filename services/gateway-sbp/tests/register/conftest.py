"""A gateway on either database, with a bank that lives in the test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sbp_books import Place, make_place
from shared.db import open_database


@pytest.fixture
async def place(database_url: str) -> AsyncIterator[Place]:
    db = open_database(database_url)
    yield make_place(db)
    await db.close()
