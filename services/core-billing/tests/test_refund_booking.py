"""Refunds as gateways say them: in any order, repeated, contradicted, too early."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event as hooks
from sqlalchemy import select, text, update

from core_billing import (
    accounts,
    consumer,
    contracts,
    corrections,
    promise_rows,
    refund_rows,
    refunds,
    uncredited,
)
from core_billing.block_rows import block
from shared import inbox, waiting
from shared.db import Tx, reading, transaction
from shared.events import Event, PaymentSucceeded
from shared.events_gateway import RefundFailed, RefundSucceeded
from shared.inbox import Consumer, Outcome
from shared.metrics import ALARMS
from shared.outbox import outbox

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PROVIDER = "yookassa:100500"
PAYMENT = f"payment:{PROVIDER}"
CLEARING, RESERVE = f"clearing:{PROVIDER}", f"refund:{PROVIDER}"
DONE, REPEAT, WAITING = Outcome.DONE, Outcome.REPEAT, Outcome.WAITING


def paid(external_id: str, *shares: tuple[str, int], **more: Any) -> Event:
    """Return what a gateway says of a payment."""
    body = PaymentSucceeded(
        occurred_at=AT,
        paid_at=more.pop("paid_at", AT),
        provider=PROVIDER,
        provider_payment_id=external_id,
        amount_kopecks=sum(kopecks for _, kopecks in shares),
        allocations=[{"contract": number, "amount_kopecks": k} for number, k in shares],
        **more,
    )
    return body.event("gateway-yookassa", subject=external_id, revision="1", correlation_id="p-1")


def sent(external_id: str, payment_id: str, kopecks: int, **more: Any) -> Event:
    """Return what a gateway says of a refund that has been sent."""
    body = RefundSucceeded(
        occurred_at=more.pop("at", AT),
        provider=PROVIDER,
        provider_refund_id=external_id,
        provider_payment_id=payment_id,
        amount_kopecks=kopecks,
        refund_id=more.pop("refund_id", None),
    )
    told = more.pop("told", "1")
    return body.event("gateway-yookassa", subject=external_id, revision=told, correlation_id="r-1")


def failed(payment_id: str, kopecks: int, **ids: str) -> Event:
    """Return what a gateway says of a refund that will not happen."""
    body = RefundFailed(
        occurred_at=AT,
        provider=PROVIDER,
        provider_payment_id=payment_id,
        amount_kopecks=kopecks,
        reason="insufficient_funds",
        **ids,
    )
    told = uuid4().hex
    return body.event("gateway-yookassa", subject=payment_id, revision=told, correlation_id="r-1")


@dataclass
class Desk:
    """The queue of money over books, and a hand that asks for refunds."""

    books: Any
    queue: Consumer

    async def hear(self, *events: Event) -> list[Outcome]:
        """Hand events over as the bus does."""
        results = await inbox.apply(self.queue, events, self.books.clock)
        return [result.outcome for result in results]

    async def ask(self, payment_id: str, kopecks: int, reason: str = "by mistake") -> str:
        """Ask for a refund."""
        async with transaction(self.books.db) as tx:
            return await refunds.request_refund(
                tx,
                self.books.core.rules,
                (PAYMENT, payment_id),
                kopecks,
                reason,
                self.books.clock(),
            )

    async def moved(self) -> list[tuple[Any, ...]]:
        """Return debit, credit and kopecks of every posting after the payments."""
        lines = await self.books.lines()
        return [line[3:6] for line in lines if line[3] != CLEARING]

    async def posted(self) -> list[tuple[Any, ...]]:
        """Return what was said of booked refunds: contract, kopecks, balance."""
        said = [event["data"] for event in await self.books.said("refund.posted")]
        return [(d["contract"], d["amount_kopecks"], d["balance_kopecks"]) for d in said]

    async def known(self) -> list[Any]:
        """Return the rows of the refunds."""
        async with reading(self.books.db) as tx:
            return list(await tx.execute(select(refund_rows.refund).order_by("id")))

    async def listed(self) -> list[tuple[str, str, int]]:
        """Return what is listed for a person."""
        table = uncredited.uncredited
        columns = select(table.c.external_id, table.c.reason, table.c.amount_kopecks)
        async with reading(self.books.db) as tx:
            return [tuple(row) for row in await tx.execute(columns.order_by(table.c.external_id))]

    async def prove(self) -> None:
        """Prove the books."""
        assert (await self.books.proof()).faults == []


def at_desk(books: Any) -> Desk:
    """Return the desk of these books."""
    return Desk(books, consumer.consumers(books.db, books.core.rules, books.clock)[0])


@pytest.fixture
async def desk(books: Any) -> Desk:
    """A desk with two open contracts."""
    await books.open("A", "B")
    return at_desk(books)


@pytest.fixture
def alarms() -> Callable[[str], float]:
    """How often an alarm was raised since the test began."""
    before: dict[str, float] = {
        sample.labels["kind"]: sample.value
        for family in ALARMS.collect()
        for sample in family.samples
        if sample.name.endswith("_total")
    }
    return lambda kind: ALARMS.labels(kind)._value.get() - before.get(kind, 0.0)


class TestUnasked:
    """Made in the provider's own profile: taken from whoever holds the payment's money."""

    async def test_it_is_taken_pro_rata_and_may_go_below_zero(self, desk: Desk) -> None:
        await desk.hear(paid("p1", ("A", 100), ("B", 50)), paid("p2", ("A", 1)))
        async with transaction(desk.books.db) as tx:
            rules, at = desk.books.core.rules, desk.books.clock()
            await refunds.request_refund(tx, rules, (PAYMENT, "p2"), 1, "", at)
        await desk.hear(sent("r1", "p1", 100))
        assert (await desk.moved())[1:] == [
            ("contract:A", CLEARING, 67),
            ("contract:B", CLEARING, 33),
        ]
        assert await desk.books.balances() == {"A": 33, "B": 17}
        assert await desk.posted() == [("A", 67, 33), ("B", 33, 17)]
        await desk.hear(sent("r2", "p1", 50))
        assert await desk.books.balances() == {"A": 0, "B": 0}
        await desk.prove()

    async def test_a_spent_balance_goes_below_zero_and_that_is_said(self, books: Any) -> None:
        await books.open(books.asked("A", "-50.00", credit_limit="10.00"))
        desk = at_desk(books)
        await desk.hear(paid("p1", ("A", 20_000)))
        assert await books.balances() == {"A": 15_000}
        await desk.hear(sent("r1", "p1", 20_000))
        assert await books.balances() == {"A": -5_000}
        [said] = await books.said("refund.posted")
        assert said["data"] == {
            "contract": "A",
            "occurred_at": said["data"]["occurred_at"],
            "provider": PROVIDER,
            "provider_refund_id": "r1",
            "provider_payment_id": "p1",
            "amount_kopecks": 20_000,
            "balance_kopecks": -5_000,
            "available_kopecks": -4_000,
        }
        assert (said["subject"], said["correlationid"]) == ("A", "r-1")
        low = await books.said("balance.low")
        assert [(e["subject"], e["correlationid"]) for e in low][-1] == ("A", "r-1")
        assert len(low) == 2

    async def test_money_in_suspense_is_taken_from_there(self, desk: Desk) -> None:
        await desk.hear(paid("p1", ("nobody", 60), ("A", 40)))
        await desk.hear(sent("r1", "p1", 50))
        assert sorted(await desk.moved()) == [
            ("contract:A", CLEARING, 20),
            (f"suspense:{PROVIDER}", CLEARING, 30),
        ]
        assert await desk.posted() == [("A", 20, 20), (None, 30, None)]
        await desk.prove()

    async def test_who_holds_it_now_gives_it_back(self, desk: Desk) -> None:
        await desk.hear(paid("p1", ("A", 100)))
        async with transaction(desk.books.db) as tx:
            await corrections.correct(tx, (PAYMENT, "p1"), 1, [("B", 100)], AT)
        await desk.hear(sent("r1", "p1", 30))
        assert await desk.books.balances() == {"A": 0, "B": 70}

    async def test_more_than_is_left_is_booked_and_an_alarm(
        self, desk: Desk, alarms: Callable[[str], float]
    ) -> None:
        await desk.hear(paid("p1", ("A", 100)))
        await desk.ask("p1", 60)
        await desk.hear(sent("r1", "p1", 100))
        assert await desk.books.balances() == {"A": -60, "B": 0}
        assert alarms("refund_above_rest") == 1
        [asked, _] = await desk.known()
        await desk.hear(failed("p1", 60, refund_id=asked.refund_id))
        assert await desk.books.balances() == {"A": 0, "B": 0}
        await desk.prove()

    async def test_a_closed_contract_gives_back(self, desk: Desk) -> None:
        await desk.hear(paid("p1", ("A", 100)))
        async with transaction(desk.books.db) as tx:
            await contracts.set_open(tx, desk.books.core.rules, "A", False, AT, "")
        assert await desk.hear(sent("r1", "p1", 100)) == [DONE]
        assert await desk.books.balances() == {"A": 0, "B": 0}


class TestAsked:
    """Asked for here: what lay ready goes on to clearing, or back."""

    async def test_success_posts_on_from_the_reserve(self, desk: Desk) -> None:
        await desk.hear(paid("p1", ("A", 100)))
        refund_id = await desk.ask("p1", 40)
        assert await desk.books.balances() == {"A": 60, "B": 0}
        await desk.hear(sent("r1", "p1", 40, refund_id=refund_id))
        assert await desk.moved() == [("contract:A", RESERVE, 40), (RESERVE, CLEARING, 40)]
        assert await desk.books.balances() == {"A": 60, "B": 0}
        assert await desk.posted() == [(None, 40, None)]
        [row] = await desk.known()
        assert (row.provider_refund_id, row.succeeded_at, row.failed_at) == ("r1", AT, None)
        await desk.prove()

    async def test_failure_gives_it_back_once(self, desk: Desk) -> None:
        await desk.hear(paid("p1", ("A", 70), ("B", 30)))
        refund_id = await desk.ask("p1", 50)
        assert await desk.books.balances() == {"A": 35, "B": 15}
        for _ in range(2):
            assert await desk.hear(failed("p1", 50, refund_id=refund_id)) == [DONE]
        assert await desk.books.balances() == {"A": 70, "B": 30}
        assert await desk.posted() == []
        assert await desk.ask("p1", 100)
        await desk.prove()

    @pytest.mark.parametrize("db", ["sqlite"], indirect=True)
    async def test_failure_lifts_a_block_and_settles_an_overdue_promise(self, desk: Desk) -> None:
        await desk.hear(paid("p1", ("A", 100)))
        refund_id = await desk.ask("p1", 100)
        [a, _] = await desk.books.contracts()
        async with transaction(desk.books.db) as tx:
            at = desk.books.clock()
            owing = {"amount_kopecks": 50, "fee_kopecks": 0, "paid_kopecks": 0, "until": at}
            owing |= {"granted_at": at, "granted_by": "x", "origin": "manager", "overdue_at": at}
            row = {"contract_id": a.id, "revision": 1}
            await tx.execute(promise_rows.promise.insert().values(**row, **owing))
            await tx.execute(block.insert().values(**row, blocked=True, reason="below_zero"))
            await accounts.tie(tx, a.id)
        await desk.hear(failed("p1", 100, refund_id=refund_id))
        said = await desk.books.said("promise.closed", "contract.unblocked")
        assert [(e["type"], e["correlationid"]) for e in said] == [
            ("promise.closed", "r-1"),
            ("contract.unblocked", "r-1"),
        ]
        assert said[0]["data"]["how"] == "ended"

    async def test_failure_after_success_moves_nothing(
        self, desk: Desk, alarms: Callable[[str], float]
    ) -> None:
        await desk.hear(paid("p1", ("A", 100)))
        refund_id = await desk.ask("p1", 40)
        late = failed("p1", 40, refund_id=refund_id)
        assert await desk.hear(sent("r1", "p1", 40, refund_id=refund_id), late) == [DONE, DONE]
        assert alarms("refund_failed_after_success") == 1
        await desk.hear(failed("p1", 40, provider_refund_id="r1"))
        assert alarms("refund_failed_after_success") == 2
        assert await desk.books.balances() == {"A": 60, "B": 0}
        await desk.prove()

    async def test_success_after_failure_is_taken_and_an_alarm(
        self, desk: Desk, alarms: Callable[[str], float]
    ) -> None:
        await desk.hear(paid("p1", ("A", 100)))
        refund_id = await desk.ask("p1", 40)
        await desk.hear(failed("p1", 40, refund_id=refund_id))
        await desk.hear(sent("r1", "p1", 40, refund_id=refund_id))
        assert await desk.books.balances() == {"A": 60, "B": 0}
        assert alarms("refund_succeeded_after_failed") == 1
        [row] = await desk.known()
        assert row.provider_refund_id == "r1"
        await desk.prove()

    async def test_a_second_refund_for_one_request_is_taken_and_an_alarm(
        self, desk: Desk, alarms: Callable[[str], float]
    ) -> None:
        await desk.hear(paid("p1", ("A", 100)))
        refund_id = await desk.ask("p1", 40)
        for external_id in ("r1", "r2"):
            await desk.hear(sent(external_id, "p1", 40, refund_id=refund_id))
        assert await desk.books.balances() == {"A": 20, "B": 0}
        assert alarms("refund_succeeded_after_succeeded") == 1
        await desk.prove()

    async def test_one_booked_as_unasked_leaves_its_request_open(
        self, desk: Desk, alarms: Callable[[str], float]
    ) -> None:
        await desk.hear(paid("p1", ("A", 100)))
        refund_id = await desk.ask("p1", 40)
        await desk.hear(sent("r1", "p1", 40))
        await desk.hear(sent("r1", "p1", 40, refund_id=refund_id, told="2"))
        assert alarms("refund_request_left_open") == 1
        assert await desk.books.balances() == {"A": 20, "B": 0}
        await desk.prove()

    async def test_a_failure_nobody_here_asked_for_moves_nothing(self, desk: Desk) -> None:
        await desk.hear(paid("p1", ("A", 100)))
        events = (failed("p1", 40, refund_id="theirs"), failed("p1", 40), failed("p9", 1))
        assert await desk.hear(*events) == [DONE] * 3
        assert await desk.books.balances() == {"A": 100, "B": 0}


class TestContradictions:
    """Another amount or another payment: listed, an alarm, and nothing moves."""

    async def test_another_amount_under_the_same_reference(
        self, desk: Desk, alarms: Callable[[str], float]
    ) -> None:
        await desk.hear(paid("p1", ("A", 100)))
        await desk.hear(sent("r1", "p1", 40))
        assert await desk.hear(sent("r1", "p1", 41, told="2")) == [DONE]
        assert await desk.books.balances() == {"A": 60, "B": 0}
        assert await desk.listed() == [("r1", "another_amount", -41)]
        assert alarms("payment_uncredited") == 1

    async def test_another_amount_than_was_asked_for(
        self, desk: Desk, alarms: Callable[[str], float]
    ) -> None:
        await desk.hear(paid("p1", ("A", 100)))
        refund_id = await desk.ask("p1", 40)
        await desk.hear(sent("r1", "p1", 41, refund_id=refund_id))
        await desk.hear(failed("p1", 41, refund_id=refund_id))
        assert await desk.listed() == [("r1", "another_amount", -41)]
        assert alarms("refund_differs") == 1
        assert await desk.books.balances() == {"A": 60, "B": 0}
        await desk.prove()

    async def test_another_payment_under_the_same_reference(self, desk: Desk) -> None:
        await desk.hear(paid("p1", ("A", 100)), paid("p2", ("B", 100)))
        await desk.hear(sent("r1", "p1", 40))
        await desk.hear(sent("r1", "p2", 40, told="2"))
        assert await desk.listed() == [("r1", "another_payment", -40)]
        assert await desk.books.balances() == {"A": 60, "B": 100}


class TestAgain:
    """Said again, it is acknowledged again and moves nothing."""

    async def test_the_same_event(self, desk: Desk) -> None:
        await desk.hear(paid("p1", ("A", 60), ("B", 40)))
        event = sent("r1", "p1", 100)
        await desk.hear(event)
        async with transaction(desk.books.db) as tx:
            await tx.execute(update(outbox).values(sent_at=AT))
        assert await desk.hear(event) == [REPEAT]
        async with reading(desk.books.db) as tx:
            unsent = select(outbox.c.type).where(outbox.c.sent_at.is_(None))
            assert list((await tx.execute(unsent)).scalars()) == ["refund.posted"] * 2
        assert await desk.books.balances() == {"A": 0, "B": 0}

    async def test_the_same_fact_in_another_event_after_the_outbox_was_pruned(
        self, desk: Desk
    ) -> None:
        await desk.hear(paid("p1", ("A", 60), ("nobody", 40)))
        await desk.hear(sent("r1", "p1", 50))
        first = await desk.books.said("refund.posted")
        async with transaction(desk.books.db) as tx:
            await tx.execute(outbox.delete())
        await desk.hear(sent("r1", "p1", 50, told="2"))
        again = await desk.books.said("refund.posted")
        assert [e["data"] for e in again] == [e["data"] for e in first]
        assert {e["id"] for e in again}.isdisjoint(e["id"] for e in first)

    async def test_an_asked_one_after_the_outbox_was_pruned(self, desk: Desk) -> None:
        await desk.hear(paid("p1", ("A", 60)))
        event = sent("r1", "p1", 50, refund_id=await desk.ask("p1", 50))
        await desk.hear(event)
        async with transaction(desk.books.db) as tx:
            await tx.execute(outbox.delete())
        await desk.hear(event)
        assert await desk.posted() == [(None, 50, None)]

    async def test_eight_at_once(self, desk: Desk) -> None:
        """The same facts in different events, mixed with payments to the same contracts."""
        await desk.hear(paid("p1", ("A", 60), ("B", 40)))

        async def one(n: int) -> None:
            batch = [sent(f"r{m % 2}", "p1", 10, told=str(n)) for m in range(n % 3 + 1)]
            await desk.hear(*batch, paid(f"q{n}", ("B", 5), ("A", 5)))

        await asyncio.gather(*(one(n) for n in range(8)))
        assert await desk.books.balances() == {"A": 60 + 40 - 12, "B": 40 + 40 - 8}
        await desk.prove()


class TestMissed:
    """Taken from the queue by a release that knew no refunds: done, but not booked."""

    @pytest.fixture
    def old(self, desk: Desk) -> Desk:
        """A desk beside it that takes what it does not know, and does nothing."""

        async def ignore(_tx: Tx, _events: Sequence[Event]) -> None:
            return None

        return Desk(desk.books, replace(desk.queue, handle=ignore, repeated=ignore))

    async def test_said_again_it_is_booked_once(self, desk: Desk, old: Desk) -> None:
        await desk.hear(paid("p1", ("A", 100)))
        refund_id = await desk.ask("p1", 40)
        asked, unasked = sent("r1", "p1", 40, refund_id=refund_id), sent("r2", "p1", 10)
        assert await old.hear(asked, unasked) == [DONE, DONE]
        assert await desk.posted() == []
        for _ in range(2):
            assert await desk.hear(asked, unasked) == [REPEAT, REPEAT]
            assert await desk.posted() == [(None, 40, None), ("A", 10, 50)]
            assert await desk.books.balances() == {"A": 50, "B": 0}
        await desk.prove()

    async def test_a_failure_said_again_gives_back_once(self, desk: Desk, old: Desk) -> None:
        await desk.hear(paid("p1", ("A", 100)))
        event = failed("p1", 40, refund_id=await desk.ask("p1", 40))
        assert await old.hear(event) == [DONE]
        for _ in range(2):
            assert await desk.hear(event) == [REPEAT]
            assert await desk.books.balances() == {"A": 100, "B": 0}
        await desk.prove()

    async def test_before_its_payment_it_is_left_for_the_next_time(
        self, desk: Desk, old: Desk
    ) -> None:
        event = sent("r1", "p1", 40)
        assert await old.hear(event) == [DONE]
        assert await desk.hear(event, paid("p2", ("A", 7))) == [REPEAT, DONE]
        assert await desk.posted() == []
        await desk.hear(paid("p1", ("A", 100)))
        assert await desk.hear(event) == [REPEAT]
        assert await desk.books.balances() == {"A": 67, "B": 0}


class TestTooEarly:
    """Before its payment: it waits, and is booked with it."""

    async def test_it_is_booked_in_the_transaction_of_its_payment(self, desk: Desk) -> None:
        assert await desk.hear(sent("r1", "p1", 40), paid("p2", ("B", 7))) == [WAITING, DONE]
        assert await desk.hear(paid("p1", ("A", 100))) == [DONE]
        assert await desk.books.balances() == {"A": 60, "B": 7}
        assert await desk.posted() == [("A", 40, 60)]
        assert await desk.hear(sent("r1", "p1", 40)) == [REPEAT]

    async def test_in_one_batch_the_order_does_not_matter(self, desk: Desk) -> None:
        assert await desk.hear(sent("r1", "p1", 40), paid("p1", ("A", 100))) == [DONE, DONE]
        assert await desk.books.balances() == {"A": 60, "B": 0}

    async def test_late_ones_are_an_alarm(self, desk: Desk, alarms: Callable[[str], float]) -> None:
        await desk.hear(sent("r1", "p1", 40))
        desk.books.clock.advance(timedelta(minutes=16))
        for _ in range(2):
            await waiting.sweep(
                desk.books.db, desk.queue.queue, desk.queue.handle, desk.books.clock
            )
        assert alarms("event_waits") == 1

    async def test_before_the_cutover_it_is_listed_and_taken_from_nobody(
        self, books: Any, alarms: Callable[[str], float]
    ) -> None:
        books = books.under(cutover_at=AT)
        await books.open("A")
        desk = at_desk(books)
        early = AT - timedelta(seconds=1)
        assert await desk.hear(sent("r1", "p1", 40, at=early)) == [DONE]
        assert await desk.hear(sent("r2", "p2", 40)) == [WAITING]
        await desk.hear(paid("p2", ("A", 100), paid_at=early))
        assert await desk.hear(sent("r3", "p2", 60)) == [DONE]
        assert await books.balances() == {"A": 0}
        reason = "before_cutover"
        assert await desk.listed() == [
            ("p2", reason, 100),
            ("r1", reason, -40),
            ("r2", reason, -40),
            ("r3", reason, -60),
        ]
        assert alarms("payment_uncredited") == 4
        assert await desk.posted() == []


async def test_payments_alone_cost_no_further_statement(desk: Desk) -> None:
    run: list[str] = []

    def count(_c: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        run.append(statement)

    await desk.hear(paid("p1", ("A", 1)), sent("r1", "p1", 1))
    hooks.listen(desk.books.db.engine.sync_engine, "before_cursor_execute", count)
    await desk.hear(*(paid(f"q{n}", ("A", 1)) for n in range(10)))
    assert [said for said in run if "refund" in said or "waits_for =" in said] == []


class TestProof:
    """A changed row of the table of refunds is found against the postings."""

    @pytest.mark.parametrize(
        ("statement", "named"),
        [
            ("UPDATE refund SET amount_kopecks = 41 WHERE provider_refund_id = 'r1'", ":r1: its"),
            ("UPDATE refund SET amount_kopecks = 31 WHERE succeeded_at IS NULL", "it holds 0.30"),
            ("UPDATE refund SET failed_at = requested_at", "refunds under way are 0.00"),
            ("UPDATE refund SET provider = 'other' WHERE provider_refund_id = 'r1'", "no refund"),
            ("DELETE FROM refund WHERE provider_refund_id = 'r1'", "no refund is known"),
            ("DELETE FROM refund WHERE succeeded_at IS NULL", "it holds 0.30"),
        ],
    )
    async def test_planted(self, desk: Desk, statement: str, named: str) -> None:
        await desk.hear(paid("p1", ("A", 60), ("B", 40)), sent("r1", "p1", 40))
        refund_id = await desk.ask("p1", 20)
        await desk.hear(sent("r2", "p1", 20, refund_id=refund_id))
        await desk.ask("p1", 30)
        await desk.prove()
        async with transaction(desk.books.db) as tx:
            await tx.execute(text(statement))
        faults = (await desk.books.proof()).faults
        assert any(named in fault for fault in faults), faults
