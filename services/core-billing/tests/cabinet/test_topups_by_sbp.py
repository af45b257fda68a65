"""Who takes a top-up: the gateway of cards, or that of SBP where one is deployed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from core_billing.topups import CARD, SAME_CODE, SBP
from shared.crypto import read_link
from shared.money import Money

if TYPE_CHECKING:
    from aiohttp import ClientResponse
    from conftest import Browser, World


@pytest.fixture
async def browser(world: World) -> Browser:
    """Somebody whose provider takes cards and SBP."""
    both = await world.browser(replace(world.cabinet, gateways=(CARD, SBP)))
    await both.sign_in("100245")
    return both


async def order(browser: Browser, amount: str = "650", **more: str) -> ClientResponse:
    form = {"csrf": await browser.csrf(), "contract": "100245", "amount": amount, **more}
    return await browser.post("/cabinet/topups", data=form)


def where(world: World, answer: ClientResponse) -> tuple[str, str]:
    """Return the path that a browser is led to, and the order in its link."""
    place = urlsplit(answer.headers["Location"])
    (token,) = parse_qs(place.query)["order"]
    audience = {"/yookassa/pay": CARD, "/sbp/pay": SBP}[place.path]
    link = read_link(world.signer, token, audience=audience, purpose="pay", at=world.clock())
    return place.path, link.subject


async def test_without_a_word_it_is_the_gateway_of_cards(world: World, browser: Browser) -> None:
    assert where(world, await order(browser))[0] == "/yookassa/pay"
    assert where(world, await order(browser, by="what"))[0] == "/yookassa/pay"


async def test_by_sbp_it_is_that_gateway(world: World, browser: Browser) -> None:
    assert where(world, await order(browser, by="sbp"))[0] == "/sbp/pay"
    await browser.get("/cabinet/")
    assert "Оплатить по СБП" in browser.page


async def test_what_is_not_deployed_is_neither_shown_nor_taken(world: World) -> None:
    cards = await world.signed_in("100245")
    await cards.get("/cabinet/")
    assert "Оплатить по СБП" not in cards.page
    assert where(world, await order(cards, by="sbp"))[0] == "/yookassa/pay"


async def test_the_same_sum_is_the_same_order_while_its_code_is_good(
    world: World, browser: Browser
) -> None:
    first = where(world, await order(browser, by="sbp"))
    assert where(world, await order(browser, by="sbp")) == first
    assert where(world, await order(browser, "651", by="sbp")) != first
    world.clock.advance(SAME_CODE - timedelta(seconds=1))
    assert where(world, await order(browser, by="sbp")) == first
    world.clock.advance(timedelta(seconds=1))
    assert where(world, await order(browser, by="sbp")) != first


@pytest.mark.parametrize("way", [{}, {"by": "card"}], ids=["unsaid", "card"])
async def test_by_card_each_order_is_a_new_one(
    world: World, browser: Browser, way: dict[str, Any]
) -> None:
    assert where(world, await order(browser, **way)) != where(world, await order(browser, **way))


async def test_after_the_money_the_same_sum_is_a_new_order(world: World, browser: Browser) -> None:
    first = where(world, await order(browser, by="sbp"))
    await world.pay(first[1], "100245", Money(65_000))
    assert where(world, await order(browser, by="sbp")) != first


async def test_the_page_that_waits_leads_back_to_the_same_gateway(
    world: World, browser: Browser
) -> None:
    _, order_id = where(world, await order(browser, by="sbp"))
    answer = await browser.get(f"/cabinet/topups/{order_id}/pay")
    assert where(world, answer) == ("/sbp/pay", order_id)


async def test_who_tries_again_pays_the_same_way(world: World, browser: Browser) -> None:
    _, order_id = where(world, await order(browser, by="sbp"))
    await world.cancel(order_id)
    await browser.get(f"/cabinet/topups/{order_id}")
    assert 'value="sbp" name="by"' in browser.page
