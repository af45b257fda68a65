"""What events become: one message for one fact, in whatever order and however often they come."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifier import template_store
from notifier.facts import LowBalance, Payment
from notifier.texts import Key
from shared.db import transaction
from shared.events import ContractChanged, Event
from shared.inbox import Outcome

if TYPE_CHECKING:
    from conftest import Said, World


async def texts(world: World) -> list[str]:
    """Prepare and deliver everything; return the SMS that left."""
    await world.prepare()
    await world.deliver()
    return [outgoing.content.text for outgoing in world.sms.taken]


async def test_payment_reaches_phone_and_mailbox(world: World, said: Said) -> None:
    await world.hear(said.contract(), said.subscriber(), said.payment())
    assert await texts(world) == [
        "Связь: зачислено 650,00 ₽ на договор 100245. Баланс −550,00 ₽, не хватает ещё 550,00 ₽"
    ]
    (mail,) = world.email.taken
    assert mail.content.to == "anna@example.org"
    assert mail.content.subject.startswith("Зачислено 650,00 ₽")
    assert {row.state for row in await world.rows()} == {"sent"}


async def test_credit_is_not_missing_money(world: World, said: Said) -> None:
    await world.hear(said.payment(balance_kopecks=-55_000, available_kopecks=45_000))
    facts = Payment.model_validate_json((await world.row(channel="sms")).facts)
    assert (facts.balance_kopecks, facts.missing_kopecks) == (-55_000, 0)


async def test_one_fact_under_many_events_is_one_message(world: World, said: Said) -> None:
    await world.hear(said.payment(), said.payment(), said.payment(again="!1"))
    await world.hear(said.payment(again="!2"), said.low(), said.low())
    assert len(await world.rows(kind="payment")) == 2
    assert len(await world.rows(kind="low_balance")) == 2


async def test_a_sent_message_is_not_sent_for_the_fact_told_again(world: World, said: Said) -> None:
    await world.hear(said.contract(), said.subscriber(), said.payment())
    assert len(await texts(world)) == 1
    await world.hear(said.payment(again="!1"))
    assert len(await texts(world)) == 1


async def test_a_split_payment_speaks_to_each_contract(world: World, said: Said) -> None:
    await world.hear(said.payment("1"), said.payment("2"))
    assert {row.contract for row in await world.rows(channel="sms")} == {"1", "2"}


async def test_the_same_id_at_two_providers_is_two_facts(world: World, said: Said) -> None:
    await world.hear(said.payment(), said.payment(provider="osmp:7"))
    assert len(await world.rows(channel="sms")) == 2


async def test_crossings_are_told_apart(world: World, said: Said) -> None:
    await world.hear(said.low(crossing=1), said.low(crossing=2))
    assert {row.fact for row in await world.rows()} == {"notifier:1", "notifier:2"}


async def test_the_day_of_a_block_is_read(world: World, said: Said) -> None:
    await world.hear(said.low(blocks_on="2026-11-25"))
    facts = LowBalance.model_validate_json((await world.row(channel="sms")).facts)
    assert facts.blocks_on is not None
    assert facts.blocks_on.isoformat() == "2026-11-25"


async def test_recovery_stops_what_has_not_left(world: World, said: Said) -> None:
    await world.hear(said.contract(), said.subscriber(), said.low(), said.payment())
    await world.prepare()
    await world.hear(said.recovered())
    assert len(await texts(world)) == 1
    dropped = await world.rows(kind="low_balance")
    ended = {(row.state, row.reason, row.done_at) for row in dropped}
    assert ended == {("dropped", "recovered", world.clock())}


async def test_recovery_before_the_low_balance_is_remembered(world: World, said: Said) -> None:
    await world.hear(said.contract(), said.subscriber())
    await world.hear(said.recovered(crossing=4))
    later = said.NOON + timedelta(seconds=1)
    await world.hear(said.low(crossing=4), said.low(crossing=5, occurred_at=later))
    assert len(await texts(world)) == 1
    assert {r.state for r in await world.rows(fact="notifier:4")} == {"dropped"}
    assert {r.state for r in await world.rows(fact="notifier:5")} == {"sent"}


async def test_low_and_recovered_in_one_batch_send_nothing(world: World, said: Said) -> None:
    await world.hear(said.contract(), said.subscriber(), said.low(), said.recovered())
    assert await texts(world) == []


async def test_recovery_leaves_a_sent_message_alone(world: World, said: Said) -> None:
    await world.hear(said.contract(), said.subscriber(), said.low())
    assert len(await texts(world)) == 1
    await world.hear(said.recovered())
    assert {row.state for row in await world.rows()} == {"sent"}


async def test_other_services_watches_are_theirs(world: World, said: Said) -> None:
    await world.hear(said.low(watcher="autopay"), said.low())
    await world.hear(said.recovered(watcher="autopay"))
    assert {row.fact for row in await world.rows()} == {"notifier:1"}
    assert {row.state for row in await world.rows()} == {"new"}


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_any_order_tells_each_fact_once(
    world: World, said: Said, data: st.DataObject
) -> None:
    """Events of one contract in any order, doubled and cut into batches with steps between."""
    number = data.draw(st.uuids()).hex
    events = [
        said.contract(number, subscriber_id=number),
        said.subscriber(number),
        said.payment(number, payment=f"{number}-1"),
        said.payment(number, payment=f"{number}-2"),
        said.low(number, crossing=1),
    ]
    order = data.draw(st.permutations(events + events[2:]))
    for event in order:
        await world.hear(event)
        if data.draw(st.booleans()):
            await texts(world)
    await texts(world)
    told = [o for o in world.sms.taken if number in o.content.text]
    assert len(told) == 3
    assert len({outgoing.key for outgoing in told}) == 3


async def test_expiry_counts_from_the_fact(world: World, said: Said) -> None:
    old = said.NOON - timedelta(hours=5)
    await world.hear(said.payment(occurred_at=old), said.low(occurred_at=old))
    assert (await world.row(kind="payment", channel="sms")).expires_at == old + timedelta(days=3)
    assert (await world.row(kind="low_balance", channel="sms")).expires_at == old + timedelta(1)


@pytest.mark.parametrize("bad", ["contract", "date", "type", "shape"])
async def test_what_cannot_be_read_is_poison_alone(world: World, said: Said, bad: str) -> None:
    good = said.payment()
    body = ContractChanged(
        contract="1",
        revision=1,
        operator="",
        status="open",
        subscriber_id="1",
        occurred_at=said.NOON,
    )
    strange = body.event("core-billing", subject="1", revision=1, correlation_id="c")
    wrong = {
        "contract": said.payment(None, payment="p-2"),
        "date": said.low(blocks_on="tomorrow"),
        "type": Event(**{**_fields(strange), "type": "fee.upcoming"}),
        "shape": Event(**{**_fields(strange), "data": {"contract": "1"}}),
    }[bad]
    assert await world.hear(good, wrong) == [Outcome.DONE, Outcome.POISON]
    assert len(await world.rows()) == 2


def _fields(event: Event) -> dict[str, object]:
    return {name: getattr(event, name) for name in Event.__slots__}


@pytest.mark.parametrize("amount", [0, -65_000])
async def test_what_was_taken_is_no_payment(world: World, said: Said, amount: int) -> None:
    await world.hear(said.payment(amount_kopecks=amount))
    assert await world.rows() == []


async def test_replicas_that_hear_the_same_fact_write_it_once(world: World, said: Said) -> None:
    facts = [said.payment(payment=f"p-{n}", again=f"!{r}") for r in range(3) for n in range(6)]
    replicas = [facts[:6], facts[6:12][::-1], facts[12:]]
    await asyncio.gather(*(world.hear(*batch) for batch in replicas))
    assert len(await world.rows(channel="sms")) == 6
    await world.hear(said.contract(), said.subscriber())
    await asyncio.gather(*(world.prepare() for _ in range(3)))
    await asyncio.gather(*(world.deliver() for _ in range(3)))
    assert len(world.sms.taken) == len({outgoing.key for outgoing in world.sms.taken}) == 6


async def test_of_two_states_heard_at_once_the_newest_is_told(world: World, said: Said) -> None:
    for number in ("1", "2", "3", "4"):
        states = [said.access(number, revision) for revision in (1, 2, 3)]
        await asyncio.gather(*(world.hear(state) for state in states))
    told = await world.rows(state="new", channel="sms")
    assert {(row.contract, row.kind, row.fact) for row in told} == {
        (number, "blocked", "access:3") for number in ("1", "2", "3", "4")
    }
    assert {row.reason for row in await world.rows(state="dropped")} == {"superseded"}


async def test_texts_of_the_operator_are_what_leaves(world: World, said: Said) -> None:
    key = Key("payment", "ru", "sms")
    async with transaction(world.db) as tx:
        await template_store.change(tx, key, "Пришло {{ amount }}", 0, "Ольга", world.clock())
    await world.hear(said.contract(), said.subscriber(), said.payment())
    assert await texts(world) == ["Пришло 650,00 ₽"]
