"""The browser: an installed Chromium, driven by Playwright, within the rules of the other tests."""

from playwright.async_api import async_playwright


async def test_page_is_shown(chromium: str) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = await browser.new_page()
        await page.set_content("<h1>650,00 ₽</h1>")
        assert await page.inner_text("h1") == "650,00 ₽"
        await browser.close()
