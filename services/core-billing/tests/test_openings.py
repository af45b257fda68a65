"""Opening contracts: once, with the balance they bring along, telling the other services."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select, text

from core_billing import contracts, openings, subscribers
from core_billing.openings import Wanted
from core_billing.registration import NewContract
from core_billing.republish import republish
from shared.db import is_repeatable, reading, transaction
from shared.errors import NotFound, Unavailable
from shared.events import event_id


async def test_a_contract_is_what_was_asked_for(books: Any) -> None:
    subscriber = {
        "id": "s-1",
        "name": "Emma Clark",
        "phone": "8 (916) 123-45-67",
        "email": "e@example.com",
        "language": "en",
        "timezone": "Asia/Yekaterinburg",
    }
    more = {"operator": "north", "credit_limit": "500.00", "low_balance": "-1.00"}
    [opened] = await books.open(books.asked("A/1", "-1200.00", subscriber=subscriber, **more))
    assert (opened.new, opened.differs) == (True, ())
    async with reading(books.db) as tx:
        found = await contracts.find(tx, "A/1")
        people = await subscribers.find(tx, books.core.vault, ["s-1", "s-2"])
        reader = await subscribers.reader(tx, "s-1")
    assert (found.number, found.subscriber_id, found.operator) == ("A/1", "s-1", "north")
    assert (found.balance_kopecks, found.credit_limit_kopecks) == (-120_000, 50_000)
    assert (found.available_kopecks, found.missing_kopecks) == (-70_000, 70_000)
    assert (found.low_balance_kopecks, found.status, found.has_password) == (-100, "open", False)
    assert (found.revision, found.created_at) == (1, books.clock())
    assert list(people) == ["s-1"]
    assert (people["s-1"].name, people["s-1"].phone) == ("Emma Clark", "+79161234567")
    assert (reader.language, reader.timezone) == ("en", "Asia/Yekaterinburg")


async def test_the_directories_are_told(books: Any) -> None:
    person = {"id": "s-1", "name": "Анна", "phone": "", "email": ""}
    await books.open(books.asked("A", subscriber=person), books.asked("B", subscriber=person))
    said = await books.said("subscriber.changed", "contract.changed")
    assert [(e["type"], e["subject"], e["data"]["revision"]) for e in said] == [
        ("subscriber.changed", "s-1", 1),
        ("contract.changed", "A", 1),
        ("contract.changed", "B", 1),
    ]
    changed = (await books.said("contract.changed"))[0]
    assert changed["id"] == str(event_id("core-billing", "contract.changed", "A", "1"))
    assert (changed["data"]["status"], changed["data"]["subscriber_id"]) == ("open", "s-1")
    assert (changed["data"]["operator"], changed["correlationid"]) == ("default", "opening")
    [said] = await books.said("subscriber.changed")
    assert (said["data"]["name"], said["data"]["language"]) == ("Анна", "ru")


async def test_nothing_personal_lies_open(books: Any) -> None:
    await books.open("A")
    async with reading(books.db) as tx:
        rows = (await tx.execute(text("SELECT * FROM subscriber"))).all()
        [row] = (await tx.execute(select(subscribers.subscriber))).all()
    assert "Анна" not in str(rows)
    assert "9161234567" not in str(rows)
    assert books.core.vault.decrypt(row.email) == "anna@example.ru"


async def test_the_same_again_changes_nothing(books: Any) -> None:
    wanted = (books.asked("A", "845.50", low_balance="5.00"), books.asked("B"))
    assert [one.new for one in await books.open(*wanted)] == [True, True]
    await books.arrive(books.paid("p1", 100, ("A", 100)))
    before = await books.lines(), await books.said()
    assert [(o.new, o.differs) for o in await books.open(*wanted)] == [(False, ()), (False, ())]
    assert (await books.lines(), await books.said()) == before


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"balance": "845.51"}, "balance"),
        ({"balance": "0.00"}, "balance"),
        ({"operator": "north"}, "operator"),
        ({"credit_limit": "0.01"}, "credit_limit"),
        ({"low_balance": "0.00"}, "low_balance"),
        ({"password": "demo"}, "password"),
        ({"name": "Igor"}, "subscriber.name"),
        ({"phone": ""}, "subscriber.phone"),
        ({"email": "b@example.ru"}, "subscriber.email"),
        ({"language": "en"}, "subscriber.language"),
        ({"timezone": "Asia/Omsk"}, "subscriber.timezone"),
        ({"id": "s-9"}, "subscriber.id"),
    ],
)
async def test_other_content_is_named(books: Any, changed: dict[str, str], field: str) -> None:
    person = {"id": "s-1", "name": "Anna", "phone": "+79161234567", "email": "a@example.ru"}
    await books.open(books.asked("A", "845.50", subscriber=person))
    own = {k: v for k, v in changed.items() if f"subscriber.{k}" != field}
    other = person | {k: v for k, v in changed.items() if f"subscriber.{k}" == field}
    asked = books.asked("A", **{"balance": "845.50", "subscriber": other, **own})
    fresh, [opened] = books.asked("new"), await books.open(asked)
    assert (opened.new, opened.differs) == (False, (field,))
    assert [(o.new, o.differs) for o in await books.open(asked, fresh)] == [
        (False, (field,)),
        (True, ()),
    ]


async def test_one_subscriber_has_one_set_of_data(books: Any) -> None:
    person = {"id": "s-1", "name": "Anna", "phone": "", "email": ""}
    other = person | {"name": "Igor"}
    opened = await books.open(
        books.asked("A", subscriber=person),
        books.asked("B", subscriber=other),
        books.asked("C", subscriber=person),
    )
    assert [one.differs for one in opened] == [(), ("subscriber.name",), ()]
    [later] = await books.open(books.asked("B", subscriber=other))
    assert (later.new, later.differs) == (False, ("subscriber.name",))
    async with reading(books.db) as tx:
        mine = await contracts.of_subscriber(tx, "s-1")
    assert [contract.number for contract in mine] == ["A", "C"]
    assert len(await books.said("subscriber.changed")) == 1


async def test_eight_open_the_same_contract(books: Any) -> None:
    """One opens it; whoever was in the way is asked to repeat, and then finds it."""
    wanted = Wanted(books.asked("A", "845.50"), None, "c")

    async def once() -> Any:
        core = books.core
        async with transaction(books.db) as tx:
            return (await openings.open_all(tx, core.vault, core.rules, [wanted], core.clock()))[0]

    results = await asyncio.gather(*(once() for _ in range(8)), return_exceptions=True)
    new = [r for r in results if isinstance(r, openings.Opened) and r.new]
    rest = [r for r in results if isinstance(r, Exception)]
    assert len(new) == 1
    assert all(isinstance(r, Unavailable) or is_repeatable(r) for r in rest), rest
    assert await once() == openings.Opened(new=False)
    assert await books.balances() == {"A": 84_550}
    assert len(await books.said("contract.changed")) == 1


async def test_two_open_contracts_of_one_new_subscriber(books: Any) -> None:
    """Whoever comes second must not take the first one's word for their own."""
    core = books.core
    people = [{"id": "s-1", "name": name, "phone": "", "email": ""} for name in ("Anna", "Igor")]
    wanted = [Wanted(books.asked(f"N{n}", subscriber=people[n % 2]), None, "c") for n in range(8)]

    async def once(want: Wanted) -> Any:
        async with transaction(books.db) as tx:
            return (await openings.open_all(tx, core.vault, core.rules, [want], core.clock()))[0]

    await asyncio.gather(*(once(want) for want in wanted), return_exceptions=True)
    results = [await once(want) for want in wanted]
    async with reading(books.db) as tx:
        theirs = await contracts.of_subscriber(tx, "s-1")
        person = (await subscribers.find(tx, core.vault, ["s-1"]))["s-1"]
    refused = [bool(result.differs) for result in results]
    assert refused == [want.asked.subscriber.name != person.name for want in wanted]
    assert len(theirs) == 4
    assert len(await books.said("subscriber.changed")) == 1


