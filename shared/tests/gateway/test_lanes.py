"""Callbacks are nudges: whatever they say, the provider's own answer decides."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from shared.db import transaction
from shared.events import Allocation
from shared.gateway import callbacks, claims, lanes, payments
from shared.gateway.provider import Missing, Nudge, Order, Refused, Status, Throttled, Unclear

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


async def _paid(stand: Any, amount: int = 65_000, **changes: Any) -> Any:
    begun = await stand.wish(amount)
    stand.provider.pay(begun.payment.provider_payment_id, **changes)
    return begun.payment


async def test_a_callback_leads_to_one_success(stand: Any) -> None:
    made = await _paid(stand)
    await stand.callback(made.provider_payment_id)
    (event,) = await stand.said()
    assert event.subject == event.revision == made.provider_payment_id
    assert event.correlation_id == "corr"
    assert event.data["provider"] == "yookassa:100500"
    assert event.data["allocations"] == [{"contract": "100245", "amount_kopecks": 65_000}]
    row = await stand.row(made.id)
    assert (row.status, row.due_at) == ("succeeded", None)
    assert [row.outcome for row in await stand.rows(callbacks.callback)] == ["succeeded"]


async def test_a_callback_that_comes_again_changes_nothing(stand: Any) -> None:
    made = await _paid(stand)
    for _ in range(3):
        await stand.callback(made.provider_payment_id)
    assert len(await stand.rows(callbacks.callback)) == 1
    assert len(stand.provider.asked) == 1
    assert len(await stand.said()) == 1


async def test_a_callback_lies_and_the_provider_is_believed(stand: Any) -> None:
    begun = await stand.wish()
    await stand.callback(begun.payment.provider_payment_id, claims=Status.SUCCEEDED)
    assert (await stand.payment(begun.payment.id)).status is Status.PENDING
    assert await stand.said() == []


async def test_a_callback_may_come_before_the_provider_has_answered_us(
    stand: Any, make_stand: Callable[..., Any], db: Any
) -> None:
    stand.provider.slow = asyncio.Event()
    slow = make_stand(db, stand.provider)
    begun = await slow.wish()
    key, request = stand.provider.sent[0]
    provider_id = stand.provider.add(request)
    stand.provider.keys[key] = (request, provider_id)
    stand.provider.pay(provider_id)
    await stand.callback(provider_id, payment_id=begun.payment.id)
    assert (await stand.payment(begun.payment.id)).status is Status.SUCCEEDED
    stand.provider.slow.set()
    await slow.gateway.creations.drain()
    await stand.pass_time(timedelta(hours=1))
    done = await stand.payment(begun.payment.id)
    assert (done.status, done.provider_payment_id) == (Status.SUCCEEDED, provider_id)
    assert len(await stand.said()) == 1
    assert len(stand.provider.made) == 1


async def test_an_early_callback_about_somebody_elses_payment_is_not_ours(stand: Any) -> None:
    """The callback names our row, the provider's answer names another: the answer counts."""
    stand.provider.creates = [Unclear("timeout")] * 9
    victim = await stand.wish(contract="victim", amount=100)
    stand.provider.creates = []
    thief = await _paid(stand)
    await stand.callback(thief.provider_payment_id, payment_id=victim.payment.id)
    assert (await stand.payment(victim.payment.id)).status is Status.CREATING
    (event,) = await stand.said()
    assert event.data["contract"] == "100245"


async def test_a_stale_answer_is_asked_again_soon(stand: Any) -> None:
    made = await _paid(stand)
    truth = stand.provider.made[made.provider_payment_id]
    stand.provider.fetches = [replace(truth, status=Status.PENDING, said="pending")]
    await stand.callback(made.provider_payment_id)
    assert await stand.said() == []
    await stand.pass_time(2 * SECOND)
    assert len(await stand.said()) == 1


async def test_a_stale_answer_is_not_asked_for_ever(stand: Any) -> None:
    begun = await stand.wish()
    await stand.callback(begun.payment.provider_payment_id)
    for _ in range(20):
        await stand.pass_time(MINUTE)
    (row,) = await stand.rows(callbacks.callback)
    assert (row.outcome, row.due_at) == ("stale", None)


async def test_a_forged_callback_costs_one_question(stand: Any) -> None:
    await stand.callback(str(uuid4()))
    await stand.pass_time(timedelta(hours=1))
    assert len(stand.provider.asked) == 1
    (row,) = await stand.rows(callbacks.callback)
    assert (row.outcome, row.known, row.due_at) == ("forged", False, None)
    assert await stand.rows(payments.payment) == []


