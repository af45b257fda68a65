"""The printable receipt of a manager's payment."""

import base64
import hashlib
import io
from datetime import timedelta
from typing import Any

import pytest
from pypdf import PdfReader

from core_billing import corrections, desk
from shared.db import reading, transaction

on_sqlite = pytest.mark.parametrize("db", ["sqlite"], indirect=True)
NAME = "Ёлкина-Œ Анна <b>«Щ»</b>"


async def _take(call: Any, books: Any, **more: Any) -> str:
    person = {"name": NAME, "phone": "+79161234567", "email": "a@example.ru"}
    await books.open(
        books.asked("100245", "-1000.00", subscriber=person, operator="Север"), "100246"
    )
    body = {"contract": "100245", "amount": "1250.50", "method": "cash", "receipt_number": "АБ-17"}
    status, taken = await call("POST", "/payments", {**body, "comment": "за ноябрь", **more})
    assert status == 201, str(taken)
    return str(taken["id"])


async def _pdf(client: Any, payment: str, query: str = "") -> tuple[Any, str]:
    answer = await client.get(
        f"/api/v1/payments/{payment}/receipt.pdf{query}", headers={"Authorization": "Bearer reader"}
    )
    assert answer.status == 200
    document = PdfReader(io.BytesIO(await answer.read()))
    text = " ".join(page.extract_text() for page in document.pages)
    return answer, " ".join(text.replace("\xa0", " ").split())


EXPECTED = (
    "Квитанция № АБ-17",
    "22 ноября 2026, 15:00",
    "Север",
    "100245",
    "1 250,50 ₽",
    "Одна тысяча двести пятьдесят рублей 50 копеек",
    "в том числе НДС 22%: 225,50 ₽",
    "наличными",
    "Без категории",
    "за ноябрь",
    "250,50 ₽",
    "anna",
)


async def test_a_receipt_is_a_page_and_a_document_with_the_same_words(
    call: Any, client: Any, books: Any
) -> None:
    payment = await _take(call, books)
    address = f"/api/v1/payments/{payment}/receipt.html"
    answer = await client.get(address, headers={"Authorization": "Bearer reader"})
    assert (answer.status, answer.content_type) == (200, "text/html")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    style = (await answer.text()).partition("<style>")[2].partition("</style>")[0]
    hashed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{hashed}'" in policy
    assert answer.headers["Cache-Control"] == "no-store"
    page = (await answer.text()).replace("\xa0", " ")
    printed, text = await _pdf(client, payment)
    assert printed.content_type == "application/pdf"
    assert printed.headers["Content-Disposition"] == f'inline; filename="receipt-{payment}.pdf"'
    for said in EXPECTED:
        assert said in page, said
        assert said in text, (said, text)
    assert "Ёлкина-Œ Анна &lt;b&gt;«Щ»&lt;/b&gt;" in page
    assert NAME in text
    for gone in ("АННУЛИРОВАН", "исправлен", "поручение"):
        assert gone not in page
        assert gone not in text


@on_sqlite
async def test_it_speaks_english_too(call: Any, client: Any, books: Any) -> None:
    payment = await _take(call, books)
    page = (await call("GET", f"/payments/{payment}/receipt.html?lang=en"))[1]
    _, text = await _pdf(client, payment, "?lang=en")
    for said in ("Receipt No. АБ-17", "Sum in words", "One thousand two hundred fifty roubles"):
        assert said in page
        assert said in text
    assert (await call("GET", f"/payments/{payment}/receipt.html?lang=de"))[0] == 422


@on_sqlite
async def test_vat_is_that_of_the_day_and_of_the_operator(call: Any, books: Any) -> None:
    order = {"receipt_number": None, "payment_order_number": "318", "method": "cashless"}
    first = await _take(call, books, paid_on="2025-12-31", **order)
    page = (await call("GET", f"/payments/{first}/receipt.html"))[1].replace("\xa0", " ")
    assert "НДС 20%: 208,42 ₽" in page
    assert "Платёж по платёжному поручению № 318" in page
    for value, said in (("none", "не облагается"), ("5", "НДС 5%: 59,55 ₽"), ("0", "НДС 0%")):
        setting = {"name": "vat", "value": value, "operator": "Север"}
        assert (await call("POST", "/settings", setting))[0] == 201
        body = {"contract": "100245", "amount": "1250.50", "method": "cashless"}
        taken = (await call("POST", "/payments", {**body, "payment_order_number": value}))[1]
        page = (await call("GET", f"/payments/{taken['id']}/receipt.html"))[1]
        assert said in page.replace("\xa0", " ")
        # Another value of the same day changes no receipt that has been handed out.
        books.clock.advance(timedelta(seconds=1))
        again = {**setting, "value": "7"}
        assert (await call("POST", "/settings", again))[0] == 201
        assert (await call("GET", f"/payments/{taken['id']}/receipt.html"))[1] == page
        books.clock.advance(timedelta(seconds=1))
    # What was paid before the change keeps what held then.
    page = (await call("GET", f"/payments/{first}/receipt.html"))[1].replace("\xa0", " ")
    assert "НДС 20%: 208,42 ₽" in page
    early = {"contract": "100245", "amount": "1", "method": "cashless", "paid_on": "2003-01-01"}
    taken = (await call("POST", "/payments", {**early, "payment_order_number": "1"}))[1]
    assert "не указан" in (await call("GET", f"/payments/{taken['id']}/receipt.html"))[1]


@on_sqlite
async def test_it_shows_what_corrections_have_made_of_it(
    call: Any, client: Any, books: Any
) -> None:
    payment = await _take(call, books)
    async with reading(books.db) as tx:
        found = await desk.find_one(tx, int(payment))
    assert found is not None

    async def correct(revision: int, *shares: tuple[str | None, int]) -> str:
        books.clock.advance(timedelta(hours=1))
        async with transaction(books.db) as tx:
            await corrections.correct(tx, found[1], revision, shares, books.clock())
        return str((await call("GET", f"/payments/{payment}/receipt.html"))[1]).replace("\xa0", " ")

    moved = await correct(1, ("100246", 100_000))
    for said in ("исправлен, версия 2", "100246", "1 000,00 ₽", "Анна Соколова"):
        assert said in moved
    assert "100245" not in moved
    annulled = await correct(2)
    assert "АННУЛИРОВАН 22 ноября 2026, 17:00" in annulled
    assert "1 000,00 ₽" in annulled
    assert "АННУЛИРОВАН" in (await _pdf(client, payment))[1]
    restored = await correct(3, ("100245", 125_050))
    assert "АННУЛИРОВАН" not in restored
    assert "исправлен, версия 4" in restored
    held = await correct(4, (None, 125_050))
    assert "Баланс после платежа" not in held


@on_sqlite
async def test_only_what_a_manager_has_taken_has_one(call: Any, books: Any) -> None:
    await books.open("100245")
    [receipt] = await books.arrive(books.paid("p1", 100, ("100245", 100)))
    for payment in (receipt.payment_id, 999_999_999_999_999_999):
        for kind in ("html", "pdf"):
            status, refused = await call("GET", f"/payments/{payment}/receipt.{kind}")
            assert (status, refused["code"]) == (404, "receipt_unknown")


@on_sqlite
async def test_the_longest_words_find_room(call: Any, client: Any, books: Any) -> None:
    payment = await _take(
        call, books, comment="щ" * 500, receipt_number="Ж" * 64, payment_order_number="Ю" * 64
    )
    _, text = await _pdf(client, payment)
    assert text.replace(" ", "").count("щ") >= 500
