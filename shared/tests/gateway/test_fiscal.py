"""What refunds and charges have to do with receipts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest

from shared.db import transaction
from shared.errors import Invalid
from shared.events import Event
from shared.events_gateway import ChargeRequested
from shared.gateway import methods, payments, receipts
from shared.gateway.consent import Consent
from shared.gateway.settle import Payment
from shared.gateway.till import Kind

EMAIL = "user@example.com"
CONTACT = {"email": EMAIL}


async def _paid(stand: Any) -> Payment:
    begun = await stand.wish(contact=CONTACT)
    stand.provider.pay(begun.payment.provider_payment_id)
    await stand.callback(begun.payment.provider_payment_id)
    payment: Payment = await stand.payment(begun.payment.id)
    return payment


async def _followed(stand: Any, kind: Kind) -> list[tuple[str, int]]:
    rows = [row for row in await stand.rows(receipts.receipt) if row.kind == kind]
    return [(row.reference, row.amount_kopecks) for row in rows]


class TestRefunds:
    """A part goes back with a receipt, all of it by the receipt there is."""

    async def test_a_part_has_its_own(self, fiscal_stand: Any) -> None:
        payment = await _paid(fiscal_stand)
        asked = await fiscal_stand.ask(payment, 15_001)
        ((_, sent),) = fiscal_stand.provider.refunds_sent
        carried = orjson.loads(sent)["receipt"]
        assert carried["customer"] == {"email": EMAIL, "phone": None}
        (line,) = carried["lines"]
        assert (line["price_kopecks"], line["mode"]) == (15_001, "advance")
        assert line["rate"] == {"percent": 22, "calculated": True}
        refund_id = asked.refund.provider_refund_id
        assert await _followed(fiscal_stand, Kind.REFUND) == [(refund_id, 15_001)]

    async def test_all_of_it_has_none_and_is_followed(self, fiscal_stand: Any) -> None:
        asked = await fiscal_stand.ask(await _paid(fiscal_stand), 65_000)
        ((_, sent),) = fiscal_stand.provider.refunds_sent
        assert orjson.loads(sent)["receipt"] is None
        refund_id = asked.refund.provider_refund_id
        assert await _followed(fiscal_stand, Kind.REFUND) == [(refund_id, 65_000)]

    async def test_the_last_part_is_still_a_part(self, fiscal_stand: Any) -> None:
        payment = await _paid(fiscal_stand)
        for kopecks in (64_999, 1):
            await fiscal_stand.ask(payment, kopecks)
        carried = [orjson.loads(sent) for _, sent in fiscal_stand.provider.refunds_sent]
        printed = [one["receipt"]["lines"][0]["price_kopecks"] for one in carried]
        assert printed == [64_999, 1]

    async def test_one_made_in_the_profile_is_followed_once(self, fiscal_stand: Any) -> None:
        payment = await _paid(fiscal_stand)
        provider_id = payment.provider_payment_id
        refund_id = fiscal_stand.provider.send_back(provider_id, 700)
        for event in ("refund.succeeded", "refund.again"):
            await fiscal_stand.refund_callback(refund_id, provider_id, event=event)
        assert await _followed(fiscal_stand, Kind.REFUND) == [(refund_id, 700)]

    async def test_without_a_contact_a_part_is_refused_and_reserves_nothing(
        self, fiscal_stand: Any
    ) -> None:
        payment = await _paid(fiscal_stand)
        async with transaction(fiscal_stand.gateway.db) as tx:
            await tx.execute(payments.payment.update().values(contact=None))
        with pytest.raises(Invalid) as refused:
            await fiscal_stand.ask(payment, 100)
        (wrong,) = refused.value.fields
        assert (wrong.field, "чек" in wrong.text.ru) == ("payment", True)
        assert (await fiscal_stand.row(payment.id)).reserved_kopecks == 0
        await fiscal_stand.ask(payment, 65_000)
        assert len(fiscal_stand.provider.refunds_sent) == 1


class TestCharges:
    """A charge is printed for the contact of its method, or not sent."""

    async def _saved(self, stand: Any) -> str:
        shop, terms = stand.provider.shop, stand.gateway.terms
        terms[shop] = replace(terms[shop], saves=True)
        consent = Consent("2026-11", stand.clock(), None, "demo")
        begun = await stand.wish(consent=consent, contact=CONTACT)
        stand.provider.save(begun.payment.provider_payment_id)
        await stand.callback(begun.payment.provider_payment_id)
        stand.provider.sent.clear()
        return str(methods.id_of(begun.payment.id))

    def _asked(self, stand: Any, method: str) -> Event:
        body = ChargeRequested(
            contract="100245",
            occurred_at=stand.clock(),
            charge_id="charge-1",
            provider=stand.provider.shop,
            method_ref=method,
            amount_kopecks=30_000,
            not_after=stand.clock() + timedelta(minutes=10),
        )
        return body.event("autopay", subject="charge-1", revision="1", correlation_id="corr")

    async def test_it_carries_the_receipt_of_its_method(self, fiscal_stand: Any) -> None:
        method = await self._saved(fiscal_stand)
        await fiscal_stand.follow(self._asked(fiscal_stand, method))
        ((_, sent),) = fiscal_stand.provider.sent
        carried = orjson.loads(sent)["receipt"]
        assert carried["customer"]["email"] == EMAIL
        assert carried["lines"][0]["price_kopecks"] == 30_000
        printed = [kopecks for _, kopecks in await _followed(fiscal_stand, Kind.PAYMENT)]
        assert sorted(printed) == [30_000, 65_000]

    async def test_without_a_contact_it_fails_for_the_shop(self, fiscal_stand: Any) -> None:
        method = await self._saved(fiscal_stand)
        async with transaction(fiscal_stand.gateway.db) as tx:
            await tx.execute(methods.payment_method.update().values(contact=None))
        await fiscal_stand.follow(self._asked(fiscal_stand, method))
        assert fiscal_stand.provider.sent == []
        (failed,) = await fiscal_stand.said("charge.failed")
        assert (failed.data["reason"], failed.data["class"]) == ("no_contact", "shop")
