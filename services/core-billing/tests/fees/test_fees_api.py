"""Tariffs and services as managers see them: what is allowed, and which rule says no."""

import asyncio
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from core_billing import contracts, service_changes, tariff_changes
from core_billing.audit import audit
from shared.db import reading, transaction

NET = {"name": "Net 100", "service": "internet", "price": "650,00"}
FAST = NET | {"name": "Net 500", "price": "900"}
DAILY = NET | {"name": "By day", "charging": "daily"}
TV = NET | {"name": "TV", "service": "tv", "price": "199"}
# Noon of 22 November 2026 is the day of the tests.
pytestmark = pytest.mark.parametrize("db", ["sqlite"], indirect=True)


async def refused(answer: tuple[int, Any]) -> tuple[int, str]:
    return answer[0], answer[1].get("code")


async def test_a_tariff_is_made_shown_and_gets_a_price_for_later(call: Any, books: Any) -> None:
    status, made = await call("/tariffs", NET)
    assert status == 201
    assert (made["price"], made["charging"], made["blocks"]) == ("650.00", "monthly", True)
    await call("/tariffs", TV)
    change = {"price": "700", "valid_from": "2026-12-01", "closed": True, "revision": 1}
    status, now = await call(f"/tariffs/{made['id']}", change)
    assert (status, now["closed"], now["price"], now["revision"]) == (200, True, "650.00", 2)
    status, seen = await call("/tariffs?limit=1")
    assert [one["name"] for one in seen["items"]] == ["Net 100"]
    assert [price["price"] for price in seen["items"][0]["prices"]] == ["650.00", "700.00"]
    status, rest = await call(f"/tariffs?cursor={seen['next_cursor']}")
    assert [one["name"] for one in rest["items"]] == ["TV"]
    assert rest["next_cursor"] is None
    async with reading(books.db) as tx:
        acts = [tuple(row) for row in await tx.execute(select(audit.c.actor, audit.c.action))]
    assert acts == [("anna", "tariff.create")] * 2 + [("anna", "tariff.edit")]


async def test_a_planned_price_gives_way_to_a_new_one_for_its_day(call: Any) -> None:
    _, made = await call("/tariffs", DAILY)
    for price in ("700", "750"):
        status, now = await call(
            f"/tariffs/{made['id']}", {"price": price, "valid_from": "2026-11-23"}
        )
        assert status == 200
    assert [one["price"] for one in now["prices"]] == ["650.00", "750.00"]


NOT_FOR_TARIFFS = [
    (NET, {"price": "1", "valid_from": "2026-11-01"}, (422, "price_in_past")),
    (NET, {"price": "1", "valid_from": "2026-11-30"}, (422, "price_in_past")),
    (DAILY, {"price": "1", "valid_from": "2026-11-22"}, (422, "price_in_past")),
    (NET, {"price": "1", "valid_from": "2026-12-02"}, (422, "price_mid_period")),
    (NET, {"name": "TV"}, (409, "tariff_name_taken")),
    (NET, {"closed": True, "revision": 7}, (409, "tariff_conflict")),
    (NET, {"price": "1"}, (422, None)),
    (NET, {"price": "1,250", "valid_from": "2026-12-01"}, (422, "amount_ambiguous")),
]


async def test_what_may_not_be_changed(call: Any) -> None:
    made = {tariff["name"]: (await call("/tariffs", tariff))[1] for tariff in (TV, NET, DAILY)}
    for tariff, change, expected in NOT_FOR_TARIFFS:
        path = f"/tariffs/{made[tariff['name']]['id']}"
        assert await refused(await call(path, change)) == expected, change
        status, said = await call(f"{path}/check", change)
        if expected[1] not in (None, "amount_ambiguous"):
            assert (status, said["allowed"], said["code"]) == (200, False, expected[1])
    assert (await call("/tariffs"))[1]["items"] == list(made.values())


async def test_tariffs_that_are_not_there_and_names_that_are(call: Any) -> None:
    _, made = await call("/tariffs", NET)
    for path in ("/tariffs/99", "/tariffs/x", "/tariffs/99999999999999999999"):
        assert await refused(await call(path)) == (404, "tariff_unknown")
        assert await refused(await call(path, {"closed": True})) == (404, "tariff_unknown")
    assert await refused(await call("/tariffs", NET)) == (409, "tariff_name_taken")
    assert (await call("/tariffs/check", NET))[1]["code"] == "tariff_name_taken"
    assert (await call("/tariffs/check", TV))[1]["allowed"]
    assert (await call("/tariffs"))[1]["items"] == [made]
    assert await refused(await call("/tariffs", TV, "reader")) == (403, "right_missing")
    assert (await call("/tariffs?cursor=x"))[0] == 422