async def test_closing_is_told_with_a_greater_revision(books: Any) -> None:
    await books.open("A")
    rules, at = books.core.rules, books.clock()
    for is_open in (False, False, True):
        async with transaction(books.db) as tx:
            await contracts.set_open(tx, rules, "A", is_open, at, "c-9")
    told = [
        (e["data"]["revision"], e["data"]["status"], e["correlationid"])
        for e in await books.said("contract.changed")
    ]
    assert told == [(1, "open", "opening"), (2, "closed", "c-9"), (3, "open", "c-9")]
    with pytest.raises(NotFound):
        async with transaction(books.db) as tx:
            await contracts.set_open(tx, rules, "nobody", False, at, "")


async def test_passwords(books: Any) -> None:
    asked = NewContract.model_validate({**books.asked("A").model_dump(), "password": "demo"})
    kept = contracts.passwords.hash_password("demo")
    core = books.core
    async with transaction(books.db) as tx:
        wanted = [Wanted(asked, kept, "c"), Wanted(books.asked("B"), None, "c")]
        await openings.open_all(tx, core.vault, core.rules, wanted, core.clock())
        login = await contracts.login(tx, "A")
        none = await contracts.login(tx, "B")
        assert await contracts.login(tx, "nobody") is None
    assert (login.number, login.password_hash, none.password_hash) == ("A", kept, None)
    assert kept.startswith("$argon2id$")
    assert contracts.check_password(kept, "demo")
    for hash_, password in ((kept, "Demo"), (None, "demo"), ("broken", "demo"), ("", "")):
        assert not contracts.check_password(hash_, password)
    assert [(o.new, o.differs) for o in await books.open(asked)] == [(False, ())]
    assert (await books.open(books.asked("A")))[0].differs == ("password",)


async def test_republishing_says_everything_under_new_ids(books: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("core_billing.republish.PAGE", 2)
    await books.open(*(f"N{n}" for n in range(5)))
    before = await books.said("contract.changed", "subscriber.changed")
    heard: list[tuple[str, int]] = []
    assert await republish(books.core, "run1", lambda *said: heard.append(said)) == 10
    await republish(books.core, "run1", lambda *_: None)
    after = await books.said("contract.changed", "subscriber.changed")
    assert len(after) == 20
    assert len({e["id"] for e in after}) == 20
    bodies = {(e["type"], e["subject"], str(e["data"])) for e in after}
    assert bodies == {(e["type"], e["subject"], str(e["data"])) for e in before}
    assert heard[-1] == ("contracts", 5)
