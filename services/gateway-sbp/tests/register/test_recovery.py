"""A payment by a code on paper is credited once, by its callback or by the bank's register."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway_sbp import paper_rows, recovery, signed
from gateway_sbp.paper_row import State
from gateway_sbp.paper_rows import CALLBACKS_END_AFTER, GRACE, paper_row
from sbp_books import CONTRACT, MINUTE, NOON, ORDER, PAPER, SECOND, SHOP, Line, register
from shared.clock import MOSCOW
from shared.db import reading, transaction
from shared.gateway import payments

OVER = CALLBACKS_END_AFTER + GRACE
PAID = Line()


async def states(place: Any) -> list[tuple[int, str, str | None]]:
    rows = sorted(await place.rows(paper_row), key=lambda row: (row.minute, row.number))
    return [(row.number, row.state, row.transaction_id) for row in rows]


async def one_row(place: Any) -> Any:
    (row,) = await place.rows(paper_row)
    return row


async def test_a_lost_callback_is_recovered_once_the_callbacks_are_over(place: Any) -> None:
    await place.read(register([PAID]))
    assert "that wait for the bank's callbacks: 1;" in place.notes[0]
    await place.pass_time(OVER - SECOND)
    assert await place.credited() == {}
    assert await place.differences() == {}
    await place.pass_time(SECOND)
    row = await one_row(place)
    assert (row.state, row.contract) == (State.RECOVERED, CONTRACT)
    assert row.id.startswith("row-")
    assert await place.credited() == {row.id: 35_050}
    (event,) = await place.said()
    assert event.data["paid_at"] == "2026-02-03T09:00:00Z"
    assert event.data["allocations"] == [{"contract": CONTRACT, "amount_kopecks": 35_050}]
    (said,) = await place.said("register.row")
    assert (said.data["provider_id"], said.data["fee_kopecks"]) == (row.id, 140)
    assert (said.data["day"], said.data["difference"]) == ("2026-02-03", None)


@pytest.mark.parametrize("at", [NOON, NOON + 59 * SECOND + timedelta(microseconds=999_999)])
async def test_a_callback_that_has_come_is_the_row(place: Any, at: datetime) -> None:
    await place.callback("900001", at)
    await place.read(register([PAID]))
    await place.pass_time(2 * OVER)
    assert await place.credited() == {"900001": 35_050}
    assert await states(place) == [(1, "matched", "900001")]
    (said,) = await place.said("register.row")
    assert said.data["provider_id"] == "900001"
    assert place.notes == []


async def test_a_callback_that_comes_while_its_row_waits(place: Any) -> None:
    await place.read(register([PAID]))
    await place.callback("900001")
    await place.callback("900001")
    await place.pass_time(2 * OVER)
    assert await place.credited() == {"900001": 35_050}
    (said,) = await place.said("register.row")
    assert (said.data["provider_id"], said.data["fee_kopecks"]) == ("900001", 140)


async def test_a_callback_that_comes_after_the_recovery_is_no_second_credit(place: Any) -> None:
    await place.read(register([PAID]))
    await place.pass_time(OVER)
    row = await one_row(place)
    await place.callback("900001")
    await place.callback("900001")
    assert await place.credited() == {row.id: 35_050}
    assert await states(place) == [(1, "recovered", "900001")]
    assert len(await place.rows(payments.payment)) == 1
    assert len(await place.said("register.row")) == 1
    for name in ("900001", row.id):
        found = await signed.find(place.gateway.db, SHOP, name)
        assert found is not None
        assert (found.payment.id, found.order, found.transaction) == (row.id, ORDER, "900001")
    # The next one of the same minute is money of its own.
    await place.callback("900002", NOON + SECOND)
    assert await place.credited() == {row.id: 35_050, "900002": 35_050}


async def test_what_is_known_of_a_payment_without_its_callback(place: Any) -> None:
    await place.read(register([PAID]))
    row = await one_row(place)
    assert await signed.find(place.gateway.db, SHOP, row.id) is None
    await place.pass_time(OVER)
    found = await signed.find(place.gateway.db, SHOP, row.id)
    assert found is not None
    assert (found.transaction, found.payment.amount_kopecks) == (None, 35_050)
    assert found.payment.allocations[0].contract == CONTRACT
    await place.callback("900002", NOON + MINUTE)
    other = await signed.find(place.gateway.db, SHOP, "900002")
    assert other is not None
    assert (other.payment.id, other.transaction) == ("900002", "900002")


@pytest.mark.parametrize(
    "other",
    [
        {"at": NOON + MINUTE},
        {"at": NOON - SECOND},
        {"amount": 35_051},
        {"order": "c-100246"},
        {"qr": "AS1000SIMULATEDQRID0000000000002"},
    ],
)
async def test_another_payment_claims_nothing(place: Any, other: dict[str, Any]) -> None:
    await place.read(register([PAID]))
    await place.pass_time(OVER)
    row = await one_row(place)
    await place.callback("900001", **other)
    amount = other.get("amount", 35_050)
    assert await place.credited() == {row.id: 35_050, "900001": amount}
    assert await states(place) == [(1, "recovered", None)]


async def test_a_callback_without_a_code_may_be_any(place: Any) -> None:
    await place.read(register([PAID]))
    await place.pass_time(OVER)
    await place.callback("900001", qr="")
    await place.callback("900002", NOON + SECOND, qr="")
    row = await one_row(place)
    assert await place.credited() == {row.id: 35_050, "900002": 35_050}
    await place.read(register([PAID, PAID]))
    assert await states(place) == [(1, "recovered", "900001"), (2, "matched", "900002")]


async def test_a_row_that_was_recovered_is_claimed_before_one_that_waits(place: Any) -> None:
    codes = [f"AS1000SIMULATEDQRID000000000000{n}" for n in (1, 2)]
    keys = {code: paper_rows.Key.of(SHOP, ORDER, code, 35_050, NOON) for code in codes}
    waits, recovered = sorted(codes, key=lambda code: keys[code].id(1))
    await place.read(register([replace(PAID, qr=recovered)]))
    await place.pass_time(OVER)
    await place.read(register([replace(PAID, qr=waits)]))
    await place.callback("900001", qr="")
    rows = {row.qr_id: row.transaction_id for row in await place.rows(paper_row)}
    assert rows == {recovered: "900001", waits: None}


async def test_a_payment_that_was_booked_without_its_row_is_found_before_the_recovery(
    place: Any,
) -> None:
    """A service of the version before knows no rows, and books beside this one for a while."""
    await place.callback("900001")
    async with transaction(place.gateway.db) as tx:
        await paper_rows.add(tx, paper_rows.Key.of(SHOP, ORDER, PAPER, 35_050, NOON), [140], NOON)
    await place.pass_time(OVER)
    assert await place.credited() == {"900001": 35_050}
    assert await states(place) == [(1, "matched", "900001")]


async def test_rows_that_agree_are_as_many_payments(place: Any) -> None:
    await place.callback("900001", NOON + 5 * SECOND)
    await place.callback("900002", NOON + 9 * SECOND)
    await place.read(register([PAID] * 4))
    assert await states(place) == [
        (1, "matched", "900001"),
        (2, "matched", "900002"),
        (3, "waiting", None),
        (4, "waiting", None),
    ]
    await place.callback("900003", NOON + 11 * SECOND)
    await place.pass_time(OVER)
    assert [state for _, state, _ in await states(place)] == ["matched"] * 3 + ["recovered"]
    assert sum((await place.credited()).values()) == 4 * 35_050
    await place.callback("900004", NOON + 12 * SECOND)
    assert sum((await place.credited()).values()) == 4 * 35_050
    await place.callback("900005", NOON + 13 * SECOND)
    assert sum((await place.credited()).values()) == 5 * 35_050


async def test_the_same_file_again_changes_nothing_and_more_rows_are_new(place: Any) -> None:
    later = replace(PAID, at=NOON + MINUTE)
    for lines in ([PAID, PAID], [PAID, PAID], [PAID], [PAID, later, PAID], [later]):
        await place.read(register(lines, title="no day"))
    assert [number for number, _, _ in await states(place)] == [1, 2, 1]
    await place.pass_time(OVER + MINUTE)
    credited = await place.credited()
    assert list(credited.values()) == [35_050] * 3
    await place.read(register([PAID, PAID, later]))
    await place.pass_time(OVER)
    assert await place.credited() == credited
    assert len(await place.said("register.row")) == 3


async def test_a_register_that_comes_late_is_recovered_at_once(place: Any) -> None:
    await place.pass_time(timedelta(days=30))
    await place.read(register([PAID]))
    await place.recover()
    assert sum((await place.credited()).values()) == 35_050


async def test_money_of_an_order_that_nobody_knows_waits_for_a_person(place: Any) -> None:
    await place.read(register([replace(PAID, order="h-unknown")]))
    await place.pass_time(OVER)
    (event,) = await place.said()
    assert (event.data["contract"], event.data["suspense"]) == (None, "unknown_order")


async def test_two_services_recover_a_row_once(place: Any) -> None:
    await place.read(register([PAID]))
    place.clock.advance(OVER)
    async with reading(place.gateway.db) as tx:
        (due,) = await paper_rows.due(tx, place.clock(), 10)
    await recovery.recover(place.gateway, due)
    await recovery.recover(place.gateway, due)
    assert sum((await place.credited()).values()) == 35_050


async def test_an_account_that_is_not_configured_any_more(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    alarms: list[str] = []
    monkeypatch.setattr(recovery, "alarm", lambda kind, **_: alarms.append(kind))
    await place.read(register([PAID]))
    bank = place.gateway.providers.pop(SHOP)
    place.clock.advance(OVER)
    assert not await recovery.step(place.gateway)
    assert (alarms, await place.credited()) == (["shop_not_configured"], {})
    place.gateway.providers[SHOP] = bank
    await place.recover()
    assert await place.credited() == {}
    await place.pass_time(recovery.NOT_CONFIGURED_PAUSE)
    assert sum((await place.credited()).values()) == 35_050
    assert alarms == ["shop_not_configured", "callback_lost"]


async def test_a_step_takes_a_few(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "BATCH_MAX", 2)
    lines = [replace(PAID, at=NOON + MINUTE * n) for n in range(3)]
    await place.read(register(lines))
    place.clock.advance(OVER + 5 * MINUTE)
    assert [await recovery.step(place.gateway) for _ in range(2)] == [True, False]
    assert len(await place.credited()) == 3


def test_midnight_is_moscows() -> None:
    at = datetime(2026, 2, 3, 0, 0, 59, tzinfo=MOSCOW)
    assert paper_rows.Key.of(SHOP, ORDER, "", 1, at).minute == at.replace(second=0)


@pytest.mark.parametrize("seconds", [-1, 60, 119], ids=["before", "rounded up", "nearly two"])
async def test_a_register_that_rounds_its_minutes_is_no_second_credit(
    place: Any, seconds: int
) -> None:
    await place.callback("900001", NOON + seconds * SECOND)
    await place.read(register([PAID]))
    await place.pass_time(2 * OVER)
    assert await place.credited() == {"900001": 35_050}
    assert await states(place) == [(1, "matched", "900001")]


async def test_neighbours_of_one_sum_are_two_payments_however_late_they_come(place: Any) -> None:
    other = replace(PAID, at=PAID.at + 60 * SECOND)
    await place.callback("900002", NOON + 60 * SECOND)
    await place.read(register([PAID, other]))
    await place.pass_time(OVER + 60 * SECOND)
    assert sum((await place.credited()).values()) == 2 * 35_050
    await place.callback("900001")
    assert sum((await place.credited()).values()) == 2 * 35_050
