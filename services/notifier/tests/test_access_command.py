"""`python -m notifier access`: what a person sees and does when a controller needs help."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest

from notifier import access, access_command, access_leases
from notifier.settings import Settings
from shared.db import reading, transaction

if TYPE_CHECKING:
    from conftest import Said, World

Told = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture
def told(
    database_url: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> Told:
    """Run the command; return its status and what it printed."""
    for name, value in {**environment, "SALDO_DATABASE_URL": database_url}.items():
        monkeypatch.setenv(name, value)

    async def run(**given: Any) -> tuple[int, str]:
        args = {"resend": None, "all": False, "resume": False, **given}
        status = await access_command.run(Settings(), argparse.Namespace(**args))
        return status, capsys.readouterr().out

    return run


async def test_how_the_controller_stands(world: World, said: Said, told: Told) -> None:
    await world.hear(said.access("1"), said.access("2"))
    assert await told() == (0, "2 contracts, 2 of them not told to the controller yet\n")
    async with transaction(world.db) as tx:
        await access_leases.close_to(tx, "a", gone_at=said.NOON)
    assert "since 2026-11-22 09:00 UTC (410 Gone)" in (await told())[1]
    assert "asked again" in (await told(resume=True))[1]
    assert "410" not in (await told())[1]


async def test_states_are_told_again(world: World, said: Said, told: Told) -> None:
    await world.hear(said.access("1"), said.access("2"))
    async with transaction(world.db) as tx:
        for leased in await access_leases.lease(tx, said.NOON, until=said.NOON, limit=2):
            await access_leases.succeed(tx, leased, 200, said.NOON)
    assert await told(resend="2") == (0, "2: told again\n")
    assert await told(resend="3") == (1, "3: nothing is known of its access\n")
    async with reading(world.db) as tx:
        assert await access.counts(tx) == (2, 1)
    assert await told(all=True) == (0, "2 contracts are told again\n")
    async with reading(world.db) as tx:
        assert await access.counts(tx) == (2, 2)
