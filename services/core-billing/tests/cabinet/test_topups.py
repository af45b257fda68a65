"""Topping up: the page of contracts, the order, and the page that waits for the money."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from core_billing import corrections, refunds, topups
from core_billing.topups import Amounts
from shared.crypto import Link, read_link
from shared.db import transaction
from shared.errors import Invalid
from shared.money import Money
from shared.web.formats import money

if TYPE_CHECKING:
    from aiohttp import ClientResponse
    from conftest import Browser, World

NB = "\u00a0"
STRANGER = "0b9e0000-0000-4000-8000-000000000000"


async def test_every_contract_of_the_subscriber_is_shown_and_no_other(world: World) -> None:
    browser = await world.signed_in("100246")
    await browser.get("/cabinet/")
    assert f"−1{NB}200,00{NB}₽" in browser.page
    assert f"Не хватает 1{NB}200,00{NB}₽" in browser.page
    assert f"845,50{NB}₽" in browser.page
    assert "100301" not in browser.page
    # The contract somebody came for stands first.
    assert browser.page.index("Договор 100246") < browser.page.index("Договор 100245")


async def test_what_is_missing_is_suggested_and_otherwise_a_usual_sum(world: World) -> None:
    browser = await world.signed_in()
    await browser.get("/cabinet/")
    assert 'value="1200,00"' in browser.page
    assert 'value="500,00"' in browser.page


async def test_within_the_credit_limit_nothing_is_missing(world: World) -> None:
    browser = await world.signed_in("100417")
    await browser.get("/cabinet/")
    assert f"−3{NB}400,00{NB}₽" in browser.page
    assert f"Доступно с учётом кредита: 1{NB}600,00{NB}₽" in browser.page
    assert "Не хватает" not in browser.page


async def test_a_refund_and_what_is_owed_after_it_are_shown(world: World) -> None:
    await world.pay("order", "100302", Money(3_000))
    async with transaction(world.db) as tx:
        reference, at = ("payment:yookassa:100500", "paid-order"), world.clock()
        await refunds.request_refund(tx, world.rules, reference, 2_500, "", at)
    browser = await world.signed_in("100302")
    await browser.get("/cabinet/")
    assert f"−5.00{NB}₽" in browser.page
    assert f"You owe 5.00{NB}₽" in browser.page
    assert "Refund" in browser.page
    assert f"−25.00{NB}₽" in browser.page
    assert f"balance −5.00{NB}₽" in browser.page
    in_russian = await world.signed_in("100417")
    await in_russian.get("/cabinet/")
    assert f"Ваш долг 3{NB}400,00{NB}₽" in in_russian.page
    owes_nothing = await world.signed_in("100301")
    await owes_nothing.get("/cabinet/")
    assert "Ваш долг" not in owes_nothing.page


async def test_recent_entries_are_shown_with_the_balance_after_each(world: World) -> None:
    await world.pay("order", "100245", Money(65000))
    browser = await world.signed_in()
    await browser.get("/cabinet/")
    assert f"+650,00{NB}₽" in browser.page
    assert f"баланс −550,00{NB}₽" in browser.page
    assert "Перенесённый баланс" in browser.page
    empty = await world.signed_in("100301")
    await empty.get("/cabinet/")
    assert "Операций пока не было" in empty.page


async def test_a_subscriber_reads_their_own_language_and_may_change_it(world: World) -> None:
    browser = await world.signed_in("100302")
    await browser.get("/cabinet/")
    assert f"10.00{NB}₽ short" in browser.page
    await browser.get("/cabinet/?lang=ru")
    assert f"Не хватает 10,00{NB}₽" in browser.page


async def test_an_order_leads_to_the_gateway_with_a_signed_link(world: World) -> None:
    browser = await world.signed_in()
    answer = await browser.top_up("100245", "650,00")
    assert (answer.status, urlsplit(answer.headers["Location"]).path) == (303, "/yookassa/pay")
    link = order_of(world, answer)
    back = f"http://127.0.0.1:8080/cabinet/topups/{link.subject}"
    assert link.claims["correlation_id"]
    assert link.claims == {
        "contract": "100245",
        "amount_kopecks": 65000,
        "return_url": back,
        "correlation_id": link.claims["correlation_id"],
    }
    assert link.expires_at == world.clock() + timedelta(hours=1)
    assert (await browser.get(urlsplit(back).path)).status == 200


def order_of(world: World, answer: ClientResponse) -> Link:
    """Return what the link to the gateway says."""
    (token,) = parse_qs(urlsplit(answer.headers["Location"]).query)["order"]
    return read_link(
        world.signer, token, audience="gateway-yookassa", purpose="pay", at=world.clock()
    )


async def test_an_amount_is_written_in_many_ways(world: World) -> None:
    browser = await world.signed_in()
    amounts = {"650": 65000, "650,00": 65000, "650.00": 65000, f"1{NB}200": 120000, "1 200": 120000}
    for amount, kopecks in amounts.items():
        answer = await browser.top_up("100245", amount)
        assert order_of(world, answer).claims["amount_kopecks"] == kopecks


WRONG = {
    "0": "Сумма должна быть больше нуля",
    "-650": "Сумма должна быть больше нуля",
    "650,005": "Не больше двух знаков после запятой",
    "NaN": "Напишите сумму цифрами",
    "": "Введите сумму",
    "0,50": f"Не меньше 1,00{NB}₽",
    "100000,01": f"Не больше 100{NB}000,00{NB}₽ за один раз",
    "9999999999999": f"Не больше 100{NB}000,00{NB}₽ за один раз",
}


async def test_a_wrong_amount_is_explained_in_its_form(world: World) -> None:
    browser = await world.signed_in()
    for amount, said in WRONG.items():
        answer = await browser.top_up("100245", amount)
        assert answer.status == 422
        assert said in browser.page
        assert f'value="{amount or "1200,00"}"' in browser.page
        assert browser.page.count('aria-invalid="true"') == 1
    assert await world.orders() == 0


@given(text=st.text(max_size=40) | st.from_regex(r"[-−]?[0-9 .,]{1,20}", fullmatch=True))
def test_any_text_is_an_amount_within_the_limits_or_refused(text: str) -> None:
    limits = Amounts()
    try:
        kopecks = topups.amount(text, limits)
    except Invalid:
        return
    assert limits.least_kopecks <= kopecks <= limits.most_kopecks
    assert topups.amount(money(kopecks, "ru"), limits) == kopecks


async def test_a_script_that_is_no_browser_needs_no_token(world: World) -> None:
    browser = await world.signed_in()
    form = {"contract": "100245", "amount": "650.00"}
    plain = {"Accept": "*/*"}
    answer = await browser.post("/cabinet/topups", data=form, headers=plain)
    assert answer.status == 303
    assert await world.orders() == 1
    for said in ("Origin", "Referer"):
        ours = {**plain, said: "http://" + answer.url.authority}
        assert (await browser.post("/cabinet/topups", data=form, headers=ours)).status == 403
    wrong = {**form, "csrf": "0" * 64}
    assert (await browser.post("/cabinet/topups", data=wrong, headers=plain)).status == 403
    assert await world.orders() == 1


async def test_an_order_without_the_forms_token_is_refused(world: World) -> None:
    browser, other = await world.signed_in(), await world.signed_in("100301")
    form = {"contract": "100245", "amount": "650"}
    for token in ({}, {"csrf": ""}, {"csrf": await other.csrf()}):
        answer = await browser.post("/cabinet/topups", data={**form, **token})
        assert answer.status == 403
        assert "Форма устарела" in browser.page
    assert await world.orders() == 0


async def test_an_order_from_another_site_is_refused_even_with_the_token(world: World) -> None:
    browser = await world.signed_in()
    form = {"contract": "100245", "amount": "650", "csrf": await browser.csrf()}
    headers = {"Sec-Fetch-Site": "cross-site"}
    answer = await browser.post("/cabinet/topups", data=form, headers=headers)
    assert answer.status == 403
    assert await world.orders() == 0


async def test_a_foreign_contract_is_as_unknown_as_none(world: World) -> None:
    browser = await world.signed_in()
    for contract in ("100301", "999999", ""):
        assert (await browser.top_up(contract, "650")).status == 404
        assert (await browser.top_up(contract, "NaN")).status == 404
    assert await world.orders() == 0


async def test_a_closed_contract_takes_no_top_up(world: World) -> None:
    await world.close("100245")
    browser = await world.signed_in()
    await browser.get("/cabinet/")
    assert "Договор закрыт и платежей не принимает" in browser.page
    assert (await browser.top_up("100245", "650")).status == 409
    assert await world.orders() == 0


async def test_orders_are_limited_within_an_hour(world: World) -> None:
    browser = await world.signed_in()
    form = {"csrf": await browser.csrf(), "contract": "100245", "amount": "650"}
    statuses = [
        (await browser.post("/cabinet/topups", data=form)).status
        for _ in range(topups.PER_HOUR_MAX + 1)
    ]
    assert statuses == [303] * topups.PER_HOUR_MAX + [429]
    world.clock.advance(timedelta(hours=1))
    assert (await browser.post("/cabinet/topups", data=form)).status == 303


async def ordered(world: World, browser: Browser) -> str:
    """Order 650.00 for contract 100245 and return the order's id."""
    return order_of(world, await browser.top_up("100245", "650")).subject


