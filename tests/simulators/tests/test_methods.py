"""Saved methods: kept during a payment, bound without one, charged, refused, revoked."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from simulators.harness import Answer, Sandbox, order, running


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with running() as each:
        yield each


async def saved(sandbox: Sandbox, **wish: Any) -> str:
    created = await sandbox.create(save_payment_method=True)
    paid = await sandbox.pay(created["id"], **wish)
    assert paid["payment_method"]["saved"] is True
    return str(paid["payment_method"]["id"])


async def charge(sandbox: Sandbox, method_id: str, **changes: Any) -> Answer:
    changes = {"confirmation": None, "payment_method_id": method_id} | changes
    return await sandbox.api("POST", "/payments", order(**changes))


async def test_a_saved_card_is_charged_without_its_owner(sandbox: Sandbox) -> None:
    method_id = await saved(sandbox)
    kept = (await sandbox.api("GET", f"/payment_methods/{method_id}")).body
    assert (kept["type"], kept["status"], kept["saved"]) == ("bank_card", "active", True)
    assert kept["title"] == "Bank card *4477"
    charged = (await charge(sandbox, method_id)).body
    assert (charged["status"], charged["paid"]) == ("succeeded", True)
    assert charged["id"] != method_id
    assert charged["payment_method"]["id"] == method_id
    assert "confirmation" not in charged
    assert charged["authorization_details"]["three_d_secure"] == {"applied": False}
    log = (await sandbox.control("GET", f"/deliveries?object_id={charged['id']}"))["items"]
    assert [each["event"] for each in log] == ["payment.succeeded"]


async def test_a_held_charge(sandbox: Sandbox) -> None:
    charged = (await charge(sandbox, await saved(sandbox), capture=False)).body
    assert charged["status"] == "waiting_for_capture"


@pytest.mark.parametrize(
    ("reason", "party"),
    [
        ("insufficient_funds", "payment_network"),
        ("card_expired", "payment_network"),
        ("issuer_unavailable", "payment_network"),
        ("internal_timeout", "yoo_money"),
    ],
)
async def test_scripted_refusals(sandbox: Sandbox, reason: str, party: str) -> None:
    method_id = await saved(sandbox)
    await sandbox.control("PUT", f"/scripts/method:{method_id}", {"outcomes": [reason]})
    ended = (await charge(sandbox, method_id)).body
    assert (ended["status"], ended["paid"]) == ("canceled", False)
    assert ended["cancellation_details"] == {"party": party, "reason": reason}
    assert (await charge(sandbox, method_id)).body["status"] == "succeeded"


async def test_a_revoked_permission_ends_the_method(sandbox: Sandbox) -> None:
    method_id = await saved(sandbox)
    await sandbox.control("PUT", "/scripts/charge", {"outcomes": ["permission_revoked"]})
    ended = (await charge(sandbox, method_id)).body
    assert ended["cancellation_details"]["reason"] == "permission_revoked"
    refused = await charge(sandbox, method_id)
    assert (refused.status, refused.body["parameter"]) == (400, "payment_method_id")


async def test_a_charge_may_ask_for_its_payer(sandbox: Sandbox) -> None:
    method_id = await saved(sandbox)
    await sandbox.control("PUT", "/scripts/charge", {"outcomes": ["pending"]})
    waiting = (await charge(sandbox, method_id)).body
    assert waiting["status"] == "pending"
    assert waiting["confirmation"]["confirmation_url"]


async def test_the_payers_tick_saves_where_the_shop_said_nothing(sandbox: Sandbox) -> None:
    created = await sandbox.create()
    assert (await sandbox.pay(created["id"], save=True))["payment_method"]["saved"] is True
    created = await sandbox.create()
    unsaved = await sandbox.pay(created["id"])
    refused = await charge(sandbox, unsaved["payment_method"]["id"])
    assert refused.body["description"] == "Payment method is not found"


async def test_a_wallet_can_be_kept_too(sandbox: Sandbox) -> None:
    method_id = await saved(sandbox, method="yoo_money")
    assert (await charge(sandbox, method_id)).body["payment_method"]["type"] == "yoo_money"


async def test_without_recurring_payments_it_is_forbidden(sandbox: Sandbox) -> None:
    sandbox.shop = ("100502", "test_plain")
    refused = await sandbox.api("POST", "/payments", order(save_payment_method=True))
    assert (refused.status, refused.body["code"]) == (403, "forbidden")
    assert (await charge(sandbox, "any")).status == 403
    binding = {"type": "bank_card", "confirmation": order()["confirmation"]}
    assert (await sandbox.api("POST", "/payment_methods", binding)).status == 403


async def test_confirmation_does_not_go_with_a_saved_method(sandbox: Sandbox) -> None:
    refused = await charge(sandbox, await saved(sandbox), confirmation=order()["confirmation"])
    assert refused.body["parameter"] == "confirmation"


async def test_a_binding_without_a_payment(sandbox: Sandbox) -> None:
    body = {"type": "bank_card", "confirmation": order()["confirmation"]}
    begun = (await sandbox.api("POST", "/payment_methods", body)).body
    assert (begun["status"], begun["saved"]) == ("pending", False)
    page = begun["confirmation"]["confirmation_url"].removeprefix(sandbox.url)
    assert "Привязка" in (await sandbox.call("GET", page)).body
    bound = await sandbox.call("POST", f"/yookassa/methods/{begun['id']}/bind", {})
    assert (bound.body["status"], bound.body["saved"]) == ("active", True)
    assert (await sandbox.api("GET", f"/payment_methods/{begun['id']}")).body == bound.body
    log = (await sandbox.control("GET", "/deliveries"))["items"]
    assert [each["event"] for each in log] == ["payment_method.active"]
    assert (await charge(sandbox, begun["id"])).body["status"] == "succeeded"
    again = await sandbox.call("POST", f"/yookassa/methods/{begun['id']}/bind", {})
    assert again.status == 409


@pytest.mark.parametrize("way", ["refused", "late"])
async def test_a_binding_that_fails_is_not_told(sandbox: Sandbox, way: str) -> None:
    body = {"type": "bank_card", "confirmation": order()["confirmation"]}
    begun = (await sandbox.api("POST", "/payment_methods", body)).body
    if way == "late":
        await sandbox.control("POST", "/clock", {"advance_seconds": 3_601})
    else:
        wish = {"card": "5555555555554600"}
        await sandbox.call("POST", f"/yookassa/methods/{begun['id']}/bind", wish)
    ended = (await sandbox.api("GET", f"/payment_methods/{begun['id']}")).body
    assert (ended["status"], ended["saved"]) == ("inactive", False)
    assert (await sandbox.control("GET", "/deliveries"))["items"] == []
