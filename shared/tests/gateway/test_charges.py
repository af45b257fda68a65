"""Charges: one for each id, whatever is lost or repeated; never late, never of a removed method."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest
from sqlalchemy import delete, update

from shared.db import reading, transaction
from shared.events import Event
from shared.events_gateway import ChargeRequested, FailureClass
from shared.gateway import (
    charge_sending,
    charging,
    leases,
    methods,
    methods_binding,
    methods_saving,
    payments,
    polling,
)
from shared.gateway.consent import Consent
from shared.gateway.method import MethodStatus
from shared.gateway.provider import Missing, Page, Refused, Status, Throttled, Unclear
from shared.gateway.receipt import ReceiptTerms
from shared.gateway.terms import Terms
from shared.gateway.vat import Vat
from shared.inbox import Outcome, inbox
from shared.metrics import CHARGING_PAUSED
from shared.money import Money
from shared.outbox import outbox

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
STRANGER = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
FORBIDDEN = Refused("forbidden", "Forbidden to use saved payment method", ours=True)


@pytest.fixture
def terms() -> Terms:
    return Terms(Money(100), Money(35_000_000), saves=True)


async def _saved(stand: Any, contract: str = "100245", **more: Any) -> str:
    consent = Consent("2026-11", stand.clock(), None, "demo")
    begun = await stand.wish(consent=consent, contract=contract, **more)
    stand.provider.save(begun.payment.provider_payment_id)
    await stand.callback(begun.payment.provider_payment_id)
    stand.provider.sent.clear()
    return str(methods.id_of(begun.payment.id))


def _asked(stand: Any, method: str, charge_id: str = "charge-1", **changes: Any) -> Event:
    revision = changes.pop("revision", charge_id)
    said = {
        "contract": "100245",
        "occurred_at": stand.clock(),
        "charge_id": charge_id,
        "provider": stand.provider.shop,
        "method_ref": method,
        "amount_kopecks": 65_000,
        "not_after": stand.clock() + 10 * MINUTE,
    }
    body = ChargeRequested.model_validate({**said, **changes})
    return body.event("autopay", subject=charge_id, revision=revision, correlation_id="corr")


async def _remove(stand: Any, method: str) -> None:
    async with transaction(stand.gateway.db) as tx:
        await methods_saving.remove(tx, stand.gateway, methods.parse(method), stand.clock())


async def _failure(stand: Any) -> tuple[str, str]:
    (event,) = await stand.said("charge.failed")
    return event.data["reason"], event.data["class"]


async def test_a_charge_succeeds_as_a_payment_of_its_contract(stand: Any) -> None:
    method = await _saved(stand)
    await stand.follow(_asked(stand, method))
    event = (await stand.said())[-1]
    assert event.data["charge_id"] == "charge-1"
    assert (event.data["purpose"], event.data["contract"]) == ("autopay", "100245")
    assert event.correlation_id == "corr"
    ((_, request),) = stand.provider.sent
    assert orjson.loads(request)["token"] in stand.provider.kept_methods
    assert await stand.said("charge.failed") == []


async def test_a_repeated_request_is_one_charge(stand: Any) -> None:
    """The same event again, and the same charge under another event."""
    method = await _saved(stand)
    for revision in ("1", "1", "2"):
        await stand.follow(_asked(stand, method, revision=revision))
    assert len(stand.provider.sent) == 1
    assert stand.alarms == []


@pytest.mark.parametrize(
    "change", [{"amount_kopecks": 1_00}, {"contract": "100311"}, {"method_ref": STRANGER}]
)
async def test_the_same_id_with_other_data_charges_nobody(
    stand: Any, change: dict[str, Any]
) -> None:
    method = await _saved(stand)
    await stand.follow(_asked(stand, method))
    await stand.follow(_asked(stand, method, revision="other", **change))
    assert len(stand.provider.sent) == 1
    assert "charge_conflict" in stand.alarms
    assert await stand.said("charge.failed") == []


async def test_a_lost_row_is_written_again_with_the_same_key_and_bytes(stand: Any) -> None:
    method = await _saved(stand)
    stand.provider.creates = ["lost"]
    await stand.follow(_asked(stand, method))
    async with transaction(stand.gateway.db) as tx:
        await tx.execute(delete(payments.payment).where(payments.payment.c.charge_id.is_not(None)))
        await tx.execute(delete(inbox))
    await stand.follow(_asked(stand, method))
    assert len(stand.provider.sent) == 2
    assert len(set(stand.provider.sent)) == 1
    assert (await stand.said())[-1].data["charge_id"] == "charge-1"


async def test_an_adopted_charge_is_still_a_charge(stand: Any) -> None:
    """The whole database was lost: the provider gives the charge's id back."""
    method = await _saved(stand)
    await stand.follow(_asked(stand, method))
    row = next(row for row in await stand.rows(payments.payment) if row.charge_id)
    async with transaction(stand.gateway.db) as tx:
        await tx.execute(delete(payments.payment).where(payments.payment.c.id == row.id))
        await tx.execute(delete(inbox))
    await stand.callback(row.provider_payment_id)
    assert (await stand.payment(row.id)).charge_id == "charge-1"
    await stand.follow(_asked(stand, method))
    assert len(stand.provider.sent) == 1
    assert stand.alarms == []


