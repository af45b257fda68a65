"""Recipients found and texts written, or a reason why not."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier import journal, prepare
from notifier.channels.port import Temporary
from notifier.content import unseal
from shared.clock import ManualClock
from shared.db import transaction
from shared.metrics import ALARMS

if TYPE_CHECKING:
    from conftest import Said, World


def alarms(kind: str) -> float:
    """Return how often an alarm was raised."""
    value: float = ALARMS.labels(kind)._value.get()
    return value


async def test_a_payment_before_its_contract_still_becomes_a_message(
    world: World, said: Said
) -> None:
    await world.hear(said.payment())
    await world.prepare()
    assert {row.state for row in await world.rows()} == {"new"}
    await world.hear(said.contract())
    await world.prepare()
    assert {row.state for row in await world.rows()} == {"new"}
    world.db.signal(journal.NEW_SIGNAL).clear()
    await world.hear(said.subscriber())
    assert world.db.signal(journal.NEW_SIGNAL).is_set()
    await world.prepare()
    found = {(row.state, row.attempts) for row in await world.rows()}
    assert found == {("ready", 0)}, "looking for the recipient is no attempt to deliver"


async def test_the_search_slows_down_and_ends(world: World, said: Said, clock: ManualClock) -> None:
    before = alarms("message_not_prepared")
    await world.hear(said.payment())
    pauses = []
    for _ in range(3):
        await world.prepare()
        row = await world.row(channel="sms")
        pauses.append(row.due_at - clock())
        clock.advance(row.due_at - clock() - timedelta(seconds=1))
        await world.prepare()
        assert (await world.row(channel="sms")).attempts == len(pauses)
        clock.advance(timedelta(seconds=1))
    assert pauses == [timedelta(seconds=5), timedelta(minutes=1), timedelta(minutes=1)]
    clock.advance(timedelta(hours=2))
    await world.prepare()
    ended = {(row.state, row.reason) for row in await world.rows()}
    assert ended == {("failed", "recipient_unknown")}
    assert alarms("message_not_prepared") == before + 2


@pytest.mark.parametrize(
    ("person", "sms", "email"),
    [
        ({"phone": ""}, ("skipped", "no_phone"), ("ready", None)),
        ({"email": " "}, ("ready", None), ("skipped", "no_email")),
        ({"phone": "нет", "email": "нет"}, ("skipped", "bad_phone"), ("skipped", "bad_email")),
    ],
)
async def test_only_usable_addresses_are_used(
    world: World, said: Said, person: dict[str, str], sms: Any, email: Any
) -> None:
    await world.hear(said.contract(), said.subscriber(**person), said.payment())
    await world.prepare()
    for channel, expected in (("sms", sms), ("email", email)):
        row = await world.row(channel=channel)
        assert (row.state, row.reason) == expected
        assert (row.done_at is None) == (row.state == "ready")


async def test_a_closed_contract_hears_of_payments_only(world: World, said: Said) -> None:
    closed = said.contract(status="closed")
    await world.hear(closed, said.subscriber(), said.payment(), said.low())
    await world.prepare()
    assert {row.state for row in await world.rows(kind="payment")} == {"ready"}
    low = await world.rows(kind="low_balance")
    assert {(row.state, row.reason) for row in low} == {("skipped", "contract_closed")}


@pytest.mark.parametrize("prepared", [False, True])
async def test_stale_messages_are_dropped(
    world: World, said: Said, clock: ManualClock, prepared: bool
) -> None:
    if prepared:
        await world.hear(said.contract(), said.subscriber())
    await world.hear(said.payment(), said.low())
    await world.prepare()
    clock.advance(timedelta(days=1))
    await world.prepare()
    await world.deliver()
    low = await world.rows(kind="low_balance")
    assert {(row.state, row.reason) for row in low} == {("dropped", "stale")}
    assert len(world.sms.taken) == (1 if prepared else 0)


async def test_a_fact_that_comes_too_old_is_never_told(world: World, said: Said) -> None:
    old = said.NOON - timedelta(days=3)
    await world.hear(said.contract(), said.subscriber(), said.payment(occurred_at=old))
    await world.prepare()
    await world.deliver()
    assert {(r.state, r.reason) for r in await world.rows()} == {("dropped", "stale")}
    assert world.sms.taken == []


@pytest.mark.parametrize("tried", [True, False])
async def test_the_text_is_sealed_and_stays_once_it_was_tried(
    world: World, said: Said, tried: bool
) -> None:
    await world.hear(said.contract(operator=""), said.subscriber(language="en"), said.payment())
    await world.prepare()
    world.sms.answer = lambda _outgoing: Temporary("busy")
    if tried:
        await world.deliver(world.sms)
    await world.hear(said.contract(revision=2, operator="New"), said.subscriber(revision=2))
    await world.prepare()
    row = await world.row(channel="sms")
    assert row.key_id == world.vault.key_id
    content = unseal(world.vault, row.sealed)
    before, now = "Saldo: received 650.00 RUB for contract", "Saldo: зачислено 650,00 ₽ на договор"
    assert content.text.startswith(before if tried else now)
    assert content.to == "+79161234567"


@pytest.mark.parametrize(
    ("operator", "name"), [("second", "Вторая сеть"), ("unnamed", "Saldo"), ("", "Saldo")]
)
async def test_a_message_carries_the_name_of_its_operator_not_the_code(
    world: World, said: Said, operator: str, name: str
) -> None:
    await world.hear(said.contract(operator=operator), said.subscriber(), said.payment())
    await world.prepare()
    row = await world.row(channel="sms")
    assert unseal(world.vault, row.sealed).text.startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("kind", "other"), [("payment", "low_balance"), ("low_balance", "payment")]
)
async def test_one_text_that_cannot_be_written_stops_no_other(
    world: World, said: Said, kind: str, other: str
) -> None:
    """Also one of a kind that would wait for the morning."""
    await world.hear(said.contract(), said.subscriber(), said.payment(), said.low())
    async with world.db.engine.begin() as tx:
        broken = journal.message.update().where(journal.message.c.kind == kind)
        await tx.execute(broken.values(facts="{}"))
    await world.prepare()
    broken_rows = await world.rows(kind=kind)
    assert {(r.state, r.reason) for r in broken_rows} == {("failed", "unwritable")}
    assert {row.state for row in await world.rows(kind=other)} == {"ready"}


async def test_the_channels_are_woken(world: World, said: Said) -> None:
    signals = [world.db.signal(journal.ready_signal(name)) for name in journal.CHANNELS]
    await world.hear(said.payment())
    await world.prepare()
    assert not any(signal.is_set() for signal in signals)
    await world.hear(said.contract(), said.subscriber())
    await world.prepare()
    assert all(signal.is_set() for signal in signals)


async def test_a_full_batch_asks_for_another(world: World, said: Said) -> None:
    half = prepare.BATCH_MAX // 2
    await world.hear(*(said.payment(payment=f"p-{n}") for n in range(half)))
    assert await world.prepare()
    assert not await world.prepare()


@given(st.text(max_size=40), st.text(max_size=10))
def test_a_message_id_is_its_words(fact: str, contract: str) -> None:
    first = journal.message_id(fact, contract, "payment", "sms")
    assert first == journal.message_id(fact, contract, "payment", "sms")
    assert first != journal.message_id(fact, contract, "payment", "email")
    assert first != journal.message_id(fact, contract + "x", "payment", "sms")


async def test_forgotten_messages_are_not_sent_again(
    world: World, said: Said, clock: ManualClock
) -> None:
    """Once the row is pruned the fact is too old to be told, under whatever event it comes."""
    await world.hear(said.contract(), said.subscriber(), said.payment())
    await world.prepare()
    await world.deliver()
    clock.advance(timedelta(days=180))
    async with transaction(world.db) as tx:
        assert await journal.prune(tx, clock() - timedelta(days=180)) == 0
        assert await journal.prune(tx, clock() - timedelta(days=179)) == 2
    await world.hear(said.payment(again="!"))
    await world.prepare()
    await world.deliver()
    assert len(world.sms.taken) == 1
    assert {(r.state, r.reason) for r in await world.rows()} == {("dropped", "stale")}
