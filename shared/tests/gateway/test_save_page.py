"""The payment page asks for leave to save a method, where the shop saves any."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest

from shared.crypto import Link, write_link
from shared.errors import Text
from shared.gateway import methods, pay_texts, payments
from shared.gateway.consent import Consent
from shared.gateway.method import MethodStatus
from shared.gateway.provider import Refused
from shared.gateway.terms import Means, Terms
from shared.money import Money

HOUR = timedelta(hours=1)
CARD = Means("bank_card", Text("Card", "Карта"), Money(100), None, HOUR, keeps=True)
PARTS = Means("sber_bnpl", Text("Parts", "Частями"), Money(100), None, HOUR)
CLAIMS = {
    "contract": "100245",
    "amount_kopecks": 65_000,
    "return_url": "https://pay.example.org/cabinet/topups/7",
}


@pytest.fixture
def terms() -> Terms:
    return Terms(Money(100), Money(35_000_000), saves=True)


def _link(stand: Any, **claims: Any) -> str:
    until = stand.clock() + HOUR
    link = Link("gateway-yookassa", "pay", "order-7", until, {**CLAIMS, **claims})
    return write_link(stand.gateway.signer, link)


async def _row(stand: Any) -> Any:
    (row,) = await stand.rows(payments.payment)
    return row


async def test_the_page_asks_and_records_what_the_payer_saw(stand: Any, caller: Any) -> None:
    status, _, page = await caller.open(_link(stand))
    assert (status, 'name="save"' in page, "checked" in page) == (200, True, False)
    assert await stand.rows(payments.payment) == []
    status, where, _ = await caller.choose(_link(stand), "", save="1")
    assert (status, where.startswith("/yookassa/pay?")) == (303, True)
    row = await _row(stand)
    consent = Consent.read(row.consent)
    assert consent == Consent(pay_texts.SAVE_VERSION, stand.clock(), "127.0.0.1", "page")
    assert orjson.loads(stand.provider.sent[0][1])["save"] is True
    stand.provider.save(row.provider_payment_id)
    await stand.callback(row.provider_payment_id)
    assert (await stand.method(methods.id_of(row.id))).status is MethodStatus.ACTIVE


async def test_an_empty_box_saves_nothing(stand: Any, caller: Any) -> None:
    await caller.choose(_link(stand), "")
    assert (await _row(stand)).consent is None
    assert orjson.loads(stand.provider.sent[0][1])["save"] is False


async def test_an_order_may_carry_its_own_consent(stand: Any, caller: Any) -> None:
    """The cabinet has asked already, so this page does not ask again."""
    agreed = {"version": "cabinet-3", "given_at": "2026-11-22T08:59:00Z", "address": "203.0.113.7"}
    status, _, _ = await caller.open(_link(stand, save_method={"consent": agreed}))
    assert status == 303
    consent = Consent.read((await _row(stand)).consent)
    assert (consent.version, consent.address, consent.channel) == (
        "cabinet-3",
        "203.0.113.7",
        "order",
    )


async def test_a_no_that_was_said_to_the_cabinet_is_not_asked_for_again(
    stand: Any, caller: Any
) -> None:
    status, _, _ = await caller.open(_link(stand, save_asked=True))
    assert status == 303
    assert (await _row(stand)).consent is None
    assert orjson.loads(stand.provider.sent[0][1])["save"] is False


async def test_a_shop_that_saves_nothing_asks_nothing(stand: Any, caller: Any) -> None:
    shop = stand.provider.shop
    stand.gateway.terms[shop] = replace(stand.gateway.terms[shop], saves=False)
    agreed = {"consent": {"version": "cabinet-3"}}
    status, _, _ = await caller.open(_link(stand, save_method=agreed))
    assert status == 303
    assert (await _row(stand)).consent is None, "the payer pays all the same"


async def test_what_cannot_be_saved_is_paid_with_all_the_same(stand: Any, caller: Any) -> None:
    shop = stand.provider.shop
    stand.gateway.terms[shop] = replace(stand.gateway.terms[shop], offered=(CARD, PARTS))
    await caller.choose(_link(stand), "sber_bnpl", save="1")
    assert (await _row(stand)).consent is None
    assert stand.provider.sent != []


async def test_a_caller_is_told_what_cannot_be_saved(stand: Any, caller: Any) -> None:
    shop = stand.provider.shop
    stand.gateway.terms[shop] = replace(stand.gateway.terms[shop], offered=(CARD, PARTS))
    await stand.know("100245")
    body = {"contract": "100245", "amount": "650.00", "return_url": "https://pay.example.org/b"}
    agreed = {"save_method": {"consent": {"version": "1"}}}
    status, said = await caller.post({**body, **agreed, "method": "sber_bnpl"})
    assert (status, [wrong["field"] for wrong in said["errors"]]) == (422, ["save_method"])
    assert (await caller.post({**body, **agreed, "method": "bank_card"}))[0] == 201


def test_another_text_has_another_version() -> None:
    """What was agreed to must be found again: change `SAVE_VERSION` with the words."""
    words = [*pay_texts.TEXTS["save"], *pay_texts.TEXTS["why_save"]]
    digest = hashlib.sha256("\n".join(words).encode()).hexdigest()[:12]
    assert (pay_texts.SAVE_VERSION, digest) == ("page-1", "b010d40c8b6d")


async def test_a_shop_that_may_not_save_takes_the_payment_without(stand: Any, caller: Any) -> None:
    """YooKassa refuses to save with 403 until the manager has enabled automatic payments."""
    stand.provider.creates = [Refused("forbidden", ours=True)]
    await caller.choose(_link(stand), "", save="1")
    assert (await _row(stand)).status == "canceled"
    assert stand.alarms == ["provider_refuses_us", "charging_paused"]
    until = stand.clock() + HOUR
    again = Link("gateway-yookassa", "pay", "order-8", until, CLAIMS)
    status, _, page = await caller.open(write_link(stand.gateway.signer, again))
    assert (status, 'name="save"' in page) == (303, False), "the next one just pays"
    agreed = {"consent": {"version": "cabinet-3"}}
    signed = Link("gateway-yookassa", "pay", "order-9", until, {**CLAIMS, "save_method": agreed})
    assert (await caller.open(write_link(stand.gateway.signer, signed)))[0] == 303
    sent = [orjson.loads(request)["save"] for _, request in stand.provider.sent]
    assert sent == [True, False, False]
    agreeing = [row.status for row in await stand.rows(payments.payment) if row.consent]
    assert agreeing == ["canceled"], "only the one that was asked to save says so"
    stand.clock.advance(HOUR)
    later = Link("gateway-yookassa", "pay", "order-10", stand.clock() + HOUR, CLAIMS)
    _, _, page = await caller.open(write_link(stand.gateway.signer, later))
    assert 'name="save"' in page, "the pause is over"


async def test_wrong_credentials_say_nothing_about_saving(stand: Any, caller: Any) -> None:
    stand.provider.creates = [Refused("unauthorized", ours=True, locked_out=True)]
    await caller.choose(_link(stand), "", save="1")
    assert stand.alarms == ["provider_refuses_us"]