async def test_row_1_a_callback_comes_before_the_charge_is_answered(
    stand: Any, make_stand: Callable[..., Any], db: Any
) -> None:
    method = await _saved(stand)
    stand.provider.slow = asyncio.Event()
    slow = make_stand(db, stand.provider)
    stand.provider.heard.clear()
    hearing = asyncio.create_task(slow.follow(_asked(stand, method)))
    await stand.provider.heard.wait()
    ((key, request),) = stand.provider.sent
    provider_id = stand.provider.add(request)
    stand.provider.keys[key] = (request, provider_id)
    row = next(row for row in await stand.rows(payments.payment) if row.charge_id)
    await stand.callback(provider_id, payment_id=row.id)
    assert (await stand.payment(row.id)).status is Status.SUCCEEDED
    stand.provider.slow.set()
    await hearing
    await stand.pass_time(HOUR)
    charged = [event for event in await stand.said() if event.data["charge_id"]]
    assert len(charged) == 1
    assert len(stand.provider.sent) == 1


async def test_row_1_a_callback_without_an_id_of_ours_waits_for_the_answer(
    stand: Any, make_stand: Callable[..., Any], db: Any
) -> None:
    method = await _saved(stand)
    stand.provider.slow = asyncio.Event()
    slow = make_stand(db, stand.provider)
    stand.provider.heard.clear()
    hearing = asyncio.create_task(slow.follow(_asked(stand, method)))
    await stand.provider.heard.wait()
    ((key, request),) = stand.provider.sent
    nameless = {"payment_id": None, "allocations": (), "charge_id": None}
    provider_id = stand.provider.add(request, **nameless)
    stand.provider.keys[key] = (request, provider_id)
    await stand.callback(provider_id)
    stand.provider.slow.set()
    await hearing
    await stand.pass_time(MINUTE)
    charged = [event for event in await stand.said() if event.data["charge_id"]]
    assert [event.data["suspense"] for event in charged] == [None]
    row = next(row for row in await stand.rows(payments.payment) if row.charge_id)
    assert (row.status, row.provider_payment_id) == ("succeeded", provider_id)
    assert len(await stand.rows(payments.payment)) == 2
    assert stand.alarms == []


async def test_row_10_a_success_after_our_own_end_still_counts(stand: Any) -> None:
    """The list had not shown it yet: the money is there, so it is said all the same."""
    method = await _saved(stand)
    stand.provider.creates = ["lost"] + [Unclear("http_503")] * 20
    stand.provider.lists = [_empty()] * 1000
    await stand.follow(_asked(stand, method))
    for _ in range(25):
        await stand.pass_time(HOUR)
    assert await _failure(stand) == ("unmade", "soft")
    provider_id = next(truth.id for truth in stand.provider.made.values() if truth.charge_id)
    await stand.callback(provider_id)
    assert (await stand.said())[-1].data["charge_id"] == "charge-1"


def _empty() -> Any:
    return Page([], None)


