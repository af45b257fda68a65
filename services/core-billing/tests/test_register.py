"""Register rows: kept once, the newest word counts, what differs is counted and an alarm."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from core_billing import consumer
from core_billing.register import register_row
from shared import inbox
from shared.db import reading
from shared.events import Event
from shared.events_gateway import RegisterRow
from shared.inbox import Consumer, Outcome
from shared.metrics import ALARMS, REGISTER_ROWS

AT = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
DAY = date(2026, 11, 22)
PROVIDER = "yookassa:100500"


def row(provider_id: str, difference: str | None = None, said: int = 0, **more: Any) -> Event:
    """Return what a gateway says of one row; `said` counts how often it has been read."""
    body = RegisterRow(
        occurred_at=AT + timedelta(hours=said),
        provider=more.pop("provider", PROVIDER),
        day=more.pop("day", DAY),
        kind=more.pop("kind", "payment"),
        provider_id=provider_id,
        provider_payment_id=more.pop("payment_id", provider_id),
        amount_kopecks=more.pop("kopecks", 65_000),
        fee_kopecks=more.pop("fee", 1_820),
        fee_vat_kopecks=more.pop("vat", 400),
        net_kopecks=more.pop("net", 62_780),
        difference=difference,
    )
    subject = f"{body.provider}:{body.kind}:{provider_id}:{body.day}"
    return body.event("gateway-yookassa", subject=subject, revision=said, correlation_id="g-1")


@pytest.fixture
def rest(books: Any) -> Consumer:
    """The queue of what is not money."""
    return consumer.consumers(books.db, books.core.rules, books.clock)[1]


async def hear(rest: Consumer, *events: Event) -> list[Outcome]:
    """Hand events over as the bus does."""
    return [result.outcome for result in await inbox.apply(rest, events, lambda: AT)]


async def kept(books: Any) -> list[Any]:
    """Return the rows that are kept."""
    async with reading(books.db) as tx:
        order = (register_row.c.provider_id, register_row.c.kind, register_row.c.day)
        return list(await tx.execute(select(register_row).order_by(*order)))


def counts(difference: str) -> tuple[float, float]:
    """Return the rows counted with a difference, and the alarms raised by any."""
    rows = REGISTER_ROWS.labels(PROVIDER, difference)._value.get()
    return rows, ALARMS.labels("register_difference")._value.get()


async def test_a_row_is_kept_with_all_it_says(books: Any, rest: Consumer) -> None:
    before = counts("none")
    assert (
        await hear(rest, row("p1"), row("r1", kind="refund", payment_id="p1", net=None))
        == [Outcome.DONE] * 2
    )
    first, second = await kept(books)
    assert tuple(first) == (
        *("p1", PROVIDER, "payment", DAY, "p1"),
        *(65_000, 1_820, 400, 62_780, None, AT),
    )
    assert (second.kind, second.provider_payment_id, second.net_kopecks) == ("refund", "p1", None)
    assert counts("none") == (before[0] + 2, before[1])


async def test_said_again_it_changes_nothing(books: Any, rest: Consumer) -> None:
    before = counts("amount")
    await hear(rest, row("p1", "amount"), row("p1", "amount"))
    await hear(rest, row("p1", "amount"))
    assert len(await kept(books)) == 1
    assert counts("amount") == (before[0] + 1, before[1] + 1)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("together", [True, False])
async def test_the_newest_word_counts_in_whatever_order(
    books: Any, rest: Consumer, order: tuple[int, int], together: bool
) -> None:
    said = [row("p1", "missing_here"), row("p1", None, said=1, kopecks=1)]
    batch = [said[n] for n in order]
    for events in [batch] if together else [[one] for one in batch]:
        await hear(rest, *events)
    [now] = await kept(books)
    assert (now.difference, now.amount_kopecks) == (None, 1)


async def test_of_two_of_one_moment_the_one_heard_last_counts(books: Any, rest: Consumer) -> None:
    """A gateway says the same day's row again, without its difference, when that was mended."""
    before = counts("missing_here")[0]
    for difference in ("missing_here", None, "missing_here"):
        event = row("p1", difference)
        again = replace(event, id=uuid4())
        await hear(rest, again)
        [now] = await kept(books)
        assert now.difference == difference
    assert counts("missing_here")[0] == before + 2


async def test_a_key_is_provider_kind_id_and_day(books: Any, rest: Consumer) -> None:
    await hear(
        rest,
        row("p1"),
        row("p1", kind="refund"),
        row("p1", day=DAY + timedelta(days=1)),
        row("p1", provider="yookassa:2"),
        row("p2"),
    )
    assert len(await kept(books)) == 5


async def test_an_alarm_for_each_kind_of_difference_not_for_each_row(
    books: Any, rest: Consumer
) -> None:
    before = {name: counts(name)[0] for name in ("missing_here", "fee")}
    alarms = counts("fee")[1]
    missing = [row(f"p{n}", "missing_here") for n in range(60)]
    assert await hear(rest, *missing, row("q", "fee")) == [Outcome.DONE] * 61
    assert counts("missing_here")[0] == before["missing_here"] + 60
    assert counts("fee") == (before["fee"] + 1, alarms + 2)


async def test_eight_at_once(books: Any, rest: Consumer) -> None:
    events = [row(f"p{n}", said=m) for n in range(20) for m in range(3)]
    await asyncio.gather(*(hear(rest, *events[n:], *events[:n]) for n in range(0, 56, 7)))
    found = await kept(books)
    assert (len(found), {one.said_at for one in found}) == (20, {AT + timedelta(hours=2)})
