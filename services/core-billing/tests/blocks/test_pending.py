"""A payment that its payer has confirmed postpones a block, once."""

from datetime import timedelta
from typing import Any

from shared.events import PaymentCanceled, PaymentSucceeded
from shared.events_billing import PaymentPending

MINUTE = timedelta(minutes=1)


async def test_once_and_by_half_an_hour(books: Any, desk: Any) -> None:
    await books.open(books.asked("A", "-5.00"), books.asked("B", "-5.00"))
    await desk.take(desk.heard(PaymentPending, "p1", books.clock(), ("A", 100)))
    await desk.step()
    assert await desk.blocked() == {"B"}
    await desk.take(desk.heard(PaymentPending, "p2", books.clock() + 20 * MINUTE, ("A", 100)))
    await desk.step(after=29 * MINUTE)
    assert await desk.blocked() == {"B"}
    await desk.take(desk.heard(PaymentPending, "p3", books.clock(), ("A", 100)))
    await desk.step(after=MINUTE)
    assert await desk.blocked() == {"A", "B"}


async def test_again_after_one_has_arrived(books: Any, desk: Any) -> None:
    await books.open(books.asked("A", "-5.00"))
    await desk.take(desk.heard(PaymentPending, "p1", books.clock(), ("A", 100)))
    await desk.step()
    books.clock.advance(31 * MINUTE)
    at = books.clock()
    await desk.take(
        desk.heard(PaymentSucceeded, "p1", at, ("A", 100), paid_at=at),
        desk.heard(PaymentPending, "p2", at, ("A", 400)),
    )
    await desk.step()
    assert await desk.blocked() == set()
    await desk.step(after=31 * MINUTE)
    assert await desk.blocked() == {"A"}


async def test_not_by_one_that_is_posted_canceled_or_old(books: Any, desk: Any) -> None:
    await books.open(*(books.asked(name, "-5.00") for name in "ABC"))
    at = books.clock()
    await desk.take(desk.heard(PaymentSucceeded, "p1", at, ("A", 100), paid_at=at))
    await desk.take(
        *(desk.heard(PaymentPending, f"p{n + 1}", at, (c, 9)) for n, c in enumerate("ABC"))
    )
    await desk.take(desk.heard(PaymentCanceled, "p2", at, ("B", 9)))
    await desk.step()
    assert await desk.blocked() == {"A", "B"}
    await desk.take(desk.heard(PaymentPending, "p9", at, ("nobody", 9)))
