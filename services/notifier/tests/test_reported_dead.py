"""Numbers that only a report of delivery calls dead: who is listed for it, and what ends it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from notifier import report_wire, reports, unreachable
from notifier.channels.port import Accepted, Fate, Permanent, Report
from notifier.message_table import message
from notifier.reports import Reports
from shared.clock import ManualClock
from shared.crypto import Vault, new_encryption_key
from shared.db import reading, transaction

if TYPE_CHECKING:
    from conftest import Said, World

AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
CONTRACT = "100245"
OTHER_PHONE = "+79160000001"
SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
DEAD = {CONTRACT: "reported_dead"}


@pytest.fixture
def kept(world: World) -> Reports:
    """Where reports go."""
    return Reports(world.db, world.vault, world.clock)


@pytest.fixture
async def known(world: World, said: Said) -> World:
    """A notifier that knows a subscriber who has a telephone only."""
    await world.hear(said.contract(), said.subscriber(email=""))
    return world


def said_of(this: str, word: str) -> Report:
    """Return a report of SMSC.ru; its word is a fate, or `dead`."""
    fates: dict[str, Fate] = {"dead": "undelivered", "delivered": "delivered"}
    fate = fates.get(word, "undelivered")
    return Report("smsc", "sms", this, fate, f"smsc {word}", AT, dead=word == "dead")


async def take(world: World, said: Said, this: str) -> None:
    """Send an SMS, which the provider takes and calls so."""
    world.sms.answer = lambda _outgoing: Accepted(this)
    await world.hear(said.payment(payment=this))
    await world.prepare()
    await world.deliver(world.sms)


async def refuse(world: World, said: Said, this: str) -> None:
    """Send an SMS whose number is refused as dead."""
    world.sms.answer = lambda _outgoing: Permanent("dead", dead=True)
    await world.hear(said.payment(payment=this))
    await world.prepare()
    await world.deliver(world.sms)


async def out_of_reach(world: World) -> dict[str, str]:
    """Return the contracts that are out of reach, and what is wrong with their telephone."""
    async with reading(world.db) as tx:
        listed = await unreachable.page(tx, limit=5)
        assert await unreachable.count(tx) == len(listed)
    return {
        number: row.reason
        for number, rows in listed.items()
        for row in rows
        if row.channel == "sms"
    }


async def test_a_number_that_a_report_calls_dead_is_listed(
    known: World, said: Said, kept: Reports
) -> None:
    await take(known, said, "1")
    assert await out_of_reach(known) == {}
    await reports.keep(kept, [said_of("1", "dead")])
    assert await out_of_reach(known) == DEAD
    async with reading(known.db) as tx:
        (_, row) = (await unreachable.page(tx, limit=5))[CONTRACT]
    sent = await known.row(channel="sms")
    assert (row.message_id, row.since, sent.state) == (sent.id, AT, "undelivered")


async def test_only_a_delivery_ends_it(known: World, said: Said, kept: Reports) -> None:
    """A provider takes every message for such a number: that must not hide it each time."""
    await take(known, said, "1")
    await reports.keep(kept, [said_of("1", "dead")])
    await take(known, said, "2")
    assert await out_of_reach(known) == DEAD
    await reports.keep(kept, [said_of("2", "undelivered")])
    assert await out_of_reach(known) == DEAD
    await take(known, said, "3")
    await reports.keep(kept, [said_of("3", "delivered")])
    assert await out_of_reach(known) == {}


async def test_a_delivery_ends_what_was_said_at_the_sending(
    known: World, said: Said, kept: Reports
) -> None:
    await take(known, said, "1")
    await refuse(known, said, "2")
    assert await out_of_reach(known) == {CONTRACT: "dead_address"}
    await reports.keep(kept, [said_of("1", "delivered")])
    assert await out_of_reach(known) == {}


async def test_what_is_said_of_a_former_number_says_nothing_of_the_new_one(
    known: World, said: Said, kept: Reports
) -> None:
    for this in ("1", "2", "3"):
        await take(known, said, this)
    await reports.keep(kept, [said_of("1", "dead")])
    await known.hear(said.subscriber(revision=2, email="", phone=OTHER_PHONE))
    assert await out_of_reach(known) == {}, "the address has changed"
    await reports.keep(kept, [said_of("2", "dead")])
    assert await out_of_reach(known) == {}
    await take(known, said, "4")
    await reports.keep(kept, [said_of("4", "dead")])
    await reports.keep(kept, [said_of("3", "delivered")])
    assert await out_of_reach(known) == DEAD


async def test_a_report_that_waited_still_says_it(
    known: World, said: Said, kept: Reports, clock: ManualClock
) -> None:
    await reports.keep(kept, [said_of("1", "dead")])
    await take(known, said, "1")
    assert await out_of_reach(known) == {}
    clock.advance(timedelta(seconds=5))
    await reports.step(kept)
    assert await out_of_reach(known) == DEAD


ORDERS = [
    (["dead", "dead"], DEAD),
    (["dead", "undelivered"], DEAD),
    (["undelivered", "dead"], {}),
    (["dead", "delivered"], {}),
    (["delivered", "dead"], {}),
    (["dead", "delivered", "dead"], {}),
]


@SQLITE
@pytest.mark.parametrize(("words", "listed"), ORDERS)
async def test_delivered_is_the_last_word(
    known: World, said: Said, kept: Reports, words: list[str], listed: dict[str, str]
) -> None:
    await take(known, said, "1")
    for word in words:
        await reports.keep(kept, [said_of("1", word)])
    assert await out_of_reach(known) == listed


@SQLITE
@pytest.mark.parametrize("words", [["dead", "delivered"], ["delivered", "dead"]])
@pytest.mark.parametrize("together", [True, False])
async def test_delivered_is_the_last_word_of_reports_that_wait(
    known: World,
    said: Said,
    kept: Reports,
    clock: ManualClock,
    words: list[str],
    together: bool,
) -> None:
    told = [said_of("1", word) for word in words]
    for each in [told] if together else [[one] for one in told]:
        await reports.keep(kept, each)
    await take(known, said, "1")
    clock.advance(timedelta(seconds=5))
    await reports.step(kept)
    assert (await known.row(channel="sms")).report == "delivered"
    assert await out_of_reach(known) == {}


@SQLITE
async def test_a_repeated_delivery_says_nothing_new(
    known: World, said: Said, kept: Reports
) -> None:
    await take(known, said, "1")
    await reports.keep(kept, [said_of("1", "delivered")])
    await take(known, said, "2")
    await reports.keep(kept, [said_of("2", "dead")])
    await reports.keep(kept, [said_of("1", "delivered")])
    assert await out_of_reach(known) == DEAD


@SQLITE
async def test_a_report_counts_though_no_key_reads_its_message(
    known: World, said: Said, kept: Reports
) -> None:
    await take(known, said, "1")
    foreign = Vault([new_encryption_key()]).encrypt("{}")
    async with transaction(known.db) as tx:
        await tx.execute(update(message).values(sealed=foreign))
    await reports.keep(kept, [said_of("1", "dead")])
    assert (await known.row(channel="sms")).report == "undelivered"
    assert await out_of_reach(known) == {}


@pytest.mark.parametrize(
    ("status", "error", "dead"),
    [
        ("22", "0", True),
        ("25", "0", True),
        ("20", "1", True),
        ("20", "01", True),
        ("20", "6", False),
        ("20", "", False),
        ("1", "1", False),
        ("0", "1", False),
        ("3", "1", False),
        ("23", "0", False),
    ],
)
def test_what_smsc_calls_dead(status: str, error: str, dead: bool) -> None:
    (read,) = report_wire.smsc([("id", "k"), ("status", status), ("err", error)], AT)
    assert read.dead is dead


@pytest.mark.parametrize(("status", "dead"), [("150", True), ("106", False), ("103", False)])
def test_what_smsru_calls_dead(status: str, dead: bool) -> None:
    entry = f"sms_status\n1\n{status}"
    signed = hashlib.sha256(f"key{entry}".encode()).hexdigest()
    form = [("data[0]", entry), ("hash", signed)]
    (read,) = report_wire.smsru(form, AT, "key")
    assert read.dead is dead