@pytest.mark.parametrize("told", [Refused("invalid_request"), Refused("forbidden", ours=True)])
async def test_a_forged_callback_whose_id_is_refused_is_asked_about_a_few_times(
    stand: Any, told: Refused
) -> None:
    """Not every answer about an id that nobody has made is a 404."""
    stand.provider.fetches = [told] * 50
    await stand.callback(str(uuid4()))
    for _ in range(20):
        await stand.pass_time(10 * MINUTE)
    (row,) = await stand.rows(callbacks.callback)
    assert (row.outcome, row.due_at) == ("forged", None)
    timing = stand.gateway.timing
    assert len(stand.provider.asked) == 1 + len(timing.stale) + len(timing.poll)
    assert stand.alarms == []


async def test_a_key_that_opens_nothing_makes_no_callback_forged(stand: Any) -> None:
    refused = Refused("invalid_credentials", ours=True, locked_out=True)
    stand.provider.fetches = [refused] * 20
    ours = uuid4()
    await stand.callback(_foreign(stand, ours), payment_id=ours)
    for _ in range(25):
        await stand.pass_time(MINUTE)
    assert (await stand.payment(ours)).status is Status.SUCCEEDED
    assert set(stand.alarms) == {"provider_refuses_us"}


async def test_unknown_callbacks_are_taken_one_at_a_time(stand: Any) -> None:
    stand.provider.fetches = [Missing()] * 5
    for _ in range(3):
        await stand.callback(str(uuid4()))
    asked = len(stand.provider.asked)
    assert not await lanes.foreign_step(stand.gateway)
    assert len(stand.provider.asked) <= asked + 1


async def test_a_known_id_in_the_metadata_opens_the_fast_lane_only_once(stand: Any) -> None:
    begun = await stand.wish()
    await stand.callback(str(uuid4()), payment_id=begun.payment.id)
    (row,) = await stand.rows(callbacks.callback)
    assert row.known is False, "that payment has its provider's id already"


async def test_a_known_payment_that_the_provider_misses_for_a_moment(stand: Any) -> None:
    made = await _paid(stand)
    stand.provider.fetches = [Missing()]
    await stand.callback(made.provider_payment_id)
    assert await stand.said() == []
    await stand.pass_time(2 * SECOND)
    assert len(await stand.said()) == 1


@pytest.mark.parametrize(
    "told", [Unclear("timeout"), Throttled(), Refused("invalid_credentials", ours=True)], ids=str
)
async def test_a_question_without_an_answer_is_asked_again(stand: Any, told: Any) -> None:
    made = await _paid(stand)
    stand.provider.fetches = [told]
    await stand.callback(made.provider_payment_id)
    assert await stand.said() == []
    await stand.pass_time(3 * SECOND)
    assert len(await stand.said()) == 1
    wanted = ["provider_refuses_us"] if isinstance(told, Refused) else []
    assert stand.alarms == wanted


@pytest.mark.parametrize(
    ("changes", "alarm"),
    [
        ({"shop": "yookassa:1"}, "foreign_shop"),
        ({"test": True}, "test_mode"),
        ({"currency": "USD"}, "foreign_currency"),
    ],
)
async def test_what_must_not_be_credited_is_an_alarm(
    stand: Any, changes: dict[str, Any], alarm: str
) -> None:
    made = await _paid(stand, **changes)
    await stand.callback(made.provider_payment_id)
    await stand.pass_time(timedelta(hours=1))
    assert await stand.said() == []
    assert stand.alarms == [alarm]
    held = await stand.row(made.id)
    assert (held.held, held.status, held.due_at) == (alarm, "pending", None)


async def test_another_amount_is_said_for_suspense(stand: Any) -> None:
    made = await _paid(stand, amount_kopecks=64_000)
    await stand.callback(made.provider_payment_id)
    (event,) = await stand.said()
    assert (event.data["amount_kopecks"], event.data["suspense"]) == (64_000, "amount")
    assert stand.alarms == ["payment_in_suspense_amount"]


def _foreign(stand: Any, ours: Any, **changes: Any) -> str:
    """A paid payment at the provider that we have no row of."""
    part = Allocation(contract="100245", amount_kopecks=65_000)
    order = Order(ours, (part,), 65_000, "https://pay.example.org/back")
    provider_id: str = stand.provider.add(stand.provider.request(order))
    stand.provider.pay(provider_id, **changes)
    return provider_id


async def test_a_payment_of_a_lost_row_is_adopted(stand: Any) -> None:
    ours = uuid4()
    provider_id = _foreign(stand, ours)
    await stand.callback(provider_id, payment_id=ours)
    (event,) = await stand.said()
    assert event.data["allocations"] == [{"contract": "100245", "amount_kopecks": 65_000}]
    assert event.data["suspense"] is None
    adopted = await stand.payment(ours)
    assert (adopted.status, adopted.provider_payment_id) == (Status.SUCCEEDED, provider_id)