@pytest.mark.parametrize("failure", list(FailureClass)[:2])
async def test_a_refused_charge_says_why_and_a_hard_one_ends_the_method(
    stand: Any, failure: FailureClass
) -> None:
    method = await _saved(stand)
    stand.provider.outcomes = [
        {"status": Status.CANCELED, "said": "canceled", "reason": "because", "failure": failure}
    ]
    await stand.follow(_asked(stand, method))
    (event,) = await stand.said("charge.failed")
    assert event.data == {
        "contract": "100245",
        "occurred_at": event.data["occurred_at"],
        "charge_id": "charge-1",
        "provider": stand.provider.shop,
        "method_ref": method,
        "amount_kopecks": 65_000,
        "reason": "because",
        "class": str(failure),
    }
    assert await stand.said("payment.canceled") == []
    hard = failure is FailureClass.HARD
    revoked = await stand.said("payment_method.revoked")
    assert [event.data["reason"] for event in revoked] == ["because"] * hard
    await stand.follow(_asked(stand, method, "charge-2"))
    failed = [event.data["reason"] for event in await stand.said("charge.failed")]
    assert failed == (["because", "method_inactive"] if hard else ["because"])


async def test_row_17_a_removed_method_is_not_charged(stand: Any) -> None:
    """Removed after the charge was written down, before it was sent."""
    method = await _saved(stand)
    await stand.hear(_asked(stand, method))
    await _remove(stand, method)
    await stand.settle()
    assert stand.provider.sent == []
    assert await _failure(stand) == ("method_removed", "hard")
    await stand.follow(_asked(stand, method, "charge-2"))
    assert stand.provider.sent == []
    assert len(await stand.said("payment_method.revoked")) == 1


async def test_a_late_charge_is_stale(stand: Any) -> None:
    method = await _saved(stand)
    await stand.hear(_asked(stand, method))
    stand.clock.advance(10 * MINUTE + SECOND)
    await stand.settle()
    assert stand.provider.sent == []
    assert await _failure(stand) == ("not_after", "stale")


async def test_a_charge_turned_away_unread_is_judged_again(stand: Any) -> None:
    """Too many requests: it was not sent, so its method may be removed and its time may pass."""
    method = await _saved(stand)
    stand.provider.creates = [Throttled()]
    await stand.follow(_asked(stand, method))
    await _remove(stand, method)
    await stand.pass_time(MINUTE)
    assert len(stand.provider.sent) == 1
    assert await _failure(stand) == ("method_removed", "hard")


@pytest.mark.parametrize(
    ("change", "failed", "alarmed"),
    [
        ({"method_ref": STRANGER}, ("method_unknown", "hard"), []),
        ({"method_ref": "nonsense"}, ("method_unknown", "hard"), []),
        (
            {"contract": "100311"},
            ("method_of_another_contract", "hard"),
            ["charge_method_of_another_contract"],
        ),
        ({"amount_kopecks": 99}, ("amount_out_of_limits", "shop"), []),
        ({"amount_kopecks": 35_000_001}, ("amount_out_of_limits", "shop"), []),
        (
            {"provider": "yookassa:999"},
            ("shop_not_configured", "shop"),
            ["charge_shop_not_configured"],
        ),
    ],
)
async def test_a_charge_that_cannot_be_fails_at_once_and_for_good(
    stand: Any, change: dict[str, Any], failed: tuple[str, str], alarmed: list[str]
) -> None:
    method = await _saved(stand)
    await stand.follow(_asked(stand, method, **change))
    assert await _failure(stand) == failed
    assert stand.alarms == alarmed
    assert stand.provider.sent == []
    saved = await stand.method(methods.parse(method))
    assert saved.status is MethodStatus.ACTIVE, "another's mistake ends nobody's method"
    if "provider" not in change:
        await stand.follow(_asked(stand, method, revision="mended"))
        assert stand.provider.sent == [], "what was said to have failed is not charged later"


async def test_another_gateways_charge_is_left_alone(stand: Any) -> None:
    method = await _saved(stand)
    (result,) = await stand.follow(_asked(stand, method, provider="tbank:1"))
    assert result.outcome is Outcome.DONE
    assert await stand.said("charge.failed") == []
    (dead,) = await stand.follow(_asked(stand, method, "charge-2", contract=None))
    assert dead.outcome is Outcome.POISON


