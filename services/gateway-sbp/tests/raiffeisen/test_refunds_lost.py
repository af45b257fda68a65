"""A refund whose answer was lost is found by its id before anybody says that it was never made."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from sbp_books import CODE, MINUTE, SHOP, Place, make_place
from shared.db import transaction
from shared.gateway import payments, refund_asking, refund_polling, refunds
from shared.gateway.provider import RefundPage, Status, Unclear
from shared.gateway.refund_settle import Refund

OURS = refund_asking.id_of(SHOP, "request-1")
LOOK, SEND = f"GET /sbp/v1/refund/{OURS.hex}", "POST /sbp/v1/refund"
INFO = f"GET /sbp/v1/qr/{CODE}/payment-info"
NOWHERE = {"code": "ERROR.REFUND_NOT_FOUND"}
PAID = {"code": "SUCCESS", "qrId": CODE, "order": "0f9c", "transactionId": 900_000_000_001}
LESS = {"code": "ERROR.REFUND_INSUFFICIENT_FUNDS"}
DAY = timedelta(days=1)


def told(status: str = "COMPLETED") -> dict[str, Any]:
    return {"code": "SUCCESS", "amount": 100, "refundStatus": status}


@pytest.fixture
async def place(at: Any) -> Place:
    """A gateway whose bank is the one of the test, and a payment by a code."""
    made = make_place(at.db)
    made.gateway = replace(made.gateway, providers={SHOP: at.raiffeisen})
    await made.booked(CODE)
    at.bank.say(INFO, PAID)
    return made


async def ask(place: Place) -> None:
    (paid,) = await place.rows(payments.payment)
    wish = refund_asking.Wish(paid.id, 10_000, "", "corr", "demo", request_id="request-1")
    await refund_asking.ask(place.gateway, wish, timedelta(seconds=5))


async def pass_time(place: Place, by: timedelta) -> None:
    place.clock.advance(by)
    await refund_polling.step(place.gateway)
    await place.gateway.refunds.drain()


async def stands(place: Place) -> tuple[str, int]:
    """Return how the refund stands, and what is reserved for it."""
    (row,) = await place.rows(refunds.refund)
    (paid,) = await place.rows(payments.payment)
    return row.status, paid.reserved_kopecks


@pytest.mark.parametrize(
    ("said", "http", "status", "reserved"),
    [
        (told("COMPLETED"), 200, "succeeded", 10_000),
        (told("IN_PROGRESS"), 200, "pending", 10_000),
        (told("DECLINED"), 200, "canceled", 0),
        (NOWHERE, 404, "canceled", 0),
        (b"", 503, "creating", 10_000),
        (b"", 404, "creating", 10_000),
    ],
    ids=["completed", "in progress", "declined", "never made", "away", "unknown path"],
)
async def test_a_refusal_after_a_lost_answer_proves_nothing(
    at: Any, place: Place, said: Any, http: int, status: str, reserved: int
) -> None:
    """The first request arrives late: the second is refused for its sake, and its money is gone."""
    at.bank.say(LOOK, NOWHERE, 404)
    at.bank.say(LOOK, NOWHERE, 404)
    at.bank.say(LOOK, said, http)
    at.bank.lose(SEND)
    at.bank.say(SEND, LESS, 400)
    await ask(place)
    assert await stands(place) == ("creating", 10_000)
    await pass_time(place, MINUTE)
    assert (await stands(place), len(at.bank.sent())) == (("creating", 10_000), 2)
    await pass_time(place, 2 * MINUTE)
    assert (await stands(place), len(at.bank.sent())) == ((status, reserved), 2)


async def test_after_a_day_of_doubt_the_bank_is_asked_and_not_sent_to(
    at: Any, place: Place
) -> None:
    at.bank.say(LOOK, NOWHERE)
    at.bank.say(LOOK, told())
    at.bank.lose(SEND)
    await ask(place)
    await pass_time(place, DAY)
    assert (await stands(place), len(at.bank.sent())) == (("succeeded", 10_000), 1)
    assert [event.data["amount_kopecks"] for event in await place.said("refund.succeeded")] == [
        10_000
    ]


class TestListing:
    """The refunds of a payment: each is asked about by its id."""

    async def _row(self, place: Place, status: Status, named: str | None = None) -> Refund:
        (paid,) = await place.rows(payments.payment)
        new = Refund(
            id=uuid4(),
            shop=SHOP,
            payment_id=paid.id,
            provider_payment_id=CODE,
            status=status,
            amount_kopecks=10_000,
            correlation_id="corr",
            created_at=place.clock(),
            provider_refund_id=named,
        )
        async with transaction(place.gateway.db) as tx:
            assert await refunds.insert(tx, new, {})
        place.clock.advance(MINUTE)
        return new

    async def _listed(self, at: Any, of: str | None = CODE) -> Any:
        return await at.raiffeisen.refunds_listed(at.clock(), at.clock(), None, of)

    async def test_those_whose_success_is_known_are_not_asked_about(
        self, at: Any, place: Place
    ) -> None:
        made = await self._row(place, Status.CREATING)
        unmade = await self._row(place, Status.CREATING)
        await self._row(place, Status.SUCCEEDED, "done")
        theirs = await self._row(place, Status.PENDING, f"rf-0001:{CODE}")
        at.bank.say(f"GET /sbp/v1/refund/{made.id.hex}", told())
        at.bank.say(f"GET /sbp/v1/refund/{unmade.id.hex}", NOWHERE)
        at.bank.say("GET /sbp/v1/refund/rf-0001", told("IN_PROGRESS"))
        page = await self._listed(at)
        assert isinstance(page, RefundPage)
        assert [one.id for one in page.refunds] == [theirs.provider_refund_id, _name(made)]
        assert (page.refunds[1].refund_id, page.next_cursor) == (made.id, None)
        assert len(at.bank.asked) == 3

    async def test_without_an_answer_about_one_there_is_no_page(
        self, at: Any, place: Place
    ) -> None:
        made = await self._row(place, Status.CREATING)
        lost = await self._row(place, Status.CREATING)
        at.bank.say(f"GET /sbp/v1/refund/{made.id.hex}", told())
        at.bank.say(f"GET /sbp/v1/refund/{lost.id.hex}", b"", 503)
        assert await self._listed(at) == Unclear("http_503")

    @pytest.mark.parametrize("of", [None, "AD1000SIMULATEDQRID0000000000009", "900009"])
    async def test_of_what_is_not_known_nobody_is_asked(
        self, at: Any, place: Place, of: str | None
    ) -> None:
        await self._row(place, Status.CREATING)
        assert not (await self._listed(at, of)).refunds
        assert at.bank.asked == []


def _name(refund: Refund) -> str:
    return f"{refund.id.hex}:{CODE}"
