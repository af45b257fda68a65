"""Advances that fees use up: one receipt for each part, to the kopeck, whatever gets lost."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest

from shared.db import transaction
from shared.events import Event
from shared.events_gateway import FeeCharged, SettledBy
from shared.gateway import offsets, payments, receipts, work
from shared.gateway.provider import Refused, Throttled, Unclear
from shared.gateway.till import Kind, Registered, Registration
from shared.inbox import apply

EMAIL = "user@example.com"
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
NUMBERS = Registered(Registration.SUCCEEDED, "rt-0", "3986", "9288000100115785", "2617603921")


async def _paid(stand: Any, amount: int = 65_000) -> str:
    """Make and settle a payment; return the provider's id of it."""
    begun = await stand.wish(amount, contact={"email": EMAIL})
    row = await stand.row(begun.payment.id)
    stand.provider.pay(row.provider_payment_id)
    await stand.callback(row.provider_payment_id)
    return str(row.provider_payment_id)


def _fee(stand: Any, *parts: tuple[str, int], fee_id: str = "fee-1", **more: Any) -> Event:
    shop = more.pop("shop", stand.provider.shop)
    settled = tuple(
        SettledBy(provider=shop, provider_payment_id=paid, amount_kopecks=kopecks)
        for paid, kopecks in parts
    )
    body = FeeCharged(
        contract="100245",
        occurred_at=more.pop("at", stand.clock()),
        fee_id=fee_id,
        service="Интернет 100",
        period="2026-11",
        amount_kopecks=max(1, sum(kopecks for _, kopecks in parts)),
        settled_by=settled,
    )
    revision = more.pop("revision", fee_id)
    return body.event("core-billing", subject="100245", revision=revision, correlation_id="c-fee")


async def _hear(stand: Any, *parts: tuple[str, int], **more: Any) -> None:
    """Hear of a fee as the bus tells it."""
    event = _fee(stand, *parts, **more)
    consumer = work.consumer(stand.gateway, "gateway-yookassa")
    (result,) = await apply(consumer, [event], stand.clock)
    assert result.error is None


async def _offsets(stand: Any) -> list[Any]:
    rows = await stand.rows(receipts.receipt)
    return [row for row in rows if row.kind == Kind.OFFSET]


async def _offset(stand: Any) -> Any:
    (row,) = await _offsets(stand)
    return row


async def test_a_fee_uses_an_advance_up(fiscal_stand: Any) -> None:
    paid = await _paid(fiscal_stand)
    await _hear(fiscal_stand, (paid, 30_050))
    stored = await _offset(fiscal_stand)
    assert (stored.status, stored.reference, stored.amount_kopecks) == ("unsent", "fee-1", 30_050)
    assert EMAIL.encode() not in stored.request
    assert EMAIL not in repr(stored)
    await fiscal_stand.settle()
    ((key, sent),) = fiscal_stand.till.sent
    assert (key, sent) == (stored.key, fiscal_stand.gateway.unsealed(stored.request))
    said = orjson.loads(sent)
    assert said["payment"] == paid
    (line,) = said["receipt"]["lines"]
    assert (line["mode"], line["subject"]) == ("full_payment", "service")
    assert (line["text"], line["price_kopecks"]) == ("Услуги связи за 2026-11", 30_050)
    assert line["rate"] == {"percent": 22, "calculated": False}
    assert said["receipt"]["customer"] == {"email": EMAIL, "phone": None}
    assert said["receipt"]["settlements"] == [{"tender": "prepayment", "kopecks": 30_050}]
    row = await _offset(fiscal_stand)
    assert (row.status, row.provider_receipt_id) == ("pending", "rt-0")
    assert row.due_at == fiscal_stand.clock() + 30 * SECOND


async def test_it_is_followed_until_it_is_registered(fiscal_stand: Any) -> None:
    await _hear(fiscal_stand, (await _paid(fiscal_stand), 100))
    await fiscal_stand.settle()
    fiscal_stand.till.states = [NUMBERS, NUMBERS]
    await fiscal_stand.pass_time(30 * SECOND)
    assert ("offset", "rt-0") in fiscal_stand.till.asked
    row = await _offset(fiscal_stand)
    assert (row.status, row.document, row.correlation_id) == ("succeeded", "3986", "c-fee")


