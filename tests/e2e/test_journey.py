"""One payment walks through everything: ordered, paid, credited, told."""

from __future__ import annotations

import pytest

from e2e.places import DEMO, Account
from e2e.travellers import Person, Traveller, until

# The installation lives as long as this module, and so does the loop that its ingress runs in.
pytestmark = [
    pytest.mark.asyncio(loop_scope="package"),
    pytest.mark.slow,
    pytest.mark.timeout(240),
]


async def told(traveller: Traveller, *words: str) -> str:
    """Wait for a message that holds all of these words, and return it."""

    async def found() -> str:
        for message in await traveller.messages():
            if all(word in message for word in words):
                return message
        return ""

    return str(await until(found, f"a message with {words}"))


async def test_a_top_up_raises_the_balance_and_is_told(
    traveller: Traveller, account: Account
) -> None:
    """650.00 onto −1200.00, still 550.00 short; a person uses the contract the demo prints."""
    if isinstance(traveller, Person):
        account = DEMO
    await traveller.sign_in(account.contract, account.password)
    shown = await traveller.balances()
    assert "−1 200,00 ₽" in shown
    assert "Не хватает 1 200,00 ₽" in shown

    await traveller.order("650,00")
    await traveller.pay()
    outcome = await traveller.outcome()
    assert "Зачислено 650,00 ₽" in outcome
    assert "−550,00 ₽" in outcome
    assert "Не хватает ещё 550,00 ₽" in outcome
    shown = await traveller.balances()
    assert "−550,00 ₽" in shown
    assert "+650,00 ₽" in shown

    short = (account.contract, "650,00", "−550,00", "не хватает ещё 550,00")
    await told(traveller, "SMS", account.phone, *short)
    await told(traveller, "Письмо", account.email, *short)
    # Said when the watch was set, before any payment: the balance was low from the beginning.
    low = (account.contract, "−1 200,00", "Пополните минимум на")
    await told(traveller, "SMS", account.phone, *low)
    await told(traveller, "Письмо", account.email, *low)


async def test_a_waiting_page_shows_by_itself_what_was_paid_elsewhere(
    traveller: Traveller, account: Account
) -> None:
    """The payer is sent back before the money has come, as by a bank's app."""
    await traveller.sign_in(account.contract, account.password)
    await traveller.order("650,00")
    waiting = await traveller.go_back()
    assert "Ждём подтверждения" in waiting
    assert "Баланс −1 200,00 ₽" in waiting
    await traveller.pay_elsewhere()
    outcome = await traveller.outcome()
    assert "Зачислено 650,00 ₽" in outcome
    assert "−550,00 ₽" in outcome


async def test_after_a_refusal_the_next_try_is_a_new_payment(
    traveller: Traveller, account: Account
) -> None:
    """A refused payment takes nothing; the same amount is paid by a new order."""
    await traveller.sign_in(account.contract, account.password)
    await traveller.order("650,00")
    await traveller.be_refused()
    outcome = await traveller.outcome()
    assert "Оплата не прошла" in outcome
    assert "−1 200,00 ₽" in outcome

    await traveller.try_again()
    await traveller.pay()
    assert "Зачислено 650,00 ₽" in await traveller.outcome()
    assert "−550,00 ₽" in await traveller.balances()
    await told(traveller, "SMS", account.phone, "зачислено 650,00")
