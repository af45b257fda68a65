"""The addresses of promised payments, as managers and the operator's app call them."""

from datetime import date, timedelta
from typing import Any

import pytest

from core_billing import contracts
from core_billing.block_rows import block
from shared.db import transaction

pytestmark = pytest.mark.parametrize("db", ["sqlite"], indirect=True)

ASKED = {"contract": "A", "amount": "400.00"}


async def a_debtor(books: Any, number: str = "A", balance: str = "-300.00") -> None:
    """Open a contract in debt."""
    await books.open(books.asked(number, balance))


async def test_a_promise_is_checked_given_shown_and_cancelled(
    books: Any, promises: Any, call: Any
) -> None:
    await a_debtor(books)
    status, checked = await call("POST", "/promises/check", ASKED)
    assert (status, checked["allowed"], checked["code"]) == (200, True, None)
    would = checked["result"]
    assert (would["balance"], would["available"]) == ("-310.00", "90.00")
    assert (would["promise"]["fee"], would["promise"]["until"]) == ("10.00", "2026-11-25")
    assert (await call("GET", "/promises"))[1]["items"] == []

    status, made = await call("POST", "/promises", ASKED)
    assert status == 201
    assert {k: v for k, v in made["promise"].items() if k not in ("id", "granted_at")} == {
        "contract": "A",
        "status": "active",
        "amount": "400.00",
        "paid": "0.00",
        "owed": "310.00",
        "fee": "10.00",
        "currency": "RUB",
        "until": "2026-11-25",
        "origin": "manager",
        "granted_by": "anna",
        "overdue_at": None,
        "closed_at": None,
        "canceled_by": None,
        "repaid_by": None,
        "revision": 1,
    }
    one = f"/promises/{made['promise']['id']}/cancel"
    status, checked = await call("POST", f"{one}/check", {})
    assert (status, checked["result"]["available"]) == (200, "-310.00")
    status, gone = await call("POST", one, {"reason": "по ошибке", "revision": 1}, token="boris")
    assert (status, gone["promise"]["canceled_by"]) == (200, "boris")
    assert gone["available"] == "-310.00"
    status, problem = await call("POST", one, {})
    assert (status, problem["code"]) == (409, "promise_not_active")
    assert "boris" in problem["detail"]


async def test_the_same_key_gives_one_promise(books: Any, promises: Any, call: Any) -> None:
    await a_debtor(books)
    headers = {"Idempotency-Key": "k1"}
    first = await call("POST", "/promises", ASKED, headers=headers)
    assert first == await call("POST", "/promises", ASKED, headers=headers)
    assert first[0] == 201
    assert (await books.balances())["A"] == -31_000


async def test_the_second_manager_hears_of_the_first(books: Any, promises: Any, call: Any) -> None:
    await a_debtor(books)
    await call("POST", "/promises", ASKED)
    status, problem = await call("POST", "/promises", ASKED, token="boris")
    assert (status, problem["code"]) == (409, "promise_active")
    assert "anna" in problem["detail"]
    assert (await call("POST", "/promises/check", ASKED, token="boris"))[1]["code"] == (
        "promise_active"
    )


async def test_history_has_pages_and_filters(books: Any, promises: Any, call: Any) -> None:
    await books.open(*(books.asked(number, "-300.00") for number in "ABC"))
    for number in "ABC":
        await promises.grant(number, 40_000)
    paid = await promises.pay("p1", "B", 40_000)
    books.clock.advance(timedelta(days=5))
    await promises.step()
    await promises.pay("p2", "C", 100)
    await promises.cancel((await promises.all_of("A"))[0])
    await promises.grant("A", 40_000)

    async def page(query: str) -> tuple[list[tuple[str, str]], str | None]:
        status, found = await call("GET", f"/promises?{query}", token="reader")
        assert status == 200
        shown = [(one["contract"], one["status"]) for one in found["items"]]
        return shown, found["next_cursor"]

    first, cursor = await page("limit=3")
    assert first == [("A", "active"), ("C", "overdue"), ("B", "repaid")]
    assert await page(f"limit=3&cursor={cursor}") == ([("A", "canceled")], None)
    assert (await page("contract=A"))[0] == [("A", "active"), ("A", "canceled")]
    for status, number in {"active": "A", "overdue": "C", "repaid": "B", "canceled": "A"}.items():
        assert (await page(f"status={status}"))[0] == [(number, status)]
    assert (await page("status=ended"))[0] == []
    [late] = (await call("GET", "/promises?status=overdue"))[1]["items"]
    assert (late["paid"], late["owed"]) == ("1.00", "309.00")
    [repaid] = (await call("GET", "/promises?status=repaid"))[1]["items"]
    assert (repaid["repaid_by"], repaid["owed"]) == (str(paid), "0.00")