async def test_the_day_of_the_fee_decides_about_the_rate(fiscal_stand: Any) -> None:
    paid = await _paid(fiscal_stand)
    last_year = datetime(2025, 12, 31, 20, 59, tzinfo=UTC)
    await _hear(fiscal_stand, (paid, 100), at=last_year)
    (line,) = orjson.loads(fiscal_stand.gateway.unsealed((await _offset(fiscal_stand)).request))[
        "receipt"
    ]["lines"]
    assert line["rate"]["percent"] == 20


async def test_a_fee_said_again_is_offset_once(fiscal_stand: Any) -> None:
    paid = await _paid(fiscal_stand)
    for revision in ("fee-1", "fee-1", "fee-1:again"):
        await _hear(fiscal_stand, (paid, 100), revision=revision)
        await fiscal_stand.settle()
    assert len(await _offsets(fiscal_stand)) == 1
    assert len(fiscal_stand.till.sent) == 1
    assert fiscal_stand.alarms == []


async def test_several_payments_settle_one_fee(fiscal_stand: Any) -> None:
    one, other = await _paid(fiscal_stand, 100), await _paid(fiscal_stand, 200)
    await _hear(fiscal_stand, (one, 100), (other, 30), (other, 20))
    await fiscal_stand.settle()
    rows = await _offsets(fiscal_stand)
    assert {(row.provider_payment_id, row.amount_kopecks) for row in rows} == {
        (one, 100),
        (other, 50),
    }


async def test_what_was_no_advance_needs_no_offset(fiscal_stand: Any, stand: Any) -> None:
    paid = await _paid(fiscal_stand)
    plain = await stand.wish()
    row = await stand.row(plain.payment.id)
    stand.provider.pay(row.provider_payment_id)
    await stand.callback(row.provider_payment_id)
    await _hear(fiscal_stand, (row.provider_payment_id, 100))
    await _hear(fiscal_stand, (paid, 100), shop="raiffeisen:MA1", fee_id="fee-2")
    (found,) = [one for one in await fiscal_stand.rows(payments.payment) if one.receipt]
    line = orjson.loads(found.receipt) | {"mode": "full_payment"}
    async with transaction(fiscal_stand.gateway.db) as tx:
        await tx.execute(payments.payment.update().values(receipt=orjson.dumps(line).decode()))
    await _hear(fiscal_stand, (paid, 100), fee_id="fee-3")
    assert await _offsets(fiscal_stand) == []
    assert fiscal_stand.alarms == []


async def test_an_unknown_payment_is_an_alarm(fiscal_stand: Any) -> None:
    await _hear(fiscal_stand, (str(uuid4()), 100))
    assert fiscal_stand.alarms == ["offset_of_unknown_payment"]
    assert await _offsets(fiscal_stand) == []


async def test_a_lost_answer_is_repeated_with_the_same_bytes(fiscal_stand: Any) -> None:
    fiscal_stand.till.creates = ["lost", Unclear("http_500"), Throttled()]
    await _hear(fiscal_stand, (await _paid(fiscal_stand), 100))
    await fiscal_stand.settle()
    assert (await _offset(fiscal_stand)).status == "unsent"
    for after in (2, 5, 60):
        await fiscal_stand.pass_time(after * SECOND)
    assert len(fiscal_stand.till.sent) == 4
    assert len(set(fiscal_stand.till.sent)) == 1
    assert len(fiscal_stand.till.made) == 1
    assert (await _offset(fiscal_stand)).status == "pending"


async def test_what_left_nobody_is_no_attempt(fiscal_stand: Any) -> None:
    fiscal_stand.till.creates = [Unclear("broken", unsent=True), Refused("invalid_request")]
    await _hear(fiscal_stand, (await _paid(fiscal_stand), 100))
    await fiscal_stand.settle()
    await fiscal_stand.pass_time(2 * SECOND)
    row = await _offset(fiscal_stand)
    assert (row.status, row.reason) == ("failed", "invalid_request")
    assert fiscal_stand.till.looks == 0


