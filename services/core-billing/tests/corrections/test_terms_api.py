"""Terms of contracts: what they are, who changes them, and what is refused."""

import asyncio
from typing import Any

import pytest

from core_billing import terms_changes

ON_POSTGRES = (pytest.mark.connected, pytest.mark.postgres)
on_sqlite = pytest.mark.parametrize("db", ["sqlite"], indirect=True)
on_postgres = pytest.mark.parametrize(
    "db", [pytest.param("postgres", marks=ON_POSTGRES)], indirect=True
)
NOBODYS: dict[str, Any] = {
    "contract": "A",
    "revision": 0,
    "group": "default",
    "charging": "advance",
    "block": None,
    "main": None,
    "priority": 1,
    "automatic_promise": False,
    "signed_on": None,
    "low_balance_days": None,
    "changed_by": None,
    "changed_at": None,
}


@on_sqlite
async def test_terms_are_changed_field_by_field(call: Any, books: Any) -> None:
    await books.open("A", "M")
    assert await call("GET", "/contracts/A/terms", token="reader") == (200, NOBODYS)
    allowed = {"name": "promise", "value": {"automatic": True, "max": "1", "min": "1"}}
    assert (await call("POST", "/settings", allowed))[0] == 201
    expected = NOBODYS
    rule = {"mode": "after_days", "days": 3, "sum": "0.00"}
    for change, shown in (
        ({"group": "соседи"}, {}),
        ({"charging": "mixed", "block": {"mode": "after_days", "days": 3}}, {"block": rule}),
        ({"main": "M", "priority": 7}, {}),
        ({"signed_on": "2019-03-01"}, {}),
        ({"automatic_promise": True}, {}),
        ({"block": None}, {}),
        ({"main": None, "automatic_promise": False}, {}),
        ({}, {}),
    ):
        expected = {**expected, **change, **shown, "revision": expected["revision"] + 1}
        expected |= {"changed_by": "anna", "changed_at": "2026-11-22T12:00:00Z"}
        status, checked = await call("POST", "/contracts/A/terms/check", change)
        assert (status, checked["result"]) == (200, expected)
        assert await call("POST", "/contracts/A/terms", change) == (200, expected)
        assert await call("GET", "/contracts/A/terms") == (200, expected)


@on_sqlite
async def test_what_terms_are_refused(call: Any, books: Any) -> None:
    await books.open("A", "B", "M", "S", books.asked("X", operator="other"))
    assert (await call("POST", "/contracts/S/terms", {"main": "M"}))[0] == 200
    for number, body, status, code in (
        ("A", {"main": "nobody"}, 422, "main_unknown"),
        ("A", {"main": "A"}, 422, "main_is_itself"),
        ("A", {"main": "S"}, 422, "main_is_subordinate"),
        ("A", {"main": "X"}, 422, "main_other_operator"),
        ("M", {"main": "A"}, 409, "has_subordinates"),
        ("A", {"automatic_promise": True}, 422, "automatic_promise_not_allowed"),
        ("A", {"signed_on": "1989-12-31"}, 422, "signed_on_out_of_range"),
        ("A", {"signed_on": "2026-11-23"}, 422, "signed_on_out_of_range"),
        ("A", {"revision": 4}, 409, "terms_conflict"),
        ("nobody", {}, 404, "contract_unknown"),
        ("%00", {}, 404, "contract_unknown"),
    ):
        refused = await call("POST", f"/contracts/{number}/terms", body)
        assert (refused[0], refused[1].get("code")) == (status, code), body
        checked = await call("POST", f"/contracts/{number}/terms/check", body)
        assert (checked[0], checked[1]["code"]) == (200, code)
    for body in ({"priority": 0}, {"priority": 1001}, {"charging": "x"}, {"group": ""}, {"x": 1}):
        assert (await call("POST", "/contracts/A/terms", body))[0] == 422
    assert (await call("GET", "/contracts/nobody/terms"))[1]["code"] == "contract_unknown"
    assert (await call("POST", "/contracts/A/terms", {}, token="reader"))[0] == 403
    assert await call("GET", "/contracts/A/terms") == (200, NOBODYS)


@on_sqlite
async def test_a_main_contract_has_so_many_and_no_more(
    call: Any, books: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(terms_changes, "SUBORDINATES_MAX", 1)
    await books.open("A", "B", "M")
    assert (await call("POST", "/contracts/A/terms", {"main": "M"}))[0] == 200
    status, refused = await call("POST", "/contracts/B/terms", {"main": "M"})
    assert (status, refused["code"]) == (409, "too_many_subordinates")


@on_postgres
async def test_of_two_managers_the_second_hears_of_the_first(call: Any, books: Any) -> None:
    await books.open("A", "B")
    answers = await asyncio.gather(
        call("POST", "/contracts/A/terms", {"group": "a", "revision": 0}, token="anna"),
        call("POST", "/contracts/A/terms", {"group": "b", "revision": 0}, token="boris"),
    )
    [won] = [body for status, body in answers if status == 200]
    [lost] = [body for status, body in answers if status == 409]
    assert lost["code"] == "terms_conflict"
    assert won["changed_by"] in lost["detail"]
    assert "22.11.2026 15:00" in lost["detail"]
    assert (await call("GET", "/contracts/A/terms"))[1] == won


@on_postgres
async def test_no_two_become_each_others_main(call: Any, books: Any) -> None:
    await books.open("A", "B")
    answers = await asyncio.gather(
        call("POST", "/contracts/A/terms", {"main": "B"}),
        call("POST", "/contracts/B/terms", {"main": "A"}),
    )
    assert min(status for status, _ in answers) == 200
    codes = [body.get("code") for status, body in answers if status != 200]
    assert codes in (["has_subordinates"], ["main_is_subordinate"])
