"""Asking a payer where the receipt goes: fields of the API, and a form on our page."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.crypto import Link, write_link
from shared.errors import Text
from shared.gateway import contacts, payments
from shared.gateway.receipt import Customer, ReceiptTerms
from shared.gateway.terms import Means
from shared.gateway.vat import Vat
from shared.money import Money

EMAIL = "user@example.com"
BODY = {
    "contract": "100245",
    "amount": "650.00",
    "return_url": "https://pay.example.org/cabinet/topups/7",
}
HOUR = timedelta(hours=1)
MEANS = (
    Means("bank_card", Text("Bank card", "Банковская карта"), Money(100), None, HOUR),
    Means("yoo_money", Text("YooMoney", "ЮMoney"), Money(100), None, HOUR),
)


@pytest.fixture
async def stand(fiscal_stand: Any) -> Any:
    """The stand that the callers of this file talk to prints receipts."""
    await fiscal_stand.know("100245")
    return fiscal_stand


def _terms(stand: Any, **changes: Any) -> None:
    (shop,) = stand.gateway.terms
    stand.gateway.terms[shop] = replace(stand.gateway.terms[shop], **changes)


def _link(stand: Any) -> str:
    claims = {"contract": "100245", "amount_kopecks": 65_000, "return_url": BODY["return_url"]}
    until = stand.clock() + timedelta(hours=1)
    link = Link("gateway-yookassa", "pay", "order-7", until, claims)
    return write_link(stand.gateway.signer, link)


async def _contact(stand: Any) -> Customer:
    (row,) = await stand.rows(payments.payment)
    return contacts.unseal(stand.gateway.vault, row.contact)


@pytest.mark.parametrize(
    ("language", "words"), [("ru", "электронная почта"), ("en", "an e-mail is needed")]
)
async def test_the_api_names_the_missing_field(
    stand: Any, caller: Any, language: str, words: str
) -> None:
    for contact in ({}, {"contact": {}}, {"contact": {"phone": "+79161234567"}}):
        status, said = await caller.post({**BODY, **contact}, {"Accept-Language": language})
        assert status == 422
        assert [error["field"] for error in said["errors"]] == ["contact.email"]
        assert words in str(said["errors"])
    assert await stand.rows(payments.payment) == []


async def test_the_api_takes_the_contact(stand: Any, caller: Any) -> None:
    status, said = await caller.post({**BODY, "contact": {"email": EMAIL}})
    assert status == 201
    assert EMAIL not in str(said)
    assert await _contact(stand) == Customer(EMAIL)
    assert EMAIL not in repr(await stand.row(UUID(said["id"])))


async def test_where_others_deliver_a_telephone_is_enough(stand: Any, caller: Any) -> None:
    _terms(stand, receipts=ReceiptTerms(Vat.NONE, email_needed=False))
    status, said = await caller.post(BODY)
    assert (status, [error["field"] for error in said["errors"]]) == (422, ["contact"])
    status, _ = await caller.post({**BODY, "contact": {"phone": "+79161234567"}})
    assert (status, await _contact(stand)) == (201, Customer(phone="+79161234567"))


async def test_the_page_asks_before_anything_is_made(stand: Any, caller: Any) -> None:
    status, _, page = await caller.open(_link(stand))
    assert status == 200
    assert "Куда прислать чек?" in page
    assert 'name="contact" required' in page
    assert 'type="email"' in page
    assert await stand.rows(payments.payment) == []
    _, _, english = await caller.open(_link(stand), language="en")
    assert "Where should the receipt go?" in english


async def test_what_was_typed_leads_on(stand: Any, caller: Any) -> None:
    order = _link(stand)
    status, back, _ = await caller.choose(order, "", f" {EMAIL} ")
    assert (status, "order=" in back, EMAIL in back) == (303, True, False)
    status, away, _ = await caller.visit(back)
    (provider_id,) = stand.provider.made
    assert (status, away) == (303, f"https://pay.example/{provider_id}")
    assert await _contact(stand) == Customer(EMAIL)
    # Opened again it asks nothing any more.
    assert (await caller.open(order))[0] == 303


@pytest.mark.parametrize("typed", ["", "user@example", '"><script>', "+79161234567"])
async def test_a_wrong_contact_is_asked_for_again(stand: Any, caller: Any, typed: str) -> None:
    status, _, page = await caller.choose(_link(stand), "", typed)
    assert status == 422
    assert "нужна почта вида name@example.ru" in page
    assert 'aria-invalid="true"' in page
    assert "<script>" not in page
    assert await stand.rows(payments.payment) == []


async def test_a_telephone_is_asked_for_where_it_is_enough(stand: Any, caller: Any) -> None:
    _terms(stand, receipts=ReceiptTerms(Vat.NONE, email_needed=False))
    _, _, page = await caller.open(_link(stand))
    assert "Почта или телефон для чека" in page
    assert 'type="email"' not in page
    assert (await caller.choose(_link(stand), "", "8 916 123-45-67"))[0] == 303
    assert await _contact(stand) == Customer(phone="+79161234567")


async def test_the_method_and_the_contact_are_asked_together(stand: Any, caller: Any) -> None:
    _terms(stand, offered=MEANS, known=MEANS)
    _, _, page = await caller.open(_link(stand))
    assert 'value="yoo_money"' in page
    assert 'name="contact" required' in page
    assert (await caller.choose(_link(stand), "yoo_money", "nobody"))[0] == 422
    assert (await caller.choose(_link(stand), "yoo_money", EMAIL))[0] == 303
    (row,) = await stand.rows(payments.payment)
    assert row.means == "yoo_money"
    assert await _contact(stand) == Customer(EMAIL)


async def test_a_form_without_the_method_is_asked_again(stand: Any, caller: Any) -> None:
    _terms(stand, offered=MEANS, known=MEANS)
    assert (await caller.choose(_link(stand), "", EMAIL))[0] == 303
    assert await stand.rows(payments.payment) == []
