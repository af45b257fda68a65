"""Each journey is made at every place by every traveller."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from itertools import count

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import async_playwright

from e2e import places
from e2e.places import Account, Place
from e2e.travellers import Person, Program, Traveller
from servers import databases
from servers.processes import run_aside

_SERVERS = (pytest.mark.connected, pytest.mark.postgres, pytest.mark.rabbitmq)
_NUMBERS = count(200_001)


@pytest_asyncio.fixture(
    scope="package", loop_scope="package", params=["embedded", pytest.param("real", marks=_SERVERS)]
)
async def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Place]:
    """A running installation; afterwards its books are right and nothing asks for a person."""
    folder = tmp_path_factory.mktemp(request.param)
    with ExitStack() as stack:
        if request.param == "embedded":
            starting = places.embedded(folder)
        else:
            database = _databases(stack, request.getfixturevalue("postgres_server"))
            bus_url = request.getfixturevalue("rabbitmq_url")
            namespace = request.getfixturevalue("bus_namespaces") + secrets.token_hex(3)
            starting = places.real(folder, database, bus_url, namespace)
        async with starting as running:
            yield running
            assert await running.alarms() == []
            running.verify()


def _databases(stack: ExitStack, server: str) -> Callable[[str], str]:
    """Return what makes a database for a service; it is dropped with the stack."""

    def create(service: str) -> str:
        name = databases.fresh_name(service)
        stack.callback(lambda: run_aside(databases.drop(server, name)))
        return run_aside(databases.create(server, name, durable=False))

    return create


@pytest_asyncio.fixture(loop_scope="package")
async def account(place: Place) -> Account:
    """A contract of this test alone that owes 1200.00."""
    return await place.open_contract(str(next(_NUMBERS)), "-1200.00")


@pytest_asyncio.fixture(
    loop_scope="package", params=["program", pytest.param("browser", marks=pytest.mark.browser)]
)
async def traveller(request: pytest.FixtureRequest, place: Place) -> AsyncIterator[Traveller]:
    """Somebody who has not signed in yet and reads Russian."""
    if request.param == "program":
        jar = aiohttp.CookieJar(unsafe=True)
        headers = {"Accept": "text/html", "Accept-Language": "ru"}
        async with aiohttp.ClientSession(cookie_jar=jar, headers=headers) as session:
            yield Program(session, place.url)
        return
    chromium = request.getfixturevalue("chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = await browser.new_context(
            locale="ru-RU", viewport={"width": 390, "height": 844}, is_mobile=True
        )
        person = Person(await context.new_page(), place.url)
        yield person
        await browser.close()
        assert person.complaints == []