async def said(browser: Browser, order_id: str) -> tuple[str, bool, str]:
    """Return the state, whether it is final, and all that the page would say."""
    answer = await browser.get(
        f"/cabinet/topups/{order_id}/status", headers={"Accept": "application/json"}
    )
    assert answer.status == 200
    told = await answer.json()
    return told["state"], told["final"], " ".join(told["texts"].values())


async def test_the_page_waits_and_then_shows_the_money(world: World) -> None:
    browser = await world.signed_in()
    order_id = await ordered(world, browser)
    await browser.get(f"/cabinet/topups/{order_id}")
    assert "Ждём подтверждения" in browser.page
    assert f'data-poll="/cabinet/topups/{order_id}/status"' in browser.page
    assert 'data-poll-seconds="2.0"' in browser.page
    assert '<noscript><meta http-equiv="refresh"' in browser.page
    assert (await said(browser, order_id))[:2] == ("waiting", False)
    await world.pay(order_id, "100245", Money(65000))
    state, final, words = await said(browser, order_id)
    assert (state, final) == ("credited", True)
    assert f"Зачислено 650,00{NB}₽" in words
    assert f"−550,00{NB}₽" in words
    assert f"Не хватает ещё 550,00{NB}₽" in words
    await browser.get(f"/cabinet/topups/{order_id}")
    assert f"Зачислено 650,00{NB}₽" in browser.page
    assert "refresh" not in browser.page