async def test_a_payment_without_our_words_goes_to_suspense(stand: Any) -> None:
    provider_id = _foreign(stand, uuid4(), payment_id=None, allocations=())
    await stand.callback(provider_id)
    (event,) = await stand.said()
    assert (event.data["suspense"], event.data["contract"]) == ("unknown_order", None)
    assert stand.alarms == ["payment_in_suspense_unknown_order"]


async def test_a_payment_without_our_words_waits_for_our_answers_only_so_long(
    stand: Any,
) -> None:
    """Of the amount of an unanswered request: it may be ours, and it may be nobody's."""
    stand.provider.creates = [Unclear("timeout")] * 1000
    await stand.wish()
    provider_id = _foreign(stand, uuid4(), payment_id=None, allocations=())
    await stand.callback(provider_id)
    assert await stand.said() == []
    for seconds in (1, 2, 20, 40, 60):
        await stand.pass_time(seconds * SECOND)
    (event,) = await stand.said()
    assert event.data["suspense"] == "unknown_order"


async def test_an_answer_about_what_was_taken_for_nobodys_is_an_alarm(stand: Any) -> None:
    stand.provider.creates = ["lost"] + [Unclear("timeout")] * 1000
    begun = await stand.wish()
    (provider_id,) = stand.provider.made
    stand.provider.pay(provider_id, payment_id=None, allocations=())
    await stand.callback(provider_id)
    for seconds in (1, 2, 20, 40, 60):
        await stand.pass_time(seconds * SECOND)
    assert stand.alarms == ["payment_in_suspense_unknown_order"]
    stand.provider.creates.clear()
    for _ in range(3):
        await stand.pass_time(60 * SECOND)
    assert stand.alarms == ["payment_in_suspense_unknown_order", "payment_under_another_id"]
    assert (await stand.payment(begun.payment.id)).status is Status.CREATING
    assert len(await stand.said()) == 1
    assert await stand.said("payment.canceled") == []


async def test_a_payment_from_before_the_cutover_is_listed_and_never_credited(
    stand: Any, make_stand: Callable[..., Any], db: Any
) -> None:
    late = make_stand(db, stand.provider, cutover_at=stand.clock() + SECOND)
    ours = uuid4()
    await late.callback(_foreign(stand, ours))
    assert await late.said() == []
    assert (await late.payment(ours)).held == "before_cutover"


async def test_an_order_that_was_paid_twice_is_credited_twice(stand: Any) -> None:
    """The same of our ids on two payments of the provider: that is money twice."""
    made = await _paid(stand)
    second = _foreign(stand, made.id)
    await stand.callback(made.provider_payment_id)
    await stand.callback(second)
    assert {event.subject for event in await stand.said()} == {made.provider_payment_id, second}
    assert len(await stand.rows(payments.payment)) == 2


async def test_an_unknown_payment_that_nobody_paid_leaves_nothing(stand: Any) -> None:
    provider_id = _foreign(stand, uuid4())
    stand.provider.cancel(provider_id)
    await stand.callback(provider_id, claims=Status.CANCELED)
    assert await stand.rows(payments.payment) == []
    (row,) = await stand.rows(callbacks.callback)
    assert row.outcome == "nothing"


async def test_one_payment_from_many_sides_at_once_is_said_once(
    stand: Any, make_stand: Callable[..., Any], db: Any
) -> None:
    other = make_stand(db, stand.provider)
    ours = uuid4()
    provider_id = _foreign(stand, ours)
    for claimed in (Status.SUCCEEDED, Status.CANCELED, Status.PENDING):
        nudged = Nudge(f"payment.{claimed}", stand.provider.shop, provider_id, ours, claimed)
        async with transaction(db) as tx:
            await callbacks.store(tx, [callbacks.Received(nudged, stand.clock())], True)
    steps = (lanes.foreign_step(one.gateway) for one in (stand, other, stand, other))
    await asyncio.gather(*steps)
    assert len(await stand.said()) == 1
    assert len(await stand.rows(payments.payment)) == 1


async def test_finished_callbacks_go_after_a_month(stand: Any) -> None:
    await stand.callback(str(uuid4()))
    for days, left in ((29, 1), (2, 0)):
        stand.clock.advance(timedelta(days=days))
        async with transaction(stand.gateway.db) as tx:
            await callbacks.prune(tx, stand.clock())
        assert len(await stand.rows(callbacks.callback)) == left


async def test_a_callback_that_never_works_is_given_up_loudly(
    stand: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "ATTEMPTS_MAX", 3)
    begun = await stand.wish()
    stand.provider.fetches = [Unclear("timeout")] * 99
    await stand.callback(begun.payment.provider_payment_id)
    for _ in range(6):
        await stand.pass_time(10 * MINUTE)
    (row,) = await stand.rows(callbacks.callback)
    assert (row.outcome, row.due_at) == ("given_up", None)
    assert stand.alarms == ["callback_given_up"]


