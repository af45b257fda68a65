"""Who makes the journey: a program that speaks HTTP, or a person at a browser."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from html import unescape
from typing import Any, Final, Protocol
from urllib.parse import parse_qs, urljoin, urlsplit

import aiohttp
from playwright.async_api import Page, expect

WAIT_SECONDS: Final = 40.0
_FINAL: Final = ("credited", "held", "canceled")
_NO_BREAK: Final = "\u00a0"


class Traveller(Protocol):
    """What a subscriber can do; texts come back with plain spaces."""

    async def sign_in(self, contract: str, password: str) -> None:
        """Open the cabinet and sign in."""

    async def balances(self) -> str:
        """Return what the first page says."""

    async def order(self, amount: str) -> None:
        """Order a top-up of the first contract and arrive at the provider's page."""

    async def pay(self) -> None:
        """Pay with the card that the provider's page suggests, and be led back."""

    async def be_refused(self) -> None:
        """Let the bank refuse for good, and be led back."""

    async def go_back(self) -> str:
        """Leave the provider's page without paying; return what the cabinet says then."""

    async def pay_elsewhere(self) -> None:
        """Pay the order in a bank's app, away from the page that waits for it."""

    async def outcome(self) -> str:
        """Wait, without loading the page again, until it says how the top-up ended."""

    async def try_again(self) -> None:
        """Order the same once more from the page of a refused top-up."""

    async def messages(self) -> Sequence[str]:
        """Return what the sandbox shows of the messages that left, newest first."""


def plain(text: str) -> str:
    """Return a text with plain spaces on one line."""
    return " ".join(unescape(text).replace(_NO_BREAK, " ").split())


async def until(found: Callable[[], Awaitable[Any]], what: str) -> Any:
    """Ask again until the answer is true; fails after 40 s, saying what was missed."""
    deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
    while not (answer := await found()):
        assert asyncio.get_running_loop().time() < deadline, f"waited in vain for {what}"
        await asyncio.sleep(0.1)
    return answer


def payment_id(checkout: str) -> str:
    """Return the provider's payment id that its page is opened with."""
    return parse_qs(urlsplit(checkout).query)["orderId"][0]


async def pay_in_app(url: str, payment: str) -> None:
    """Do what a bank's app does: pay, with no browser near."""
    address = f"{url}/sandbox/yookassa/payments/{payment}/pay"
    async with aiohttp.ClientSession() as app, app.post(address, json={}) as answer:
        assert answer.status == 200, await answer.text()