async def test_the_offer_says_to_each_what_he_may(books: Any, promises: Any, call: Any) -> None:
    await promises.rule(by_subscriber=False)
    await a_debtor(books)
    status, offer = await call("GET", "/contracts/A/promise")
    assert (status, offer["available"], offer["current"]) == (200, "-300.00", None)
    assert offer["manager"] == {
        "allowed": True,
        "code": None,
        "detail": None,
        "min": "100.00",
        "max": "1000.00",
        "suggested": "310.00",
        "fee": "10.00",
        "until": "2026-11-25",
        "until_max": "2026-12-23",
    }
    assert (offer["subscriber"]["allowed"], offer["subscriber"]["code"]) == (
        False,
        "promise_by_subscriber_not_allowed",
    )
    assert offer["subscriber"]["until_max"] == "2026-11-25"
    await call("POST", "/promises", ASKED)
    offer = (await call("GET", "/contracts/A/promise"))[1]
    assert (offer["current"]["amount"], offer["manager"]["code"]) == ("400.00", "promise_active")
    assert offer["current"]["granted_at"].endswith("Z")


async def refusal(call: Any, body: dict[str, Any]) -> tuple[int, str, str]:
    """Return status and code of a promise that is refused, and the code of its check."""
    status, problem = await call("POST", "/promises", ASKED | body)
    checked = (await call("POST", "/promises/check", ASKED | body))[1]
    assert checked["allowed"] is False
    return status, problem["code"], checked["code"]


REFUSED: list[tuple[int, str, Any, Any, Any]] = [
    (404, "contract_unknown", {}, {}, {"contract": "nobody"}),
    (409, "promise_credit_contract", {}, {"charging": "credit"}, {}),
    (409, "promise_contract_young", {"contract_days": 1}, {}, {}),
    (409, "promise_not_configured", {"min": "0.00"}, {}, {}),
    (409, "promise_not_configured", {}, {"group_name": "other"}, {}),
    (403, "promise_by_manager_not_allowed", {"by_manager": False}, {}, {}),
    (
        403,
        "promise_by_subscriber_not_allowed",
        {"by_subscriber": False},
        {},
        {"by": "subscriber"},
    ),
    (409, "promise_debt_above_limit", {"debt_limit": "300.00"}, {}, {}),
    (422, "promise_manager_only", {}, {}, {"by": "subscriber", "waive_fee": True}),
    (422, "promise_below_min", {}, {}, {"amount": "99.99"}),
    (422, "promise_below_min", {}, {}, {"amount": "-1"}),
    (422, "promise_above_max", {}, {}, {"amount": "1 000,01"}),
    (422, "promise_above_fees", {"within_fees": True}, {}, {}),
    (422, "promise_until_past", {}, {}, {"until": "2026-11-21"}),
    (422, "promise_until_too_far", {}, {}, {"until": "9999-12-31"}),
    (422, "promise_insufficient", {}, {}, {"amount": "309.99"}),
]


async def test_each_refusal_is_the_same_before_and_after(
    books: Any, promises: Any, call: Any
) -> None:
    for place, (status, code, rule, terms, body) in enumerate(REFUSED):
        number = f"n{place}"
        await promises.rule(**rule)
        await a_debtor(books, number)
        if terms:
            await promises.terms(number, **terms)
        assert await refusal(call, {"contract": number} | body) == (status, code, code)
        assert (await promises.now(number)).promised_kopecks == 0


