"""Two stages, terms, and payments by SBP."""

from collections.abc import AsyncIterator

import pytest

from simulators.harness import Sandbox, order, running

HOUR = 3_600


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with running() as each:
        yield each


async def test_two_stages_captured_in_part(sandbox: Sandbox) -> None:
    created = await sandbox.create(capture=False)
    held = await sandbox.pay(created["id"])
    assert (held["status"], held["paid"], held["refundable"]) == (
        "waiting_for_capture",
        True,
        False,
    )
    assert held["expires_at"] > held["created_at"]
    path = f"/payments/{created['id']}"
    too_much = {"amount": {"value": "650.01", "currency": "RUB"}}
    assert (await sandbox.api("POST", f"{path}/capture", too_much)).body["parameter"] == "amount"
    part = {"amount": {"value": "500.00", "currency": "RUB"}}
    taken = (await sandbox.api("POST", f"{path}/capture", part)).body
    assert (taken["status"], taken["amount"]["value"]) == ("succeeded", "500.00")
    again = await sandbox.api("POST", f"{path}/capture")
    assert (again.status, again.body["description"]) == (
        400,
        "Payment can not be captured in current status",
    )


async def test_two_stages_canceled(sandbox: Sandbox) -> None:
    created = await sandbox.create(capture=None)
    await sandbox.pay(created["id"])
    ended = (await sandbox.api("POST", f"/payments/{created['id']}/cancel", {})).body
    assert ended["status"] == "canceled"
    assert ended["cancellation_details"] == {
        "party": "merchant",
        "reason": "canceled_by_merchant",
    }


async def test_a_pending_payment_cannot_be_canceled_by_its_shop(sandbox: Sandbox) -> None:
    created = await sandbox.create()
    refused = await sandbox.api("POST", f"/payments/{created['id']}/cancel")
    assert refused.status == 400
    assert (await sandbox.api("GET", f"/payments/{created['id']}")).body == created


@pytest.mark.parametrize(
    ("capture", "pays", "term", "reason"),
    [
        (True, False, HOUR, "expired_on_confirmation"),
        (False, True, 7 * 24 * HOUR, "expired_on_capture"),
    ],
)
async def test_terms_end(
    sandbox: Sandbox, capture: bool, pays: bool, term: int, reason: str
) -> None:
    created = await sandbox.create(capture=capture)
    if pays:
        await sandbox.pay(created["id"])
    path = f"/payments/{created['id']}"
    await sandbox.control("POST", "/clock", {"advance_seconds": term - 60})
    assert (await sandbox.api("GET", path)).body["status"] != "canceled"
    await sandbox.control("POST", "/clock", {"advance_seconds": 61})
    ended = (await sandbox.api("GET", path)).body
    assert ended["cancellation_details"] == {"party": "yoo_money", "reason": reason}
    late = await sandbox.call("POST", f"/yookassa/payments/{created['id']}/pay", {})
    assert late.status == 409


async def test_sbp_by_redirect_and_by_qr(sandbox: Sandbox) -> None:
    sandbox.shop = ("100501", "live_demo")
    by_page = await sandbox.create(payment_method_data={"type": "sbp"})
    assert by_page["test"] is False
    paid = await sandbox.pay(by_page["id"])
    assert paid["payment_method"]["type"] == "sbp"
    assert paid["payment_method"]["payer_bank_details"]["bic"] == "044525225"
    assert "authorization_details" not in paid
    by_qr = await sandbox.create(payment_method_data={"type": "sbp"}, confirmation={"type": "qr"})
    assert by_qr["confirmation"]["confirmation_data"].startswith("https://qr.nspk.ru/")
    held = await sandbox.api(
        "POST", "/payments", order(payment_method_data={"type": "sbp"}, capture=False)
    )
    assert held.body["parameter"] == "capture"
