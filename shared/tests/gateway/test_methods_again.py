"""All saved methods are said again for whoever has lost what was said of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.db import transaction
from shared.gateway import methods, methods_again, methods_saving
from shared.gateway.consent import Consent
from shared.gateway.terms import Terms
from shared.money import Money

DAY = timedelta(days=1)


@pytest.fixture
def terms() -> Terms:
    return Terms(Money(100), Money(35_000_000), saves=True)


async def _saved(stand: Any, contract: str) -> Any:
    consent = Consent("2026-11", stand.clock(), None, "demo")
    begun = await stand.wish(consent=consent, contract=contract)
    stand.provider.save(begun.payment.provider_payment_id)
    await stand.callback(begun.payment.provider_payment_id)
    return await stand.method(methods.id_of(begun.payment.id))


async def _remove(stand: Any, method: Any) -> None:
    async with transaction(stand.gateway.db) as tx:
        await methods_saving.remove(tx, stand.gateway, method.id, stand.clock())


async def test_each_method_is_said_as_it_stands_under_a_new_event(
    stand: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(methods_again, "PAGE", 1)
    kept, removed = await _saved(stand, "100245"), await _saved(stand, "100311")
    await _remove(stand, removed)
    saved = {event.id: event for event in await stand.said("payment_method.saved")}
    revoked = {event.id: event for event in await stand.said("payment_method.revoked")}
    at = stand.clock()
    stand.clock.advance(DAY)
    assert await methods_again.republish(stand.gateway, "run-1") == 2
    (again,) = [e for e in await stand.said("payment_method.saved") if e.id not in saved]
    (gone,) = [e for e in await stand.said("payment_method.revoked") if e.id not in revoked]
    first = next(e for e in saved.values() if e.subject == str(kept.id))
    assert again.data == first.data, "an old card is not told as a new one"
    assert gone.data == next(iter(revoked.values())).data
    assert gone.data["occurred_at"] == at.isoformat().replace("+00:00", "Z")


async def test_another_run_says_it_once_more_and_the_same_run_does_not(stand: Any) -> None:
    await _saved(stand, "100245")
    for run in ("run-1", "run-1", "run-2"):
        await methods_again.republish(stand.gateway, run)
    assert len(await stand.said("payment_method.saved")) == 3


async def test_what_was_never_said_is_not_said(stand: Any) -> None:
    await stand.wish(consent=Consent("2026-11", stand.clock(), None, "demo"))
    assert await methods_again.republish(stand.gateway, "run-1") == 0
