"""What a bank has signed is money once; what agrees with half of it is an alarm and no money."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from gateway_sbp import signed
from sbp_books import CONTRACT, NOON, ORDER, PAPER, SECOND, SHOP, Place, make_place
from shared.db import open_database
from shared.gateway import payments

MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
async def place(database_url: str) -> AsyncIterator[Place]:
    db = open_database(database_url)
    yield make_place(db)
    await db.close()


@pytest.fixture
def alarms(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    raised: list[dict[str, Any]] = []
    monkeypatch.setattr(signed, "alarm", lambda kind, **what: raised.append({"kind": kind, **what}))
    return raised


async def test_a_payment_is_credited_to_its_contract(place: Place, alarms: list[Any]) -> None:
    await place.callback("900001")
    (event,) = await place.said()
    assert event.data["allocations"] == [{"contract": CONTRACT, "amount_kopecks": 35_050}]
    assert (event.data["provider"], event.data["provider_payment_id"]) == (SHOP, "900001")
    assert event.data["paid_at"] == "2026-02-03T09:00:00Z"
    assert alarms == []


async def test_told_again_it_changes_nothing(place: Place, alarms: list[Any]) -> None:
    for _ in range(3):
        await place.callback("900001")
        place.clock.advance(timedelta(hours=1))
    assert len(await place.said()) == 1
    assert len(await place.rows(signed.signed_payment)) == 1
    assert alarms == []


async def test_told_at_once_it_is_one(place: Place, alarms: list[Any]) -> None:
    await asyncio.gather(*(place.callback("900001") for _ in range(4)))
    assert await place.credited() == {"900001": 35_050}
    assert alarms == []


async def test_a_code_is_paid_many_times(place: Place, alarms: list[Any]) -> None:
    await place.callback("900001")
    await place.callback("900002", NOON + SECOND)
    await place.callback("900003", NOON + MICROSECOND)
    await place.callback("900004", amount=35_051)
    await place.callback("900005", order="c-100246")
    assert sorted(await place.credited()) == [f"90000{number}" for number in range(1, 6)]
    assert alarms == []


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": 35_051},
        {"amount": 1},
        {"order": "c-100246"},
        {"at": NOON + SECOND},
        {"at": NOON - MICROSECOND},
    ],
)
async def test_the_same_transaction_with_other_facts_is_an_alarm(
    place: Place, alarms: list[Any], changes: Any
) -> None:
    """The transaction is not signed: a genuine callback may be told under another's."""
    await place.callback("900001")
    await place.callback("900001", **changes)
    assert await place.credited() == {"900001": 35_050}
    (raised,) = alarms
    assert (raised["kind"], raised["provider_payment_id"]) == ("signed_payment_clash", "900001")
    (row,) = await place.rows(signed.signed_payment)
    assert (row.amount_kopecks, row.order_id, row.paid_at) == (35_050, ORDER, NOON)


@pytest.mark.parametrize("qr", [PAPER, "AS2", ""])
async def test_the_same_facts_under_another_transaction_are_an_alarm(
    place: Place, alarms: list[Any], qr: str
) -> None:
    await place.callback("900001")
    await place.callback("900002", qr=qr)
    assert await place.credited() == {"900001": 35_050}
    (raised,) = alarms
    assert (raised["provider_payment_id"], raised["order"]) == ("900002", ORDER)


async def test_two_payments_cannot_be_told_as_each_other(place: Place, alarms: list[Any]) -> None:
    """The transaction of the one and the facts of the other: both are there, and no third."""
    await place.callback("900001")
    await place.callback("900002", NOON + SECOND)
    await place.callback("900001", NOON + SECOND)
    await place.callback("900002")
    assert len(await place.credited()) == 2
    assert len(alarms) == 2


async def test_after_an_alarm_the_genuine_one_still_counts_as_told(
    place: Place, alarms: list[Any]
) -> None:
    await place.callback("900001")
    await place.callback("900001", amount=5)
    await place.callback("900001")
    assert (len(await place.said()), len(alarms)) == (1, 1)


async def test_the_code_is_not_signed_and_decides_nothing(place: Place, alarms: list[Any]) -> None:
    await place.callback("900001", qr="AS1")
    await place.callback("900001", qr="AS2")
    assert (len(await place.said()), alarms) == (1, [])


async def test_money_of_nobody_is_kept_and_said(place: Place, alarms: list[Any]) -> None:
    await place.callback("900001", order="C-nobody")
    (event,) = await place.said()
    assert (event.data["allocations"], event.data["amount_kopecks"]) == ([], 35_050)
    (row,) = await place.rows(signed.signed_payment)
    assert row.contract is None
    assert len(await place.rows(payments.payment)) == 1


async def test_what_was_booked_is_found_by_its_transaction(place: Place) -> None:
    await place.callback("900001")
    found = await signed.find(place.gateway.db, SHOP, "900001")
    assert found is not None
    assert (found.order, found.transaction) == (ORDER, "900001")
    assert (found.payment.paid_at, found.payment.amount_kopecks) == (NOON, 35_050)
    assert found.payment.allocations[0].contract == CONTRACT
    assert await signed.find(place.gateway.db, SHOP, "900002") is None
    assert await signed.find(place.gateway.db, "raiffeisen:MA2", "900001") is None
