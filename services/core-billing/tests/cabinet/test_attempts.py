"""Attempts to sign in are limited per contract and per address, for all replicas together."""

import asyncio
from datetime import UTC, datetime, timedelta

from core_billing import attempts
from core_billing.attempts import Keys, Limits
from shared.crypto import Signer
from shared.db import Database, reading, transaction

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SIGNER = Signer(["a signing key of tests"])
LIMITS = Limits(per_contract=3, per_address=5)


def who(contract: str = "100245", address: str = "192.0.2.1") -> Keys:
    return attempts.keys(SIGNER, contract, address)


async def tries(db: Database, keys: Keys, at: datetime = AT) -> int:
    async with transaction(db) as tx:
        return await attempts.count(tx, keys, LIMITS, at)


async def test_a_contract_has_so_many_attempts_from_anywhere(db: Database) -> None:
    waits = [await tries(db, who(address=f"192.0.2.{n}")) for n in range(4)]
    assert waits == [0, 0, 0, 901]


async def test_an_address_has_so_many_attempts_at_any_contract(db: Database) -> None:
    waits = [await tries(db, who(contract=str(n))) for n in range(6)]
    assert waits == [0, 0, 0, 0, 0, 901]


async def test_the_wait_shrinks_and_then_is_over(db: Database) -> None:
    for _ in range(4):
        await tries(db, who())
    assert await tries(db, who(), AT + timedelta(minutes=14)) == 61
    assert await tries(db, who(), AT + attempts.WINDOW) == 0
    assert await tries(db, who(), AT + attempts.WINDOW) == 0


async def test_a_right_password_forgives_the_contract_and_only_itself_to_the_address(
    db: Database,
) -> None:
    for _ in range(3):
        await tries(db, who())
    async with transaction(db) as tx:
        await attempts.forgive(tx, who())
    # Two of five attempts still stand against the address.
    assert [await tries(db, who(contract=str(n))) for n in range(4)] == [0, 0, 0, 901]
    assert await tries(db, who(address="198.51.100.7")) == 0


async def test_guesses_sent_at_once_are_all_counted(db: Database) -> None:
    waits = await asyncio.gather(*(tries(db, who()) for _ in range(8)))
    assert sorted(wait > 0 for wait in waits) == [False] * 3 + [True] * 5


async def test_the_table_tells_nobody_who_tried(db: Database) -> None:
    await tries(db, who())
    async with reading(db) as tx:
        rows = str((await tx.execute(attempts.login_attempt.select())).all())
    assert "100245" not in rows
    assert "192.0.2.1" not in rows


async def test_windows_that_are_over_are_pruned(db: Database) -> None:
    await tries(db, who())
    await tries(db, who(contract="100301", address="192.0.2.2"), AT + timedelta(minutes=1))
    assert await attempts.prune(db, AT + attempts.WINDOW) == 2
    assert await attempts.prune(db, AT + attempts.WINDOW) == 0
