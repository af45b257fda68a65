"""Money goes back: asked for here and made in the provider's profile, through every service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from e2e.places import TOKEN, Account, Place
from e2e.travellers import until

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.slow,
    pytest.mark.timeout(240),
]

HEADERS = {"Authorization": f"Bearer {TOKEN}"}


async def test_a_refund_and_one_of_the_profile_reach_the_balance(
    place: Place, account: Account
) -> None:
    """−1200.00, +650.00, −150.00 asked for here, −500.00 made at YooKassa."""
    async with aiohttp.ClientSession(place.url, headers=HEADERS) as http:

        async def call(method: str, path: str, body: Any = None) -> Any:
            async with http.request(method, path, json=body) as answer:
                assert answer.status < 300, await answer.text()
                return await answer.json()

        async def balance() -> str:
            found = await call("GET", f"/api/v1/contracts/{account.contract}")
            return str(found["balance"])

        wanted = {
            "contract": account.contract,
            "amount": "650.00",
            "return_url": f"{place.url}/cabinet/",
        }
        made = await call("POST", "/yookassa/v1/payments", wanted)
        provider_id = made["provider_payment_id"]
        await call("POST", f"/sandbox/yookassa/payments/{provider_id}/pay", {})
        await until(_is(balance, "-550.00"), "the payment in the balance")

        part = {"amount": "150.00", "reason": "Ошибочное пополнение"}
        back = await call("POST", f"/yookassa/v1/payments/{made['id']}/refunds", part)
        assert (back["amount"], back["status"]) == ("150.00", "succeeded")
        await until(_is(balance, "-700.00"), "the refund in the balance")

        profile = f"/sandbox/yookassa/control/payments/{provider_id}/refund"
        await call("POST", profile, {"amount": "500.00"})
        await until(_is(balance, "-1200.00"), "the refund of the profile in the balance")

        listed = await call("GET", f"/api/v1/contracts/{account.contract}/entries")
        moved = [(entry["kind"], entry["amount"]) for entry in listed["items"][:3]]
        assert moved == [("refund", "-500.00"), ("refund", "-150.00"), ("payment", "650.00")]

        async with http.post(
            f"/yookassa/v1/payments/{made['id']}/refunds", json={"amount": "1.00", "reason": "x"}
        ) as answer:
            assert answer.status == 422
            assert "возвращ" in await answer.text() or "returned" in await answer.text()


def _is(get: Callable[[], Awaitable[str]], wanted: str) -> Callable[[], Awaitable[bool]]:
    async def reached() -> bool:
        return await get() == wanted

    return reached
