"""What notifications of T-Bank hold: money told twice, in any order, under one token each."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from simulators.tbank.harness import Terminal, terminal
from simulators.tbank.words import genuine

BOTH = {"AUTHORIZED", "CONFIRMED"}


@pytest.fixture
async def shop() -> AsyncIterator[Terminal]:
    async with terminal() as each:
        yield each


def exact(shop: Terminal) -> list[dict[str, Any]]:
    """Return what was heard with its numbers as their texts, as a token takes them."""
    return [json.loads(each["body"], parse_int=str) for each in shop.sandbox.heard]


async def test_money_is_told_twice_at_once(shop: Terminal) -> None:
    payment = await shop.paid()
    log = await shop.settled()
    assert [one["object_id"] for one in log] == [payment, payment]
    assert {one["Status"] for one in shop.heard()} == BOTH
    for told in shop.heard():
        assert (told.pop("Status") in BOTH, len(told.pop("Token"))) == (True, 64)
        assert told == {
            "TerminalKey": "1700000000001DEMO",
            "OrderId": "top-0001",
            "Success": True,
            "PaymentId": int(payment),
            "ErrorCode": "0",
            "Amount": 35050,
            "Data": {"Source": "sbpqr"},
        }


async def test_money_is_told_once_by_a_knob(shop: Terminal) -> None:
    await shop.knobs(authorized_too=False)
    await shop.paid()
    await shop.settled()
    assert [one["Status"] for one in shop.heard()] == ["CONFIRMED"]


async def test_in_any_order(shop: Terminal) -> None:
    for number in range(16):
        await shop.paid(f"top-{number}")
    first: dict[str, str] = {}
    for one in await shop.settled():
        first.setdefault(one["object_id"], json.loads(one["body"])["Status"])
    assert set(first.values()) == BOTH


@pytest.mark.parametrize(
    ("knob", "member", "value"),
    [
        ("success_as_text", "Success", "true"),
        ("unknown_fields", "CardAcquirerBin", "220220"),
        ("unknown_fields", "SpecialOffer", False),
        ("unknown_fields", "Nothing", None),
    ],
)
async def test_oddities_have_their_part_in_the_token(
    shop: Terminal, knob: str, member: str, value: Any
) -> None:
    await shop.knobs(**{knob: True})
    await shop.paid()
    await shop.settled()
    assert len(shop.sandbox.heard) == 2
    for told in exact(shop):
        assert (told[member], type(told[member])) == (value, type(value))
        assert genuine(told, "SimPassw0rd")
        # A boolean counts as its text; any other value would be noticed.
        assert genuine({**told, member: "false"}, "SimPassw0rd") is (value is False)


async def test_no_money_is_no_success(shop: Terminal) -> None:
    await shop.knobs(success_as_text=True)
    payment = await shop.made()
    await shop.press(payment, "refuse")
    await shop.settled()
    (told,) = exact(shop)
    assert (told["Success"], told["Status"], told["ErrorCode"]) == ("false", "REJECTED", "99")
    assert genuine(told, "SimPassw0rd")


async def test_what_was_told_keeps_the_password_of_its_day(shop: Terminal) -> None:
    await shop.paid()
    await shop.knobs(password="another")
    await shop.settled()
    assert all(genuine(told, "SimPassw0rd") for told in exact(shop))
    assert not any(genuine(told, "another") for told in exact(shop))
