"""Event bodies: what a model says is read back, and amounts are never coerced."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared import topology
from shared.errors import Poison
from shared.events import (
    Allocation,
    BalanceLow,
    Event,
    EventData,
    PaymentPosted,
    PaymentSucceeded,
    WatchSet,
    decode,
    encode,
    event_id,
)

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MODELS = EventData.__subclasses__()
PAID = PaymentSucceeded(
    contract="A-1",
    occurred_at=AT,
    provider="yookassa:100500",
    provider_payment_id="2f-1",
    amount_kopecks=65_000,
    allocations=(Allocation(contract="A-1", amount_kopecks=65_000),),
    paid_at=AT,
)


def said(body: EventData = PAID, revision: str | int = "2f-1") -> Event:
    return body.event("gateway", subject="A-1", revision=revision, correlation_id="c-1")


def with_data(**changed: Any) -> Event:
    event = said()
    data = {**event.data, **changed}
    return Event(event.id, "gateway", event.type, "A-1", AT, "2f-1", "c-1", data)


def test_a_body_becomes_an_event_and_is_read_back() -> None:
    event = said()
    assert (event.source, event.type, event.subject) == ("gateway", "payment.succeeded", "A-1")
    assert (event.time, event.revision, event.correlation_id) == (AT, "2f-1", "c-1")
    assert PaymentSucceeded.of(decode(encode(event))) == PAID


def test_the_id_is_made_of_producer_type_subject_and_revision() -> None:
    assert said().id == event_id("gateway", "payment.succeeded", "A-1", "2f-1")
    assert said(revision=7).id == said(revision="7").id
    assert said(revision=7).revision == "7"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_type_is_one_that_somebody_listens_to(model: type[EventData]) -> None:
    assert model.TYPE in topology.LISTENERS
    assert [other for other in MODELS if other.TYPE == model.TYPE] == [model]
    assert "occurred_at" in model.model_fields


@given(st.integers(-12, 14))
def test_the_same_moment_of_another_zone_is_the_same_fact(hours: int) -> None:
    zone = timezone(timedelta(hours=hours))
    elsewhere = PAID.model_dump() | {
        "occurred_at": AT.astimezone(zone),
        "paid_at": AT.astimezone(zone),
    }
    assert said(PaymentSucceeded.model_validate(elsewhere)).digest() == said().digest()


def test_fields_that_a_newer_producer_added_are_ignored() -> None:
    assert PaymentSucceeded.of(with_data(colour="blue")) == PAID


NO_AMOUNTS: list[Any] = [None, "65000", 65_000.0, 650.5, True, 10**15, 10**30, 0, -1, [], [[1]], {}]


@pytest.mark.parametrize("value", NO_AMOUNTS, ids=repr)
def test_what_is_no_amount_is_poison_and_never_coerced(value: Any) -> None:
    with pytest.raises(Poison, match=r"payment\.succeeded: \d+ wrong fields"):
        PaymentSucceeded.of(with_data(amount_kopecks=value))
    with pytest.raises(Poison):
        PaymentSucceeded.of(with_data(allocations=[{"contract": "A-1", "amount_kopecks": value}]))


@pytest.mark.parametrize("value", [None, "1", 1.0, True, 10**15, -(10**15)], ids=repr)
def test_a_balance_is_a_whole_number_of_either_sign(value: Any) -> None:
    body = {
        "contract": "A-1",
        "occurred_at": AT,
        "watcher": "notifier",
        "crossing": 1,
        "threshold_kopecks": 10_000,
        "balance_kopecks": -1,
        "needed_kopecks": 10_001,
    }
    assert BalanceLow.model_validate(body).balance_kopecks == -1
    with pytest.raises(ValidationError, match="balance_kopecks"):
        BalanceLow.model_validate(body | {"balance_kopecks": value})


@pytest.mark.parametrize("value", ["1", 1.0, True, -1, 2**63, 10**30], ids=repr)
def test_a_revision_is_a_number_that_a_column_holds(value: Any) -> None:
    body = {"occurred_at": AT, "watcher": "notifier", "threshold_kopecks": 0}
    assert WatchSet.model_validate(body | {"revision": 2**63 - 1}).revision == 2**63 - 1
    with pytest.raises(ValidationError, match="revision"):
        WatchSet.model_validate(body | {"revision": value})


@pytest.mark.parametrize(
    "changed",
    [
        {"occurred_at": "2026-11-22T12:00:00"},
        {"occurred_at": "0001-01-01T00:00:00+23:00"},
        {"paid_at": None},
        {"provider": 7},
        {"allocations": "A-1"},
        {"allocations": [["A-1", 1]]},
        {"allocations": [{"contract": "", "amount_kopecks": 1}]},
        {"allocations": [{"contract": "A" * 65, "amount_kopecks": 1}]},
        {"allocations": [{"contract": "A", "amount_kopecks": 1}] * 51},
    ],
    ids=lambda changed: repr(changed)[:40],
)
def test_a_body_that_does_not_fit_is_poison(changed: dict[str, Any]) -> None:
    with pytest.raises(Poison):
        PaymentSucceeded.of(with_data(**changed))


def test_a_missing_field_is_poison() -> None:
    with pytest.raises(Poison, match=r"payment\.succeeded"):
        PaymentPosted.of(said())
