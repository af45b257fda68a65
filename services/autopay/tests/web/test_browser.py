"""The pages in a browser the size of a telephone; what it complains about fails."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright, expect


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
        yield opened
        await browser.close()
    assert complaints == []


async def _fits(page: Page) -> None:
    wide = await page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390, "nothing sticks out"


async def test_a_subscriber_switches_autopay_on_skips_pauses_and_refuses(
    known: Any, page: Page
) -> None:
    base = str(known.client.make_url("/")).rstrip("/")
    await page.goto(base + known.link())
    await _fits(page)
    await expect(page.get_by_label("За сколько дней")).to_be_visible()
    await expect(page.get_by_label("Число месяца")).to_be_hidden()
    await page.get_by_label("Условия прочитаны").check()
    await page.get_by_role("button", name="Включить").click()
    await expect(page.get_by_role("status")).to_have_text("Автоплатёж включён.")
    await known.fee()
    await page.reload()
    await _fits(page)
    await expect(page.locator("p.sum")).to_have_text("779,50\u00a0₽")
    await page.get_by_role("button", name="Не в этот раз").click()
    await expect(page.locator("main")).to_contain_text("вы попросили пропустить")
    await page.get_by_text("Поставить на паузу").first.click()
    await page.get_by_label("До какого дня").fill("2026-12-20")
    await page.locator("form button", has_text="Поставить на паузу").click()
    await expect(page.get_by_role("status")).to_have_text("Автоплатёж на паузе.")
    await page.get_by_role("link", name="Отключить").click()
    await _fits(page)
    await page.get_by_role("button", name="Отключить и удалить").click()
    await expect(page.get_by_role("heading")).to_have_text("Автоплатёж отключён")
    assert await known.live() is None