async def test_an_unclear_charge_stays_in_flight_with_an_alarm(stand: Any) -> None:
    """Repeated with the same bytes while it is in time, then looked for, never sent again."""
    method = await _saved(stand)
    stand.provider.creates = ["lost"] + [Unclear("http_503")] * 40
    stand.provider.lists = [Unclear("http_503")] * 2
    await stand.follow(_asked(stand, method))
    assert stand.alarms == ["charge_unclear"]
    for _ in range(12):
        await stand.pass_time(MINUTE)
    sent = len(stand.provider.sent)
    assert sent > 5
    assert len(set(stand.provider.sent)) == 1
    assert await stand.said("charge.failed") == []
    for _ in range(5):
        await stand.pass_time(MINUTE)
    assert len(stand.provider.sent) == sent
    assert (await stand.said())[-1].data["charge_id"] == "charge-1"
    assert len(stand.provider.made) == 2


async def test_a_list_that_lags_says_nothing_about_a_charge(stand: Any) -> None:
    """What is not there may still turn up: for a day it is in flight, not failed and not sent."""
    method = await _saved(stand)
    stand.provider.creates = ["lost"] + [Unclear("http_503")] * 40
    stand.provider.lists = [_empty()] * 3
    await stand.follow(_asked(stand, method))
    for _ in range(13):
        await stand.pass_time(MINUTE)
    sent = len(stand.provider.sent)
    assert stand.provider.lists != [_empty()] * 3, "the list was looked at"
    assert await stand.said("charge.failed") == []
    for _ in range(10):
        await stand.pass_time(MINUTE)
    assert len(stand.provider.sent) == sent
    assert (await stand.said())[-1].data["charge_id"] == "charge-1"
    assert await stand.said("charge.failed") == []


async def test_a_definite_refusal_fails_the_charge(stand: Any) -> None:
    method = await _saved(stand)
    stand.provider.creates = [Refused("invalid_request", failure=FailureClass.HARD)]
    await stand.follow(_asked(stand, method))
    assert await _failure(stand) == ("invalid_request", "hard")
    assert len(await stand.said("payment_method.revoked")) == 1


async def test_a_request_refused_for_its_form_is_our_fault(stand: Any) -> None:
    method = await _saved(stand)
    stand.provider.creates = [Refused("invalid_request")]
    await stand.follow(_asked(stand, method))
    assert await _failure(stand) == ("invalid_request", "shop")
    assert stand.alarms == ["charge_refused"]
    assert await stand.said("payment_method.revoked") == []


async def test_a_charge_that_asks_for_its_payer_waits_and_then_fails(stand: Any) -> None:
    method = await _saved(stand)
    stand.provider.outcomes = [{"said": "pending"}]
    await stand.follow(_asked(stand, method))
    row = next(row for row in await stand.rows(payments.payment) if row.charge_id)
    assert (row.status, await stand.said("charge.failed")) == ("pending", [])
    await stand.pass_time(30 * MINUTE)
    assert await stand.said("charge.failed") == []
    stand.provider.cancel(row.provider_payment_id)
    await stand.pass_time(30 * MINUTE)
    assert await _failure(stand) == ("expired_on_confirmation", "soft")


async def test_row_18_a_shop_without_the_right_is_paused_as_a_whole(stand: Any) -> None:
    method = await _saved(stand)
    stand.provider.creates = [FORBIDDEN] * 3
    late = stand.clock() + 3 * HOUR
    await stand.follow(_asked(stand, method, "charge-1", not_after=late))
    for number in range(2, 6):
        await stand.follow(_asked(stand, method, f"charge-{number}", not_after=late))
    assert len(stand.provider.sent) == 1, "the others wait without asking"
    assert stand.alarms == ["charging_paused"]
    assert await stand.said("charge.failed") == []
    await charging.step(stand.gateway)
    assert CHARGING_PAUSED.labels(stand.provider.shop)._value.get() == 1
    stand.provider.creates = []
    await stand.pass_time(HOUR + SECOND)
    charged = {event.data["charge_id"] for event in await stand.said()} - {None}
    assert charged == {f"charge-{number}" for number in range(1, 6)}
    await charging.step(stand.gateway)
    assert CHARGING_PAUSED.labels(stand.provider.shop)._value.get() == 0


