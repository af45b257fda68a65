"""Settings with history: what they are, who changes them, and what is refused."""

import asyncio
from datetime import date, timedelta
from typing import Any

import pytest

from core_billing import policies, policy_changes, policy_rows
from core_billing.policies import CLOSED_BEFORE, DOCUMENT_MASK, VAT
from shared.db import reading
from shared.gateway.vat import Vat
from shared.money import Money

on_sqlite = pytest.mark.parametrize("db", ["sqlite"], indirect=True)
TODAY = date(2026, 11, 22)
VALUES: dict[str, Any] = {
    "vat": "5",
    "closed_before": "2026-11-01",
    "payments_changeable": False,
    "cash_only_today": True,
    "document_mask": "AA-####",
    "default_category": 0,
    "transfer_category": 0,
    "payment_min": "10.00",
    "payment_max": "5000.00",
    "distribute_to_subordinates": False,
    "recommended": {"mode": "n_periods", "periods": 3},
    "promise": {"by_subscriber": True, "min": "100", "max": "1 000,50", "days": 5},
    "block": {"mode": "after_days", "days": 3},
    "block_calendar": {"minimum_debt": "50.00", "weekdays": [6, 7], "dates": ["2026-12-31"]},
    "export_encoding": "cp1251",
}


async def test_every_setting_is_listed_described_and_can_be_changed(call: Any, books: Any) -> None:
    status, listed = await call("GET", "/settings", token="reader")
    assert status == 200
    items = {one["name"]: one for one in listed["items"]}
    assert set(items) == set(VALUES) == set(policies.BY_NAME)
    for name, one in items.items():
        assert one["scope"] == "default"
        assert one["value"] == one["default"]
        assert one["revision"] == 0
        assert one["description"]["ru"]
        assert one["description"]["en"]
        assert one["json_schema"]
        status, made = await call("POST", "/settings", {"name": name, "value": VALUES[name]})
        assert status == 201, made
        assert made["revision"] == 1
        assert made["valid_from"] == str(TODAY)
        assert made["set_by"] == "anna"
    listed = (await call("GET", "/settings"))[1]
    held = {one["name"]: one for one in listed["items"]}
    assert {one["scope"] for one in held.values()} == {"everybody"}
    assert held["promise"]["value"]["max"] == "1000.50"
    assert held["closed_before"]["value"] == "2026-11-01"
    async with reading(books.db) as tx:
        now = await policy_rows.load(tx, TODAY)
    assert now.get(policies.PAYMENT_MIN) == Money(1000)
    assert now.get(CLOSED_BEFORE) == date(2026, 11, 1)
    assert now.get(VAT) is Vat.FIVE


async def test_a_value_holds_from_its_day_on_and_the_past_stays(call: Any, books: Any) -> None:
    start = TODAY + timedelta(days=9)
    for value, day in (("A", None), ("B", start), ("AA", None)):
        body = {"name": "document_mask", "value": value, "valid_from": day and str(day)}
        assert (await call("POST", "/settings", body))[0] == 201
    async with reading(books.db) as tx:
        seen = {
            day: (await policy_rows.load(tx, TODAY + timedelta(days=day))).get(DOCUMENT_MASK)
            for day in (-1, 0, 8, 9, 30)
        }
    assert seen == {-1: "", 0: "AA", 8: "AA", 9: "B", 30: "B"}
    one = next(i for i in (await call("GET", "/settings"))[1]["items"] if i["value"] == "AA")
    assert [(p["value"], p["valid_from"]) for p in one["planned"]] == [("B", str(start))]
    status, page = await call("GET", "/settings/document_mask/history?limit=2")
    assert status == 200
    assert [one["value"] for one in page["items"]] == ["AA", "B"]
    cursor = page["next_cursor"]
    rest = (await call("GET", f"/settings/document_mask/history?limit=2&cursor={cursor}"))[1]
    assert [one["value"] for one in rest["items"]] == ["A"]
    assert rest["next_cursor"] is None


@on_sqlite
async def test_an_operator_has_a_value_of_its_own(call: Any) -> None:
    await call("POST", "/settings", {"name": "vat", "value": "7"})
    own = {"name": "vat", "value": "none", "operator": "north", "reason": "упрощёнка"}
    status, made = await call("POST", "/settings", own)
    assert (status, made["scope"], made["revision"]) == (201, "operator:north", 1)
    shown = {}
    for asked in ("", "?operator=north", "?operator=south", "?group=north"):
        listed = (await call("GET", f"/settings{asked}"))[1]["items"]
        shown[asked] = next(
            (i["value"], i["scope"], i["revision"]) for i in listed if i["name"] == "vat"
        )
    assert shown == {
        "": ("7", "everybody", 1),
        "?operator=north": ("none", "operator:north", 1),
        "?operator=south": ("7", "everybody", 0),
        "?group=north": ("7", "everybody", 1),
    }
    mine = (await call("GET", "/settings/vat/history?operator=north"))[1]["items"]
    assert [(one["value"], one["reason"]) for one in mine] == [("none", "упрощёнка")]