async def test_prices_cannot_be_planned_without_end(call: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(tariff_changes, "PLANNED_MAX", 2)
    _, made = await call("/tariffs", DAILY)
    days = [date(2026, 12, 1) + timedelta(days=n) for n in range(3)]
    answers = [
        await refused(await call(f"/tariffs/{made['id']}", {"price": "1", "valid_from": f"{day}"}))
        for day in days
    ]
    assert answers[-2:] == [(200, None), (409, "too_many_prices")]


async def test_of_two_managers_the_second_is_told_who_was_first(call: Any) -> None:
    _, made = await call("/tariffs", NET)
    change = {"price": "700", "valid_from": "2026-12-01", "revision": 1}
    assert (await call(f"/tariffs/{made['id']}", change, "boris"))[0] == 200
    status, said = await call(f"/tariffs/{made['id']}", change | {"price": "800"})
    assert (status, said["code"]) == (409, "tariff_conflict")
    assert "boris" in said["detail"]


async def test_a_service_begins_changes_and_ends(call: Any, books: Any, fees: Any) -> None:
    await books.open("100245")
    await call("/tariffs", NET)
    await call("/tariffs", FAST)
    at = "/contracts/100245/services"
    status, said = await call(f"{at}/check", {"tariff": "Net 100", "starts_on": "2026-11-16"})
    assert said["result"]["next_fee"] == {"on": "2026-11-16", "amount": "325.00", "currency": "RUB"}
    assert (await call(at))[1]["items"] == []
    status, made = await call(at, {"tariff": "Net 100", "starts_on": "2026-11-16"})
    assert (status, made["tariff"], made["charged_through"]) == (201, "Net 100", "2026-11-15")
    await fees.charge()
    assert await books.balances() == {"100245": -32_500}
    one = f"{at}/{made['id']}"
    status, now = await call(one, {"tariff": "Net 500", "from": "2026-12-11"})
    assert status == 200
    # Ten days of 31 at 650 and 21 at 900.
    assert now["next_fee"]["amount"] == "819.35"
    assert [turn["tariff"] for turn in now["tariffs"]] == ["Net 100", "Net 500"]
    status, now = await call(one, {"tariff": "Net 100", "from": "2026-12-11"})
    assert [turn["tariff"] for turn in now["tariffs"]] == ["Net 100"]
    status, now = await call(one, {"ends_on": "2026-11-30"})
    assert (now["ends_on"], now["next_fee"]) == ("2026-11-30", None)
    assert await refused(await call(one, {"ends_on": None})) == (409, "service_ended")
    assert [one["id"] for one in (await call(at))[1]["items"]] == [made["id"]]


async def test_a_planned_end_may_be_taken_back_and_a_service_undone(call: Any, books: Any) -> None:
    await books.open("1")
    await call("/tariffs", NET)
    _, made = await call("/contracts/1/services", {"tariff": "Net 100"})
    assert made["starts_on"] == "2026-11-22"
    one = f"/contracts/1/services/{made['id']}"
    assert (await call(one, {"ends_on": "2026-12-10"}))[1]["ends_on"] == "2026-12-10"
    assert (await call(one, {"ends_on": None}))[1]["ends_on"] is None
    _, now = await call(one, {"ends_on": "2026-11-21"})
    assert now["next_fee"] is None


BEGINNINGS = [
    ({"tariff": "No such"}, (404, "tariff_unknown")),
    ({"tariff": "Old"}, (409, "tariff_closed")),
    ({"tariff": "Net 100", "starts_on": "2026-09-30"}, (422, "starts_in_past")),
    ({"tariff": "Net 100", "starts_on": "9999-12-31"}, (422, "starts_too_late")),
    ({"tariff": "Net 100", "starts_on": "2026-10-01"}, (201, None)),
    ({"tariff": "  "}, (422, None)),
]


async def test_how_a_service_may_begin(call: Any, books: Any) -> None:
    await books.open("1")
    await call("/tariffs", NET)
    _, old = await call("/tariffs", FAST | {"name": "Old"})
    await call(f"/tariffs/{old['id']}", {"closed": True})
    for body, expected in BEGINNINGS:
        assert await refused(await call("/contracts/1/services", body)) == expected, body


async def test_where_no_service_may_begin(call: Any, books: Any, monkeypatch: Any) -> None:
    await books.open("1", "2")
    await call("/tariffs", NET)
    body = {"tariff": "Net 100"}
    async with transaction(books.db) as tx:
        await contracts.set_open(tx, books.core.rules, "2", False, books.clock(), "c")
    assert await refused(await call("/contracts/2/services", body)) == (409, "contract_closed")
    assert await refused(await call("/contracts/3/services", body)) == (404, "contract_unknown")
    monkeypatch.setattr(service_changes, "LIVE_MAX", 2)
    for _ in range(2):
        assert (await call("/contracts/1/services", body))[0] == 201
    assert await refused(await call("/contracts/1/services", body)) == (409, "too_many_services")


NOT_FOR_SERVICES = [
    ({"tariff": "Net 500", "from": "2026-11-30"}, (409, "period_charged")),
    ({"ends_on": "2026-11-29"}, (409, "period_charged")),
    ({"tariff": "Net 500", "from": "2026-10-20"}, (422, "outside_service")),
    ({"ends_on": "2026-10-20"}, (422, "outside_service")),
    ({"tariff": "Net 100", "from": "2026-12-01"}, (409, "same_tariff")),
    ({"tariff": "By day", "from": "2026-12-01"}, (409, "other_charging")),
    ({"tariff": "TV", "from": "2026-12-01"}, (409, "other_service")),
    ({"tariff": "No such", "from": "2026-12-01"}, (404, "tariff_unknown")),
    ({"tariff": "Old", "from": "2026-12-01"}, (409, "tariff_closed")),
    ({"tariff": "Net 500", "from": "2029-12-01"}, (422, "change_too_late")),
    ({"ends_on": "9999-12-31"}, (422, "change_too_late")),
    ({"ends_on": "2026-12-01", "revision": 9}, (409, "service_conflict")),
    ({"tariff": "Net 500"}, (422, None)),
    ({"tariff": "Net 500", "from": "2026-12-01", "ends_on": None}, (422, None)),
    ({}, (422, None)),
]


async def test_what_may_not_be_done_to_a_service(call: Any, books: Any, fees: Any) -> None:
    await books.open("1")
    for tariff in (NET, FAST, DAILY, TV):
        await call("/tariffs", tariff)
    _, old = await call("/tariffs", FAST | {"name": "Old"})
    await call(f"/tariffs/{old['id']}", {"closed": True})
    _, made = await call("/contracts/1/services", {"tariff": "Net 100", "starts_on": "2026-11-01"})
    await fees.charge()
    one = f"/contracts/1/services/{made['id']}"
    for body, expected in NOT_FOR_SERVICES:
        assert await refused(await call(one, body)) == expected, body
        status, said = await call(f"{one}/check", body)
        assert said.get("code") == expected[1]
        assert status == 200 or expected[1] is None
        if expected[1] == "period_charged":
            assert ("2026-12-01" if "from" in body else "2026-11-30") in said["detail"]


async def test_a_service_that_is_behind_is_not_changed_in_the_past(call: Any, books: Any) -> None:
    await books.open("1")
    await call("/tariffs", NET)
    await call("/tariffs", FAST)
    _, made = await call("/contracts/1/services", {"tariff": "Net 100", "starts_on": "2026-11-01"})
    one = f"/contracts/1/services/{made['id']}"
    body = {"tariff": "Net 500", "from": "2026-11-21"}
    assert await refused(await call(one, body)) == (422, "change_in_past")
    assert await refused(await call(one, {"ends_on": "2026-11-21"})) == (422, "change_in_past")
    # Wholly uncharged, it may still be put right from its first day on.
    assert (await call(one, {"tariff": "Net 500", "from": "2026-11-01"}))[1]["tariffs"] == [
        {"since": "2026-11-01", "tariff": "Net 500"}
    ]


async def test_changes_of_tariff_cannot_be_planned_without_end(
    call: Any, books: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(service_changes, "PLANNED_MAX", 2)
    await books.open("1")
    await call("/tariffs", NET)
    await call("/tariffs", FAST)
    _, made = await call("/contracts/1/services", {"tariff": "Net 100"})
    one = f"/contracts/1/services/{made['id']}"
    answers = [
        await refused(
            await call(
                one,
                {
                    "tariff": ("Net 500", "Net 100")[n % 2],
                    "from": f"{date(2026, 12, 1) + timedelta(days=n)}",
                },
            )
        )
        for n in range(3)
    ]
    assert answers[-2:] == [(200, None), (409, "too_many_changes")]


async def test_services_that_are_not_there(call: Any, books: Any) -> None:
    await books.open("1", "2")
    await call("/tariffs", NET)
    _, made = await call("/contracts/1/services", {"tariff": "Net 100"})
    body = {"ends_on": "2026-12-01"}
    for path in ("/contracts/1/services/x", f"/contracts/2/services/{made['id']}"):
        assert await refused(await call(path, body)) == (404, "service_unknown")
    assert await refused(await call("/contracts/9/services/1", body)) == (404, "contract_unknown")
    assert await refused(await call("/contracts/9/services")) == (404, "contract_unknown")
    path = f"/contracts/1/services/{made['id']}"
    assert await refused(await call(path, body, "reader")) == (403, "right_missing")


async def test_of_two_changes_at_once_one_is_told_of_the_other(call: Any, books: Any) -> None:
    await books.open("1")
    await call("/tariffs", NET)
    _, made = await call("/contracts/1/services", {"tariff": "Net 100"})
    one = f"/contracts/1/services/{made['id']}"
    answers = await asyncio.gather(
        call(one, {"ends_on": "2026-12-10", "revision": 1}),
        call(one, {"ends_on": "2026-12-20", "revision": 1}, "boris"),
    )
    [(status, said)] = [answer for answer in answers if answer[0] != 200]
    assert (status, said["code"]) == (409, "service_conflict")
    assert ("anna" in said["detail"]) is not ("boris" in said["detail"])