async def test_what_waited_in_vain_for_its_shop_is_the_shops_fault(stand: Any) -> None:
    method = await _saved(stand)
    stand.provider.creates = [FORBIDDEN]
    await stand.follow(_asked(stand, method))
    await stand.pass_time(9 * MINUTE)
    assert await stand.said("charge.failed") == []
    await stand.pass_time(2 * MINUTE)
    assert await _failure(stand) == ("charging_paused", "shop")
    assert await stand.said("payment_method.revoked") == []


async def test_an_operator_resumes_a_shop(stand: Any) -> None:
    method = await _saved(stand)
    stand.provider.creates = [FORBIDDEN]
    await stand.follow(_asked(stand, method))
    async with reading(stand.gateway.db) as tx:
        (pause,) = await charging.listed(tx, stand.clock())
    assert (pause.shop, pause.reason) == (stand.provider.shop, "forbidden")
    async with transaction(stand.gateway.db) as tx:
        assert await charging.resume(tx, stand.clock()) == 1
    await stand.settle()
    assert (await stand.said())[-1].data["charge_id"] == "charge-1"


async def test_a_refused_repetition_proves_nothing(stand: Any) -> None:
    """The first sending was taken, its answer lost; then the shop loses its right."""
    method = await _saved(stand)
    stand.provider.creates = ["lost", FORBIDDEN]
    await stand.follow(_asked(stand, method))
    await stand.pass_time(3 * SECOND)
    assert "charging_paused" in stand.alarms
    await stand.pass_time(3 * MINUTE)
    assert (await stand.said())[-1].data["charge_id"] == "charge-1"
    assert len(stand.provider.sent) == 2


async def test_row_17_a_charge_of_unclear_outcome_is_not_repeated_once_its_method_is_removed(
    stand: Any,
) -> None:
    method = await _saved(stand)
    stand.provider.creates = [Unclear("ClientConnectorError")]
    await stand.follow(_asked(stand, method))
    await _remove(stand, method)
    for _ in range(25):
        await stand.pass_time(HOUR)
    assert len(stand.provider.sent) == 1
    assert await _failure(stand) == ("unmade", "soft")


async def test_what_was_taken_before_its_method_was_removed_is_found(stand: Any) -> None:
    method = await _saved(stand)
    stand.provider.creates = ["lost"]
    await stand.follow(_asked(stand, method))
    await _remove(stand, method)
    for _ in range(3):
        await stand.pass_time(MINUTE)
    assert len(stand.provider.sent) == 1
    assert (await stand.said())[-1].data["charge_id"] == "charge-1"
    assert await stand.said("charge.failed") == []


@pytest.mark.parametrize("removed", [True, False])
async def test_row_3_killed_before_the_first_byte_is_judged_again(
    stand: Any, removed: bool
) -> None:
    """Written down as sent, never sent; meanwhile its method is removed, or its time passes."""
    method = await _saved(stand)
    await stand.hear(_asked(stand, method))
    async with transaction(stand.gateway.db) as tx:
        (lease,) = await leases.claim(tx, stand.clock(), 10, stand.gateway.timing.create_lease)
    assert await charge_sending.admit(stand.gateway, lease) is not None
    if removed:
        await _remove(stand, method)
    await stand.pass_time(2 * MINUTE if removed else 10 * MINUTE + SECOND)
    for _ in range(25):
        await stand.pass_time(HOUR)
    assert stand.provider.sent == []
    assert await _failure(stand) == ("unmade", "soft")


async def test_two_replicas_charge_once(
    stand: Any, make_stand: Callable[..., Any], db: Any
) -> None:
    method = await _saved(stand)
    other = make_stand(db, stand.provider)
    asked = [_asked(stand, method, f"charge-{number}") for number in range(20)]
    await stand.hear(*asked)
    await asyncio.gather(*(each.settle() for each in (stand, other)))
    charged = [event.data["charge_id"] for event in await stand.said() if event.data["charge_id"]]
    assert sorted(charged) == sorted(f"charge-{number}" for number in range(20))
    assert len(stand.provider.sent) == 20


