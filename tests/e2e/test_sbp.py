"""Paid in a bank's app: by a code on the screen, and by one on a printed sheet."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import pytest
import pytest_asyncio
import zxingcpp
from PIL import Image
from playwright.async_api import Page, async_playwright, expect

from e2e.places import TOKEN, Account, Place
from e2e.travellers import plain, until

pytestmark = [
    pytest.mark.asyncio(loop_scope="package"),
    pytest.mark.slow,
    pytest.mark.timeout(240),
]
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@pytest_asyncio.fixture(loop_scope="package")
async def page(chromium: str) -> AsyncIterator[Page]:
    """A telephone's browser; whatever it complains about fails the journey."""
    complaints: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = await browser.new_context(
            locale="ru-RU", viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True
        )
        made = await context.new_page()
        made.on("pageerror", lambda error: complaints.append(str(error)))
        yield made
        await browser.close()
    assert complaints == []


@pytest.mark.browser
async def test_a_code_on_the_screen_is_paid_in_the_app(
    place: Place, account: Account, page: Page
) -> None:
    """−1200.00, 650.00 by SBP: the page that shows the code leads on to the new balance."""
    await page.goto(f"{place.url}/cabinet/")
    await page.get_by_label("Номер договора").fill(account.contract)
    await page.get_by_label("Пароль").fill(account.password)
    await page.get_by_role("button", name="Войти").click()
    await page.get_by_label("Сумма").first.fill("650")
    await page.get_by_role("button", name="Оплатить по СБП").first.click()
    await page.wait_for_url("**/sbp/pay**")
    await page.wait_for_selector("svg.code")
    payload = await page.get_by_role("link", name="Открыть приложение банка").get_attribute("href")
    assert payload is not None
    assert payload.startswith("https://qr.nspk.ru/")
    await expect(page.get_by_text("На оплату осталось")).to_be_visible()
    await page.get_by_text("Выбрать банк").click()
    bank = await page.get_by_role("link", name="Сбербанк").get_attribute("href")
    assert bank == payload.replace("https://", "bank100000000111://")
    await _pay_in_app(page, place.url, payload)
    await page.wait_for_url("**/cabinet/topups/*", timeout=40_000)
    await page.wait_for_selector('[data-state="credited"]', timeout=40_000)
    assert "−550,00 ₽" in plain(await page.inner_text("main"))


@pytest.mark.browser
async def test_a_printed_code_is_paid_three_times(
    place: Place, account: Account, page: Page
) -> None:
    """−1200.00, then 100.00, 250.50 and 100.00 again by the code of a paper bill."""
    async with aiohttp.ClientSession(place.url, headers=HEADERS) as http:
        sheet = await _call(http, "POST", "/sbp/v1/sheets", {"contracts": [account.contract]})

        async def finished() -> Any:
            found = await _call(http, "GET", f"/sbp/v1/sheets/{sheet['id']}")
            return found if found["state"] == "finished" else None

        done = await until(finished, "the sheet")
        assert (done["total"], done["ready"], done["failed"]) == (1, 1, 0)
        await page.goto(done["print_url"])
        await expect(page.get_by_text(f"Договор {account.contract}")).to_be_visible()
        picture = await page.locator("svg.code").screenshot()
        payload = _read(picture)
        assert payload.startswith("https://qr.nspk.ru/AS")
        for sum_ in ("100", "250.50", "100"):
            await _type_in_app(page, place.url, payload, sum_)

        async def credited() -> bool:
            found = await _call(http, "GET", f"/api/v1/contracts/{account.contract}")
            return bool(found["balance"] == "-749.50")

        await until(credited, "three payments in the balance")


async def test_a_picture_says_what_the_bank_made(place: Place, account: Account) -> None:
    """An independent reader finds the payload in the PNG, of a live code and of one on paper."""
    async with aiohttp.ClientSession(place.url, headers=HEADERS) as http:
        wanted = {"contract": account.contract, "amount": "123.45"}
        made = await _call(http, "POST", "/sbp/v1/payments", wanted)
        address = urlsplit(made["qr_image_url"]).path.replace(".svg", ".png")
        async with http.get(address) as answer:
            assert _read(await answer.read()) == made["qr_payload"]
        path = f"/sbp/v1/contracts/{account.contract}/qr.png"
        async with http.get(path) as answer:
            first = _read(await answer.read())
        async with http.get(path) as answer:
            assert _read(await answer.read()) == first
    assert first.startswith("https://qr.nspk.ru/AS")
    assert "sum=" not in first


async def _pay_in_app(page: Page, url: str, payload: str) -> None:
    app = await page.context.new_page()
    await app.goto(f"{url}/sandbox/raiffeisen/app?payload={_quoted(payload)}")
    await app.get_by_role("button", name="Оплатить").click()
    await expect(app.get_by_text("Оплачено")).to_be_visible()
    await app.close()


async def _type_in_app(page: Page, url: str, payload: str, sum_: str) -> None:
    app = await page.context.new_page()
    await app.goto(f"{url}/sandbox/raiffeisen/app?payload={_quoted(payload)}")
    await app.get_by_label("Сумма").fill(sum_)
    await app.get_by_role("button", name="Оплатить").click()
    await expect(app.get_by_text("Оплачено")).to_be_visible()
    await app.close()


def _quoted(payload: str) -> str:
    return quote(payload, safe="")


def _read(picture: bytes) -> str:
    """Return what a picture's code says, by a reader that knows nothing of ours."""
    read = zxingcpp.read_barcodes(Image.open(io.BytesIO(picture)))
    assert len(read) == 1
    return str(read[0].text)


async def _call(http: aiohttp.ClientSession, method: str, path: str, body: Any = None) -> Any:
    async with http.request(method, path, json=body) as answer:
        assert answer.status < 300, await answer.text()
        return await answer.json()
