"""Money that T-Bank sends back, as often as it is asked."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from simulators.tbank.harness import Terminal, terminal

LINE = {"Name": "Связь", "Price": 10000, "Quantity": 1, "Amount": 10000, "Tax": "none"}
RECEIPT = {"Phone": "+79000000000", "Taxation": "usn_income", "Items": [LINE]}


@pytest.fixture
async def shop() -> AsyncIterator[Terminal]:
    async with terminal() as each:
        # Nothing arrives by itself while a test looks.
        await each.knobs(refund_seconds=600)
        yield each


async def refunded(shop: Terminal, payment: str) -> int:
    return int((await shop.control("GET", f"/refunded/{payment}"))["kopecks"])


async def cancel(shop: Terminal, payment: str, **more: Any) -> dict[str, Any]:
    """Ask for money back, and let it arrive."""
    said = await shop.call("Cancel", PaymentId=payment, **more)
    await shop.later(601)
    return said


async def test_what_nobody_paid_ends_whole(shop: Terminal) -> None:
    payment = await shop.made()
    said = await cancel(shop, payment, Amount=100)
    assert (said["Status"], said["OriginalAmount"], said["NewAmount"]) == ("CANCELED", 35050, 0)
    assert await shop.status(payment) == "CANCELED"
    assert (await shop.press(payment)).status == 409
    assert (await shop.ask("Cancel", PaymentId=payment))["ErrorCode"] == "4"
    assert await refunded(shop, payment) == 0


async def test_all_of_a_payment_goes_back(shop: Terminal) -> None:
    payment = await shop.paid()
    said = await shop.call("Cancel", PaymentId=payment)
    assert (said["OriginalAmount"], said["NewAmount"]) == (35050, 0)
    assert said["Status"] == await shop.status(payment) == "ASYNC_REFUNDING"
    await shop.later(601)
    assert await shop.status(payment) == "REFUNDED"
    assert await refunded(shop, payment) == 35050
    assert (await shop.ask("Cancel", PaymentId=payment))["ErrorCode"] == "4"


@pytest.mark.parametrize(("shows_the_rest", "shown"), [(True, 25050), (False, 35050)])
async def test_a_part_goes_back(shop: Terminal, shows_the_rest: bool, shown: int) -> None:
    await shop.knobs(shows_the_rest=shows_the_rest)
    payment = await shop.paid()
    said = await cancel(shop, payment, Amount=10000)
    assert (said["OriginalAmount"], said["NewAmount"]) == (35050, 25050)
    state = await shop.state(payment)
    assert (state["Status"], state["Amount"]) == ("PARTIAL_REFUNDED", shown)
    await shop.settled()
    told = shop.heard()[-1]
    assert (told["Status"], told["Amount"], told["Success"]) == ("PARTIAL_REFUNDED", shown, True)


async def test_the_same_request_sends_back_twice(shop: Terminal) -> None:
    """The id looks like a key of idempotency, and the bank does not look at it for SBP."""
    payment = await shop.paid()
    for left in (20050, 5050):
        said = await cancel(shop, payment, Amount=15000, ExternalRequestId="the-same")
        assert (said["NewAmount"], said["ExternalRequestId"]) == (left, "the-same")
    assert await refunded(shop, payment) == 30000
    more = await shop.ask("Cancel", PaymentId=payment, Amount=15000, ExternalRequestId="the-same")
    assert (more["ErrorCode"], await refunded(shop, payment)) == ("8", 30000)


async def test_two_refunds_under_way_take_no_more_than_there_is(shop: Terminal) -> None:
    payment = await shop.paid()
    await shop.call("Cancel", PaymentId=payment, Amount=20000)
    assert (await shop.ask("Cancel", PaymentId=payment, Amount=20000))["ErrorCode"] == "8"
    await shop.call("Cancel", PaymentId=payment, Amount=15050)
    assert await refunded(shop, payment) == 0
    await shop.later(601)
    assert (await shop.status(payment), await refunded(shop, payment)) == ("REFUNDED", 35050)


async def test_a_payment_goes_on_being_sent_back_while_another_part_is(shop: Terminal) -> None:
    await shop.knobs(refund_seconds=60)
    payment = await shop.paid()
    await shop.call("Cancel", PaymentId=payment, Amount=10000)
    await shop.knobs(refund_seconds=600)
    await shop.call("Cancel", PaymentId=payment, Amount=10000)
    await shop.later(61)
    assert await shop.status(payment) == "ASYNC_REFUNDING"
    assert await refunded(shop, payment) == 10000
    await shop.later(601)
    assert await shop.status(payment) == "PARTIAL_REFUNDED"
    assert await refunded(shop, payment) == 20000


async def test_a_refund_at_once(shop: Terminal) -> None:
    await shop.knobs(refund_seconds=0)
    payment = await shop.paid()
    assert (await shop.call("Cancel", PaymentId=payment))["Status"] == "REFUNDED"


@pytest.mark.parametrize(("before", "status"), [(0, "CONFIRMED"), (5050, "PARTIAL_REFUNDED")])
async def test_a_refund_that_comes_to_nothing(shop: Terminal, before: int, status: str) -> None:
    payment = await shop.paid()
    if before:
        await cancel(shop, payment, Amount=before)
    await shop.script("refund", "I05043")
    await cancel(shop, payment, Amount=10000)
    said = await shop.call("GetQrState", PaymentId=payment)
    assert (said["Status"], said["QrCancelCode"]) == (status, "I05043")
    assert said["QrCancelMessage"]
    assert await refunded(shop, payment) == before
    await cancel(shop, payment)
    said = await shop.call("GetQrState", PaymentId=payment)
    assert (said["Status"], said["QrCancelCode"]) == ("REFUNDED", "0")


async def test_a_refund_in_the_profile_is_told_though_nobody_asked(shop: Terminal) -> None:
    payment = await shop.paid()
    path = f"/payments/{payment}/refund"
    assert await shop.control("POST", path, {"amount": "50.50"}) == {"kopecks": 5050}
    await shop.later(601)
    await shop.settled()
    assert shop.heard()[-1]["Status"] == "PARTIAL_REFUNDED"
    assert await shop.control("POST", path) == {"kopecks": 30000}
    await shop.later(601)
    assert await shop.status(payment) == "REFUNDED"
    answer = await shop.sandbox.call("POST", f"/tbank/control{path}", {})
    assert answer.status == 409


async def test_a_part_needs_a_receipt_at_a_fiscal_terminal(shop: Terminal) -> None:
    payment = await shop.paid()
    await shop.knobs(fiscal=True)
    assert (await shop.ask("Cancel", PaymentId=payment, Amount=10000))["ErrorCode"] == "309"
    wrong = await shop.ask("Cancel", PaymentId=payment, Amount=10001, Receipt=RECEIPT)
    assert wrong["ErrorCode"] == "309"
    assert await refunded(shop, payment) == 0
    await cancel(shop, payment, Amount=10000, Receipt=RECEIPT)
    await shop.knobs(fiscal=False)
    await cancel(shop, payment)
    assert await shop.status(payment) == "REFUNDED"
