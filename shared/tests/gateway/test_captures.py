"""Two-stage payments: held money is taken once, in time, whatever is lost on the way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.db import transaction
from shared.events import Allocation
from shared.gateway import captures, payments
from shared.gateway.captures import capture
from shared.gateway.creation import UNMADE
from shared.gateway.provider import Page, ProviderPayment, Refused, Status, Throttled, Unclear

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LOST = "lost"
GONE = Refused("invalid_request", "Payment can not be captured in current status")


@pytest.fixture
async def held(stand: Any) -> tuple[UUID, str]:
    """A payment of 650.00 whose money is held for a week; nobody has told us yet."""
    begun = await stand.wish()
    (provider_id,) = stand.provider.made
    stand.provider.hold(provider_id)
    return begun.payment.id, provider_id


async def _hear(stand: Any, provider_id: str) -> None:
    """Deliver the callback about a hold, and work through all that is due then."""
    event = "payment.waiting_for_capture"
    await stand.callback(provider_id, claims=Status.PENDING, event=event)


async def test_held_money_is_taken_as_soon_as_it_is_heard_of(
    stand: Any, held: tuple[UUID, str]
) -> None:
    payment_id, provider_id = held
    await _hear(stand, provider_id)
    assert (await stand.payment(payment_id)).status is Status.SUCCEEDED
    ((taken, _, request),) = stand.provider.taken
    assert (taken, request) == (provider_id, b"take 65000")
    (event,) = await stand.said()
    assert (event.data["amount_kopecks"], stand.alarms) == (65_000, [])
    (row,) = await stand.rows(capture)
    assert (row.status, row.due_at, row.warn_at) == (captures.TAKEN, None, None)
    assert b"65000" not in row.request, "stored as everything that is sent: sealed"


async def test_a_hold_nobody_told_us_of_is_found_by_asking(
    stand: Any, held: tuple[UUID, str]
) -> None:
    await stand.pass_time(timedelta(minutes=1))
    assert (await stand.payment(held[0])).status is Status.SUCCEEDED


@pytest.mark.parametrize("trouble", [LOST, Unclear("timeout"), Throttled(timedelta(seconds=3))])
async def test_an_unclear_capture_is_repeated_with_the_same_key_and_bytes(
    stand: Any, held: tuple[UUID, str], trouble: Any
) -> None:
    stand.provider.captures = [trouble, trouble]
    await _hear(stand, held[1])
    for _ in range(3):
        await stand.pass_time(timedelta(seconds=6))
    assert (await stand.payment(held[0])).status is Status.SUCCEEDED
    assert len(stand.provider.taken) in (2, 3), "an answer may come by asking first"
    assert len(set(stand.provider.taken)) == 1
    assert (len(await stand.said()), stand.alarms) == (1, [])


async def test_many_callbacks_take_it_once(stand: Any, held: tuple[UUID, str]) -> None:
    stand.provider.captures = [Unclear("timeout")]
    for _ in range(5):
        await _hear(stand, held[1])
        stand.clock.advance(timedelta(seconds=3))
    await stand.settle()
    assert len({key for _, key, _ in stand.provider.taken}) == 1
    assert len(await stand.said()) == 1


async def test_a_late_waiting_for_capture_after_succeeded_changes_nothing(
    stand: Any, held: tuple[UUID, str]
) -> None:
    payment_id, provider_id = held
    await _hear(stand, provider_id)
    stand.provider.hold(provider_id)
    stand.provider.change(provider_id, status=Status.PENDING)
    stand.clock.advance(timedelta(seconds=3))
    await stand.callback(provider_id, claims=Status.PENDING, event="payment.waiting_for_capture.2")
    assert (await stand.payment(payment_id)).status is Status.SUCCEEDED
    assert len(stand.provider.taken) == 1
    assert len(await stand.said()) == 1


async def test_a_refused_capture_is_an_alarm_and_begins_anew(
    stand: Any, held: tuple[UUID, str]
) -> None:
    stand.provider.captures = [Refused("forbidden", ours=True)]
    await _hear(stand, held[1])
    assert stand.alarms == ["capture_refused", "provider_refuses_us"]
    (row,) = await stand.rows(capture)
    assert (row.status, row.due_at) == ("forbidden", None)
    await stand.pass_time(timedelta(minutes=2))
    assert (await stand.payment(held[0])).status is Status.SUCCEEDED
    assert len({key for _, key, _ in stand.provider.taken}) == 2, "the old key stands for the no"


async def test_a_refusal_after_an_unclear_outcome_may_mean_that_it_was_taken(
    stand: Any, held: tuple[UUID, str]
) -> None:
    stand.provider.captures = [LOST, GONE]
    await _hear(stand, held[1])
    await stand.pass_time(timedelta(minutes=3))
    assert (await stand.payment(held[0])).status is Status.SUCCEEDED
    assert stand.alarms == []


async def test_what_the_key_no_longer_stands_for_is_not_sent_again(
    stand: Any, held: tuple[UUID, str]
) -> None:
    stand.provider.captures = [Unclear("timeout")]
    await _hear(stand, held[1])
    stand.clock.advance(timedelta(hours=23))
    await stand.settle()
    assert len(stand.provider.taken) == 1
    await stand.pass_time(timedelta(minutes=3))
    assert (await stand.payment(held[0])).status is Status.SUCCEEDED
    assert len({key for _, key, _ in stand.provider.taken}) == 2


async def _unmade(stand: Any) -> tuple[UUID, str]:
    """A hold on a payment that was canceled here, because the list did not show it in time."""
    stand.provider.creates = ["lost", *[Unclear("http_500")] * 2000]
    begun = await stand.wish()
    (provider_id,) = stand.provider.made
    stand.provider.lists = [Page([], None)]
    await stand.pass_time(stand.gateway.timing.list_after + HOUR)
    assert (await stand.payment(begun.payment.id)).reason == UNMADE
    stand.provider.hold(provider_id)
    return begun.payment.id, provider_id


async def test_a_hold_on_what_was_canceled_here_alone_is_taken(stand: Any) -> None:
    payment_id, provider_id = await _unmade(stand)
    stand.provider.captures = [Unclear("timeout")]
    await _hear(stand, provider_id)
    await stand.pass_time(timedelta(minutes=3))
    assert (await stand.payment(payment_id)).status is Status.SUCCEEDED
    assert (len(stand.provider.taken), len(set(stand.provider.taken))) == (2, 1)
    assert len(await stand.said()) == 1


async def test_a_refused_capture_of_it_warns_and_begins_anew(stand: Any) -> None:
    payment_id, provider_id = await _unmade(stand)
    stand.provider.captures = [Refused("forbidden", ours=True)] * 5000
    await _hear(stand, provider_id)
    await stand.pass_time(timedelta(minutes=3))
    await stand.pass_time(7 * DAY - 2 * HOUR)
    assert "hold_expires" in stand.alarms
    stand.provider.captures = []
    for _ in range(3):
        await stand.pass_time(timedelta(minutes=3))
    assert (await stand.payment(payment_id)).status is Status.SUCCEEDED


async def test_money_that_was_settled_elsewhere_is_not_asked_for(
    stand: Any, held: tuple[UUID, str]
) -> None:
    stand.provider.captures = [Unclear("timeout")]
    await _hear(stand, held[1])
    stand.provider.change(held[1], on_hold=False)
    stand.provider.cancel(held[1], "canceled_by_merchant")
    await stand.callback(held[1], claims=Status.CANCELED)
    await stand.pass_time(timedelta(minutes=3))
    assert (await stand.payment(held[0])).status is Status.CANCELED
    assert (len(stand.provider.taken), stand.alarms) == (1, [])


@pytest.mark.parametrize(
    ("length", "warned_after"), [(7 * DAY, 7 * DAY - 6 * HOUR), (2 * HOUR, HOUR)]
)
async def test_a_hold_about_to_expire_is_an_alarm(
    stand: Any, held: tuple[UUID, str], length: timedelta, warned_after: timedelta
) -> None:
    stand.provider.hold(held[1], stand.clock() + length)
    stand.provider.captures = [Unclear("timeout")] * 100
    await _hear(stand, held[1])
    await stand.pass_time(warned_after - timedelta(minutes=1))
    assert stand.alarms == []
    await stand.pass_time(timedelta(minutes=1))
    assert stand.alarms == ["hold_expires"]
    await stand.pass_time(timedelta(minutes=20))
    assert stand.alarms == ["hold_expires"], "said once"


async def test_a_hold_that_ran_out_is_an_alarm(stand: Any, held: tuple[UUID, str]) -> None:
    stand.provider.captures = [Unclear("timeout")] * 100
    await _hear(stand, held[1])
    stand.provider.change(held[1], on_hold=False, lapsed=True)
    stand.provider.cancel(held[1], "expired_on_capture")
    await stand.callback(held[1], claims=Status.CANCELED)
    assert stand.alarms == ["hold_expired"]
    assert len(await stand.said("payment.canceled")) == 1
    stand.clock.advance(timedelta(seconds=3))
    await stand.callback(held[1], claims=Status.CANCELED, event="payment.canceled.2")
    assert stand.alarms == ["hold_expired"]


@pytest.mark.parametrize("odd", [{"test": True}, {"currency": "USD"}])
async def test_what_is_not_ours_is_not_taken(
    stand: Any, held: tuple[UUID, str], odd: dict[str, Any]
) -> None:
    stand.provider.change(held[1], **odd)
    for _ in range(2):
        await _hear(stand, held[1])
        await stand.pass_time(timedelta(minutes=1))
    assert stand.provider.taken == []
    assert len(stand.alarms) == 1
    assert (await stand.payment(held[0])).held is not None


async def test_another_amount_is_taken_whole_and_goes_to_suspense(
    stand: Any, held: tuple[UUID, str]
) -> None:
    stand.provider.change(held[1], amount_kopecks=64_900)
    await _hear(stand, held[1])
    assert stand.provider.taken[0][2] == b"take 64900"
    (event,) = await stand.said()
    assert (event.data["amount_kopecks"], event.data["suspense"]) == (64_900, "amount")


def _elsewhere(stand: Any, **changes: Any) -> str:
    """Hold money of a payment that we have no row of."""
    provider_id = str(uuid4())
    how = {
        "id": provider_id,
        "shop": stand.provider.shop,
        "status": Status.PENDING,
        "said": "waiting_for_capture",
        "amount_kopecks": 65_000,
        "currency": "RUB",
        "test": False,
        "created_at": stand.clock(),
        "on_hold": True,
        "payment_id": uuid4(),
        "allocations": (Allocation(contract="100245", amount_kopecks=65_000),),
    }
    stand.provider.made[provider_id] = ProviderPayment(**{**how, **changes})
    return provider_id


async def test_a_restored_backup_takes_what_it_has_forgotten(stand: Any) -> None:
    await _hear(stand, _elsewhere(stand))
    await stand.settle()
    (event,) = await stand.said()
    assert (event.data["contract"], event.data["suspense"]) == ("100245", None)
    assert stand.alarms == []


async def test_somebody_elses_held_money_is_left_alone(stand: Any) -> None:
    await _hear(stand, _elsewhere(stand, payment_id=None, allocations=()))
    await stand.pass_time(timedelta(minutes=1))
    assert stand.provider.taken == []
    assert await stand.rows(payments.payment) == []


async def test_two_replicas_never_take_one_hold_together(
    stand: Any, held: tuple[UUID, str]
) -> None:
    stand.provider.captures = [Unclear("timeout")]
    await _hear(stand, held[1])
    stand.clock.advance(timedelta(seconds=3))
    at, lease = stand.clock(), timedelta(minutes=1)
    async with transaction(stand.gateway.db) as tx:
        (first,) = await captures.claim(tx, at, 10, lease)
    async with transaction(stand.gateway.db) as tx:
        assert await captures.claim(tx, at, 10, lease) == []
        later = await captures.claim(tx, at + lease, 10, lease)
        assert [one.key for one in later] == [first.key]
        await captures.finish(tx, first, "late")
    (row,) = await stand.rows(capture)
    assert (row.status, row.lease_token) == (captures.WANTED, later[0].token), (
        "a lost lease changes nothing"
    )


async def test_a_removed_shop_is_an_alarm(stand: Any, held: tuple[UUID, str]) -> None:
    stand.provider.captures = [Unclear("timeout")]
    await _hear(stand, held[1])
    stand.gateway.providers.clear()
    await stand.pass_time(timedelta(seconds=3))
    assert "shop_not_configured" in stand.alarms
    assert len(stand.provider.taken) == 1