async def test_a_killed_process_leaves_a_charge_to_be_repeated(stand: Any) -> None:
    """It died between writing down that it sends and hearing: sent again under the same key."""
    method = await _saved(stand)
    await stand.hear(_asked(stand, method))
    row = next(row for row in await stand.rows(payments.payment) if row.charge_id)
    async with transaction(stand.gateway.db) as tx:
        begun = {"first_sent_at": stand.clock(), "list_at": stand.clock() + HOUR, "attempts": 1}
        held = {"lease_token": uuid4(), "leased_until": stand.clock() + 80 * SECOND}
        mine = update(payments.payment).where(payments.payment.c.id == row.id)
        await tx.execute(mine.values(**begun, **held))
    await stand.settle()
    assert stand.provider.sent == []
    await stand.pass_time(81 * SECOND)
    assert [key for key, _ in stand.provider.sent] == [row.key]
    assert (await stand.said())[-1].data["charge_id"] == "charge-1"


async def test_a_charge_of_a_binding_that_waits_does_not_end_it(stand: Any) -> None:
    await stand.know("100245")
    consent = Consent("2026-11", stand.clock(), None, "demo")
    wish = methods_binding.Wish("100245", "sbp", "https://pay.example.org/b", consent, "corr")
    made = await methods_binding.begin(stand.gateway, stand.provider.shop, wish, SECOND)
    await stand.follow(_asked(stand, str(made.id)))
    assert await _failure(stand) == ("method_pending", "hard")
    assert (await stand.method(made.id)).status is MethodStatus.PENDING


async def test_a_charge_without_anybody_to_send_its_receipt_to_is_not_sent(stand: Any) -> None:
    """The shop began to print receipts after the method was saved: its setting, not its payer."""
    method = await _saved(stand)
    shop = stand.provider.shop
    fiscal = replace(stand.gateway.terms[shop], receipts=ReceiptTerms(Vat.BASE))
    stand.gateway.terms[shop] = fiscal
    await stand.follow(_asked(stand, method))
    assert stand.provider.sent == []
    assert await _failure(stand) == ("no_contact", "shop")
    assert stand.alarms == ["charge_no_contact"]
    assert (await stand.method(methods.parse(method))).status is MethodStatus.ACTIVE


async def test_a_charge_carries_a_receipt_to_its_methods_contact(stand: Any) -> None:
    shop = stand.provider.shop
    fiscal = replace(stand.gateway.terms[shop], receipts=ReceiptTerms(Vat.BASE))
    stand.gateway.terms[shop] = fiscal
    method = await _saved(stand, contact={"email": "payer@example.org"})
    await stand.follow(_asked(stand, method))
    ((_, request),) = stand.provider.sent
    assert orjson.loads(request)["receipt"]["customer"]["email"] == "payer@example.org"
    assert (await stand.said())[-1].data["charge_id"] == "charge-1"


async def test_charges_refused_together_raise_one_alarm(stand: Any) -> None:
    method = await _saved(stand)
    stand.provider.creates = [FORBIDDEN] * 4
    stand.provider.slow = asyncio.Event()
    await stand.hear(*(_asked(stand, method, f"charge-{number}") for number in range(4)))
    await polling.step(stand.gateway)
    async with asyncio.timeout(20):
        while len(stand.provider.sent) < 4:
            stand.provider.heard.clear()
            await stand.provider.heard.wait()
    stand.provider.slow.set()
    await stand.settle()
    assert stand.alarms == ["charging_paused"]
    assert await stand.said("charge.failed") == []


@pytest.mark.parametrize("found", ["succeeded", "canceled", "pending", "missing", "unclear"])
async def test_a_charge_that_is_not_known_by_its_id_is_found_by_its_request(
    stand: Any, found: str
) -> None:
    method = await _saved(stand)
    stand.provider.outcomes = [{"status": Status.PENDING}]
    await stand.follow(_asked(stand, method))
    ((_, request),) = stand.provider.sent
    (pending,) = (one for one in stand.provider.made.values() if one.charge_id is not None)
    del stand.provider.made[pending.id]
    finder = _Finder(_becomes(stand, pending, found))
    stand.gateway = replace(stand.gateway, finders={stand.provider.shop: finder})
    await stand.pass_time(MINUTE)
    assert finder.asked == [request]
    row = next(row for row in await stand.rows(payments.payment) if row.charge_id)
    assert row.status == (found if found in ("succeeded", "canceled") else "pending")
    assert stand.alarms == (["payment_vanished"] if found == "missing" else [])
    assert len(stand.provider.sent) == 1


