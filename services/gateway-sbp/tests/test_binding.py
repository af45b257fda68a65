"""An account bound for charges, charged and revoked, at either bank: with the events of cards."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from shared.events import Event
from shared.events_gateway import ChargeRequested
from shared.gateway import work
from shared.inbox import apply

pytestmark = pytest.mark.timeout(90)
CONSENT = {"version": "2026-11", "address": "203.0.113.7"}
SERVICES = "core-billing,gateway-yookassa,gateway-sbp,notifier,autopay"


@pytest.fixture(params=["raiffeisen", "tbank"])
async def place(start: Any, request: pytest.FixtureRequest) -> Any:
    made = await start(SBP_ACQUIRERS=request.param, SALDO_SERVICES=SERVICES)
    made.bank = request.param
    return made


async def bound(place: Any) -> dict[str, Any]:
    """Return a method whose account was bound in the bank's app."""
    made = await begun(place)
    await press(place, made, "pay")
    return await becomes(place, made["id"], "active")


async def begun(place: Any) -> dict[str, Any]:
    wanted = {
        "contract": "100245",
        "kind": "sbp",
        "return_url": f"{place.url}/cabinet/",
        "consent": CONSENT,
    }
    status, made = await place.call("POST", "/v1/methods", wanted)
    assert status in (201, 202), made
    found: dict[str, Any] = await becomes(place, made["id"], "pending")
    return found


async def press(place: Any, method: dict[str, Any], button: str) -> None:
    """Do what a button of the bank's app does with the code of a binding."""
    code = urlsplit(method["confirmation_url"]).path.strip("/")
    answer = await place.sandbox.call("POST", f"/{place.bank}/qr/{code}/{button}", {})
    assert answer.status == 200, answer


async def becomes(place: Any, method_id: str, status: str) -> dict[str, Any]:
    async def reached() -> Any:
        _, found = await place.call("GET", f"/v1/methods/{method_id}")
        return found if found["status"] == status else None

    found: dict[str, Any] = await place.until(reached)
    return found


async def ask(place: Any, method: dict[str, Any], charge: str = "charge-1", **more: Any) -> None:
    """Ask for a charge as autopay does."""
    at = place.gateway.clock()
    said = {
        "contract": "100245",
        "occurred_at": at,
        "charge_id": charge,
        "provider": next(iter(place.gateway.providers)),
        "method_ref": method["id"],
        "amount_kopecks": 65_000,
        "not_after": at + timedelta(minutes=10),
    }
    body = ChargeRequested.model_validate({**said, **more})
    event = body.event("autopay", subject=charge, revision=charge, correlation_id="corr")
    await apply(work.consumer(place.gateway, "gateway-sbp"), [event], place.gateway.clock)


async def said(place: Any, kind: str, count: int = 1) -> list[Event]:
    async def there() -> Any:
        events = await place.said(kind)
        return events if len(events) >= count else None

    found: list[Event] = await place.until(there)
    assert len(found) == count
    return found


async def script(place: Any, *outcomes: Any) -> None:
    path = f"/{place.bank}/control/scripts/charge"
    answer = await place.sandbox.call("PUT", path, {"outcomes": list(outcomes)})
    assert answer.status == 200, answer


async def test_an_account_is_bound_when_its_bank_says_so(place: Any) -> None:
    waiting = await begun(place)
    assert waiting["confirmation_url"].startswith("https://sub.nspk.ru/")
    assert await place.said("payment_method.saved") == []
    await press(place, waiting, "pay")
    done = await becomes(place, waiting["id"], "active")
    assert "СБП" in done["title"]
    (event,) = await said(place, "payment_method.saved")
    assert event.data["method_ref"] == waiting["id"]
    assert "tok_sim" not in str(event.data)