REFUSED: list[tuple[dict[str, Any], int, str, str]] = [
    ({"name": "vta", "value": 1}, 404, "setting_unknown", "name"),
    ({"name": "vat", "value": "18"}, 422, "setting_wrong_value", "value"),
    ({"name": "cash_only_today", "value": "yes"}, 422, "setting_wrong_value", "value"),
    ({"name": "payment_min", "value": "0"}, 422, "setting_wrong_value", "value"),
    ({"name": "payment_min", "value": "1,250"}, 422, "setting_wrong_value", "value"),
    ({"name": "closed_before", "value": 20}, 422, "setting_wrong_value", "value"),
    ({"name": "default_category", "value": -1}, 422, "setting_wrong_value", "value"),
    (
        {"name": "promise", "value": {"min": "-1"}},
        422,
        "setting_wrong_value",
        "value.min",
    ),
    (
        {"name": "promise", "value": {"min": "2", "max": "1"}},
        422,
        "setting_wrong_value",
        "value",
    ),
    (
        {"name": "block_calendar", "value": {"weekdays": [1, 8]}},
        422,
        "setting_wrong_value",
        "value.weekdays.1",
    ),
    ({"name": "block", "value": {"modes": 1}}, 422, "setting_wrong_value", "value.modes"),
    (
        {"name": "vat", "value": "5", "valid_from": "2026-11-21"},
        422,
        "setting_in_past",
        "valid_from",
    ),
    ({"name": "payment_min", "value": "5", "group": "a"}, 422, "setting_scope", "group"),
    (
        {"name": "vat", "value": "5", "operator": "a", "manager": "b"},
        422,
        "setting_scope",
        "operator",
    ),
    ({"name": "default_category", "value": 7}, 404, "category_unknown", "value"),
    ({"name": "transfer_category", "value": 7}, 404, "category_unknown", "value"),
    ({"name": "payment_min", "value": "1 000 000,01"}, 422, "setting_contradicts", "value"),
    ({"name": "closed_before", "value": "2026-11-23"}, 422, "closed_before_in_future", "value"),
]


@on_sqlite
async def test_a_change_is_refused_by_name(call: Any) -> None:
    for body, status, code, field in REFUSED:
        answer = await call("POST", "/settings", body)
        assert (answer[0], answer[1]["code"]) == (status, code), (body, answer)
        assert [one["field"] for one in answer[1]["errors"]] == [field], body
        ru = (await call("POST", "/settings", body, headers={"Accept-Language": "ru"}))[1]
        assert ru["detail"] != answer[1]["detail"]
        checked = await call("POST", "/settings/check", body)
        assert (checked[0], checked[1]["allowed"], checked[1]["code"]) == (200, False, code)
    named = {code for _, _, code, _ in REFUSED}
    assert named == {one.code for one in policy_changes.REFUSALS} - {"setting_conflict"}
    assert (await call("GET", "/settings/vta/history"))[1]["code"] == "setting_unknown"
    assert (await call("GET", "/settings/vat/history?group=a"))[1]["code"] == "setting_scope"


@on_sqlite
async def test_a_check_changes_nothing(call: Any) -> None:
    body = {"name": "vat", "value": "5", "revision": 0}
    status, checked = await call("POST", "/settings/check", body)
    assert (status, checked["allowed"], checked["result"]["value"]) == (200, True, "5")
    assert (await call("GET", "/settings/vat/history"))[1]["items"] == []
    assert (await call("POST", "/settings", body, token="reader"))[1]["code"] == "right_missing"


@on_sqlite
async def test_of_two_managers_the_second_hears_of_the_first(call: Any) -> None:
    body = {"name": "vat", "value": "5", "revision": 0}
    assert (await call("POST", "/settings", body, token="boris"))[0] == 201
    status, refused = await call("POST", "/settings", {**body, "value": "7"})
    assert (status, refused["code"]) == (409, "setting_conflict")
    assert "boris" in refused["detail"]
    assert "22.11.2026 15:00" in refused["detail"]
    assert (await call("POST", "/settings", {**body, "value": "7", "revision": 1}))[0] == 201


async def test_of_eight_at_once_each_writes_once_or_is_told_who_did(call: Any) -> None:
    answers = await asyncio.gather(
        *(
            call("POST", "/settings", {"name": "document_mask", "value": "A" * n, "revision": 0})
            for n in range(8)
        )
    )
    assert sorted(status for status, _ in answers) == [201] + [409] * 7
    assert len((await call("GET", "/settings/document_mask/history"))[1]["items"]) == 1


@on_sqlite
async def test_no_setting_refuses_what_a_provider_has_confirmed(call: Any, books: Any) -> None:
    await books.open("100245")
    strict: dict[str, Any] = {
        "closed_before": "2026-11-22",
        "payments_changeable": False,
        "cash_only_today": True,
        "document_mask": "AAA###",
        "payment_min": "1000000.00",
        "payment_max": "1000000.00",
    }
    for name, value in strict.items():
        assert (await call("POST", "/settings", {"name": name, "value": value}))[0] == 201
    paid_at = books.clock() - timedelta(days=40)
    [receipt] = await books.arrive(books.paid("p1", 100, ("100245", 100), paid_at=paid_at))
    assert receipt.outcome == "posted"
    entries = (await call("GET", "/contracts/100245/entries"))[1]["items"]
    assert [(one["amount"], one["paid_at"]) for one in entries] == [
        ("1.00", paid_at.isoformat().replace("+00:00", "Z"))
    ]
