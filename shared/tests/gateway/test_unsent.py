"""While a provider is known not to answer nothing is sent, and that uses no attempt up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.gateway import callbacks
from shared.gateway.provider import Refused, Status, Unclear, tries

SECOND = timedelta(seconds=1)
HELD = Unclear("breaker_open", SECOND, unsent=True)


@pytest.mark.parametrize(
    ("outcome", "left"),
    [(HELD, 6), (Unclear("http_500"), 7), (Refused("invalid_request"), 7)],
)
def test_only_what_was_not_sent_is_no_attempt(outcome: Any, left: int) -> None:
    assert tries(outcome, 7) == left


async def test_a_creation_held_back_is_sent_as_the_first_one(stand: Any) -> None:
    stand.provider.creates = [HELD] * 30 + [Refused("invalid_request")]
    begun = await stand.wish()
    assert begun.status is Status.CREATING
    for _ in range(29):
        await stand.pass_time(3 * SECOND)
    assert (await stand.row(begun.payment.id)).attempts == 0
    await stand.pass_time(3 * SECOND)
    done = await stand.payment(begun.payment.id)
    assert (done.status, done.reason) == (Status.CANCELED, "invalid_request"), (
        "a refusal of the first sending is final: nothing was made before it"
    )


async def test_a_question_held_back_is_asked_without_growing_pauses(stand: Any) -> None:
    begun = await stand.wish()
    stand.provider.fetches = [HELD] * 5
    await stand.pass_time(20 * SECOND)
    for _ in range(4):
        await stand.pass_time(40 * SECOND)
    row = await stand.row(begun.payment.id)
    assert (row.attempts, len(stand.provider.asked)) == (0, 5)
    stand.provider.pay(row.provider_payment_id)
    await stand.pass_time(40 * SECOND)
    assert (await stand.payment(begun.payment.id)).status is Status.SUCCEEDED


async def test_a_callback_held_back_is_never_given_up(stand: Any) -> None:
    begun = await stand.wish()
    provider_id = (await stand.row(begun.payment.id)).provider_payment_id
    stand.provider.pay(provider_id)
    stand.provider.fetches = [HELD] * 20
    await stand.callback(provider_id)
    for _ in range(30):
        (row,) = await stand.rows(callbacks.callback)
        if row.due_at is None:
            break
        assert row.attempts == 0
        await stand.pass_time(2 * SECOND)
    assert row.outcome == "succeeded"
    assert (await stand.payment(begun.payment.id)).status is Status.SUCCEEDED
