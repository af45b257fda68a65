"""Every kind of entry has words of its own in the cabinet, in both languages, and never a code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from core_billing import history, operations
from core_billing.drafts import Part, Payment
from core_billing.ledger import post
from core_billing.web.texts import TEXTS
from shared.db import transaction

if TYPE_CHECKING:
    from conftest import World

WORDS = {
    "cash:Ольга": ("Оплата наличными", "Cash received"),
    "bank:default": ("Пополнение", "Payment received"),
    "fee:internet": ("Абонентская плата: internet", "Fee: internet"),
    "fee:promise": ("Плата за обещанный платёж", "Fee for a promised payment"),
    "write-off": ("Списание долга", "Debt written off"),
    "transfer": ("Перенос между договорами", "Transfer between contracts"),
    "distribution": ("Распределение с главного договора", "From the main contract to others"),
    "brand-new": ("Другая операция", "Other entry"),
}


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("number", "other", "language"), [("100301", "100417", 0), ("100302", "100417", 1)]
)
async def test_each_kind_is_told_in_words(
    world: World, number: str, other: str, language: int
) -> None:
    at = world.clock()
    async with transaction(world.db) as tx:
        for source in WORDS:
            if source in ("transfer", "distribution"):
                parts = [Part(1, f"contract:{other}", -5), Part(2, f"contract:{number}", 5)]
                moved = Payment(source, "1", 0, (), at)
                await operations.carry_out(tx, world.rules, moved, parts, at, "c")
            else:
                await post(tx, [Payment(source, "1", -5, ((number, -5),), at)], at)
    browser = await world.signed_in(number)
    await browser.get("/cabinet/")
    shown = re.findall(r"<li>\s*<div>\s*<div>(.*?)</div>", browser.page)
    assert shown[: len(WORDS)] == [words[language] for words in reversed(WORDS.values())]


def test_there_are_words_for_each_kind() -> None:
    assert {f"entry_{kind}" for kind in (*history.KINDS, "cash", "promise_fee", "other")} <= set(
        TEXTS
    )
