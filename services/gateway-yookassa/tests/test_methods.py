"""Saved methods and charges between the gateway and YooKassa's simulator, over HTTP."""

from __future__ import annotations

import argparse
import re
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from gateway_yookassa.app import TOOLS
from gateway_yookassa.settings import Settings
from shared.crypto import Vault, new_encryption_key
from shared.events import Event
from shared.events_gateway import ChargeRequested
from shared.gateway import methods, payments, work
from shared.gateway.commands.all import common
from shared.gateway.consent import Consent
from shared.gateway.methods import payment_method
from shared.inbox import apply

SAVES = {
    "GATEWAY_YOOKASSA_SAVE_METHODS": "true",
    "SALDO_SERVICES": "core-billing,gateway-yookassa,notifier,autopay",
}
AGREED = {"save_method": {"consent": {"version": "2026-11", "address": "203.0.113.7"}}}
FORBIDDEN = {"kind": "unauthorized", "calls": ["create_payment"], "times": 1}


@pytest.fixture
async def place(start: Any) -> Any:
    return await start(**SAVES)


async def _saved(place: Any, **wish: Any) -> dict[str, Any]:
    """Save a card with a payment; return the method as the API shows it."""
    _, made = await place.make(**AGREED)
    await place.sandbox.pay(made["provider_payment_id"], **wish)
    await place.becomes(made["id"], "succeeded")
    (method,) = (await _call(place, "GET", "?contract=100245"))["items"]
    return dict(method)


async def _call(place: Any, verb: str, path: str, body: Any = None) -> Any:
    address = f"{place.url}/yookassa/v1/methods{path}"
    headers = {"Authorization": "Bearer demo"}
    async with place.http.request(verb, address, json=body, headers=headers) as answer:
        return await answer.json(content_type=None)


async def _ask(place: Any, method_ref: str, charge_id: str = "charge-1", **changes: Any) -> None:
    at = place.gateway.clock()
    said = {
        "contract": "100245",
        "occurred_at": at,
        "charge_id": charge_id,
        "provider": "yookassa:100500",
        "method_ref": method_ref,
        "amount_kopecks": 65_000,
        "not_after": at + timedelta(minutes=10),
    }
    body = ChargeRequested.model_validate({**said, **changes})
    event = body.event("autopay", subject=charge_id, revision=charge_id, correlation_id="corr")
    await apply(work.consumer(place.gateway, "gateway-yookassa"), [event], place.gateway.clock)


async def _charged(place: Any) -> list[Event]:
    return [event for event in await place.said() if event.data["charge_id"]]


async def _failed(place: Any) -> list[Event]:
    found: list[Event] = await place.said("charge.failed")
    return found


async def _script(place: Any, *outcomes: Any) -> None:
    await place.sandbox.control("PUT", "/scripts/charge", {"outcomes": list(outcomes)})


async def test_a_card_is_saved_shown_and_charged(place: Any) -> None:
    method = await _saved(place, card="4793128161644804")
    assert (method["status"], method["title"]) == ("active", "Visa •4804")
    assert re.fullmatch(r"20\d\d-[01]\d", method["expires"])
    (event,) = await place.said("payment_method.saved")
    assert event.data["method_ref"] == method["id"]
    await _ask(place, method["id"])
    (charged,) = await place.until(lambda: _charged(place))
    assert (charged.data["charge_id"], charged.data["purpose"]) == ("charge-1", "autopay")


async def test_a_box_ticked_on_yookassas_page_is_not_our_consent(place: Any) -> None:
    _, made = await place.make()
    await place.sandbox.pay(made["provider_payment_id"], save=True)
    await place.becomes(made["id"], "succeeded")
    assert await place.rows(payment_method) == []


async def test_a_card_is_bound_without_a_payment(place: Any) -> None:
    body = {
        "contract": "100245",
        "kind": "bank_card",
        "return_url": f"{place.url}/cabinet/",
        "consent": {"version": "2026-11"},
    }
    made = await _call(place, "POST", "", body)
    assert (made["status"], made["confirmation_url"][:7]) == ("pending", "http://")
    (row,) = await place.rows(payment_method)
    token = place.gateway.vault.decrypt(row.token)
    await place.sandbox.call("POST", f"/yookassa/methods/{token}/bind", {})

    async def active() -> bool:
        return bool((await _call(place, "GET", f"/{made['id']}"))["status"] == "active")

    await place.until(active)
    await _ask(place, made["id"])
    await place.until(lambda: _charged(place))


async def test_row_1_the_notification_of_a_charge_overtakes_its_answer(place: Any) -> None:
    method = await _saved(place)
    slow = {"kind": "latency_after", "calls": ["create_payment"], "times": 1, "delay": 1000}
    await place.sandbox.control("POST", "/faults", {"faults": [slow]})
    await _ask(place, method["id"])
    await place.until(lambda: _charged(place))
    rows = [row for row in await place.rows(payments.payment) if row.charge_id]
    assert [row.status for row in rows] == ["succeeded"]

    async def answered() -> bool:
        return all(row.lease_token is None for row in await place.rows(payments.payment))

    await place.until(answered)
    assert len(await _charged(place)) == 1


@pytest.mark.parametrize("fault", ["drop_after", "error_after", "bad_gateway_after", "truncated"])
async def test_a_charge_of_unclear_outcome_is_made_once(place: Any, fault: str) -> None:
    method = await _saved(place)
    lost = {"kind": fault, "calls": ["create_payment"], "times": 2}
    await place.sandbox.control("POST", "/faults", {"faults": [lost]})
    await _ask(place, method["id"])
    await place.until(lambda: _charged(place))
    listed = await place.sandbox.api("GET", "/payments")
    assert len(listed.body["items"]) == 2, "the saving payment and one charge"


