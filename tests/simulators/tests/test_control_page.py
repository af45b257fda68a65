"""The control page: its buttons do what the control calls do."""

import re
from collections.abc import AsyncIterator

import pytest

from simulators.harness import Sandbox, order, running

PATH = "/yookassa/control/"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with running() as each:
        yield each


async def shown(sandbox: Sandbox) -> str:
    return str((await sandbox.call("GET", PATH)).body)


async def press(sandbox: Sandbox, **form: str) -> int:
    address = sandbox.url + PATH
    async with sandbox.session.post(address, data=form, allow_redirects=False) as answer:
        return answer.status


async def status(sandbox: Sandbox, payment_id: str) -> str:
    return str((await sandbox.api("GET", f"/payments/{payment_id}")).body["status"])


async def test_an_empty_sandbox_has_a_page(sandbox: Sandbox) -> None:
    text = await shown(sandbox)
    assert "Всё исправно" in text
    assert text.count("Ещё ни одного") == 3
    assert "<script" not in text
    assert (await sandbox.call("GET", PATH.rstrip("/"))).status == 200
    assert f'href="/sandbox{PATH}"' in str((await sandbox.call("GET", "/")).body)


async def test_payments_are_paid_canceled_and_refunded(sandbox: Sandbox) -> None:
    paid, ended = await sandbox.create(), await sandbox.create(capture=False)
    assert "<b>" not in await shown(sandbox)
    assert await press(sandbox, do="pay", id=paid["id"]) == 303
    assert await status(sandbox, paid["id"]) == "succeeded"
    assert await press(sandbox, do="pay", id=ended["id"]) == 303
    assert await status(sandbox, ended["id"]) == "waiting_for_capture"
    assert await press(sandbox, do="cancel", id=ended["id"]) == 303
    assert await status(sandbox, ended["id"]) == "canceled"
    assert await press(sandbox, do="refund", id=paid["id"]) == 303
    (refund,) = (await sandbox.api("GET", "/refunds")).body["items"]
    assert refund["amount"]["value"] == "650.00"
    text = await shown(sandbox)
    assert "payment.succeeded" in text
    assert paid["id"] in text


@pytest.mark.parametrize("do", ["pay", "cancel", "refund"])
async def test_what_cannot_be_done_is_said(sandbox: Sandbox, do: str) -> None:
    created = await sandbox.create()
    await press(sandbox, do="cancel", id=created["id"])
    assert await press(sandbox, do=do, id=created["id"]) == 409
    assert await press(sandbox, do=do, id="nobody") == 409
    assert await press(sandbox, do="dance") == 400


async def test_time_is_moved(sandbox: Sandbox) -> None:
    created = await sandbox.create()
    assert await press(sandbox, do="advance", seconds="3600") == 303
    assert await status(sandbox, created["id"]) == "canceled"
    assert await press(sandbox, do="advance", seconds=str(10**9)) == 409
    assert await press(sandbox, do="advance", seconds="-1") == 409


async def test_faults_are_switched_on_and_off(sandbox: Sandbox) -> None:
    form = {"kind": "too_many", "call": "create_payment", "times": "1", "probability": ""}
    assert await press(sandbox, do="add_fault", **form) == 303
    assert (await sandbox.api("POST", "/payments", order())).status == 429
    assert "create_payment · раз: 1 · случился: 1" in await shown(sandbox)
    seldom = {"kind": "error_before", "call": "", "times": "", "probability": "0.25"}
    assert await press(sandbox, do="add_fault", **seldom) == 303
    assert "любой вызов · вероятность 0.25" in await shown(sandbox)
    assert await press(sandbox, do="clear_faults") == 303
    assert (await sandbox.control("GET", "/faults"))["faults"] == []
    for wrong in ({"kind": "flood"}, {"probability": "2"}, {"times": "some"}):
        assert await press(sandbox, do="add_fault", **form | wrong) == 409


async def test_notifications_are_held_up_and_hastened(sandbox: Sandbox) -> None:
    fields = re.findall(r'type="number" name="(\w+)" min="0"', await shown(sandbox))
    assert "loss" in fields
    lost = dict.fromkeys(fields, "0") | {"loss": "1.0"}
    assert await press(sandbox, do="mischief", **lost) == 303
    created = await sandbox.create()
    await sandbox.pay(created["id"])
    assert "payment.succeeded · lost" in await shown(sandbox)
    assert await press(sandbox, do="mischief", **lost | {"loss": "0"}) == 303
    assert await press(sandbox, do="hasten", all="1") == 303
    await sandbox.bell.wait()
    assert created["id"] in sandbox.heard[0]["body"]
    assert await press(sandbox, do="mischief", **lost | {"loss": "-1"}) == 409


async def test_another_page_presses_nothing(sandbox: Sandbox) -> None:
    created = await sandbox.create()
    form = {"do": "pay", "id": created["id"]}
    for site, code in (("cross-site", 403), ("same-site", 403), ("same-origin", 303)):
        headers = {"Sec-Fetch-Site": site}
        answer = await sandbox.session.post(
            sandbox.url + PATH, data=form, headers=headers, allow_redirects=False
        )
        assert answer.status == code
        assert await status(sandbox, created["id"]) == ("succeeded" if code == 303 else "pending")


async def test_the_next_charges_of_a_saved_method_are_refused(sandbox: Sandbox) -> None:
    created = await sandbox.create(save_payment_method=True)
    kept = (await sandbox.pay(created["id"]))["payment_method"]["id"]
    named = {"id": kept, "shop_id": "100500"}
    charged = order(confirmation=None, payment_method_id=kept)

    async def reasons(times: int) -> list[str | None]:
        ends = [(await sandbox.api("POST", "/payments", charged)).body for _ in range(times)]
        return [end.get("cancellation_details", {}).get("reason") for end in ends]

    refusal = {"reason": "insufficient_funds", **named}
    assert await press(sandbox, do="script", times="2", **refusal) == 303
    assert "списания: insufficient_funds, insufficient_funds<" in await shown(sandbox)
    assert await reasons(3) == ["insufficient_funds"] * 2 + [None]
    await press(sandbox, do="script", times="9", **refusal)
    assert "и ещё 4" in await shown(sandbox)
    await press(sandbox, do="script", times="0", **refusal)
    assert await reasons(1) == [None], "none at all: they pass again"
    for wrong in ({"times": "-1"}, {"reason": "bad_mood"}, {"id": "nobody"}):
        assert await press(sandbox, do="script", **{"times": "1"} | refusal | wrong) == 409
    assert await press(sandbox, do="withdraw", **named) == 303
    assert await reasons(1) == ["permission_revoked"]
    assert await press(sandbox, do="withdraw", **named) == 409, "it is not active any more"
