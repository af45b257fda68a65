"""Transfers between contracts and debt write-offs: what they do and what is refused."""

from typing import Any

import pytest

from core_billing import contracts
from shared.db import transaction

on_sqlite = pytest.mark.parametrize("db", ["sqlite"], indirect=True)


def moving(amount: str, **more: Any) -> dict[str, Any]:
    """Return the body of a transfer from A to B."""
    return {"from": "A", "to": "B", "amount": amount, **more}


async def close(books: Any, number: str) -> None:
    """Close a contract."""
    async with transaction(books.db) as tx:
        await contracts.set_open(tx, books.core.rules, number, False, books.clock(), "")


async def test_a_transfer_moves_money_and_is_annulled(call: Any, books: Any) -> None:
    await books.open(books.asked("A", "100.00"), books.asked("B", "-30.00"))
    body = moving("100,00", comment="сын просил")
    status, checked = await call("POST", "/transfers/check", body)
    assert (status, checked["allowed"]) == (200, True), checked
    status, made = await call("POST", "/transfers", body)
    assert status == 201
    assert made | {"id": ""} == checked["result"] | {"id": ""}
    assert made["from"] == {"contract": "A", "balance": "0.00"}
    assert made["to"] == {"contract": "B", "balance": "70.00"}
    assert (made["category"], made["comment"], made["manager"]) == (0, "сын просил", "anna")
    assert await books.balances() == {"A": 0, "B": 7_000}
    account = "adjustment:transfer"
    assert [line[3:6] for line in (await books.lines())[-2:]] == [
        ("contract:A", account, 10_000),
        (account, "contract:B", 10_000),
    ]
    path = f"/payments/{made['id']}"
    for action, amount, balances in (
        ("annul", "0.00", {"A": 10_000, "B": -3_000}),
        ("restore", "100.00", {"A": 0, "B": 7_000}),
    ):
        body = {"action": action, "reason": "не тот"}
        status, corrected = await call("POST", f"{path}/corrections", body)
        assert (status, corrected["amount"]) == (201, amount)
        assert await books.balances() == balances
    refused = await call("POST", f"{path}/corrections", {**body, "contract": "A"})
    assert refused[1]["code"] == "contract_not_asked"
    items = (await call("GET", f"{path}/revisions"))[1]["items"]
    assert [(r["action"], r["reason"], r["manager"]) for r in items] == [
        ("transfer", "сын просил", "anna"),
        ("annul", "не тот", "anna"),
        ("restore", "не тот", "anna"),
    ]
    assert (await books.proof()).faults == []


@on_sqlite
async def test_a_transfer_bears_its_category(call: Any, books: Any) -> None:
    await books.open(books.asked("A", "100.00"), "B")
    ids = [(await call("POST", "/categories", {"name": f"c{n}"}))[1]["id"] for n in (1, 2)]
    await call("POST", "/settings", {"name": "transfer_category", "value": ids[0]})
    assert (await call("POST", "/transfers", moving("1")))[1]["category"] == ids[0]
    made = await call("POST", "/transfers", moving("1", category=ids[1]))
    assert made[1]["category"] == ids[1]


@on_sqlite
async def test_what_is_no_transfer(call: Any, books: Any) -> None:
    opened = [books.asked(*one) for one in (("A", "100.00"), ("B", "0"), ("C", "50.00"))]
    await books.open(*opened, books.asked("D", "-1.00", credit_limit="500.00"))
    await close(books, "C")
    before = await books.balances()
    for body, code, field in (
        (moving("100.01"), "transfer_above_balance", "amount"),
        (moving("1", **{"from": "D"}), "transfer_above_balance", "amount"),
        (moving("0"), "amount_zero", "amount"),
        (moving("-1"), "amount_negative", "amount"),
        (moving("1,000"), "amount_ambiguous", "amount"),
        (moving("1", to="A"), "same_contract", "to"),
        (moving("1", to="C"), "contract_closed", "to"),
        (moving("1", to="nobody"), "contract_unknown", "to"),
        (moving("1", **{"from": "nobody"}), "contract_unknown", "from"),
        (moving("1", category=77), "category_unknown", "category"),
    ):
        status, refused = await call("POST", "/transfers", body)
        assert status in (404, 422)
        assert (refused.get("code"), refused["errors"][0]["field"]) == (code, field), body
        if code != "amount_ambiguous":
            checked = await call("POST", "/transfers/check", body)
            assert (checked[1]["allowed"], checked[1]["code"]) == (False, code)
    assert await books.balances() == before
    for token in ("reader", "editor"):
        assert (await call("POST", "/transfers", moving("1"), token=token))[0] == 403


