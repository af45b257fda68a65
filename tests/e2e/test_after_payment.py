"""What comes after a payment: money goes back, and a saved card pays until its owner refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from e2e.places import TOKEN, Account, Place
from e2e.travellers import Program, until

pytestmark = [
    pytest.mark.asyncio(loop_scope="package"),
    pytest.mark.slow,
    pytest.mark.timeout(240),
]
Call = Callable[..., Awaitable[Any]]
TERMS = {"trigger": "balance", "threshold": "300", "amount_balance": "400", "cap": "2000"}


@pytest_asyncio.fixture(loop_scope="package")
async def subscriber(place: Place) -> AsyncIterator[Program]:
    """Somebody who has not signed in yet and reads Russian."""
    jar = aiohttp.CookieJar(unsafe=True)
    headers = {"Accept": "text/html", "Accept-Language": "ru"}
    async with aiohttp.ClientSession(cookie_jar=jar, headers=headers) as session:
        yield Program(session, place.url)


@pytest_asyncio.fixture(loop_scope="package")
async def call(place: Place) -> AsyncIterator[Call]:
    """A program of the operator's."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession(place.url, headers=headers) as http:

        async def ask(method: str, path: str, body: Any = None, status: int = 200) -> Any:
            async with http.request(method, path, json=body) as answer:
                wanted = range(200, 300) if status == 200 else (status,)
                assert answer.status in wanted, await answer.text()
                return await answer.json(content_type=None)

        yield ask


async def test_a_refund_and_one_of_the_profile_reach_the_balance(
    place: Place, account: Account, call: Call
) -> None:
    """−1200.00, +650.00, −150.00 asked for here, −500.00 made at YooKassa."""
    number = account.contract
    wanted = {"contract": number, "amount": "650.00", "return_url": f"{place.url}/cabinet/"}
    made = await call("POST", "/yookassa/v1/payments", wanted)
    provider_id = made["provider_payment_id"]
    await call("POST", f"/sandbox/yookassa/payments/{provider_id}/pay", {})
    await until(lambda: _balance(call, number, "-550.00"), "the payment in the balance")

    part = {"amount": "150.00", "reason": "Ошибочное пополнение"}
    back = await call("POST", f"/yookassa/v1/payments/{made['id']}/refunds", part)
    assert (back["amount"], back["status"]) == ("150.00", "succeeded")
    await until(lambda: _balance(call, number, "-700.00"), "the refund in the balance")

    profile = f"/sandbox/yookassa/control/payments/{provider_id}/refund"
    await call("POST", profile, {"amount": "500.00"})
    await until(lambda: _balance(call, number, "-1200.00"), "the refund of the profile")

    listed = await call("GET", f"/api/v1/contracts/{number}/entries")
    moved = [(entry["kind"], entry["amount"]) for entry in listed["items"][:3]]
    assert moved == [("refund", "-500.00"), ("refund", "-150.00"), ("payment", "650.00")]

    more = {"amount": "1.00", "reason": "x"}
    said = await call("POST", f"/yookassa/v1/payments/{made['id']}/refunds", more, status=422)
    assert "returned" in str(said) or "возвращ" in str(said)


async def test_a_card_is_saved_charged_when_money_runs_low_and_forgotten_on_refusal(
    place: Place, account: Account, subscriber: Program, call: Call
) -> None:
    """−1200 + 2000, saved; 800 − 550 is below 300, so + 400; refused: 650 − 600 + 100 = 150."""
    number = account.contract
    await place.open_contract(_other(number), "0.00")
    await subscriber.sign_in(number, account.password)
    await subscriber.order("2000", save="1")
    await subscriber.pay()
    assert "Зачислено 2 000,00 ₽" in await subscriber.outcome()
    await _switch_on(subscriber, call, number)

    await _spend(call, number, "550.00")
    await until(lambda: _balance(call, number, "650.00"), "the charge in the balance")
    (charge,) = await until(lambda: _charges(call, number, "succeeded"), "its outcome")
    assert charge["amount"] == "400.00"
    both = ("Отменить", "автоплатёж 400,00 ₽ зачислен")
    await until(lambda: _told(subscriber, account, both), "the notice and the result")

    (kept,) = (await call("GET", f"/yookassa/v1/methods?contract={number}"))["items"]
    await subscriber.read(f"/cabinet/autopay?contract={number}")
    await subscriber.follow("/autopay/revoke?")
    await subscriber.send("/autopay/revoke?")
    gone = await until(lambda: _removed(call, kept["id"]), "the end of the token")
    assert gone["reason"] == "removed"
    (mandate,) = (await call("GET", f"/autopay/v1/mandates?contract={number}"))["items"]
    assert mandate["state"] == "revoked"

    await _spend(call, number, "600.00")
    await subscriber.order("100")
    await subscriber.pay()
    assert "Зачислено 100,00 ₽" in await subscriber.outcome(), "what came after has been heard"
    assert await _balance(call, number, "150.00")
    # One that was planned before the money had been heard of may have been dropped.
    made = [one for one in await _charges(call, number) if one["state"] != "dropped"]
    assert [one["id"] for one in made] == [charge["id"]], "nothing is charged after the refusal"


async def _switch_on(subscriber: Program, call: Call, number: str) -> None:
    """Switch autopay on, once it has heard of the card."""

    async def known() -> Any:
        return (await call("GET", f"/autopay/v1/methods?contract={number}"))["items"]

    (card,) = await until(known, "the saved card")
    await subscriber.read(f"/cabinet/autopay?contract={number}")
    method = f"{card['provider']} {card['method_ref']}"
    said = await subscriber.send("/autopay/new?", **TERMS, method=method, agreed="1")
    assert card["title"] in said


async def _spend(call: Call, number: str, amount: str) -> None:
    moved = {"from": number, "to": _other(number), "amount": amount}
    await call("POST", "/api/v1/transfers", moved)


def _other(number: str) -> str:
    """Return the contract that the money goes to."""
    return f"9{number[1:]}"


async def _balance(call: Call, number: str, wanted: str) -> bool:
    found = await call("GET", f"/api/v1/contracts/{number}")
    return bool(found["balance"] == wanted)


async def _charges(call: Call, number: str, state: str | None = None) -> Sequence[Any]:
    items = (await call("GET", f"/autopay/v1/charges?contract={number}"))["items"]
    return [item for item in items if state in (None, item["state"])]


async def _removed(call: Call, method_id: str) -> Any:
    found = await call("GET", f"/yookassa/v1/methods/{method_id}")
    return found if found["status"] == "removed" else None


async def _told(subscriber: Program, account: Account, words: Sequence[str]) -> bool:
    """Say whether the subscriber has had a message with each of these words."""
    mine = [text for text in await subscriber.messages() if account.phone in text]
    return all(any(word in text for text in mine) for word in words)