async def test_what_could_not_be_sent_for_days_is_sent_as_new(fiscal_stand: Any) -> None:
    fiscal_stand.till.creates = [Unclear("broken", unsent=True)] * 30
    await _hear(fiscal_stand, (await _paid(fiscal_stand), 100))
    await fiscal_stand.settle()
    for _ in range(31):
        await fiscal_stand.pass_time(HOUR)
    assert fiscal_stand.till.looks == 0
    assert (await _offset(fiscal_stand)).status == "pending"


async def test_after_a_day_it_is_looked_for_and_never_sent_again(fiscal_stand: Any) -> None:
    fiscal_stand.till.creates = ["lost"] + [Unclear("http_500")] * 5000
    await _hear(fiscal_stand, (await _paid(fiscal_stand), 100))
    await fiscal_stand.settle()
    for _ in range(22):
        await fiscal_stand.pass_time(HOUR)
    sent = len(fiscal_stand.till.sent)
    assert sent > 20
    await fiscal_stand.pass_time(HOUR)
    await fiscal_stand.pass_time(HOUR)
    assert (len(fiscal_stand.till.sent), fiscal_stand.till.looks) == (sent, 1)
    row = await _offset(fiscal_stand)
    assert (row.status, row.provider_receipt_id) == ("pending", "rt-0")


async def test_what_is_not_there_after_a_day_is_a_persons(fiscal_stand: Any) -> None:
    fiscal_stand.till.creates = [Unclear("http_500")] * 5000
    fiscal_stand.till.lists = [Unclear("http_502")]
    await _hear(fiscal_stand, (await _paid(fiscal_stand), 100))
    await fiscal_stand.settle()
    await fiscal_stand.pass_time(23 * HOUR)
    assert (await _offset(fiscal_stand)).status == "unsent"
    await fiscal_stand.pass_time(HOUR)
    row = await _offset(fiscal_stand)
    assert (row.status, row.reason, row.due_at) == ("failed", "unmade", None)
    assert "receipt_failed" in fiscal_stand.alarms
    assert fiscal_stand.till.looks == 2


async def test_of_two_alike_each_finds_its_own(fiscal_stand: Any) -> None:
    fiscal_stand.till.creates = ["lost", "lost"] + [Unclear("http_500")] * 5000
    paid = await _paid(fiscal_stand)
    await _hear(fiscal_stand, (paid, 100), fee_id="fee-1")
    await _hear(fiscal_stand, (paid, 100), fee_id="fee-2")
    await fiscal_stand.settle()
    fiscal_stand.clock.advance(23 * HOUR)
    await fiscal_stand.settle()
    rows = await _offsets(fiscal_stand)
    assert {row.provider_receipt_id for row in rows} == {"rt-0", "rt-1"}


async def test_a_refusal_is_final_and_said(fiscal_stand: Any) -> None:
    fiscal_stand.till.creates = [Refused("invalid_request", "Receipt is malformed")]
    await _hear(fiscal_stand, (await _paid(fiscal_stand), 100))
    await fiscal_stand.settle()
    row = await _offset(fiscal_stand)
    assert (row.status, row.reason, row.due_at) == ("failed", "invalid_request", None)
    assert fiscal_stand.alarms == ["receipt_failed"]


async def test_a_refusal_after_doubt_proves_nothing(fiscal_stand: Any) -> None:
    fiscal_stand.till.creates = ["lost", Refused("invalid_request")]
    await _hear(fiscal_stand, (await _paid(fiscal_stand), 100))
    await fiscal_stand.settle()
    await fiscal_stand.pass_time(2 * SECOND)
    assert (await _offset(fiscal_stand)).status == "unsent"
    await fiscal_stand.pass_time(120 * SECOND)
    row = await _offset(fiscal_stand)
    assert (row.status, row.provider_receipt_id) == ("pending", "rt-0")
    assert fiscal_stand.alarms == []


async def test_a_shop_that_may_not_print_waits_until_it_may(fiscal_stand: Any) -> None:
    fiscal_stand.till.creates = [Refused("forbidden", ours=True)]
    await _hear(fiscal_stand, (await _paid(fiscal_stand), 100))
    await fiscal_stand.settle()
    assert (await _offset(fiscal_stand)).status == "unsent"
    assert fiscal_stand.alarms == ["provider_refuses_us"]
    await fiscal_stand.pass_time(2 * SECOND)
    assert (await _offset(fiscal_stand)).status == "pending"


