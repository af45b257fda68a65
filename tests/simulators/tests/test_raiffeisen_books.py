"""Raiffeisen's receipts, registers and statement, and what the control knows."""

import sqlite3
from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from simulators.__main__ import arguments, settings
from simulators.raiffeisen.harness import Merchant, merchant

MOSCOW = timezone(timedelta(hours=3))
HEADER = (
    "Мерчант;Дата операции МСК;Тип;id заказа;id возврата;Комментарий;Способ оплаты;Данные оплаты;"
    "id клиента;Сумма;Комиссия;Дополнительные поля"
)
ITEM = {
    "name": "Пополнение",
    "price": 350.5,
    "quantity": 2,
    "amount": 701,
    "paymentObject": "payment",
    "vatType": "vat20",
}
RECEIPT = {
    "receiptNumber": "r-1",
    "client": {"email": "a@isp.example"},
    "items": [ITEM],
    "total": 701,
}


@pytest.fixture
async def shop() -> AsyncIterator[Merchant]:
    async with merchant() as each:
        yield each


async def fiscal(shop: Merchant, method: str, rest: str, body: Any = None) -> tuple[int, Any]:
    answer = await shop.api(method, f"/fiscal/v1/receipts/{rest}", body)
    known = answer.body.get("status", {}).get("value") or answer.body["code"]
    return answer.status, known


@pytest.mark.parametrize("kind", ["sell", "refund"])
async def test_a_receipt_is_drafted_registered_and_done(shop: Merchant, kind: str) -> None:
    assert await fiscal(shop, "POST", kind, RECEIPT) == (200, "NEW")
    assert await fiscal(shop, "POST", kind, RECEIPT) == (200, "NEW")
    assert await fiscal(shop, "GET", f"{kind}/r-1") == (200, "NEW")
    assert await fiscal(shop, "PUT", f"{kind}/r-1") == (200, "IN_PROGRESS")
    assert await fiscal(shop, "PUT", f"{kind}/r-1") == (409, "RECEIPT_STATUS_CONFLICT")
    assert await fiscal(shop, "POST", kind, RECEIPT) == (409, "RECEIPT_STATUS_CONFLICT")
    await shop.later(3)
    assert await fiscal(shop, "GET", f"{kind}/r-1") == (200, "DONE")
    shown = (await shop.api("GET", f"/fiscal/v1/receipts/{kind}/r-1")).body
    assert (shown["receiptType"], shown["items"], shown["total"]) == (kind.upper(), [ITEM], 701)


@pytest.mark.parametrize("outcome", ["FAILED", "AWAITING"])
async def test_a_scripted_receipt(shop: Merchant, outcome: str) -> None:
    await shop.script("receipt", "LOST", outcome)
    await fiscal(shop, "POST", "sell", RECEIPT)
    wrong = await shop.api("PUT", "/fiscal/v1/receipts/sell/r-1")
    assert (wrong.status, "LOST" in wrong.body["error"]) == (400, True)
    await fiscal(shop, "PUT", "sell/r-1")
    await shop.later(3)
    assert await fiscal(shop, "GET", "sell/r-1") == (200, outcome)


async def test_an_unknown_receipt(shop: Merchant) -> None:
    await fiscal(shop, "POST", "sell", RECEIPT)
    assert await fiscal(shop, "GET", "refund/r-1") == (404, "RECEIPT_NOT_FOUND")
    assert await fiscal(shop, "PUT", "sell/r-2") == (404, "RECEIPT_NOT_FOUND")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"receiptNumber": "r 1"}, "receiptNumber"),
        ({"receiptNumber": "x" * 100}, "receiptNumber"),
        ({"client": {}}, "client.email"),
        ({"client": {"email": "x" * 60 + "@a.ru"}}, "client.email"),
        ({"items": []}, "items"),
        ({"total": 700}, "total"),
        ({"total": "701"}, "total"),
        ({"items": [ITEM | {"name": ""}]}, "items.name"),
        ({"items": [ITEM | {"name": "x" * 129}]}, "items.name"),
        ({"items": [ITEM | {"amount": 350.5}]}, "items.amount"),
        ({"items": [ITEM | {"paymentObject": "gift"}]}, "items.paymentObject"),
        ({"items": [ITEM | {"vatType": "vat13"}]}, "items.vatType"),
    ],
)
async def test_a_wrong_receipt(shop: Merchant, changes: Any, field: str) -> None:
    answer = await shop.api("POST", "/fiscal/v1/receipts/sell", RECEIPT | changes)
    assert (answer.status, answer.body["code"]) == (400, "RECEIPT_VALIDATION_FAILED")
    assert answer.body["message"].endswith(f" {field}")


async def book(shop: Merchant, what: str, **query: str) -> tuple[int, str]:
    url = f"{shop.sandbox.url}/raiffeisen/control/{what}"
    async with shop.sandbox.session.get(url, params=query) as answer:
        return answer.status, (await answer.read()).decode("cp1251")


async def busy(shop: Merchant) -> tuple[str, str, datetime]:
    """Have 50000.00 and 350.50 paid and 100.00 refunded; return the codes and the moment."""
    # Not over midnight, where a register would be of two days.
    now = datetime.now(MOSCOW)
    to_noon = (12 - now.hour) % 24 * 3_600
    await shop.later(to_noon)
    paper, code = await shop.paper(), await shop.code()
    await shop.pay(paper, amount=50000)
    await shop.pay(code)
    body = {"order": "top-0001", "refundId": "rf-1", "amount": 100}
    await shop.api("POST", "/sbp/v1/refund", body)
    await shop.later(3)
    return paper, code, datetime.now(MOSCOW) + timedelta(seconds=to_noon)


