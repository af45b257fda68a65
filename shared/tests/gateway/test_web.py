"""The page behind a signed order."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from shared.crypto import Link, Signer, write_link
from shared.gateway import payments
from shared.gateway.provider import Refused

HOUR = timedelta(hours=1)
CLAIMS = {
    "contract": "100245",
    "amount_kopecks": 65_000,
    "return_url": "https://pay.example.org/cabinet/topups/7",
    "correlation_id": "corr-7",
}


def _link(stand: Any, order_id: str = "order-7", signer: Any = None, **changes: Any) -> str:
    link = {
        "audience": "gateway-yookassa",
        "purpose": "pay",
        "subject": order_id,
        "expires_at": stand.clock() + HOUR,
        "claims": CLAIMS,
    }
    return write_link(signer or stand.gateway.signer, Link(**{**link, **changes}))


async def test_an_order_leads_to_the_provider(stand: Any, caller: Any) -> None:
    status, location, _ = await caller.open(_link(stand))
    (provider_id,) = stand.provider.made
    assert (status, location) == (303, f"https://pay.example/{provider_id}")
    (row,) = await stand.rows(payments.payment)
    assert (row.order_id, row.correlation_id) == ("order-7", "corr-7")
    assert row.return_url == CLAIMS["return_url"]


async def test_an_order_opened_again_is_the_same_payment(stand: Any, caller: Any) -> None:
    opened = await asyncio.gather(*(caller.open(_link(stand)) for _ in range(5)))
    await caller.open(_link(stand))
    assert len(await stand.rows(payments.payment)) == 1
    assert len(stand.provider.sent) == 1
    assert {status for status, _, _ in opened} <= {200, 303}


async def test_while_it_is_being_made_the_page_asks_again(
    stand: Any, caller: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.gateway.paying.WAIT", timedelta(seconds=0.05))
    stand.provider.slow = asyncio.Event()
    status, _, page = await caller.open(_link(stand))
    assert status == 200
    assert '<meta http-equiv="refresh" content="2">' in page
    assert "Готовим платёж" in page
    stand.provider.slow.set()
    await stand.gateway.creations.drain()
    status, location, _ = await caller.open(_link(stand))
    assert (status, location[:20]) == (303, "https://pay.example/")
    assert len(stand.provider.sent) == 1


async def test_a_paid_order_says_so_and_leads_back(stand: Any, caller: Any) -> None:
    await caller.open(_link(stand))
    (provider_id,) = stand.provider.made
    stand.provider.pay(provider_id)
    await stand.callback(provider_id)
    status, _, page = await caller.open(_link(stand))
    assert status == 200
    assert "Уже оплачено" in page
    assert "650,00" in page
    assert CLAIMS["return_url"] in page
    english = (await caller.open(_link(stand), "en"))[2]
    assert "Already paid" in english
    assert "refresh" not in page


@pytest.mark.parametrize("way", ["expired", "refused"])
async def test_a_canceled_order_leads_back(stand: Any, caller: Any, way: str) -> None:
    if way == "refused":
        stand.provider.creates = [Refused("invalid_request")]
    await caller.open(_link(stand))
    if way == "expired":
        (provider_id,) = stand.provider.made
        stand.provider.cancel(provider_id)
        await stand.pass_time(timedelta(minutes=1))
    status, _, page = await caller.open(_link(stand))
    assert (status, "Платёж не состоялся" in page) == (200, True)
    assert CLAIMS["return_url"] in page
    assert len(stand.provider.sent) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"audience": "gateway-sbp"},
        {"purpose": "look"},
        {"signer": Signer(["a key of somebody else"])},
        {"expires_at": "past"},
    ],
    ids=["audience", "purpose", "forged", "expired"],
)
async def test_a_link_for_another_place_or_time_opens_nothing(
    stand: Any, caller: Any, changes: dict[str, Any]
) -> None:
    if changes.get("expires_at") == "past":
        changes = {"expires_at": stand.clock()}
    status, _, page = await caller.open(_link(stand, **changes))
    assert status == 403
    assert "Ссылк" in page or "ссылк" in page
    assert stand.provider.sent == []


@pytest.mark.parametrize("token", ["", "x", "a.b", "é", "." * 3000, "\x00"])
async def test_a_damaged_link_opens_nothing(stand: Any, caller: Any, token: str) -> None:
    status, _, _ = await caller.open(token)
    assert status == 403
    assert await stand.rows(payments.payment) == []


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"contract": ""}, 400),
        ({"contract": None}, 400),
        ({"amount_kopecks": 0}, 400),
        ({"amount_kopecks": "650.00"}, 400),
        ({"amount_kopecks": 1.5}, 400),
        ({"amount_kopecks": True}, 400),
        ({"return_url": "javascript:alert(1)"}, 400),
        ({"amount_kopecks": 99}, 422),
        ({"amount_kopecks": 10**9}, 422),
        ({"contract": "closed"}, 422),
    ],
)
async def test_an_impossible_order_makes_nothing(
    stand: Any, caller: Any, claims: dict[str, Any], status: int
) -> None:
    await stand.know("closed", "closed")
    link = _link(stand, claims={**CLAIMS, **claims})
    assert (await caller.open(link))[0] == status
    assert stand.provider.sent == []


async def test_an_order_that_was_begun_with_another_amount_is_a_conflict(
    stand: Any, caller: Any
) -> None:
    await caller.open(_link(stand))
    other = _link(stand, claims={**CLAIMS, "amount_kopecks": 1_000})
    assert (await caller.open(other))[0] == 409


async def test_an_order_outlives_a_change_of_the_contract(stand: Any, caller: Any) -> None:
    await caller.open(_link(stand))
    await stand.know("100245", "closed")
    assert (await caller.open(_link(stand)))[0] == 303


async def test_a_hostile_correlation_id_is_replaced(stand: Any, caller: Any) -> None:
    hostile = {**CLAIMS, "correlation_id": "x\n{}"}
    await caller.open(_link(stand, str(uuid4()), claims=hostile))
    (row,) = await stand.rows(payments.payment)
    assert row.correlation_id.isalnum()


async def test_a_look_ahead_makes_no_payment(stand: Any, caller: Any) -> None:
    assert (await caller.open(_link(stand), method="HEAD"))[0] == 405
    assert stand.provider.sent == []


async def test_the_page_lets_no_foreign_script_in(stand: Any, caller: Any) -> None:
    stand.provider.creates = [Refused("invalid_request")]
    await caller.open(_link(stand))
    policy = caller.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert caller.headers["Cache-Control"] == "no-store"


async def test_a_link_that_opens_nothing_still_shows_a_way_back(caller: Any) -> None:
    _, _, page = await caller.open("x")
    assert 'href="/yookassa/"' in page
    status, where, _ = await caller.home()
    assert (status, where) == (303, "https://pay.example.org/cabinet/")
