"""Control: bulk work, state, reset, and who may."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from simulators.harness import Sandbox, running


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with running() as each:
        yield each


async def test_many_payments_made_and_paid(sandbox: Sandbox) -> None:
    wanted = {"count": 1_200, "amount": "100.50", "metadata": {"order": "n-{n}"}}
    ids = (await sandbox.control("POST", "/payments", wanted))["ids"]
    assert len(set(ids)) == 1_200
    shown = await sandbox.control("GET", f"/payments/{ids[7]}")
    assert (shown["amount"]["value"], shown["metadata"]) == ("100.50", {"order": "n-7"})
    assert await sandbox.control("POST", "/payments/pay", {"ids": ids[:1_000]}) == {"paid": 1_000}
    assert await sandbox.control("POST", "/payments/pay", {"ids": ids[:1_000]}) == {"paid": 0}
    state = await sandbox.control("GET", "/state")
    assert state["payments"] == [
        {"shop_id": "100500", "status": "pending", "number": 200, "kopecks": 200 * 10_050},
        {"shop_id": "100500", "status": "succeeded", "number": 1_000, "kopecks": 1_000 * 10_050},
    ]


async def test_paid_at_once_and_untold(sandbox: Sandbox) -> None:
    await sandbox.control("POST", "/payments", {"count": 2, "paid": True, "notify": False})
    log = (await sandbox.control("GET", "/deliveries"))["items"]
    assert [each["state"] for each in log] == ["withheld"] * 2


async def test_yookassa_ends_a_payment_by_itself(sandbox: Sandbox) -> None:
    created = await sandbox.create()
    why = {"party": "yoo_money", "reason": "fraud_suspected"}
    ended = await sandbox.control("POST", f"/payments/{created['id']}/cancel", why)
    assert (ended["status"], ended["cancellation_details"]) == ("canceled", why)
    path = f"/yookassa/control/payments/{created['id']}/cancel"
    assert (await sandbox.call("POST", path, {})).status == 409


async def test_reset_forgets_everything(sandbox: Sandbox) -> None:
    created = await sandbox.create()
    await sandbox.pay(created["id"])
    await sandbox.control("POST", "/faults", {"faults": [{"kind": "error_before"}]})
    await sandbox.control("PUT", "/mischief", {"duplicate": 1})
    await sandbox.control("POST", "/reset")
    state = await sandbox.control("GET", "/state")
    assert state == {"payments": [], "refunds": [], "deliveries": []}
    assert (await sandbox.control("GET", "/mischief"))["duplicate"] == 0
    assert (await sandbox.api("GET", f"/payments/{created['id']}")).status == 404


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/clock", {"advance_seconds": -1}),
        ("POST", "/clock", {"advance_seconds": "soon"}),
        ("PUT", "/mischief", {"duplicate": "often"}),
        ("PUT", "/mischief", {"rain": 1}),
        ("PUT", "/callback", {"url": "nowhere"}),
        ("PUT", "/scripts/charge", {"outcomes": [1]}),
        ("PUT", "/scripts/charge", {"outcomes": [{"colour": "red"}]}),
        ("PUT", "/scripts/charge", {}),
        ("POST", "/payments", {"count": 10**9}),
        ("POST", "/payments", {"amount": 1}),
        ("POST", "/payments", {"shop_id": "none"}),
        ("POST", "/payments/pay", {}),
        ("POST", "/deliveries/forge", {}),
        ("GET", "/deliveries?limit=many", None),
    ],
)
async def test_a_mistake_is_explained(
    sandbox: Sandbox, method: str, path: str, body: dict[str, Any] | None
) -> None:
    answer = await sandbox.call(method, f"/yookassa/control{path}", body)
    assert answer.status == 400
    assert answer.body["error"]


async def test_unknown_payments_are_404(sandbox: Sandbox) -> None:
    for method, path in (("GET", ""), ("PATCH", ""), ("POST", "/cancel"), ("POST", "/refund")):
        answer = await sandbox.call(method, f"/yookassa/control/payments/x{path}", {})
        assert answer.status == 404
    body = {"payment_id": "x"}
    answer = await sandbox.call("POST", "/yookassa/control/deliveries/repeat", body)
    assert answer.status == 404


async def test_what_may_not_be_bent(sandbox: Sandbox) -> None:
    created = await sandbox.create()
    path = f"/yookassa/control/payments/{created['id']}"
    for wrong in ({"id": "x"}, {"shop_id": "none"}, {"amount": "much"}):
        assert (await sandbox.call("PATCH", path, wrong)).status == 400
    assert (await sandbox.api("GET", f"/payments/{created['id']}")).body == created


async def test_the_shop_reads_its_settings(sandbox: Sandbox) -> None:
    assert (await sandbox.api("GET", "/me")).body == {
        "account_id": "100500",
        "status": "enabled",
        "test": True,
        "fiscalization": {"enabled": True, "provider": "avanpost"},
        "payment_methods": ["bank_card", "yoo_money"],
        "itn": "7700000000",
    }
