"""Leave to save a card is asked for in the cabinet, kept, and carried to the gateway."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest

from core_billing import topups
from core_billing.topups import CARD, SBP
from core_billing.web import saving
from shared.crypto import read_link
from shared.db import reading

if TYPE_CHECKING:
    from aiohttp import ClientResponse
    from conftest import Browser, World

ON_SQLITE = pytest.mark.parametrize("db", ["sqlite"], indirect=True)


@pytest.fixture
async def browser(world: World) -> Browser:
    """Somebody whose provider saves cards and takes SBP as well."""
    asking = await world.browser(replace(world.cabinet, gateways=(CARD, SBP), saves=True))
    await asking.sign_in("100245")
    return asking


async def _order(browser: Browser, amount: str = "650", **more: str) -> ClientResponse:
    form = {"csrf": await browser.csrf(), "contract": "100245", "amount": amount, **more}
    return await browser.post("/cabinet/topups", data=form)


def _claims(world: World, answer: ClientResponse, audience: str = CARD) -> Any:
    (token,) = parse_qs(urlsplit(answer.headers["Location"]).query)["order"]
    link = read_link(world.signer, token, audience=audience, purpose="pay", at=world.clock())
    return {**link.claims, "order_id": link.subject}


async def test_a_ticked_box_is_a_consent_in_the_signed_order(
    world: World, browser: Browser
) -> None:
    claims = _claims(world, await _order(browser, save="1"))
    at = world.clock()
    consent = {"version": "cabinet-1", "given_at": at.isoformat(), "address": "127.0.0.1"}
    assert claims["save_method"] == {"consent": consent}
    assert claims["save_asked"] is True
    async with reading(world.db) as tx:
        kept = await topups.find(tx, UUID(claims["order_id"]))
    assert kept is not None
    assert (kept.agreed_version, kept.agreed_address) == ("cabinet-1", "127.0.0.1")
    again = await browser.get(f"/cabinet/topups/{claims['order_id']}/pay")
    assert _claims(world, again) == claims, "who goes back to pay has agreed to the same"


@ON_SQLITE
async def test_an_empty_box_is_a_no_that_was_asked_for(world: World, browser: Browser) -> None:
    claims = _claims(world, await _order(browser))
    assert (claims["save_asked"], "save_method" in claims) == (True, False)


@ON_SQLITE
async def test_a_consent_to_save_a_card_saves_nothing_else(world: World, browser: Browser) -> None:
    claims = _claims(world, await _order(browser, save="1", by="sbp"), SBP)
    assert not {"save_method", "save_asked"} & set(claims), "SBP's own page asks for itself"


@ON_SQLITE
async def test_where_nothing_is_saved_nobody_asks_and_nobody_is_believed(world: World) -> None:
    plain = await world.signed_in("100245")
    await plain.get("/cabinet/")
    assert 'name="save"' not in plain.page
    claims = _claims(world, await _order(plain, save="1"))
    assert not {"save_method", "save_asked"} & set(claims)


@ON_SQLITE
async def test_the_box_says_what_is_agreed_to_and_is_empty(browser: Browser) -> None:
    await browser.get("/cabinet/")
    assert "Запомнить карту для автоплатежа" in browser.page
    assert "договор 100245 пополнялся с неё автоматически" in browser.page
    assert "Отказаться можно в любой момент" in browser.page
    boxes = re.findall(r"<input[^>]+name=\"save\"[^>]*>", browser.page)
    assert len(boxes) == 2, "one a contract"
    assert not any("checked" in box for box in boxes)
    await browser.get("/cabinet/?lang=en")
    assert "Remember the card for autopay" in browser.page


@ON_SQLITE
async def test_who_mistypes_or_tries_again_need_not_tick_again(
    world: World, browser: Browser
) -> None:
    await _order(browser, amount="little", save="1")
    boxes = re.findall(r"<input[^>]+name=\"save\"[^>]*>", browser.page)
    assert ["checked" in box for box in boxes] == [True, False]
    for form, ticked in (({"save": "1"}, True), ({}, False)):
        order_id = _claims(world, await _order(browser, **form))["order_id"]
        await world.cancel(order_id)
        await browser.get(f"/cabinet/topups/{order_id}")
        (box,) = re.findall(r"<input[^>]+name=\"save\"[^>]*>", browser.page)
        assert ("checked" in box) is ticked


def test_another_text_has_another_version() -> None:
    """What was agreed to must be found again: change `VERSION` with the words."""
    words = [*saving.TEXTS["save_card"], *saving.TEXTS["save_card_text"]]
    digest = hashlib.sha256("\n".join(words).encode()).hexdigest()[:12]
    assert (saving.VERSION, digest) == ("cabinet-1", "fcfbdeabc769")
