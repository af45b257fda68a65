"""Our payment pages in a browser the size of a telephone; what it complains about fails."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright, expect

from shared.gateway import payments

LIVE = {
    "YOOKASSA_SHOP_ID": "100501",
    "YOOKASSA_SECRET_KEY": "live_demo",
    "YOOKASSA_TEST_MODE": "false",
    "YOOKASSA_METHODS": "bank_card,sbp,sberbank,tinkoff_bank,yoo_money",
}
pytestmark = pytest.mark.browser


@pytest.fixture
async def place(start: Any) -> Any:
    return await start(**LIVE)


@pytest.fixture
async def page(chromium: str) -> AsyncIterator[Page]:
    complaints: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = await browser.new_context(
            locale="ru-RU", viewport={"width": 390, "height": 844}, is_mobile=True
        )
        opened = await context.new_page()
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.on("console", lambda said: complaints.append(said.text))
        # Where the payer is led back to; core-billing serves it, which is not here.
        await opened.route("**/cabinet/", lambda route: route.fulfill(body="the cabinet"))
        yield opened
        await browser.close()
    assert complaints == []


async def _open(place: Any, page: Page, order: str) -> str:
    address = f"{place.url}/yookassa/pay?order={place.order(order)}"
    await page.goto(address)
    wide = await page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390, "nothing sticks out"
    return address


async def test_a_code_is_scanned_and_the_page_leads_back_by_itself(place: Any, page: Page) -> None:
    await _open(place, page, "order-1")
    await page.get_by_role("button", name="СБП").click()
    await expect(page.locator("svg.code")).to_be_visible()
    link = page.get_by_role("link", name="Открыть приложение банка")
    assert (await link.get_attribute("href") or "").startswith("https://qr.nspk.ru/")
    await expect(page.locator("[data-text=left]")).to_contain_text("осталось")
    (row,) = await place.rows(payments.payment)
    await place.sandbox.pay(row.provider_payment_id)
    await page.wait_for_url("**/cabinet/")


async def test_a_chosen_method_leads_to_the_provider_and_waits_there(
    place: Any, page: Page
) -> None:
    address = await _open(place, page, "order-1")
    await page.get_by_role("button", name="SberPay").click()
    await page.wait_for_url("**/checkout/**")
    await page.goto(address)
    await expect(page.get_by_role("heading")).to_have_text("Вы выбрали: SberPay")
    await page.get_by_role("link", name="Перейти к оплате").click()
    await page.wait_for_url("**/checkout/**")
    await page.goto(address)
    await page.get_by_role("link", name="Выбрать другой способ").click()
    await page.wait_for_url("**/cabinet/")
