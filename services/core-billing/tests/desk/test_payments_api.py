"""A manager takes a payment: what is posted, what follows, and what is refused."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from core_billing import contracts, desk, desk_payments
from core_billing.web.base import CONTRACT_UNKNOWN
from shared.db import reading, transaction

on_sqlite = pytest.mark.parametrize("db", ["sqlite"], indirect=True)
CASH = {"contract": "100245", "amount": "1 250,50", "method": "cash", "receipt_number": "АБ-17"}


async def test_cash_is_posted_from_the_managers_drawer(call: Any, books: Any) -> None:
    await books.open(books.asked("100245", "-1000.00", credit_limit="200.00"))
    status, taken = await call("POST", "/payments", {**CASH, "comment": "за ноябрь"})
    assert status == 201, taken
    payment_id = taken.pop("id")
    assert datetime.fromisoformat(taken["paid_at"]) == books.clock()
    assert datetime.fromisoformat(taken["registered_at"]) == books.clock()
    assert {key: taken[key] for key in taken if not key.endswith("_at")} == {
        "contract": "100245",
        "amount": "1250.50",
        "currency": "RUB",
        "balance": "250.50",
        "available": "450.50",
        "method": "cash",
        "category": 0,
        "receipt_number": "АБ-17",
        "payment_order_number": None,
        "manager": "anna",
        "comment": "за ноябрь",
        "receipt_html_url": f"/api/v1/payments/{payment_id}/receipt.html",
        "receipt_pdf_url": f"/api/v1/payments/{payment_id}/receipt.pdf",
    }
    line = (await books.lines())[-1]
    assert line[3:] == ("cash:anna", "contract:100245", 125_050, None, 25_050)
    [posted] = await books.said("payment.posted")
    assert posted["data"]["provider"] == "cash:anna"
    assert posted["data"]["payment_id"] == payment_id
    assert posted["data"]["amount_kopecks"] == 125_050
    # The watch has heard of it as of any other payment.
    assert await books.said("balance.recovered")
    async with reading(books.db) as tx:
        notes = await desk.find_all(tx, [int(payment_id), 99])
        found = await desk.find_one(tx, int(payment_id))
    assert [one.comment for one in notes.values()] == ["за ноябрь"]
    assert found is not None
    assert found[1][0] == "cash:anna"
    assert (await books.proof()).faults == []


@on_sqlite
async def test_a_payment_order_is_posted_from_the_operators_bank_on_its_day(
    call: Any, books: Any
) -> None:
    await books.open(books.asked("100245", "-1000.00", operator="north"))
    category = (await call("POST", "/categories", {"name": "Счёт"}))[1]["id"]
    body = {
        "contract": "100245",
        "target_balance": "0",
        "method": "cashless",
        "payment_order_number": "318",
        "paid_on": "2026-11-02",
        "category": category,
    }
    status, taken = await call("POST", "/payments", body, token="boris")
    assert (status, taken["amount"], taken["balance"]) == (201, "1000.00", "0.00"), taken
    assert (taken["category"], taken["paid_at"]) == (category, "2026-11-02T12:00:00Z")
    assert (await books.lines())[-1][3] == "bank:north"
    again = await call("POST", "/payments", body)
    assert (again[0], again[1]["code"]) == (422, "nothing_to_pay")


@on_sqlite
async def test_a_key_takes_a_payment_once(call: Any, books: Any) -> None:
    await books.open("100245")
    keyed = {"headers": {"Idempotency-Key": "k-1"}}
    first = await call("POST", "/payments", CASH, **keyed)
    assert first[0] == 201
    assert await call("POST", "/payments", CASH, **keyed) == first
    assert await books.balances() == {"100245": 125_050}


@on_sqlite
async def test_a_check_takes_nothing(call: Any, books: Any) -> None:
    await books.open("100245")
    status, checked = await call("POST", "/payments/check", CASH)
    assert (status, checked["allowed"], checked["result"]["balance"]) == (200, True, "1250.50")
    assert await books.balances() == {"100245": 0}
    assert await books.said("payment.posted") == []


async def test_of_two_managers_with_one_receipt_the_second_hears_of_the_first(
    call: Any, books: Any
) -> None:
    numbers = [str(n) for n in range(100, 108)]
    await books.open(*numbers)
    answers = await asyncio.gather(
        *(
            call("POST", "/payments", {**CASH, "contract": n}, token=("anna", "boris")[int(n) % 2])
            for n in numbers
        )
    )
    assert sorted(status for status, _ in answers) == [201] + [409] * 7
    winner = next(body for status, body in answers if status == 201)
    for status, refused in answers:
        if status == 409:
            assert refused["code"] == "receipt_taken"
            assert f"payment {winner['id']}, taken by {winner['manager']}" in refused["detail"]
    assert sum((await books.balances()).values()) == 125_050
    assert (await books.proof()).faults == []


async def test_payments_at_once_to_one_target_make_it_once(call: Any, books: Any) -> None:
    await books.open(books.asked("100245", "-900.00"))
    body = {"contract": "100245", "target_balance": "100.00", "method": "cash"}
    answers = await asyncio.gather(
        *(call("POST", "/payments", {**body, "receipt_number": str(n)}) for n in range(5))
    )
    codes = sorted(answer.get("code", "") for _, answer in answers)
    assert codes == ["", *["nothing_to_pay"] * 4]
    assert await books.balances() == {"100245": 10_000}


async def _close(books: Any, number: str) -> None:
    async with transaction(books.db) as tx:
        await contracts.set_open(tx, books.core.rules, number, False, books.clock(), "closing")


OF_THE_FIELD = {None, "amount_ambiguous", "amount_unreadable"}
"""No rules of the desk: such a body is not understood at all."""
REFUSED: list[tuple[dict[str, Any], int, str | None, str | None]] = [
    ({"contract": "404"}, 404, "contract_unknown", None),
    ({"contract": "closed"}, 409, "contract_closed", "contract"),
    ({"target_balance": "1"}, 422, "amount_or_target", "amount"),
    ({"amount": None}, 422, "amount_or_target", "amount"),
    ({"amount": "0,00"}, 422, "amount_zero", "amount"),
    ({"amount": "-5"}, 422, "amount_negative", "amount"),
    ({"amount": "99.99"}, 422, "amount_below_min", "amount"),
    ({"amount": "5 000,01"}, 422, "amount_above_max", "amount"),
    ({"amount": None, "target_balance": "1250.50"}, 422, "nothing_to_pay", "target_balance"),
    ({"receipt_number": None}, 422, "no_document", "receipt_number"),
    ({"receipt_number": "  "}, 422, "no_document", "receipt_number"),
    ({"receipt_number": "АБ-1"}, 422, "receipt_mask", "receipt_number"),
    ({"receipt_number": "АБ-01"}, 409, "receipt_taken", "receipt_number"),
    ({"paid_on": "2026-11-23"}, 422, "paid_on_future", "paid_on"),
    ({"paid_on": "2026-11-21"}, 422, "cash_not_today", "paid_on"),
    ({"paid_on": "2026-10-31", "method": "cashless"}, 422, "period_closed", "paid_on"),
    ({"category": 7}, 404, "category_unknown", "category"),
    ({"amount": "1,250"}, 422, "amount_ambiguous", "amount"),
    ({"amount": 5}, 422, "amount_unreadable", "amount"),
    ({"paid_on": "0001-01-01"}, 422, None, "paid_on"),
    ({"method": "card"}, 422, None, "method"),
    ({"contract": ""}, 422, None, "contract"),
    ({"tip": "1"}, 422, None, "tip"),
]


@on_sqlite
async def test_a_payment_is_refused_by_name(call: Any, books: Any) -> None:
    await books.open("100245", "closed")
    await _close(books, "closed")
    assert (await call("POST", "/payments", {**CASH, "receipt_number": "АБ-01"}))[0] == 201
    for name, value in {
        "cash_only_today": True,
        "closed_before": "2026-11-01",
        "payment_min": "100",
        "payment_max": "5000",
        "document_mask": "AA-##",
    }.items():
        assert (await call("POST", "/settings", {"name": name, "value": value}))[0] == 201
    before = await books.balances()
    for changed, status, code, field in REFUSED:
        body = {key: value for key, value in (CASH | changed).items() if value is not None}
        answer = await call("POST", "/payments", body)
        assert (answer[0], answer[1].get("code")) == (status, code), (changed, answer)
        named = [one["field"] for one in answer[1].get("errors", [])]
        assert named == ([field] if field else []), changed
        if code not in OF_THE_FIELD:
            checked = (await call("POST", "/payments/check", body))[1]
            assert (checked["allowed"], checked["code"]) == (False, code)
    assert await books.balances() == before
    named = {code for _, _, code, _ in REFUSED} - OF_THE_FIELD
    assert named == {one.code for one in (*desk_payments.REFUSALS, CONTRACT_UNKNOWN)}


@on_sqlite
async def test_the_category_is_the_managers_own_or_everybodys(call: Any, books: Any) -> None:
    await books.open("100245")
    ids = [(await call("POST", "/categories", {"name": name}))[1]["id"] for name in ("a", "b")]
    setting = {"name": "default_category"}
    await call("POST", "/settings", {**setting, "value": ids[0]})
    await call("POST", "/settings", {**setting, "value": ids[1], "manager": "boris"})
    seen = [
        (await call("POST", "/payments", {**CASH, "receipt_number": name}, token=name))[1]
        for name in ("anna", "boris")
    ]
    assert [one["category"] for one in seen] == ids
    body = {**CASH, "receipt_number": "3", "category": 0}
    assert (await call("POST", "/payments", body, token="boris"))[1]["category"] == 0
    gone = (await call("POST", "/categories", {"name": "c"}))[1]["id"]
    await call("POST", f"/categories/{gone}/delete", {})
    refused = (await call("POST", "/payments", {**body, "category": gone}))[1]
    assert refused["code"] == "category_unknown"


@on_sqlite
async def test_a_receipt_number_is_used_up_even_by_another_manager_on_another_day(
    call: Any, books: Any
) -> None:
    await books.open("100245", "100246")
    first = (await call("POST", "/payments", CASH))[1]
    books.clock.advance(timedelta(days=400))
    status, refused = await call("POST", "/payments", {**CASH, "contract": "100246"}, token="boris")
    assert (status, refused["code"]) == (409, "receipt_taken")
    assert f"payment {first['id']}, taken by anna at 22.11.2026 15:00" in refused["detail"]
    # The number of a payment order is its bank's own, so two payers can have the same.
    order = {**CASH, "receipt_number": None, "payment_order_number": "318", "method": "cashless"}
    order.pop("receipt_number")
    assert [(await call("POST", "/payments", order))[0] for _ in range(2)] == [201, 201]


@on_sqlite
async def test_who_may_only_look_takes_nothing(call: Any, books: Any) -> None:
    await books.open("100245")
    status, refused = await call("POST", "/payments", CASH, token="reader")
    assert (status, refused["code"]) == (403, "right_missing")
