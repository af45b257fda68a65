"""The payment page: its buttons do what the call does, without a script, and lead back."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from simulators.harness import Sandbox, running
from simulators.settings import Shop


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with running() as each:
        yield each


async def press(sandbox: Sandbox, payment_id: str, **fields: str) -> tuple[int, str, str | None]:
    address = f"{sandbox.url}/yookassa/payments/{payment_id}/pay"
    async with sandbox.session.post(address, data=fields, allow_redirects=False) as response:
        return response.status, await response.text(), response.headers.get("Location")


async def shown(sandbox: Sandbox, payment_id: str) -> str:
    path = f"/yookassa/checkout/payments/v2/contract?orderId={payment_id}"
    return str((await sandbox.call("GET", path)).body)


async def status(sandbox: Sandbox, payment_id: str) -> str:
    found: dict[str, Any] = (await sandbox.api("GET", f"/payments/{payment_id}")).body
    return str(found["status"])


async def test_the_page_shows_what_is_paid(sandbox: Sandbox) -> None:
    created = await sandbox.create(
        amount={"value": "1234.50", "currency": "RUB"}, description="<b>Счёт</b> 100245"
    )
    address = created["confirmation"]["confirmation_url"]
    async with sandbox.session.get(address) as response:
        text, policy = await response.text(), response.headers["Content-Security-Policy"]
    assert "1\u202f234,50 ₽" in text
    assert "&lt;b&gt;Счёт&lt;/b&gt; 100245" in text
    assert 'value="5555555555554477"' in text
    assert "5555555555554600" in text
    assert 'name="viewport"' in text
    assert "<script" not in text
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "form-action 'self' http://127.0.0.1;" in policy


async def test_pay_leads_back_with_nothing_added(sandbox: Sandbox) -> None:
    created = await sandbox.create()
    code, _, location = await press(
        sandbox, created["id"], card="5555 5555 5555 4477", method="bank_card"
    )
    assert (code, location) == (303, "http://127.0.0.1/return?top_up=77")
    assert await status(sandbox, created["id"]) == "succeeded"
    assert "Платёж выполнен" in await shown(sandbox, created["id"])
    code, text, _ = await press(sandbox, created["id"], card="5555555555554477")
    assert code == 409
    assert "Платёж выполнен" in text


async def test_a_refused_card_lets_the_payer_try_again(sandbox: Sandbox) -> None:
    created = await sandbox.create()
    code, _, location = await press(sandbox, created["id"], test_card="5555555555554600", card="x")
    assert (code, location) == (303, created["confirmation"]["confirmation_url"])
    assert "не хватает денег" in (await shown(sandbox, created["id"]))
    assert await status(sandbox, created["id"]) == "pending"
    code, _, _ = await press(sandbox, created["id"], method="yoo_money")
    assert code == 303
    assert await status(sandbox, created["id"]) == "succeeded"


async def test_a_shop_may_make_refusals_final() -> None:
    shops = (Shop("100500", "test_demo", retry_on_page=False),)
    async with running(shops=shops) as sandbox:
        created = await sandbox.create()
        code, _, _ = await press(sandbox, created["id"], test_card="5555555555554600")
        assert code == 303
        assert await status(sandbox, created["id"]) == "canceled"


async def test_the_bank_refuses_for_good(sandbox: Sandbox) -> None:
    created = await sandbox.create()
    code, _, location = await press(sandbox, created["id"], refuse="1", card="5555555555554477")
    assert (code, location) == (303, "http://127.0.0.1/return?top_up=77")
    found = (await sandbox.api("GET", f"/payments/{created['id']}")).body
    assert found["cancellation_details"] == {
        "party": "payment_network",
        "reason": "general_decline",
    }


async def test_the_tick_saves(sandbox: Sandbox) -> None:
    created = await sandbox.create()
    await press(sandbox, created["id"], card="5555555555554477", save="1")
    found = (await sandbox.api("GET", f"/payments/{created['id']}")).body
    assert found["payment_method"]["saved"] is True


async def test_other_cards_are_refused_in_words(sandbox: Sandbox) -> None:
    created = await sandbox.create()
    code, text, _ = await press(sandbox, created["id"], card="4242424242424242")
    assert code == 400
    assert "только тестовые карты" in text


async def test_sbp_has_a_button_of_its_own(sandbox: Sandbox) -> None:
    sandbox.shop = ("100501", "live_demo")
    created = await sandbox.create(payment_method_data={"type": "sbp"})
    path = created["confirmation"]["confirmation_url"].removeprefix(sandbox.url)
    text = (await sandbox.call("GET", path)).body
    assert 'value="sbp"' in text
    assert 'name="card"' not in text
    refused = await sandbox.create(payment_method_data={"type": "sbp"})
    assert (await press(sandbox, refused["id"], refuse="1"))[0] == 303
    assert await status(sandbox, refused["id"]) == "canceled"
    assert (await press(sandbox, created["id"], method="sbp"))[0] == 303


@pytest.mark.parametrize(
    "path", ["/checkout/payments/v2/contract?orderId=x", "/checkout/methods/x"]
)
async def test_an_unknown_page_says_so(sandbox: Sandbox, path: str) -> None:
    answer = await sandbox.call("GET", f"/yookassa{path}")
    assert answer.status == 404
    assert "не найден" in answer.body
    assert (await sandbox.call("POST", "/yookassa/payments/x/pay", {})).status == 404


async def test_an_embedded_payment_ends_on_the_page(sandbox: Sandbox) -> None:
    created = await sandbox.create(confirmation={"type": "embedded"})
    assert created["confirmation"]["confirmation_token"].startswith("ct-")
    code, _, _ = await press(sandbox, created["id"], card="5555555555554477")
    assert code == 303
    assert "Платёж выполнен" in await shown(sandbox, created["id"])


LIVE = ("100501", "live_demo")


async def test_the_page_of_sbp_shows_a_code_and_banks(sandbox: Sandbox) -> None:
    sandbox.shop = LIVE
    created = await sandbox.create(payment_method_data={"type": "sbp"})
    text = await shown(sandbox, created["id"])
    assert '<svg viewBox="0 0 ' in text
    assert re.findall(r'name="method" value="(\w+)">Т-Банк<', text) == ["sbp"]
    code, _, _ = await press(sandbox, created["id"], method="sbp")
    assert (code, await status(sandbox, created["id"])) == (303, "succeeded")


@pytest.mark.parametrize("kind", ["bank_card", "yoo_money", "sberbank", "tinkoff_bank", "sbp"])
async def test_each_means_of_a_live_shop_pays(sandbox: Sandbox, kind: str) -> None:
    sandbox.shop = LIVE
    created = await sandbox.create()
    assert f'name="method" value="{kind}"' in await shown(sandbox, created["id"])
    await press(sandbox, created["id"], method=kind)
    paid = (await sandbox.api("GET", f"/payments/{created['id']}")).body
    assert (paid["status"], paid["payment_method"]["type"]) == ("succeeded", kind)


async def test_what_has_no_hold_pays_no_two_stage_payment(sandbox: Sandbox) -> None:
    sandbox.shop = LIVE
    created = await sandbox.create(capture=False)
    assert 'value="sbp"' not in await shown(sandbox, created["id"])
    assert (await press(sandbox, created["id"], method="sbp"))[0] == 400
    await press(sandbox, created["id"], method="sberbank")
    assert await status(sandbox, created["id"]) == "waiting_for_capture"


async def test_each_means_takes_no_more_than_its_bound(sandbox: Sandbox) -> None:
    sandbox.shop = LIVE
    created = await sandbox.create(amount={"value": "350000.01", "currency": "RUB"})
    text = await shown(sandbox, created["id"])
    assert 'value="sbp"' in text
    assert 'value="bank_card"' not in text
    assert (await press(sandbox, created["id"], method="bank_card"))[0] == 400
