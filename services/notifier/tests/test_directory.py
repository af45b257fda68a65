"""The directory: newest state wins in any order, and nobody reads it in the database."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from notifier import directory
from shared.db import reading
from shared.inbox import Outcome

if TYPE_CHECKING:
    from conftest import Said, World

_NUMBERS = count()


async def known(world: World, number: str) -> directory.Entry | None:
    """Return what the directory says of a contract."""
    async with reading(world.db) as tx:
        return (await directory.find(tx, world.vault, {number})).get(number)


async def test_contract_and_subscriber_make_an_entry(world: World, said: Said) -> None:
    await world.hear(said.contract(), said.subscriber(language="en", timezone="Asia/Omsk"))
    entry = await known(world, "100245")
    assert entry is not None
    assert (entry.operator, entry.closed, entry.language) == ("Связь", False, "en")
    assert (entry.person.name, entry.person.phone, entry.timezone) == (
        "Анна",
        said.PHONE,
        "Asia/Omsk",
    )


async def test_half_an_entry_is_none(world: World, said: Said) -> None:
    await world.hear(said.contract())
    assert await known(world, "100245") is None


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_any_order_ends_in_the_newest_state(
    world: World, said: Said, data: st.DataObject
) -> None:
    """Each example speaks of a contract of its own, so that one database serves them all."""
    number = f"c-{next(_NUMBERS)}"
    person = f"s-{number}"
    revisions = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=8))
    events = [
        said.contract(number, revision=r, subscriber_id=person, operator=f"o{r}") for r in revisions
    ]
    events += [said.subscriber(person, revision=r, name=f"n{r}") for r in revisions]
    order = data.draw(st.permutations(events))
    cut = data.draw(st.integers(0, len(order)))
    for batch in (order[:cut], order[cut:]):
        if batch:
            await world.hear(*batch)
    entry = await known(world, number)
    assert entry is not None
    assert entry.operator == f"o{max(revisions)}"
    assert entry.person.name == f"n{max(revisions)}"


async def test_a_tombstone_stays(world: World, said: Said) -> None:
    await world.hear(said.subscriber(), said.contract(revision=3, status="closed"))
    await world.hear(said.contract(revision=2, status="open"))
    await world.hear(said.subscriber(revision=9, name="", phone="", email=""))
    await world.hear(said.subscriber(revision=8), said.subscriber(revision=9, name="again"))
    entry = await known(world, "100245")
    assert entry is not None
    assert entry.closed
    assert entry.person == directory.Person(name="", phone="", email="")


async def test_the_database_holds_no_personal_data(world: World, said: Said) -> None:
    await world.hear(said.contract(), said.subscriber(), said.payment(), said.low())
    await world.prepare()
    await world.deliver()
    stored = ""
    async with reading(world.db) as tx:
        for table in ("contract", "subscriber", "message", "outbox"):
            rows = await tx.execute(text(f"SELECT * FROM {table}"))
            stored += "\n".join(str(tuple(row)) for row in rows)
    assert stored.count("100245") >= 3
    for secret in (
        "Анна",
        said.PHONE,
        said.PHONE[1:],
        "anna",
        "example.org",
        "зачислено",
        "Зачислено",
    ):
        assert secret not in stored


async def test_an_unreadable_entry_is_an_alarm_and_not_the_end(
    world: World, said: Said, caplog: Any
) -> None:
    await world.hear(said.contract(), said.subscriber())
    await world.hear(said.contract("200", subscriber_id="s-2"), said.subscriber("s-2"))
    async with world.db.engine.begin() as tx:
        broken = directory.subscriber.update().where(directory.subscriber.c.id == "s-2")
        await tx.execute(broken.values(sealed="gAAAA"))
    assert await known(world, "200") is None
    assert await known(world, "100245") is not None


async def test_a_contract_without_number_is_poison(world: World, said: Said) -> None:
    event = said.contract(None)  # type: ignore[arg-type]
    assert await world.hear(event) == [Outcome.POISON]


async def test_a_moved_contract_belongs_to_the_new_subscriber(world: World, said: Said) -> None:
    await world.hear(said.contract(), said.subscriber(), said.subscriber("s-2", name="Борис"))
    await world.hear(said.contract(revision=2, subscriber_id="s-2"))
    entry = await known(world, "100245")
    assert entry is not None
    assert entry.person.name == "Борис"
    async with reading(world.db) as tx:
        assert await directory.contracts_of(tx, {"s-1"}) == set()
        assert await directory.contracts_of(tx, {"s-2"}) == {"100245"}
        rows = (await tx.execute(select(directory.contract.c.revision))).scalars().all()
    assert rows == [2]
