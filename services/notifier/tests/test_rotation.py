"""Keys are changed under a running service, in batches, and again where it was stopped."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from notifier import confirmations, directory, preferences, rotation
from notifier.preferences import Address, Preference
from notifier.settings import Settings
from shared.crypto import Vault, new_encryption_key
from shared.db import reading, transaction

if TYPE_CHECKING:
    from conftest import Said, World

OLD, NEW, LOST = (new_encryption_key() for _ in range(3))


@pytest.fixture
def vault() -> Vault:
    """The vault before the keys are changed."""
    return Vault([OLD])


@pytest.fixture
async def filled(world: World, said: Said, monkeypatch: pytest.MonkeyPatch) -> World:
    """Five subscribers, ten messages of which two have no text yet, what three have chosen."""
    monkeypatch.setattr(rotation, "BATCH_MAX", 2)
    people = [said.subscriber(f"s-{n}", name=f"n{n}") for n in range(5)]
    contracts = [said.contract(f"c-{n}", subscriber_id=f"s-{n}") for n in range(4)]
    await world.hear(*people, *contracts, *(said.payment(f"c-{n}") for n in range(5)))
    await world.prepare()
    async with transaction(world.db) as tx:
        for n in range(3):
            chosen = Preference(addresses={"email": Address(address="a@b.example")})
            await preferences.put(tx, world.vault, f"c-{n}", chosen, world.clock())
        asked = ("c-1", "email", "a@b.example", ("Saldo", "ru"), world.clock())
        await confirmations.ask(tx, world.vault, *asked)
    return world


async def keys(world: World) -> set[str | None]:
    """Return the keys that sealed anything."""
    found: set[str | None] = set()
    async with reading(world.db) as tx:
        for table in rotation.SEALED:
            mine = select(table.c.key_id).where(table.c.sealed.is_not(None))
            found |= set((await tx.execute(mine)).scalars())
    return found


async def test_everything_is_sealed_anew_and_readable(filled: World) -> None:
    both = Vault([NEW, OLD])
    steps = [(p.table, p.done, p.total) async for p in rotation.rotate(filled.db, both)]
    assert steps == [
        *(("subscriber", done, 5) for done in (2, 4, 5)),
        *(("message", done, 9) for done in (2, 4, 6, 8, 9)),
        *(("preference", done, 3) for done in (2, 3)),
        ("confirmation", 1, 1),
    ]
    only_new = Vault([NEW])
    assert await keys(filled) == {only_new.key_id}
    filled.vault = only_new
    async with reading(filled.db) as tx:
        found = await directory.find(tx, only_new, {f"c-{n}" for n in range(5)})
    assert sorted(entry.person.name for entry in found.values()) == ["n0", "n1", "n2", "n3"]
    await filled.deliver()
    assert len(filled.sms.taken) == 4


async def test_stopped_in_the_middle_it_goes_on(filled: World) -> None:
    both = Vault([NEW, OLD])
    steps = rotation.rotate(filled.db, both)
    await anext(steps)
    await steps.aclose()
    assert await keys(filled) == {Vault([OLD]).key_id, both.key_id}
    again = [p async for p in rotation.rotate(filled.db, both)]
    assert again[0].total == 3
    assert await keys(filled) == {both.key_id}
    assert [p.total async for p in rotation.rotate(filled.db, both)] == [0] * 4


async def test_what_no_key_reads_is_left_and_counted(filled: World) -> None:
    steps = [p async for p in rotation.rotate(filled.db, Vault([NEW, LOST]))]
    assert {(p.table, p.done) for p in steps} == {(table.name, 0) for table in rotation.SEALED}
    assert [p.unreadable for p in steps if p.table == "subscriber"][-1] == 5
    assert await keys(filled) == {Vault([OLD]).key_id}


async def test_states_heard_meanwhile_are_not_lost(filled: World, said: Said) -> None:
    steps = rotation.rotate(filled.db, Vault([NEW, OLD]))
    await anext(steps)
    await filled.hear(said.subscriber("s-0", revision=2, name="later"))
    async for _ in steps:
        pass
    again = [p async for p in rotation.rotate(filled.db, Vault([NEW, OLD]))]
    assert again[0].done == 1
    async with reading(filled.db) as tx:
        found = await directory.find(tx, Vault([NEW]), {"c-0"})
    assert found["c-0"].person.name == "later"


@pytest.mark.parametrize(("listed", "status"), [((NEW, OLD), 0), ((NEW, LOST), 1)])
async def test_the_command_tells_how_it_went(
    filled: World,
    database_url: str,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
    listed: tuple[str, ...],
    status: int,
) -> None:
    given = {"SALDO_DATABASE_URL": database_url, "SALDO_ENCRYPTION_KEYS": ",".join(listed)}
    for name, value in {**environment, **given}.items():
        monkeypatch.setenv(name, value)
    assert await rotation.run(Settings(), argparse.Namespace()) == status
    said = capsys.readouterr().out
    assert ("subscriber: 5 of 5 sealed with the newest key" in said) is (status == 0)
    assert ("5 rows are read by no listed key" in said) is (status == 1)
