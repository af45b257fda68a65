"""The payer chooses on our page: what is offered, what is begun, and the code to scan."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from html import unescape
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.crypto import Link, write_link
from shared.errors import Invalid, Text
from shared.gateway import payments
from shared.gateway.terms import Means, Terms
from shared.money import Money

HOUR = timedelta(hours=1)
CARD = Means("card", Text("Bank card", "Банковская карта"), Money(100), Money(100_000), HOUR)
FAST = Means(
    "fast", Text("Fast", "Быстро"), Money(100), Money(200_000), HOUR, holds=False, scans=True
)
WALLET = Means("wallet", Text("Wallet", "Кошелёк"), Money(10_000), None, HOUR)
TERMS = Terms(Money(100), Money(35_000_000), known=(CARD, FAST, WALLET), shows_codes=True)
BACK = "https://pay.example.org/cabinet/topups/7"
BODY = {"contract": "100245", "amount": "650.00", "return_url": BACK}


def _offer(stand: Any, *means: Means, **changes: Any) -> None:
    stand.gateway.terms[stand.provider.shop] = replace(TERMS, offered=means, **changes)


def _link(stand: Any, kopecks: int = 65_000) -> str:
    claims = {"contract": "100245", "amount_kopecks": kopecks, "return_url": BACK}
    until = stand.clock() + HOUR
    return write_link(stand.gateway.signer, Link("gateway-yookassa", "pay", "o-7", until, claims))


def _sent(stand: Any) -> Any:
    ((_, request),) = stand.provider.sent
    return orjson.loads(request)


@given(kopecks=st.integers(1, 400_000), two_stage=st.booleans())
def test_what_is_offered_takes_the_amount(kopecks: int, two_stage: bool) -> None:
    terms = replace(TERMS, offered=(CARD, FAST, WALLET), capture=not two_stage)
    amount = Money(kopecks)
    try:
        offered = terms.fitting(amount)
    except Invalid:
        assert not any(each.takes(amount) for each in terms.known)
        return
    for each in terms.known:
        if each in offered:
            assert terms.chosen(each.code, amount) == each
        else:
            with pytest.raises(Invalid):
                terms.chosen(each.code, amount)
        assert terms.captures(each.code) is (not two_stage or not each.holds)


async def test_several_means_are_asked_for_and_nothing_is_begun(stand: Any, caller: Any) -> None:
    _offer(stand, CARD, FAST)
    status, _, page = await caller.open(_link(stand))
    assert status == 200
    assert re.findall(r'name="method" value="(\w+)">([^<]+)<', page) == [
        ("card", "Банковская карта"),
        ("fast", "Быстро"),
    ]
    assert "650,00" in page
    assert "form-action 'self' https:" in caller.headers["Content-Security-Policy"]
    assert await stand.rows(payments.payment) == []
    english = (await caller.open(_link(stand), "en"))[2]
    assert "Bank card" in english


async def test_what_cannot_take_the_amount_is_not_shown(stand: Any, caller: Any) -> None:
    _offer(stand, CARD, FAST)
    status, where, _ = await caller.open(_link(stand, 150_000))
    assert (status, where[:19]) == (200, ""), "one is left, and it is paid by a code"
    assert _sent(stand)["means"] == "fast"


async def test_no_means_for_an_amount_is_said(stand: Any, caller: Any) -> None:
    _offer(stand, CARD, FAST)
    assert (await caller.open(_link(stand, 300_000)))[0] == 422
    assert stand.provider.sent == []


async def test_the_chosen_means_leads_on(stand: Any, caller: Any) -> None:
    _offer(stand, CARD, FAST)
    order = _link(stand)
    status, where, _ = await caller.choose(order, "card")
    assert (status, where) == (303, f"/yookassa/pay?order={order}&on=1")
    (provider_id,) = stand.provider.made
    assert (await caller.visit(where))[:2] == (303, f"https://pay.example/{provider_id}")
    assert _sent(stand)["means"] == "card"


async def test_a_payer_who_comes_back_goes_on_or_orders_anew(stand: Any, caller: Any) -> None:
    _offer(stand, CARD, FAST)
    order = _link(stand)
    await caller.choose(order, "card")
    (provider_id,) = stand.provider.made
    status, _, page = await caller.open(order)
    assert (status, "Вы выбрали: Банковская карта" in page) == (200, True)
    assert f'href="https://pay.example/{provider_id}"' in page
    assert f'href="{BACK}"' in page
    await caller.choose(order, "fast")
    assert len(stand.provider.sent) == 1, "one order has one payment"


@pytest.mark.parametrize("method", ["carrier_pigeon", "wallet", "card' or 1=1"])
async def test_what_is_not_offered_is_refused(stand: Any, caller: Any, method: str) -> None:
    _offer(stand, CARD, FAST)
    assert (await caller.choose(_link(stand), method))[0] == 422
    assert stand.provider.sent == []


async def test_a_choice_without_a_choice_is_asked_again(stand: Any, caller: Any) -> None:
    _offer(stand, CARD, FAST)
    _, where, _ = await caller.choose(_link(stand), "")
    assert (await caller.visit(where))[0] == 200
    assert stand.provider.sent == []


async def test_one_means_is_no_question(stand: Any, caller: Any) -> None:
    _offer(stand, CARD)
    order = _link(stand)
    for _ in range(2):
        assert (await caller.open(order))[0] == 303
    assert _sent(stand)["means"] == "card"


async def test_a_code_is_shown_watched_and_left(stand: Any, caller: Any) -> None:
    _offer(stand, FAST)
    status, _, page = await caller.open(_link(stand))
    (provider_id,) = stand.provider.made
    assert (status, "<svg" in page) == (200, True)
    assert f'href="https://qr.example/{provider_id}"' in page
    assert "На оплату осталось 60 мин" in page
    watch = unescape(re.findall(r'data-poll="([^"]+)"', page)[0])
    stand.clock.advance(timedelta(minutes=18, seconds=30))
    said = orjson.loads((await caller.visit(watch, "application/json"))[2])
    assert said == {
        "state": "waiting",
        "texts": {"left": "На оплату осталось 42 мин"},
        "final": False,
    }
    stand.clock.advance(timedelta(minutes=50))
    said = orjson.loads((await caller.visit(watch, "application/json"))[2])
    assert "Время на оплату вышло" in said["texts"]["left"]
    stand.provider.pay(provider_id)
    await stand.callback(provider_id)
    said = orjson.loads((await caller.visit(watch, "application/json"))[2])
    assert (said["final"], said["location"]) == (True, BACK)


async def test_a_code_is_watched_by_its_payer_alone(stand: Any, caller: Any) -> None:
    _offer(stand, FAST)
    order = _link(stand)
    await caller.open(order)
    for token in ("", "x", order):
        assert (await caller.visit(f"/yookassa/pay/state?watch={token}"))[0] == 403


async def test_the_shop_may_leave_codes_to_the_provider(stand: Any, caller: Any) -> None:
    _offer(stand, FAST, shows_codes=False)
    assert (await caller.open(_link(stand)))[0] == 303
    assert "qr" not in _sent(stand)


async def test_money_is_held_where_it_can_be(stand: Any, caller: Any) -> None:
    _offer(stand, CARD, FAST, capture=False)
    await stand.know("100245")
    for method in ("card", "fast"):
        assert (await caller.post({**BODY, "method": method}))[0] == 201
    held = [orjson.loads(request).get("capture", True) for _, request in stand.provider.sent]
    assert held == [False, True]


async def test_the_api_asks_by_name(stand: Any, caller: Any) -> None:
    await stand.know("100245")
    _offer(stand)
    status, said = await caller.post({**BODY, "method": "fast", "qr": True})
    (provider_id,) = stand.provider.made
    assert (status, said["method"]) == (201, "fast")
    assert (said["qr_payload"], said["confirmation_url"]) == (
        f"https://qr.example/{provider_id}",
        None,
    )
    assert (await caller.get(said["id"]))[1] == said
    assert (await stand.row(UUID(said["id"]))).means == "fast"


@pytest.mark.parametrize(
    ("offered", "change", "field"),
    [
        ((), {"method": "carrier_pigeon"}, "method"),
        ((CARD,), {"method": "fast"}, "method"),
        ((), {"method": 7}, "method"),
        ((), {"method": ""}, "method"),
        ((), {"qr": True}, "qr"),
        ((), {"method": "card", "qr": True}, "qr"),
        ((), {"method": "fast", "qr": "yes"}, "qr"),
        ((), {"method": "card", "amount": "1000.01"}, "amount"),
        ((), {"method": "wallet", "amount": "99.99"}, "amount"),
    ],
)
async def test_what_the_shop_does_not_take_is_refused_by_name(
    stand: Any, caller: Any, offered: tuple[Means, ...], change: dict[str, Any], field: str
) -> None:
    await stand.know("100245")
    _offer(stand, *offered)
    status, said = await caller.post({**BODY, **change})
    assert (status, [error["field"] for error in said["errors"]]) == (422, [field])
    russian = (await caller.post({**BODY, **change}, {"Accept-Language": "ru"}))[1]["errors"]
    assert all(any("а" <= letter <= "я" for letter in error["message"]) for error in russian)
    assert stand.provider.sent == []


async def test_a_key_stands_for_one_means(stand: Any, caller: Any) -> None:
    await stand.know("100245")
    _offer(stand)
    key = {"Idempotency-Key": "k-1"}
    first = await caller.post({**BODY, "method": "card"}, key)
    assert await caller.post({**BODY, "method": "card"}, key) == first
    assert (await caller.post({**BODY, "method": "wallet"}, key))[0] == 409