async def test_row_10_a_charge_the_payer_confirms_late_is_a_success(place: Any) -> None:
    method = await _saved(place)
    await _script(place, "pending")
    await _ask(place, method["id"], not_after=place.gateway.clock() + timedelta(seconds=1))

    async def waits() -> Any:
        rows = [row for row in await place.rows(payments.payment) if row.charge_id]
        return rows and rows[0].status == "pending" and rows[0]

    row = await place.until(waits)
    assert await _failed(place) == []
    await place.sandbox.pay(row.provider_payment_id)
    await place.until(lambda: _charged(place))


async def test_row_17_a_removed_card_stays_removed(place: Any) -> None:
    method = await _saved(place)
    (row,) = await place.rows(payment_method)
    paid = next(one for one in await place.rows(payments.payment) if not one.charge_id)
    async with place.http.post(method["stop_url"]) as page:
        assert page.status == 200
    repeat = {"payment_id": paid.provider_payment_id, "times": 3}
    await place.sandbox.control("POST", "/deliveries/repeat", repeat)
    token = place.gateway.vault.decrypt(row.token)
    about = {"id": token, "type": "bank_card", "saved": True, "status": "active"}
    told = {"type": "notification", "event": "payment_method.active", "object": about}
    lie = {"body": told, "outside": False, "times": 2}
    await place.sandbox.control("POST", "/deliveries/forge", lie)

    async def heard() -> bool:
        log = await place.sandbox.control("GET", "/deliveries?kind=forged")
        return bool(log["items"]) and all(one["tries"] for one in log["items"])

    await place.until(heard)
    await _ask(place, method["id"])
    (failed,) = await place.until(lambda: _failed(place))
    assert (failed.data["reason"], failed.data["class"]) == ("method_removed", "hard")
    (gone,) = await place.rows(payment_method)
    assert (gone.status, gone.token) == ("removed", None)
    assert len(await place.said("payment_method.saved")) == 1


async def test_row_18_a_shop_that_may_not_charge_is_paused_and_resumed(
    start: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    place = await start(**SAVES)
    method = await _saved(place)
    await place.sandbox.control("POST", "/faults", {"faults": [FORBIDDEN]})
    for number in range(3):
        await _ask(place, method["id"], f"charge-{number}")

    async def paused() -> bool:
        return await _run("charging") == 1

    await place.until(paused)
    assert "yookassa:100500 paused since" in capsys.readouterr().out
    assert await _failed(place) == []
    assert await _run("charging", "--resume") == 0
    assert "1 shops charge again" in capsys.readouterr().out

    async def all_charged() -> bool:
        return len(await _charged(place)) == 3

    await place.until(all_charged)
    assert await _run("charging") == 0


@pytest.mark.parametrize(
    ("reason", "failure", "status"),
    [
        ("insufficient_funds", "soft", "active"),
        ("a_reason_of_tomorrow", "soft", "active"),
        ("card_expired", "hard", "inactive"),
        ("permission_revoked", "hard", "inactive"),
    ],
)
async def test_a_refused_charge_has_its_class(
    place: Any, reason: str, failure: str, status: str
) -> None:
    method = await _saved(place)
    await _script(place, reason)
    await _ask(place, method["id"])
    (failed,) = await place.until(lambda: _failed(place))
    assert (failed.data["reason"], failed.data["class"]) == (reason, failure)
    assert (await _call(place, "GET", f"/{method['id']}"))["status"] == status
    revoked = [event.data["reason"] for event in await place.said("payment_method.revoked")]
    assert revoked == ([reason] if failure == "hard" else [])


async def test_a_token_that_yookassa_no_longer_knows_ends_its_method(place: Any) -> None:
    method = await _saved(place)
    async with place.gateway.db.engine.begin() as tx:
        forgotten = place.gateway.vault.encrypt("22e12f66-000f-5000-8000-18db351245c7")
        await tx.execute(payment_method.update().values(token=forgotten))
    await _ask(place, method["id"])
    (failed,) = await place.until(lambda: _failed(place))
    assert (failed.data["reason"], failed.data["class"]) == ("invalid_request", "hard")
    assert (await _call(place, "GET", f"/{method['id']}"))["status"] == "inactive"


async def test_the_keys_are_rotated_by_command(
    place: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    await _saved(place)
    fresh, (row,) = new_encryption_key(), await place.rows(payment_method)
    token = place.gateway.vault.decrypt(row.token)
    keys = [fresh, *(key.get_secret_value() for key in Settings().encryption_keys)]
    monkeypatch.setenv("SALDO_ENCRYPTION_KEYS", ",".join(keys))
    assert await _run("rotate-keys") == 0
    assert "payment_method: 1 of 1 looked at, 1 sealed anew" in capsys.readouterr().out
    (row,) = await place.rows(payment_method)
    assert Vault([fresh]).decrypt(row.token) == token
    monkeypatch.setenv("SALDO_ENCRYPTION_KEYS", new_encryption_key())
    assert await _run("rotate-keys") == 1
    assert "are read by no listed key" in capsys.readouterr().out


async def _run(name: str, *said: str) -> int:
    (command,) = (one for one in common(TOOLS) if one.name == name)
    parser = argparse.ArgumentParser()
    command.configure(parser)
    return await command.run(Settings(), parser.parse_args(said))


def test_a_consent_is_read_as_it_was_written() -> None:
    consent = Consent("2026-11", datetime.fromisoformat("2026-11-22T09:00:00+00:00"), None, "page")
    assert Consent.read(consent.written()) == consent


def test_a_payments_method_has_one_id_for_ever() -> None:
    assert methods.id_of(UUID(int=1)) == methods.id_of(UUID(int=1)) != methods.id_of(UUID(int=2))