async def test_enough_money_leaves_nothing_missing(world: World) -> None:
    browser = await world.signed_in()
    order_id = await ordered(world, browser)
    await world.pay(order_id, "100245", Money(120000))
    assert "Не хватает" not in (await said(browser, order_id))[2]


async def test_after_a_refusal_a_new_order_is_offered(world: World) -> None:
    browser = await world.signed_in()
    order_id = await ordered(world, browser)
    await world.cancel(order_id)
    state, final, words = await said(browser, order_id)
    assert (state, final) == ("canceled", True)
    assert "Деньги не списаны" in words
    await browser.get(f"/cabinet/topups/{order_id}")
    again = browser.page.split('data-when="canceled overdue">')[1].split("</form>")[0]
    assert 'name="contract" value="100245"' in again
    assert 'name="amount" value="650,00"' in again
    assert await ordered(world, browser) != order_id


async def test_money_that_comes_after_a_refusal_counts(world: World) -> None:
    browser = await world.signed_in()
    order_id = await ordered(world, browser)
    await world.cancel(order_id)
    await world.pay(order_id, "100245", Money(65000))
    assert (await said(browser, order_id))[:2] == ("credited", True)
    await world.cancel(order_id)
    assert (await said(browser, order_id))[:2] == ("credited", True)


async def test_money_in_doubt_is_told_as_received(world: World) -> None:
    browser = await world.signed_in()
    order_id = await ordered(world, browser)
    await world.pay(order_id, "100245", Money(64900), suspense="amount_differs")
    state, final, words = await said(browser, order_id)
    assert (state, final) == ("held", True)
    assert "Деньги получены, проверяем" in words
    assert f"−1{NB}200,00{NB}₽" in words