class Program:
    """A client without a browser: reads forms from the pages and sends them."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url
        self._page = ""
        self._address = url
        self._payment_id = ""

    async def sign_in(self, contract: str, password: str) -> None:
        await self._open("/cabinet/")
        await self._submit(contract=contract, password=password)

    async def balances(self) -> str:
        return await self.read("/cabinet/")

    async def read(self, path: str) -> str:
        """Open a page by its path, wherever that leads; return what it says."""
        await self._open(path)
        return self._said()

    async def follow(self, address: str) -> str:
        """Follow a link of the page just read, found by a part of its address."""
        links = [link for link in re.findall(r'href="([^"]+)"', self._page) if address in link]
        assert links, f"no link to {address} at {self._address}"
        there = urljoin(self._address, unescape(links[0]))
        return await self.read(there.removeprefix(self._url))

    async def send(self, action: str = "", **typed: str) -> str:
        """Send a form of the page just read, found by a part of its address; return the answer."""
        await self._submit(action, **typed)
        return self._said()

    async def order(self, amount: str, **ticked: str) -> None:
        await self._open("/cabinet/")
        await self._submit(amount=amount, **ticked)
        await self._until_at_the_provider()

    async def pay(self) -> None:
        await self._submit(method="bank_card")
        self._check_back()

    async def be_refused(self) -> None:
        await self._submit(refuse="1")
        self._check_back()

    async def go_back(self) -> str:
        (address,) = re.findall(r'href="([^"]+/cabinet/topups/[^"]+)"', self._page)
        await self._open(unescape(address).removeprefix(self._url))
        return self._said()

    async def pay_elsewhere(self) -> None:
        await pay_in_app(self._url, self._payment_id)

    async def outcome(self) -> str:
        (address,) = re.findall(r'data-poll="([^"]+)"', self._page)

        async def final() -> str:
            headers = {"Accept": "application/json"}
            async with self._session.get(self._url + address, headers=headers) as answer:
                told = await answer.json()
            return plain(" ".join(told["texts"].values())) if told["final"] else ""

        return str(await until(final, "the end of the top-up"))

    async def try_again(self) -> None:
        await self._open(self._address.removeprefix(self._url))
        await self._submit()
        await self._until_at_the_provider()

    async def messages(self) -> Sequence[str]:
        async with self._session.get(f"{self._url}/sandbox/messages.json") as answer:
            items = (await answer.json())["items"]
        kinds = {"sms": "SMS +", "email": "Письмо "}
        return [
            plain(f"{kinds[m['channel']]}{m['to']} {m['subject'] or ''} {m['text']}") for m in items
        ]

    async def _until_at_the_provider(self) -> None:
        async def arrived() -> bool:
            if "/checkout/" in self._address:
                self._payment_id = payment_id(self._address)
                return True
            await self._open(self._address.removeprefix(self._url))
            return False

        await until(arrived, "the provider's page")

    def _check_back(self) -> None:
        assert "/cabinet/topups/" in self._address, f"not back in the cabinet: {self._address}"

    def _said(self) -> str:
        return plain(re.sub(r"<[^>]+>", " ", self._page))

    async def _open(self, path: str) -> None:
        await self._keep(await self._session.get(self._url + path))

    async def _submit(self, action: str = "", /, **typed: str) -> None:
        """Send the page's first form, or the first to such an address, with its hidden fields and
        what is typed."""
        forms = re.finditer(r'<form[^>]+action="([^"]+)".*?</form>', self._page, re.DOTALL)
        found = next((form for form in forms if action in form[1]), None)
        assert found is not None, f"no form at {self._address}"
        fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', found[0]))
        for button in ("method", "refuse", "test_card", "save"):
            fields.pop(button, None)
        card = re.search(r'name="card" value="([^"]*)"', found[0])
        assert card is None or card[1], "the provider's page suggests no card"
        address = urljoin(self._address, unescape(found[1]))
        data = {name: unescape(value) for name, value in fields.items()} | typed
        await self._keep(await self._session.post(address, data=data))

    async def _keep(self, answer: aiohttp.ClientResponse) -> None:
        self._page, self._address = await answer.text(), str(answer.url)
        assert answer.status == 200, f"{answer.status} at {self._address}: {self._page[:2000]}"


class Person:
    """Somebody at a browser. Whatever the browser complains about fails the journey."""

    def __init__(self, page: Page, url: str) -> None:
        self._page = page
        self._url = url
        self.complaints: list[str] = []
        self._loads = 0
        self._payment_id = ""
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("framenavigated", self._count)

    async def sign_in(self, contract: str, password: str) -> None:
        await self._page.goto(f"{self._url}/cabinet/")
        await self._page.get_by_label("Номер договора").fill(contract)
        await self._page.get_by_label("Пароль").fill(password)
        await self._page.get_by_role("button", name="Войти").click()
        await expect(self._page).to_have_url(f"{self._url}/cabinet/")

    async def balances(self) -> str:
        await self._page.goto(f"{self._url}/cabinet/")
        return await self._text()

    async def order(self, amount: str) -> None:
        await self._page.goto(f"{self._url}/cabinet/")
        await self._page.get_by_label("Сумма").first.fill(amount)
        await self._page.get_by_role("button", name="Пополнить").first.click()
        await self._page.wait_for_url("**/checkout/**")

    async def pay(self) -> None:
        await self._page.get_by_role("button", name="Заплатить 650").click()
        await self._page.wait_for_url("**/cabinet/topups/*")

    async def be_refused(self) -> None:
        await self._page.get_by_role("button", name="Отказ банка").click()
        await self._page.wait_for_url("**/cabinet/topups/*")

    async def go_back(self) -> str:
        self._payment_id = payment_id(self._page.url)
        await self._page.get_by_role("link", name="Вернуться без оплаты").click()
        await self._page.wait_for_url("**/cabinet/topups/*")
        return await self._text()

    async def pay_elsewhere(self) -> None:
        await pay_in_app(self._url, self._payment_id)

    async def outcome(self) -> str:
        loads = self._loads
        final = ", ".join(f'[data-state="{state}"]' for state in _FINAL)
        await self._page.wait_for_selector(final, timeout=WAIT_SECONDS * 1000)
        assert self._loads == loads, "the page was loaded again while it waited"
        return await self._text()

    async def try_again(self) -> None:
        await self._page.get_by_role("button", name="Попробовать ещё раз").click()
        await self._page.wait_for_url("**/checkout/**")

    async def messages(self) -> Sequence[str]:
        await self._page.goto(f"{self._url}/sandbox/messages")
        return [plain(text) for text in await self._page.locator("article").all_inner_texts()]

    async def _text(self) -> str:
        return plain(await self._page.inner_text("main"))

    def _hear(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _count(self, _frame: Any) -> None:
        self._loads += 1
