"""Refunds that managers ask for, and contracts they close and reopen."""

from typing import Any

import pytest

on_sqlite = pytest.mark.parametrize("db", ["sqlite"], indirect=True)
WHY = "ошибочное пополнение"


@on_sqlite
async def test_a_manager_asks_for_a_refund(call: Any, books: Any, take: Any) -> None:
    await books.open("A")
    one = await take("p1", 10_000, "A", source="payment:x:1")
    path, body = f"/payments/{one}/refunds", {"amount": "40,00", "reason": WHY}
    status, check = await call("POST", f"{path}/check", body)
    assert (status, check["allowed"], await books.balances()) == (200, True, {"A": 10_000})
    assert await books.said("refund.requested") == []
    keyed = {"Idempotency-Key": "r-1"}
    status, made = await call("POST", path, body, headers=keyed)
    assert await call("POST", path, body, headers=keyed) == (201, made)
    assert status == 201, made
    assert {**made, "refund_id": ""} == {
        "refund_id": "",
        "payment": str(one),
        "amount": "40.00",
        "currency": "RUB",
        "status": "requested",
        "balances": [{"contract": "A", "balance": "60.00"}],
    }
    [said] = await books.said("refund.requested")
    assert (said["subject"], said["data"]["reason"]) == (made["refund_id"], WHY)
    _, rest = await call("POST", path, {"reason": WHY})
    assert (rest["amount"], rest["balances"][0]["balance"]) == ("60.00", "0.00")
    _, shown = await call("GET", f"/payments/{one}")
    assert [refund["status"] for refund in shown["refunds"]] == ["requested"] * 2
    status, refused = await call("POST", path, {"reason": WHY})
    assert (status, refused["code"]) == (422, "nothing_to_refund")
    assert (await books.proof()).faults == []


@on_sqlite
async def test_every_refusal_of_a_refund_has_its_name(call: Any, books: Any, take: Any) -> None:
    await books.open("A")
    one = await take("p1", 100, "A", source="payment:x:1")
    desk = await take("p2", 100, "A")
    for payment, body, status, code in (
        (999, {"reason": WHY}, 404, "payment_unknown"),
        ("x", {"reason": WHY}, 404, "payment_unknown"),
        ("9" * 40, {"reason": WHY}, 404, "payment_unknown"),
        (desk, {"reason": WHY}, 422, "not_refundable"),
        (one, {"reason": WHY, "amount": "1.01"}, 422, "refund_above_rest"),
        (one, {"reason": WHY, "amount": "0"}, 422, "amount_zero"),
        (one, {"reason": WHY, "amount": "-1"}, 422, "amount_negative"),
        (one, {}, 422, "reason_missing"),
        (one, {"reason": "x" * 251}, 422, "reason_too_long"),
    ):
        given, refused = await call("POST", f"/payments/{payment}/refunds", body)
        assert (given, refused["code"]) == (status, code), refused
        _, check = await call("POST", f"/payments/{payment}/refunds/check", body)
        assert (check["allowed"], check["code"]) == (False, code)
    given, refused = await call("POST", f"/payments/{one}/refunds", {}, token="editor")
    assert (given, refused["code"]) == (403, "right_missing")
    assert await books.balances() == {"A": 200}


@on_sqlite
async def test_a_contract_is_closed_and_reopened(call: Any, books: Any) -> None:
    await books.open("A")
    for act, other, status, code in (
        ("close", "reopen", "closed", "contract_closed"),
        ("reopen", "close", "open", "contract_open"),
    ):
        path, body = f"/contracts/A/{act}", {"reason": "расторжение"}
        assert (await call("POST", path, {}))[1]["code"] == "reason_missing"
        assert (await call("POST", path, body, token="reader"))[0] == 403
        _, check = await call("POST", f"{path}/check", body)
        assert (check["allowed"], check["result"]["status"]) == (True, status)
        assert (await call("POST", f"/contracts/A/{other}/check", body))[1]["allowed"] is False
        given, now = await call("POST", path, body)
        assert (given, now["status"]) == (200, status)
        given, refused = await call("POST", path, body)
        assert (given, refused["code"]) == (409, code)
        assert "A" in refused["detail"]
        await books.arrive(books.paid(f"p-{act}", 100, ("A", 100)))
    assert await books.balances() == {"A": 100}  # what came while it was closed is in suspense
    assert [e["data"]["status"] for e in await books.said("contract.changed")] == [
        *("open", "closed", "open"),
    ]
    assert (await call("POST", "/contracts/nobody/close", {"reason": "x"}))[0] == 404
    assert (await books.proof()).faults == []