async def test_the_register_of_a_day(shop: Merchant) -> None:
    paper, code, now = await busy(shop)
    status, text = await book(shop, "registers", day=f"{now:%Y-%m-%d}")
    assert status == 200
    title, empty, header, *rows, total, end = text.split("\r\n")
    assert (title.count(";"), empty, header, end) == (11, ";" * 11, HEADER, "")
    cells = [row.split(";") for row in rows]
    assert {len(row) for row in cells} == {12}
    assert [[row[0], *row[2:5], *row[6:8], *row[9:11]] for row in cells] == [
        [
            "MA0000099999",
            "Payment",
            "C-100245",
            "",
            "Instant Payment QR",
            paper,
            "50000.00",
            "200.00",
        ],
        ["MA0000099999", "Payment", "top-0001", "", "Instant Payment QR", code, "350.50", "1.40"],
        [
            "MA0000099999",
            "Refund",
            "top-0001",
            "rf-1",
            "Instant Payment QR",
            code,
            "100.00",
            "0.00",
        ],
    ]
    moments = [datetime.strptime(row[1], "%d.%m.%Y %H:%M").replace(tzinfo=MOSCOW) for row in cells]
    assert all(abs(now - moment) < timedelta(minutes=2) for moment in moments)
    assert total == "ИТОГО;;;;;;;;;50 450.50;201.40;"


async def test_hours_have_one_digit_where_one_is_enough(shop: Merchant) -> None:
    now = datetime.now(MOSCOW)
    await shop.later((24 - now.hour) * 3_600)
    day = now + timedelta(days=1)
    await shop.pay(await shop.code())
    _, text = await book(shop, "registers", day=f"{day:%Y-%m-%d}")
    assert f";{day:%d.%m.%Y} 0:" in text


async def test_a_day_without_operations_and_another_merchant(shop: Merchant) -> None:
    _, _, now = await busy(shop)
    before = f"{now - timedelta(days=1):%Y-%m-%d}"
    assert await book(shop, "registers", day=before) == (204, "")
    other = {"day": f"{now:%Y-%m-%d}", "merchant": "MA0000000001"}
    assert await book(shop, "registers", **other) == (204, "")
    assert (await book(shop, "registers", day="yesterday"))[0] == 400
    assert (await book(shop, "registers"))[0] == 400


async def test_the_statement_of_a_day(shop: Merchant) -> None:
    paper, code, now = await busy(shop)
    _, text = await book(shop, "statement", day=f"{now:%Y-%m-%d}")
    lines = text.split("\r\n")
    assert (lines[0], lines[-2]) == ("1CClientBankExchange", "КонецФайла")
    purposes = [line for line in lines if line.startswith("НазначениеПлатежа=")]
    assert purposes == [
        f"НазначениеПлатежа=1 IPS MA0000099999 [1 - {paper} - 0079000000012]",
        f"НазначениеПлатежа=2 IPS MA0000099999 [2 - {code} - 0079000000012]",
        f"НазначениеПлатежа=3 IPS MA0000099999 RTRN [3 - {code} - 0079000000012]",
    ]
    sums = [line for line in lines if line.startswith("Сумма=")]
    assert sums == ["Сумма=50000.00", "Сумма=350.50", "Сумма=100.00"]


async def test_the_state_and_the_reset(shop: Merchant) -> None:
    await busy(shop)
    state = await shop.control("GET", "/state")
    paid = {one["type"]: (one["status"], one["kopecks"]) for one in state["payments"]}
    assert paid == {"QRStatic": ("SUCCESS", 5000000), "QRDynamic": ("SUCCESS", 35050)}
    assert state["refunds"] == [{"status": "COMPLETED", "number": 1, "kopecks": 10000}]
    (found,) = (await shop.control("GET", "/codes?order=top-0001"))["items"]
    assert (found["status"], found["amount_kopecks"]) == ("PAID", 35050)
    await shop.control("PUT", "/mischief", {"loss": 1.0})
    await shop.control("POST", "/reset")
    assert await shop.control("GET", "/state") == {"codes": [], "payments": [], "refunds": []}
    assert await shop.log() == []
    assert (await shop.control("GET", "/mischief"))["loss"] == 0


@pytest.mark.parametrize("wrong", [{"plague": 1}, {"loss": "much"}, {"jitter": 0.5}])
async def test_a_mischief_that_there_is_not(shop: Merchant, wrong: Any) -> None:
    answer = await shop.sandbox.call("PUT", "/raiffeisen/control/mischief", wrong)
    assert (answer.status, set(answer.body)) == (400, {"error"})
    assert (await shop.control("GET", "/mischief"))["loss"] == 0


async def test_another_process_may_read_the_truth(tmp_path: Path) -> None:
    path = str(tmp_path / "sandbox.db")
    async with merchant(store_path=path) as shop:
        code = await shop.code()
        await shop.pay(code)
        with sqlite3.connect(path) as other:
            rows = other.execute(
                "SELECT qr_id, order_id, amount_kopecks, status FROM raiffeisen_payment"
            ).fetchall()
        other.close()
    assert rows == [(code, "top-0001", 35050, "SUCCESS")]


def test_the_command_line_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    banks = {
        name: f"http://127.0.0.1:8080/sbp/callbacks/{name}" for name in ("raiffeisen", "tbank")
    }
    said = [part for name, url in banks.items() for part in (f"--{name}-callback-url", url)]
    monkeypatch.setattr("sys.argv", ["simulators", *said])
    made = settings(arguments(), 8091)
    assert [made.raiffeisen_callback_url, made.tbank_callback_url] == list(banks.values())