class _Finder:
    def __init__(self, answer: Any) -> None:
        self.answer, self.asked = answer, list[bytes]()

    async def find(self, request: bytes) -> Any:
        self.asked.append(request)
        return self.answer


def _becomes(stand: Any, pending: Any, found: str) -> Any:
    if found in ("missing", "unclear"):
        return Missing() if found == "missing" else Unclear("timeout")
    paid_at = stand.clock() if found == "succeeded" else None
    return replace(pending, status=Status(found), said=found, paid_at=paid_at)


@pytest.mark.parametrize("end", ["succeeded", "failed"])
async def test_whoever_asks_again_hears_the_end_again(stand: Any, end: str) -> None:
    """A queue was purged: the answer is lost, and the charge is made once all the same."""
    method = await _saved(stand)
    if end == "failed":
        await _remove(stand, method)
    asked = _asked(stand, method)
    await stand.follow(asked)
    kind = "payment.succeeded" if end == "succeeded" else "charge.failed"
    sent = len(stand.provider.sent)
    async with transaction(stand.gateway.db) as tx:
        await tx.execute(update(outbox).values(sent_at=stand.clock()))
    await stand.follow(asked)
    again = [row for row in await stand.rows(outbox) if row.sent_at is None]
    assert [row.type for row in again] == [kind]
    assert orjson.loads(again[0].body)["data"]["charge_id"] == "charge-1"
    assert len(stand.provider.sent) == sent


async def test_a_charge_in_flight_that_is_asked_for_again_has_no_end_to_say(stand: Any) -> None:
    method = await _saved(stand)
    stand.provider.creates = ["lost"]
    asked = _asked(stand, method)
    await stand.follow(asked)
    said = len(await stand.rows(outbox))
    await stand.follow(asked)
    assert len(await stand.rows(outbox)) == said


async def test_a_question_after_its_time_charges_nobody(stand: Any) -> None:
    """The request itself was lost and comes again when it is dead: that it was not made is said."""
    method = await _saved(stand)
    asked = _asked(stand, method, not_after=stand.clock() - MINUTE)
    await stand.follow(asked)
    stand.clock.advance(2 * MINUTE)
    await stand.settle()
    assert stand.provider.sent == []
    assert await _failure(stand) == ("not_after", "stale")


async def test_a_charge_whose_row_was_lost_is_looked_for_when_it_is_asked_for_again(
    stand: Any,
) -> None:
    """A backup was restored after the sending: to call it late would have it made a second time."""
    method = await _saved(stand)
    stand.provider.creates = ["lost"]
    asked = _asked(stand, method)
    await stand.follow(asked)
    async with transaction(stand.gateway.db) as tx:
        await tx.execute(delete(payments.payment).where(payments.payment.c.charge_id.is_not(None)))
        await tx.execute(delete(inbox))
    stand.clock.advance(15 * MINUTE)
    await stand.follow(asked)
    assert len(stand.provider.sent) == 1
    assert await stand.said("charge.failed") == []
    assert (await stand.said())[-1].data["charge_id"] == "charge-1"


@pytest.mark.parametrize("failure", [Throttled(), Unclear("refused", unsent=True)])
async def test_a_lost_charge_is_not_called_late_before_the_list_has_answered(
    stand: Any, failure: Any
) -> None:
    method = await _saved(stand)
    stand.provider.creates = ["lost"]
    asked = _asked(stand, method)
    await stand.follow(asked)
    async with transaction(stand.gateway.db) as tx:
        await tx.execute(delete(payments.payment).where(payments.payment.c.charge_id.is_not(None)))
        await tx.execute(delete(inbox))
    stand.provider.lists = [failure]
    stand.clock.advance(15 * MINUTE)
    await stand.follow(asked)
    for _ in range(3):
        await stand.pass_time(MINUTE)
    assert len(stand.provider.sent) == 1
    assert await stand.said("charge.failed") == []
    assert (await stand.said())[-1].data["charge_id"] == "charge-1"