async def test_a_closed_contract_and_earlier_promises_refuse(
    books: Any, promises: Any, call: Any
) -> None:
    await promises.rule(pause_days=7)
    await a_debtor(books)
    made = await promises.grant("A", 40_000)
    books.clock.advance(timedelta(days=5))
    await promises.step()
    assert await refusal(call, {}) == (409, "promise_overdue", "promise_overdue")
    await promises.pay("p1", "A", 100)
    late = f"/promises/{made.id}/cancel"
    status, problem = await call("POST", late, {"revision": made.revision})
    assert (status, problem["code"], problem["errors"][0]["field"]) == (
        409,
        "promise_conflict",
        "revision",
    )
    await promises.pay("p2", "A", 40_000)
    assert await refusal(call, {}) == (409, "promise_pause", "promise_pause")
    await promises.rule(count=1, per_days=30)
    assert await refusal(call, {}) == (409, "promise_too_often", "promise_too_often")
    async with transaction(books.db) as tx:
        await contracts.set_open(tx, books.core.rules, "A", False, books.clock(), "")
    assert await refusal(call, {}) == (409, "contract_closed", "contract_closed")


async def test_rights_and_ids_are_checked(books: Any, promises: Any, call: Any) -> None:
    await a_debtor(books)
    for path, body in (("/promises", ASKED), ("/promises/1/cancel", {})):
        status, problem = await call("POST", path, body, token="reader")
        assert (status, problem["code"]) == (403, "right_missing")
    for unknown in ("1", "x", "9" * 19):
        status, problem = await call("POST", f"/promises/{unknown}/cancel", {})
        assert (status, problem["code"]) == (404, "promise_unknown")
        assert (await call("POST", f"/promises/{unknown}/cancel/check", {}))[1]["code"] == (
            "promise_unknown"
        )
    assert (await call("GET", "/promises?cursor=x"))[0] == 422
    assert (await call("GET", "/promises?contract=nobody"))[1]["code"] == "contract_unknown"
    assert (await call("GET", "/contracts/nobody/promise"))[1]["code"] == "contract_unknown"
    for wrong in ({"until": 5}, {"amount": "1,250"}, {"waive_fee": "yes"}, {"by": "me"}):
        assert (await call("POST", "/promises", ASKED | wrong))[0] == 422


async def test_a_contract_is_as_old_as_its_paper(books: Any, promises: Any, call: Any) -> None:
    """One that was signed before its row was made is not young; 300 days ago is old enough."""
    await promises.rule(contract_days=300)
    for number, signed_on, code in (
        ("A", None, "promise_contract_young"),
        ("B", date(2026, 1, 27), "promise_contract_young"),
        ("C", date(2026, 1, 26), None),
    ):
        await books.open(books.asked(number, "-300.00"))
        await promises.terms(number, signed_on=signed_on)
        said = await call("POST", "/promises/check", {**ASKED, "contract": number})
        assert said[1]["code"] == code


async def test_what_is_offered_to_a_blocked_contract_lasts_until_its_last_day(
    books: Any, promises: Any, call: Any
) -> None:
    await a_debtor(books)
    price = {"charging": "daily", "month_kopecks": 30_000}
    await promises.serve("A", date(2026, 11, 22), **price)
    [a] = await books.contracts()
    row = {"contract_id": a.id, "blocked": True, "revision": 1, "reason": "below_zero"}
    async with transaction(books.db) as tx:
        await tx.execute(block.insert().values(row))
    books.clock.advance(timedelta(days=2))
    # The fee and the days from the 24th to the 27th; the days of the block cost nothing.
    offer = (await call("GET", "/contracts/A/promise"))[1]
    assert offer["subscriber"]["suggested"] == offer["manager"]["suggested"] == "350.00"
    assert (await call("POST", "/promises", ASKED | {"amount": "350.00"}))[0] == 201
    for left in (3_000, 2_000, 1_000, 0, -1_000):
        await promises.charge()
        assert (await promises.now("A")).available_kopecks == left
        books.clock.advance(timedelta(days=1))
