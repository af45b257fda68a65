"""Codes for paper bills: one for each contract, as pictures and on sheets, paid many times."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from gateway_sbp import papers, sheets, signed
from shared.db import transaction

pytestmark = pytest.mark.timeout(90)


@pytest.fixture
async def place(start: Any) -> Any:
    return await start(SBP_ACQUIRERS="raiffeisen")


async def picture(place: Any, number: str, kind: str = "svg") -> tuple[int, bytes]:
    address = f"{place.url}/sbp/v1/contracts/{quote(number, safe='')}/qr.{kind}"
    async with place.http.get(address, headers={"Authorization": "Bearer demo"}) as answer:
        return answer.status, await answer.read()


async def codes(place: Any) -> list[dict[str, Any]]:
    answer = await place.sandbox.call("GET", "/raiffeisen/control/codes")
    found: list[dict[str, Any]] = answer.body["items"]
    return found


async def test_a_contract_has_one_code_however_often_it_is_asked_for(place: Any) -> None:
    first, again = await picture(place, "100245"), await picture(place, "100245")
    status, png = await picture(place, "100245", "png")
    assert first == again
    assert (first[0], first[1][:5], status, png[:4]) == (200, b"<?xml", 200, b"\x89PNG")
    (code,) = await codes(place)
    assert (code["type"], code["order_id"], code["amount_kopecks"]) == (
        "QRStatic",
        "c-100245",
        None,
    )
    assert code["expires_at"] is None


async def test_a_number_that_is_no_order_has_a_code_all_the_same(place: Any) -> None:
    assert (await picture(place, "Л/С 7"))[0] == 200
    (code,) = await codes(place)
    assert code["order_id"].startswith("h-")
    await _pay(place, code["id"], "10")
    (event,) = await _said(place, 1)
    assert [one["contract"] for one in event.data["allocations"]] == ["Л/С 7"]


@pytest.mark.parametrize(("number", "status"), [("999", 404), ("x" * 65, 404)])
async def test_an_unknown_contract_has_none(place: Any, number: str, status: int) -> None:
    assert (await picture(place, number))[0] == status
    assert await codes(place) == []


async def test_it_is_paid_three_times_with_any_sum(place: Any) -> None:
    await picture(place, "100245")
    (code,) = await codes(place)
    for sum_ in ("100", "250.50", "100"):
        await _pay(place, code["id"], sum_)
    events = await _said(place, 3)
    assert sorted(event.data["amount_kopecks"] for event in events) == [10_000, 10_000, 25_050]
    assert {one["contract"] for e in events for one in e.data["allocations"]} == {"100245"}
    assert len({event.data["provider_payment_id"] for event in events}) == 3


async def test_what_is_told_again_is_no_money(place: Any) -> None:
    answer = await place.sandbox.call("PUT", "/raiffeisen/control/mischief", {"duplicate": 1.0})
    assert answer.status == 200
    await picture(place, "100245")
    (code,) = await codes(place)
    await _pay(place, code["id"], "100")
    await _said(place, 1)
    repeat = {"object_id": code["id"], "times": 5}
    await place.sandbox.call("POST", "/raiffeisen/control/deliveries/repeat", repeat)

    async def delivered() -> bool:
        answer = await place.sandbox.call("GET", "/raiffeisen/control/deliveries?state=done")
        return len(answer.body["items"]) >= 7

    await place.until(delivered)
    assert len(await place.said()) == 1
    assert len(await place.rows(signed.signed_payment)) == 1


async def test_a_bank_without_such_codes_says_so(start: Any) -> None:
    place = await start(SBP_ACQUIRERS="tbank")
    status, body = await picture(place, "100245")
    assert (status, "no codes for paper" in body.decode()) == (503, True)


async def test_the_bank_that_has_them_makes_them_also_where_it_is_second(start: Any) -> None:
    place = await start(SBP_ACQUIRERS="tbank,raiffeisen")
    assert (await picture(place, "100245"))[0] == 200
    assert len(await codes(place)) == 1


async def test_a_sheet_is_made_line_by_line_and_printed(place: Any) -> None:
    contracts = ["100246", "100245", "Л/С 7"]
    status, made = await place.call("POST", "/v1/sheets", {"contracts": contracts})
    assert (status, made["total"], made["failed"]) == (202, 3, 0)
    done = await place.until(lambda: _finished(place, made["id"]))
    assert (done["ready"], done["failed"], done["state"]) == (3, 0, "finished")
    assert len(await codes(place)) == 3
    parts = urlsplit(done["print_url"])
    async with place.http.get(f"{place.url}{parts.path}?{parts.query}") as answer:
        page = await answer.text()
        assert answer.status == 200
    assert page.count('class="code"') == 3
    places = [page.index(f"Договор {number}") for number in contracts]
    assert places == sorted(places), "in the order in which they were asked for"


async def test_a_line_whose_bank_is_away_waits_and_the_others_go_on(place: Any) -> None:
    await picture(place, "100246")
    fault = {"kind": "error_before", "calls": ["register_qr_v2"], "times": 2}
    await place.sandbox.call("POST", "/raiffeisen/control/faults", {"faults": [fault]})
    _, made = await place.call("POST", "/v1/sheets", {"contracts": ["100245", "100246"]})
    done = await place.until(lambda: _finished(place, made["id"]))
    assert (done["ready"], done["failed"]) == (2, 0)


async def test_a_sheet_names_what_is_wrong_with_it(place: Any) -> None:
    wanted = {"contracts": ["100245", "999", "100245"]}
    status, said = await place.call("POST", "/v1/sheets", wanted)
    assert status == 422
    assert [one["field"] for one in said["errors"]] == ["contracts.1", "contracts.2"]
    status, _ = await place.call("POST", "/v1/sheets", {"contracts": []})
    assert status == 422
    assert (await place.call("GET", "/v1/sheets/none"))[0] == 404


async def test_a_sheet_s_page_needs_its_link(place: Any) -> None:
    async with place.http.get(f"{place.url}/sbp/sheets?sheet=made-up") as answer:
        assert answer.status == 403


async def test_old_sheets_are_forgotten(place: Any) -> None:
    _, made = await place.call("POST", "/v1/sheets", {"contracts": ["100245"]})
    await place.until(lambda: _finished(place, made["id"]))
    db = place.gateway.db
    async with transaction(db) as tx:
        await sheets.prune(tx, place.gateway.clock() + sheets.KEPT + timedelta(seconds=1))
    assert (await place.rows(sheets.sheet), await place.rows(sheets.line)) == ([], [])
    assert len(await place.rows(papers.static_code)) == 1


async def _finished(place: Any, sheet_id: str) -> Any:
    _, found = await place.call("GET", f"/v1/sheets/{sheet_id}")
    return found if found["state"] == "finished" else None


async def _pay(place: Any, qr_id: str, amount: str) -> None:
    path = f"/raiffeisen/qr/{qr_id}/pay"
    answer = await place.sandbox.call("POST", path, {"amount": amount})
    assert answer.status == 200, answer


async def _said(place: Any, count: int) -> list[Any]:
    async def there() -> Any:
        events = await place.said()
        return events if len(events) >= count else None

    found: list[Any] = await place.until(there)
    return found
