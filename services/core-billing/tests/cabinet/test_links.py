"""The ways to other services: links for the visitor's own contract, signed when clicked."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from shared.crypto import Link, read_link
from shared.errors import Forbidden

if TYPE_CHECKING:
    from conftest import Browser, World

pytestmark = pytest.mark.parametrize("db", ["sqlite"], indirect=True)
PLACES = [
    ("/cabinet/autopay", "http://127.0.0.1:8080/autopay/", "autopay", "mandate"),
    ("/cabinet/messages", "http://127.0.0.1:8080/notifier/preferences", "notifier", "preferences"),
]


@pytest.fixture
async def browser(world: World) -> Browser:
    both = await world.browser(replace(world.cabinet, services=("autopay", "notifier")))
    await both.sign_in("100245")
    return both


@pytest.mark.parametrize(("path", "page", "audience", "purpose"), PLACES)
async def test_a_click_leads_on_with_a_link_that_lives_an_hour(
    world: World, browser: Browser, path: str, page: str, audience: str, purpose: str
) -> None:
    for query, contract in (("?contract=100246", "100246"), ("", "100245")):
        answer = await browser.get(path + query)
        assert (answer.status, answer.headers["Cache-Control"]) == (303, "no-store")
        where, _, asked = answer.headers["Location"].partition("?")
        (token,) = parse_qs(asked)["token"]
        at = world.clock()
        link = read_link(world.signer, token, audience=audience, purpose=purpose, at=at)
        until = at + timedelta(hours=1)
        assert link == Link(audience, purpose, contract, until, {"contract": contract})
        assert where == page
        with pytest.raises(Forbidden):
            read_link(world.signer, token, audience=audience, purpose=purpose, at=until)


@pytest.mark.parametrize("path", [path for path, *_ in PLACES])
async def test_nobody_gets_a_link_for_another_contract(
    world: World, browser: Browser, path: str
) -> None:
    for number in ("100301", "999999", "", "100245'"):
        answer = await browser.get(f"{path}?contract={number}")
        assert (answer.status, "Location" in answer.headers) == (404, False)
    stranger = await world.browser(replace(world.cabinet, services=("autopay", "notifier")))
    answer = await stranger.get(f"{path}?contract=100245")
    place = urlsplit(answer.headers["Location"])
    assert (answer.status, place.path) == (303, "/cabinet/login")


async def test_the_first_page_shows_the_ways_that_there_are(world: World, browser: Browser) -> None:
    await browser.get("/cabinet/")
    for path, *_ in PLACES:
        assert f'href="{path}?contract=100246"' in browser.page
    alone = await world.signed_in("100245")
    await alone.get("/cabinet/")
    for path, *_ in PLACES:
        assert path not in alone.page
        assert (await alone.get(path)).status == 404
