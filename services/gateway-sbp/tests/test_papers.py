"""Whose a code on paper is, by its order alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway_sbp import papers
from gateway_sbp.acquirer import StaticCode, StaticOrder
from sbp_books import SHOP, Place, make_place
from shared.db import open_database, reading
from shared.errors import Unavailable
from shared.events import ContractChanged
from shared.gateway import directory
from shared.gateway.provider import Unclear

HASHED = "h-" + "0" * 32


@dataclass
class Desk:
    """A bank that registers codes, or does not."""

    shop: str = SHOP
    says: list[Any] = field(default_factory=list)
    asked: list[StaticOrder] = field(default_factory=list)

    async def register(self, order: StaticOrder) -> Any:
        self.asked.append(order)
        return self.says.pop(0) if self.says else StaticCode(f"AS{len(self.asked)}", "https://qr")


@pytest.fixture
async def place(database_url: str) -> AsyncIterator[Place]:
    db = open_database(database_url)
    yield make_place(db)
    await db.close()


async def whose(place: Place, order: str, shop: str = SHOP) -> str | None:
    async with reading(place.gateway.db) as tx:
        return await papers.contract_of(tx, shop, order)


async def know(place: Place, number: str, status: str = "open") -> None:
    said = ContractChanged(
        contract=number,
        occurred_at=place.clock(),
        revision=1,
        operator="op",
        status=status,
        subscriber_id="1",
    )
    event = said.event("core-billing", subject=number, revision=1, correlation_id="c")
    async with place.gateway.db.engine.begin() as connection:
        await directory.keep(connection, [event])


@pytest.mark.parametrize("contract", ["100245", "C-100245", "a.b_c-d", "x" * 38, "c-1", "0f9c" * 8])
def test_a_number_that_fits_is_named(contract: str) -> None:
    order = papers.order_for(contract)
    assert order == f"c-{contract}"
    assert len(order) <= 40


@pytest.mark.parametrize("contract", ["Л/С 7", "x" * 39, "a b", "1/2", "№5", "1\n"])
def test_a_number_that_does_not_is_hashed(contract: str) -> None:
    order = papers.order_for(contract)
    assert (order[:2], len(order)) == ("h-", 34)
    assert order == papers.order_for(contract) != papers.order_for(contract + "1")


async def test_what_was_registered_here_is_known(place: Place) -> None:
    desk: Any = Desk()
    made = await papers.paper(place.gateway, desk, "Л/С 7")
    order = papers.order_for("Л/С 7")
    assert (made.contract, made.code.qr_id) == ("Л/С 7", "AS1")
    assert await whose(place, order) == "Л/С 7"
    assert await whose(place, order, "raiffeisen:MA2") is None
    assert desk.asked == [StaticOrder(order, "Л/С 7", "Договор Л/С 7")]
    assert await papers.paper(place.gateway, desk, "Л/С 7") == made
    assert len(desk.asked) == 1


async def test_an_order_names_its_contract_even_where_the_table_was_lost(place: Place) -> None:
    assert await whose(place, "c-100245") == "100245"
    assert await whose(place, "c-nobody") == "nobody"
    assert await whose(place, "c-c-1") == "c-1"


async def test_a_code_that_was_printed_before_has_the_contract_for_its_order(place: Place) -> None:
    await know(place, "C-100245")
    await know(place, "closed-1", "closed")
    assert await whose(place, "C-100245") == "C-100245"
    assert await whose(place, "100246") == "100246"
    assert await whose(place, "closed-1") == "closed-1"


@pytest.mark.parametrize("order", ["C-100245", "c100245", "top-0001", HASHED, "999"])
async def test_everything_else_is_nobody_s(place: Place, order: str) -> None:
    assert await whose(place, order) is None


async def test_what_was_registered_comes_first(place: Place) -> None:
    """A hash that is somebody's, although a contract is called so."""
    desk: Any = Desk()
    order = papers.order_for("Л/С 7")
    await know(place, order)
    assert await whose(place, order) == order
    await papers.paper(place.gateway, desk, "Л/С 7")
    assert await whose(place, order) == "Л/С 7"


async def test_a_bank_that_does_not_answer_is_asked_again_later(place: Place) -> None:
    desk: Any = Desk(says=[Unclear("timeout")])
    with pytest.raises(Unavailable):
        await papers.paper(place.gateway, desk, "100245")
    assert (await papers.paper(place.gateway, desk, "100245")).code.qr_id == "AS2"


async def test_the_first_bank_that_has_codes_makes_them(place: Place) -> None:
    without: Any = Desk("bank:1", says=[None, None])
    desk: Any = Desk()
    made = await papers.first(place.gateway, [without, desk], "100245")
    assert (made.code.qr_id, len(without.asked)) == ("AS1", 1)
    with pytest.raises(papers.NoCodes):
        await papers.first(place.gateway, [without], "100245")
