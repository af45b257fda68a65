"""Beginning the payment of an order, and what its payer must say first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from shared.db import reading
from shared.errors import Invalid, Text
from shared.gateway import charging, contacts
from shared.gateway.consent import Consent
from shared.gateway.gateway import Gateway
from shared.gateway.limits import Limits
from shared.gateway.orders import begin
from shared.gateway.pay_order import Opened, shop_of
from shared.gateway.pay_texts import SAVE_VERSION
from shared.gateway.receipt import ReceiptTerms
from shared.gateway.settle import Payment
from shared.gateway.terms import Means
from shared.money import Money

WAIT: Final = timedelta(seconds=3)


class Given(NamedTuple):
    """What a payer has answered."""

    method: str | None
    contact: str
    save: bool = False
    """Whether they agreed that what they pay with is saved for automatic payments."""
    address: str | None = None
    """Their IP address, as far as it is known."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a payer must say before their payment can begin."""

    means: Sequence[Means]
    """What there is to choose from; empty where there is no choice."""
    receipts: ReceiptTerms | None
    """By which terms a receipt is sent, where it is not known yet to whom."""
    wrong: Text | None = None
    """What is wrong with the contact that was given."""
    contact: str = ""
    saves: bool = False
    """Whether they are asked for leave to save what they pay with."""
    agreed: bool = False


async def begin_order(
    gateway: Gateway, limits: Limits, order: Opened, given: Given | None
) -> Payment | Question | None:
    """Begin the payment of an order as its payer wants it.

    Returns instead what they must say first; None while nobody can say whose contract it is.
    Raises Invalid as `Terms`.
    """
    shop = await shop_of(gateway, order.contract, limits.contract_wait)
    if shop is None:
        return None
    terms, amount = gateway.terms[shop.shop], Money(order.wish.amount_kopecks)
    terms.check_amount(amount)
    fitting = terms.fitting(amount)
    kept = any(map(terms.keeps, fitting)) if fitting else terms.saves
    saves = kept and not order.save_asked and await _saves(gateway, shop.shop)
    asked = Question(fitting if len(fitting) > 1 else (), terms.receipts, saves=saves)
    code = given.method if given is not None else None
    unasked = given is None and (asked.receipts is not None or asked.saves)
    if (code is None and asked.means) or unasked:
        return asked
    contact: dict[str, str] | None = None
    if given is not None and asked.receipts is not None:
        try:
            contact = contacts.typed(asked.receipts, given.contact)
        except Invalid as error:
            wrong = error.fields[0].text
            return replace(asked, wrong=wrong, contact=given.contact, agreed=given.save)
    means = terms.chosen(code or next((each.code for each in fitting), None), amount)
    shown = means is not None and means.scans and terms.shows_codes
    wish = replace(
        order.wish,
        means=means.code if means else None,
        qr=shown,
        contact=contact,
        consent=_consent(order, given, gateway.clock()) if terms.keeps(means) else None,
    )
    return (await begin(gateway, shop, wish, WAIT)).payment


async def _saves(gateway: Gateway, shop: str) -> bool:
    async with reading(gateway.db) as tx:
        return await charging.paused(tx, shop, gateway.clock()) is None


def _consent(order: Opened, given: Given | None, at: datetime) -> Consent | None:
    """Return what the payer agreed to: where the order was signed, or on our page."""
    if given is None or not given.save:
        return order.wish.consent
    return Consent(SAVE_VERSION, at, given.address, "page")


async def answered(
    gateway: Gateway, limits: Limits, order: Opened, given: Given
) -> Question | None:
    """Begin the payment that a payer has answered for; return the question where they erred."""
    made = await begin_order(gateway, limits, order, given)
    return made if isinstance(made, Question) and made.wrong is not None else None