async def test_a_payer_who_does_not_agree_has_bound_nothing(start: Any) -> None:
    # Raiffeisen has no word for a refusal: there the binding runs out.
    place = await start(SBP_ACQUIRERS="tbank", SALDO_SERVICES=SERVICES)
    place.bank = "tbank"
    waiting = await begun(place)
    await press(place, waiting, "refuse")
    await becomes(place, waiting["id"], "inactive")
    assert await place.said("payment_method.saved") == []


async def test_a_bound_account_is_charged_once_for_its_id(place: Any) -> None:
    method = await bound(place)
    await ask(place, method)
    await ask(place, method)
    (event,) = await said(place, "payment.succeeded")
    assert (event.data["charge_id"], event.data["amount_kopecks"]) == ("charge-1", 65_000)
    assert [one["contract"] for one in event.data["allocations"]] == ["100245"]


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "error_after", "truncated"])
async def test_an_unclear_charge_is_not_made_twice(place: Any, kind: str) -> None:
    method = await bound(place)
    call = {"raiffeisen": "charge", "tbank": "ChargeQr"}[place.bank]
    fault = {"faults": [{"kind": kind, "calls": [call], "times": 1}]}
    answer = await place.sandbox.call("POST", f"/{place.bank}/control/faults", fault)
    assert answer.status == 200, answer
    await ask(place, method)
    await said(place, "payment.succeeded")
    state = (await place.sandbox.call("GET", f"/{place.bank}/control/state")).body
    money = ("SUCCESS", "CONFIRMED")
    paid = [one for one in state["payments"] if one["status"] in money]
    assert sum(one["kopecks"] for one in paid) == 65_000


async def test_a_refused_charge_has_failed_and_the_account_stays(place: Any) -> None:
    method = await bound(place)
    await script(place, {"raiffeisen": "DECLINED", "tbank": "1051"}[place.bank])
    await ask(place, method)
    (event,) = await said(place, "charge.failed")
    assert event.data["class"] == "soft"
    assert (await becomes(place, method["id"], "active"))["status"] == "active"
    await ask(place, method, "charge-2")
    await said(place, "payment.succeeded")


async def test_a_charge_that_takes_its_time_stays_in_flight(place: Any) -> None:
    method = await bound(place)
    await script(place, {"raiffeisen": "IN_PROGRESS", "tbank": "FORM_SHOWED"}[place.bank])
    await ask(place, method)
    if place.bank == "tbank":

        async def charging() -> Any:
            found = (await place.sandbox.call("GET", "/tbank/control/codes")).body["items"]
            return found[0] if found and found[0]["binding"] else None

        waiting = await place.until(charging)
        path = f"/tbank/qr/{waiting['id']}/pay"
        assert (await place.sandbox.call("POST", path, {})).status == 200
    else:
        await place.sandbox.call("POST", "/raiffeisen/control/clock", {"advance_seconds": 61})
    await said(place, "payment.succeeded")
    assert await place.said("charge.failed") == []


async def test_an_account_that_its_owner_revokes_in_the_app_is_revoked_here(place: Any) -> None:
    waiting = await begun(place)
    await press(place, waiting, "pay")
    await becomes(place, waiting["id"], "active")
    await press(place, waiting, "refuse")
    await becomes(place, waiting["id"], "inactive")
    (event,) = await said(place, "payment_method.revoked")
    assert event.data["method_ref"] == waiting["id"]


async def test_what_was_removed_here_is_never_charged(place: Any) -> None:
    method = await bound(place)
    status, _ = await place.call("POST", f"/v1/methods/{method['id']}/remove")
    assert status == 200
    await ask(place, method)
    (event,) = await said(place, "charge.failed")
    assert event.data["class"] == "hard"
    assert await place.said("payment.succeeded") == []


async def test_a_paid_code_is_no_bound_account(place: Any) -> None:
    await place.paid()
    assert (await place.call("GET", "/v1/methods?contract=100245"))[1]["items"] == []
    assert await place.said("payment_method.saved") == []