async def test_a_callback_for_a_shop_that_is_gone_is_an_alarm(
    stand: Any, make_stand: Callable[..., Any], make_provider: Any, db: Any
) -> None:
    other = make_stand(db, make_provider(shop="yookassa:2"))
    await other.callback(str(uuid4()), shop="yookassa:1")
    (row,) = await stand.rows(callbacks.callback)
    assert row.outcome == "shop_not_configured"
    assert stand.alarms == ["callback_shop_not_configured"]


async def test_a_group_decides_as_one_after_the_other_would(stand: Any) -> None:
    """Two answers about one payment, one order paid twice, a foreign and an unpaid one at once."""
    twice, unpaid = await _paid(stand), await stand.wish()
    second = _foreign(stand, twice.id)
    forgotten = _foreign(stand, uuid4(), payment_id=None, allocations=())
    pending = unpaid.payment.provider_payment_id
    asked = [
        (twice.provider_payment_id, Status.CANCELED),
        (twice.provider_payment_id, Status.SUCCEEDED),
        (second, Status.SUCCEEDED),
        (forgotten, Status.SUCCEEDED),
        (pending, Status.PENDING),
    ]
    received = [
        callbacks.Received(
            Nudge(f"payment.{claimed}", stand.provider.shop, provider_id, None, claimed),
            stand.clock(),
        )
        for provider_id, claimed in asked
    ]
    async with transaction(stand.gateway.db) as tx:
        await callbacks.store(tx, received, True)
        held = [
            claimed
            for known in (True, False)
            for claimed in await claims_of(tx, stand, known=known)
        ]
    answers = [lanes.Answer(one, stand.provider.made[one.provider_payment_id]) for one in held]
    await lanes.settle(stand.gateway, answers)
    said = [event.subject for event in await stand.said()]
    assert sorted(said) == sorted([twice.provider_payment_id, second, forgotten])
    rows = {row.provider_payment_id: row.status for row in await stand.rows(payments.payment)}
    assert rows == {
        twice.provider_payment_id: "succeeded",
        second: "succeeded",
        forgotten: "succeeded",
        pending: "pending",
    }
    outcomes = [row.outcome for row in await stand.rows(callbacks.callback)]
    assert sorted(outcomes) == ["pending", *["succeeded"] * 4]


async def claims_of(tx: Any, stand: Any, *, known: bool) -> list[claims.Claimed]:
    return await claims.claim(tx, stand.clock(), 10, MINUTE, known=known)


async def test_a_claim_that_was_taken_over_records_nothing(stand: Any) -> None:
    made = await _paid(stand)
    nudge = Nudge(
        "payment.succeeded", stand.provider.shop, made.provider_payment_id, None, Status.SUCCEEDED
    )
    async with transaction(stand.gateway.db) as tx:
        await callbacks.store(tx, [callbacks.Received(nudge, stand.clock())], True)
        (late,) = await claims_of(tx, stand, known=True)
    stand.clock.advance(2 * MINUTE)
    async with transaction(stand.gateway.db) as tx:
        (other,) = await claims_of(tx, stand, known=True)
        await claims.record(tx, [claims.Progress(late, "late")])
        await claims.record(tx, [claims.Progress(other, "other")])
        await claims.record(tx, [claims.Progress(late, "late")])
    (row,) = await stand.rows(callbacks.callback)
    assert (row.outcome, row.due_at, row.lease_token, row.attempts) == ("other", None, None, 2)


async def test_a_callback_after_an_invented_one_is_no_repeat(stand: Any) -> None:
    """Whoever knows a payment's id may tell of it before it is paid; then the real one counts."""
    begun = await stand.wish()
    provider_id = begun.payment.provider_payment_id
    await stand.callback(provider_id)
    for _ in range(8):
        await stand.pass_time(MINUTE)
    asked = len(stand.provider.asked)
    stand.provider.pay(provider_id)
    await stand.callback(provider_id)
    assert len(stand.provider.asked) > asked
    assert len(await stand.said()) == 1


async def test_invented_callbacks_cost_one_question_in_two_seconds(stand: Any) -> None:
    begun = await stand.wish()
    provider_id = begun.payment.provider_payment_id
    for _ in range(10):
        await stand.pass_time(MINUTE)
    await stand.callback(provider_id)
    await stand.pass_time(3 * SECOND)
    asked = len(stand.provider.asked)
    for _ in range(20):
        await stand.callback(provider_id)
    assert len(stand.provider.asked) <= asked + 1


async def test_a_settled_callback_that_comes_later_asks_nobody(stand: Any) -> None:
    made = await _paid(stand)
    await stand.callback(made.provider_payment_id)
    asked = len(stand.provider.asked)
    stand.clock.advance(MINUTE)
    await stand.callback(made.provider_payment_id)
    assert len(stand.provider.asked) == asked