@on_sqlite
async def test_a_closed_contract_gives_its_rest(call: Any, books: Any) -> None:
    await books.open(books.asked("A", "100.00"), "B")
    await close(books, "A")
    assert (await call("POST", "/transfers", moving("100")))[0] == 201
    assert await books.balances() == {"A": 0, "B": 10_000}


@on_sqlite
async def test_a_key_transfers_once(call: Any, books: Any) -> None:
    await books.open(books.asked("A", "100.00"), "B")
    keyed = {"headers": {"Idempotency-Key": "k-1"}}
    first = await call("POST", "/transfers", moving("60"), **keyed)
    assert await call("POST", "/transfers", moving("60"), **keyed) == first
    assert (await call("POST", "/transfers", moving("50"), **keyed))[0] == 409
    assert await books.balances() == {"A": 4_000, "B": 6_000}


async def test_a_debt_is_written_off(call: Any, books: Any) -> None:
    await books.open(books.asked("A", "-120.00"))
    path = "/contracts/A/write-offs"
    part = {"amount": "20", "reason": "ошибка тарифа"}
    status, checked = await call("POST", f"{path}/check", part)
    assert (status, checked["allowed"]) == (200, True)
    status, made = await call("POST", path, part)
    assert (status, made["amount"]) == (201, "20.00")
    assert made["contract"] == {"contract": "A", "balance": "-100.00"}
    await close(books, "A")
    status, made = await call("POST", path, {"reason": "безнадёжный"})
    assert (status, made["amount"], made["contract"]["balance"]) == (201, "100.00", "0.00")
    assert (await books.lines())[-1][3:6] == ("adjustment:write-off", "contract:A", 10_000)
    annul = {"action": "annul", "reason": "заплатил"}
    assert (await call("POST", f"/payments/{made['id']}/corrections", annul))[0] == 201
    assert await books.balances() == {"A": -10_000}
    items = (await call("GET", f"/payments/{made['id']}/revisions"))[1]["items"]
    assert [(r["action"], r["amount"]) for r in items] == [
        ("write_off", "100.00"),
        ("annul", "0.00"),
    ]
    assert (await books.proof()).faults == []


@on_sqlite
async def test_what_is_not_written_off(call: Any, books: Any) -> None:
    await books.open(books.asked("A", "-120.00"), books.asked("B", "0"))
    why = {"reason": "так надо"}
    for number, body, status, code in (
        ("nobody", why, 404, "contract_unknown"),
        ("a%20b", why, 404, "contract_unknown"),
        ("%00", why, 404, "contract_unknown"),
        ("B", why, 409, "no_debt"),
        ("A", {}, 422, "reason_missing"),
        ("A", {"amount": "120.01", **why}, 422, "above_debt"),
        ("A", {"amount": "0", **why}, 422, "amount_zero"),
        ("A", {"amount": "-5", **why}, 422, "amount_negative"),
        ("A", {"category": 77, **why}, 404, "category_unknown"),
    ):
        refused = await call("POST", f"/contracts/{number}/write-offs", body)
        assert (refused[0], refused[1]["code"]) == (status, code)
        checked = await call("POST", f"/contracts/{number}/write-offs/check", body)
        assert (checked[0], checked[1]["code"]) == (200, code)
    refused = await call("POST", "/contracts/A/write-offs", why, token="editor")
    assert (refused[0], refused[1]["code"]) == (403, "right_missing")
    assert await books.balances() == {"A": -12_000, "B": 0}


@on_sqlite
async def test_restoring_asks_again(call: Any, books: Any, take: Any) -> None:
    await books.open(books.asked("A", "100.00"), "B", books.asked("D", "-100.00"))
    given = (await call("POST", "/transfers", moving("100")))[1]["id"]
    written = (await call("POST", "/contracts/D/write-offs", {"reason": "давно"}))[1]["id"]
    for one in (given, written):
        annul = {"action": "annul", "reason": "не тот"}
        assert (await call("POST", f"/payments/{one}/corrections", annul))[0] == 201
    await take("p1", -1, "A", source="fee:x")
    await take("p2", 1, "D")
    balances = await books.balances()
    restore = {"action": "restore", "reason": "тот"}
    for one, code in ((given, "transfer_above_balance"), (written, "above_debt")):
        refused = await call("POST", f"/payments/{one}/corrections", restore)
        assert (refused[0], refused[1]["code"]) == (422, code)
    await take("p3", 9_999, "D")
    refused = await call("POST", f"/payments/{written}/corrections", restore)
    assert (refused[0], refused[1]["code"]) == (409, "no_debt")
    assert await books.balances() == balances | {"D": 0}
