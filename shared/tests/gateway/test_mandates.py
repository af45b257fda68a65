"""A refusal of autopay takes the methods it names away, in whatever order things arrive."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from shared.events import Event
from shared.events_autopay import MandateRevoked, MethodName
from shared.events_gateway import ChargeRequested
from shared.gateway import methods, payments
from shared.gateway.consent import Consent
from shared.gateway.method import MethodStatus
from shared.gateway.methods import payment_method
from shared.gateway.provider import Status, Unclear
from shared.gateway.terms import Terms
from shared.inbox import Outcome
from shared.money import Money

MINUTE = timedelta(minutes=1)
ON_SQLITE = pytest.mark.parametrize("db", ["sqlite"], indirect=True)


@pytest.fixture
def terms() -> Terms:
    return Terms(Money(100), Money(35_000_000), saves=True)


async def _saved(stand: Any, contract: str = "100245") -> str:
    consent = Consent("2026-11", stand.clock(), None, "demo")
    begun = await stand.wish(consent=consent, contract=contract)
    stand.provider.save(begun.payment.provider_payment_id)
    await stand.callback(begun.payment.provider_payment_id)
    stand.provider.sent.clear()
    return str(methods.id_of(begun.payment.id))


def _revoked(stand: Any, *named: str, revision: int = 1, **changes: Any) -> Event:
    provider = changes.pop("provider", stand.provider.shop)
    body = MandateRevoked(
        contract=changes.pop("contract", "100245"),
        occurred_at=stand.clock(),
        revision=revision,
        mandate_id="mandate-1",
        methods=tuple(MethodName(provider=provider, method_ref=each) for each in named),
    )
    subject = str(body.contract)
    return body.event("autopay", subject=subject, revision=revision, correlation_id="corr")


def _charge(stand: Any, method: str, charge_id: str = "charge-1") -> Event:
    body = ChargeRequested(
        contract="100245",
        occurred_at=stand.clock(),
        charge_id=charge_id,
        provider=stand.provider.shop,
        method_ref=method,
        amount_kopecks=65_000,
        not_after=stand.clock() + 10 * MINUTE,
    )
    return body.event("autopay", subject=charge_id, revision=charge_id, correlation_id="corr")


async def _status(stand: Any, method: str) -> MethodStatus:
    found: MethodStatus = (await stand.method(methods.parse(method))).status
    return found


async def _failures(stand: Any) -> Sequence[tuple[str, str]]:
    failed = await stand.said("charge.failed")
    return [(event.data["reason"], event.data["class"]) for event in failed]


async def test_a_revoked_mandate_destroys_its_tokens_and_is_answered_once(stand: Any) -> None:
    both = [await _saved(stand), await _saved(stand)]
    left = await _saved(stand)
    for revision in (1, 1, 2):
        await stand.follow(_revoked(stand, *both, revision=revision))
    assert [await _status(stand, method) for method in both] == [MethodStatus.REMOVED] * 2
    assert await _status(stand, left) is MethodStatus.ACTIVE, "it was not named"
    rows = {str(row.id): row for row in await stand.rows(payment_method)}
    assert [(rows[method].token, rows[method].contact) for method in both] == [(None, None)] * 2
    revoked = await stand.said("payment_method.revoked")
    assert {event.subject for event in revoked} == set(both)
    assert [(event.revision, event.data["reason"]) for event in revoked] == [("2", "removed")] * 2
    assert stand.alarms == []


async def test_a_charge_that_comes_after_the_refusal_is_refused(stand: Any) -> None:
    method = await _saved(stand)
    await stand.follow(_revoked(stand, method))
    await stand.follow(_charge(stand, method))
    assert await _failures(stand) == [("method_removed", "hard")]
    assert stand.provider.sent == []


async def test_a_charge_that_was_not_sent_before_the_refusal_is_never_sent(stand: Any) -> None:
    method = await _saved(stand)
    await stand.hear(_charge(stand, method))
    await stand.hear(_revoked(stand, method))
    await stand.settle()
    await stand.pass_time(20 * MINUTE)
    assert await _failures(stand) == [("method_removed", "hard")]
    assert stand.provider.sent == []


@pytest.mark.parametrize("order", list(permutations(range(2))))
async def test_in_one_batch_the_refusal_wins(stand: Any, order: tuple[int, ...]) -> None:
    method = await _saved(stand)
    events = [_charge(stand, method), _revoked(stand, method)]
    await stand.follow(*(events[place] for place in order))
    assert await _failures(stand) == [("method_removed", "hard")]
    assert stand.provider.sent == []


async def test_a_charge_in_flight_is_settled_by_the_providers_word(stand: Any) -> None:
    """Its answer was lost; the refusal came after it was sent, so the money may be there."""
    method = await _saved(stand)
    stand.provider.creates = ["lost"] + [Unclear("http_503")] * 5
    await stand.follow(_charge(stand, method))
    assert len(stand.provider.sent) == 1
    await stand.follow(_revoked(stand, method))
    await stand.pass_time(20 * MINUTE)
    assert (await stand.said())[-1].data["charge_id"] == "charge-1"
    assert await _failures(stand) == []
    row = next(row for row in await stand.rows(payments.payment) if row.charge_id)
    assert row.status == str(Status.SUCCEEDED)
    assert len(stand.provider.made) == 2, "charged once, however often it was asked about"


@ON_SQLITE
@pytest.mark.parametrize("named", ["nonsense", "2a0b42db-b350-4717-94b8-906cff10cba8"])
async def test_an_unknown_method_is_passed_over_aloud(stand: Any, named: str) -> None:
    method = await _saved(stand)
    (result,) = await stand.follow(_revoked(stand, named, method))
    assert result.outcome is Outcome.DONE
    assert stand.alarms == ["mandate_method_unknown"]
    assert await _status(stand, method) is MethodStatus.REMOVED, "the known one goes all the same"


@ON_SQLITE
async def test_nobody_takes_away_another_contracts_method(stand: Any) -> None:
    method = await _saved(stand)
    await stand.follow(_revoked(stand, method, contract="100311"))
    assert stand.alarms == ["mandate_method_foreign"]
    assert await _status(stand, method) is MethodStatus.ACTIVE
    await stand.follow(
        _revoked(stand, method, contract="100311", revision=2), _revoked(stand, method, revision=3)
    )
    assert await _status(stand, method) is MethodStatus.REMOVED, "its owner may, in one batch too"


@ON_SQLITE
async def test_another_gateways_method_is_left_to_it(stand: Any) -> None:
    method = await _saved(stand)
    (result,) = await stand.follow(_revoked(stand, method, provider="tbank:1"))
    assert result.outcome is Outcome.DONE
    assert await _status(stand, method) is MethodStatus.ACTIVE
    assert stand.alarms == []
    nobodys = _revoked(stand, method, revision=2, contract=None)
    (dead,) = await stand.follow(nobodys)
    assert dead.outcome is Outcome.POISON


@ON_SQLITE
async def test_a_method_that_its_provider_had_ended_is_removed_as_well(stand: Any) -> None:
    """Its card may be saved again by its provider's word; after a refusal nothing brings it back.

    That it is over was said already, and is said again with a greater revision.
    """
    method = await _saved(stand)
    stand.provider.outcomes = [
        {"status": Status.CANCELED, "said": "canceled", "reason": "card_expired", "failure": "hard"}
    ]
    await stand.follow(_charge(stand, method))
    await stand.follow(_revoked(stand, method))
    assert await _status(stand, method) is MethodStatus.REMOVED
    (row,) = await stand.rows(payment_method)
    assert row.token is None
