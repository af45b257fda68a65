"""Several shops in one gateway: whose contract it is picks the shop, and each is found again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from shared.crypto import Link, write_link
from shared.db import transaction
from shared.gateway import callbacks, payments
from shared.gateway.terms import Terms
from shared.money import Money

MAIN = "yookassa:100500"
SECOND = "yookassa:100501"
REST = Terms(Money(100), Money(35_000_000))
OURS = replace(REST, operators=frozenset({"op"}))
THEIRS = replace(REST, operators=frozenset({"second"}), amount_max=Money(100_000))
BODY = {"amount": "650.00", "return_url": "https://pay.example.org/cabinet/"}


@pytest.fixture
async def make_two(
    db: Any, make_stand: Callable[..., Any], make_provider: Callable[..., Any], alarms: list[str]
) -> Callable[..., Any]:
    async def make(main: Terms, second: Terms = THEIRS) -> Any:
        one, other = make_provider(), make_provider(shop=SECOND)
        stand = make_stand(
            db, one, providers={MAIN: one, SECOND: other}, terms={MAIN: main, SECOND: second}
        )
        stand.second, stand.alarms = other, alarms
        await stand.know("100245", operator="op")
        await stand.know("200245", operator="second")
        return stand

    return make


@pytest.fixture
async def stand(make_two: Callable[..., Any]) -> Any:
    """In place of the one with one shop; `caller` serves it."""
    return await make_two(OURS)


def _parts(*contracts: str) -> dict[str, Any]:
    return {"allocations": [{"contract": each, "amount": "325.00"} for each in contracts]}


async def test_the_contracts_operator_picks_the_shop(stand: Any, caller: Any) -> None:
    for contract, shop in (("100245", MAIN), ("200245", SECOND)):
        status, said = await caller.post({**BODY, "contract": contract})
        assert status == 201
        assert (await stand.row(UUID(said["id"]))).shop == shop
    assert (len(stand.provider.sent), len(stand.second.sent)) == (1, 1)


async def test_a_payment_for_two_legal_entities_is_refused(stand: Any, caller: Any) -> None:
    status, said = await caller.post({**BODY, **_parts("100245", "200245")})
    assert (status, [error["field"] for error in said["errors"]]) == (422, ["allocations"])
    assert await stand.rows(payments.payment) == []


async def test_an_operator_without_a_shop_is_an_alarm(
    stand: Any, caller: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised: list[str] = []
    monkeypatch.setattr("shared.gateway.gateway.alarm", lambda kind, **_: raised.append(kind))
    await stand.know("300245", operator="a new one")
    assert (await caller.post({**BODY, "contract": "300245"}))[0] == 503
    assert raised == ["operator_without_shop"]
    assert await stand.rows(payments.payment) == []


async def test_each_shop_has_its_own_limits(stand: Any, caller: Any) -> None:
    body = {**BODY, "amount": "1000.01"}
    status, said = await caller.post({**body, "contract": "200245"})
    assert (status, [error["field"] for error in said["errors"]]) == (422, ["amount"])
    assert (await caller.post({**body, "contract": "100245"}))[0] == 201


def _order(stand: Any, contract: str) -> str:
    claims = {
        "contract": contract,
        "amount_kopecks": 65_000,
        "return_url": "https://pay.example.org/cabinet/",
    }
    until = stand.clock() + timedelta(hours=1)
    return write_link(stand.gateway.signer, Link("gateway-yookassa", "pay", "o-7", until, claims))


async def test_the_page_waits_for_a_contract_nobody_told_it_of(
    stand: Any, caller: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised: list[str] = []
    monkeypatch.setattr("shared.gateway.pay_order.alarm", lambda kind, **_: raised.append(kind))
    status, _, page = await caller.open(_order(stand, "new"))
    assert (status, 'http-equiv="refresh"' in page) == (200, True)
    assert (await stand.rows(payments.payment), raised) == ([], ["contract_unknown"])
    await stand.know("new", operator="second")
    assert (await caller.open(_order(stand, "new")))[0] == 303
    (row,) = await stand.rows(payments.payment)
    assert row.shop == SECOND


async def test_a_shop_for_the_rest_takes_what_nobody_names(
    make_two: Callable[..., Any],
) -> None:
    stand = await make_two(REST)
    gateway = stand.gateway
    assert gateway.maker({"1": "somebody"}).shop == MAIN
    assert gateway.maker({"1": "second"}).shop == SECOND


@pytest.mark.parametrize("bound", [True, False])
@pytest.mark.parametrize("named", [MAIN, "yookassa:999"])
async def test_a_callback_that_names_another_shop_finds_its_payment(
    stand: Any, bound: bool, named: str
) -> None:
    begun = await stand.wish(contract="200245", shop=SECOND)
    (provider_id,) = stand.second.made
    if not bound:
        async with transaction(stand.gateway.db) as tx:
            unbound = {"provider_payment_id": None, "status": "creating"}
            await tx.execute(update(payments.payment).values(**unbound))
    stand.second.pay(provider_id)
    await stand.callback(provider_id, shop=named, payment_id=begun.payment.id)
    assert (await stand.payment(begun.payment.id)).status == "succeeded"
    assert (stand.provider.asked, stand.second.asked) == ([], [provider_id])
    (row,) = await stand.rows(callbacks.callback)
    assert row.outcome == "succeeded"


async def test_a_callback_about_nothing_of_ours_costs_one_question(stand: Any) -> None:
    await stand.callback("11111111-0000-5000-8000-000000000000")
    assert len(stand.provider.asked) + len(stand.second.asked) == 1


async def test_all_shops_keep_settling(stand: Any) -> None:
    begun = await stand.wish(contract="200245", shop=SECOND)
    (provider_id,) = stand.second.made
    closing = replace(THEIRS, operators=frozenset())
    later = replace(stand.gateway, terms={MAIN: REST, SECOND: closing})
    stand.gateway = later
    stand.second.pay(provider_id)
    await stand.pass_time(timedelta(minutes=1))
    assert (await stand.payment(begun.payment.id)).status == "succeeded"
    assert later.maker({"200245": "second"}).shop == MAIN