async def test_money_that_a_manager_moved_out_of_doubt_is_credited(world: World) -> None:
    browser = await world.signed_in()
    order_id = await ordered(world, browser)
    await world.pay(order_id, "100245", Money(64900), suspense="amount_differs")
    reference = ("payment:yookassa:100500", f"paid-{order_id}")
    async with transaction(world.db) as tx:
        await corrections.correct(tx, reference, 1, [("100245", 64900)], world.clock())
    state, _, words = await said(browser, order_id)
    assert state == "credited"
    assert f"Зачислено 649,00{NB}₽" in words
    assert f"−551,00{NB}₽" in words


async def test_when_nothing_was_heard_for_an_hour_both_ways_stay_open(world: World) -> None:
    browser = await world.signed_in()
    order_id = await ordered(world, browser)
    world.clock.advance(timedelta(hours=1))
    assert (await said(browser, order_id))[:2] == ("overdue", False)
    await world.pay(order_id, "100245", Money(65000))
    assert (await said(browser, order_id))[:2] == ("credited", True)


async def test_an_unfinished_payment_can_be_gone_back_to(world: World) -> None:
    browser = await world.signed_in()
    order_id = await ordered(world, browser)
    answer = await browser.get(f"/cabinet/topups/{order_id}/pay")
    link = order_of(world, answer)
    assert (link.subject, link.claims["amount_kopecks"]) == (order_id, 65000)
    await world.pay(order_id, "100245", Money(65000))
    answer = await browser.get(f"/cabinet/topups/{order_id}/pay")
    assert answer.headers["Location"] == f"/cabinet/topups/{order_id}"


async def test_a_foreign_top_up_is_as_unknown_as_none(world: World) -> None:
    order_id = await ordered(world, await world.signed_in("100245"))
    other = await world.signed_in("100301")
    for path in ("", "/status", "/pay"):
        for unknown in (order_id, STRANGER):
            answer = await other.get(f"/cabinet/topups/{unknown}{path}")
            assert answer.status == 404
            assert "У вас нет такого пополнения" in other.page
        assert (await other.get(f"/cabinet/topups/nonsense{path}")).status == 404


async def test_a_waiting_page_without_a_session_is_told_so(world: World) -> None:
    order_id = await ordered(world, await world.signed_in("100245"))
    stranger = await world.browser()
    json = {"Accept": "application/json"}
    answer = await stranger.get(f"/cabinet/topups/{order_id}/status", headers=json)
    assert answer.status == 401


async def test_a_page_that_leads_to_payment_lets_its_form_follow(world: World) -> None:
    browser = await world.signed_in()
    answer = await browser.get("/cabinet/")
    assert "form-action 'self' https:" in answer.headers["Content-Security-Policy"]


async def test_the_limits_are_the_operators(world: World) -> None:
    low = replace(world.cabinet, amounts=Amounts(least_kopecks=5_000, most_kopecks=10_000))
    browser = await world.browser(low)
    await browser.sign_in("100245")
    assert (await browser.top_up("100245", "49,99")).status == 422
    assert f"Не меньше 50,00{NB}₽" in browser.page
    assert (await browser.top_up("100245", "50")).status == 303
    assert (await browser.top_up("100245", "100")).status == 303
    assert (await browser.top_up("100245", "100,01")).status == 422


async def test_only_known_orders_are_canceled_and_others_ignored(world: World) -> None:
    browser = await world.signed_in()
    first, second = await ordered(world, browser), await ordered(world, browser)
    await world.cancel("an order of another system")
    await world.cancel(STRANGER)
    await world.cancel(first)
    assert (await said(browser, first))[0] == "canceled"
    assert (await said(browser, second))[0] == "waiting"


async def test_old_orders_are_pruned(world: World) -> None:
    browser = await world.signed_in()
    await ordered(world, browser)
    assert await topups.prune(world.db, world.clock() + timedelta(days=90)) == 0
    assert await topups.prune(world.db, world.clock() + timedelta(days=90, seconds=1)) == 1
    assert await world.orders() == 0