async def test_a_payment_has_at_most_fifty_receipts(fiscal_stand: Any) -> None:
    paid = await _paid(fiscal_stand)
    for number in range(offsets.RECEIPTS_MAX):
        await _hear(fiscal_stand, (paid, 1), fee_id=f"fee-{number}")
    rows = await _offsets(fiscal_stand)
    states = Counter((row.status, row.reason) for row in rows)
    assert states == {("unsent", ""): offsets.RECEIPTS_MAX - 1, ("failed", "too_many"): 1}
    assert fiscal_stand.alarms == ["receipt_failed"]


async def test_no_more_than_the_advance_is_used_up(fiscal_stand: Any) -> None:
    paid = await _paid(fiscal_stand, 100)
    await _hear(fiscal_stand, (paid, 60), fee_id="fee-1")
    await _hear(fiscal_stand, (paid, 41), fee_id="fee-2")
    await _hear(fiscal_stand, (paid, 40), fee_id="fee-3")
    rows = {row.reference: (row.status, row.reason) for row in await _offsets(fiscal_stand)}
    assert rows == {
        "fee-1": ("unsent", ""),
        "fee-2": ("failed", offsets.TOO_MUCH),
        "fee-3": ("unsent", ""),
    }
    assert fiscal_stand.alarms == ["receipt_failed"]


async def test_without_a_contact_there_is_an_alarm_instead(fiscal_stand: Any) -> None:
    paid = await _paid(fiscal_stand)
    async with transaction(fiscal_stand.gateway.db) as tx:
        await tx.execute(payments.payment.update().values(contact=None))
    await _hear(fiscal_stand, (paid, 100))
    row = await _offset(fiscal_stand)
    assert (row.status, row.reason, row.request) == ("failed", "no_contact", None)
    assert fiscal_stand.alarms == ["receipt_failed"]


@pytest.mark.parametrize("seed", range(2))
async def test_every_kopeck_of_every_fee_is_printed_once(fiscal_stand: Any, seed: int) -> None:
    """Random fees, said twice, over random advances, with random losses, against a model."""
    dice = random.Random(seed)
    left = {await _paid(fiscal_stand, kopecks): kopecks for kopecks in (100_001, 33_333, 7)}
    owed: dict[tuple[str, str], int] = {}
    fiscal_stand.till.creates = dice.choices([None, "lost", Unclear("http_500"), Throttled()], k=60)
    for number in range(12):
        parts = []
        for paid, rest in left.items():
            if rest and dice.random() < 0.6:
                kopecks = dice.randint(1, rest)
                left[paid] -= kopecks
                owed[f"fee-{number}", paid] = kopecks
                parts.append((paid, kopecks))
        for revision in dice.choices(["one", "two"], k=2):
            await _hear(
                fiscal_stand, *parts, fee_id=f"fee-{number}", revision=f"{number} {revision}"
            )
        await fiscal_stand.pass_time(dice.randint(0, 10) * SECOND)
    for _ in range(100):
        await fiscal_stand.pass_time(60 * SECOND)
    rows = await _offsets(fiscal_stand)
    assert {(row.reference, row.provider_payment_id): row.amount_kopecks for row in rows} == owed
    assert {row.status for row in rows} == {"pending"}
    printed = Counter(dict.fromkeys(left, 0))
    for one in fiscal_stand.till.made:
        printed[one.provider_payment_id] += one.kopecks
    model = Counter(dict.fromkeys(left, 0))
    for (_, paid), kopecks in owed.items():
        model[paid] += kopecks
    assert printed == model
    assert len(fiscal_stand.till.made) == len(owed)


async def test_a_till_that_is_down_holds_no_payment_up(fiscal_stand: Any) -> None:
    fiscal_stand.till.creates = [Unclear("http_500")] * 100
    fiscal_stand.till.states = [Unclear("http_500")] * 100
    await _hear(fiscal_stand, (await _paid(fiscal_stand), 100))
    await fiscal_stand.pass_time(60 * SECOND)
    await _paid(fiscal_stand, 777)
    assert len(await fiscal_stand.said()) == 2
