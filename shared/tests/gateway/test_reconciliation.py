"""Registers against our books: every difference has its name, and nothing else is a difference."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import IO, Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.db import transaction
from shared.events import Allocation
from shared.gateway import (
    differences,
    payments,
    reconciliation,
    refunds,
    registers,
    verifying,
)
from shared.gateway.differences import difference
from shared.gateway.provider import Kind, Refused, Status, Unclear
from shared.gateway.refund_settle import Refund
from shared.gateway.register import Register, Row, WrongRegister
from shared.gateway.settle import Payment
from shared.outbox import outbox

SHOP = "yookassa:100500"
DAY = date(2026, 11, 21)
NOON = datetime(2026, 11, 21, 9, tzinfo=UTC)

GOOD = Row(Kind.PAYMENT, "there", "there", 65_000, 62_780, 1_820, 400)


class Books:
    """What both sides know of a day."""

    def __init__(self, stand: Any, day: date = DAY) -> None:
        self.stand = stand
        self.day = day
        self.noon = datetime(day.year, day.month, day.day, 9, tzinfo=UTC)
        self.rows: list[Row] = []

    def listed(self, provider_id: str, amount: int = 65_000, **more: Any) -> None:
        row = replace(GOOD, id=provider_id, payment_id=provider_id, amount_kopecks=amount)
        self.rows.append(replace(row, **{"net_kopecks": amount - 2_220, **more}))

    async def booked(self, provider_id: str, amount: int = 65_000, **more: Any) -> None:
        ours = {
            "status": Status.SUCCEEDED,
            "received_kopecks": amount,
            "paid_at": self.noon,
            "provider_payment_id": provider_id,
            **more,
        }
        payment = Payment(
            id=uuid4(),
            shop=SHOP,
            amount_kopecks=amount,
            allocations=(Allocation(contract="100245", amount_kopecks=amount),),
            correlation_id="corr",
            created_at=self.noon,
            **ours,
        )
        async with transaction(self.stand.gateway.db) as tx:
            assert await payments.insert(tx, payment, {})

    async def sent_back(self, paid: str, amount: int, **more: Any) -> str:
        """Send back a part of a payment that stands here, and book it."""
        async with transaction(self.stand.gateway.db) as tx:
            named = payments.Named(SHOP, paid, None)
            found = (await payments.lock_by_provider(tx, [named]))[named]
            refund = Refund(
                id=uuid4(),
                shop=SHOP,
                payment_id=found.id,
                provider_payment_id=paid,
                status=Status.SUCCEEDED,
                amount_kopecks=amount,
                correlation_id="corr",
                created_at=self.noon,
                **{"provider_refund_id": f"{paid} back", "refunded_at": self.noon, **more},
            )
            assert await refunds.insert(tx, refund, {})
        return str(refund.provider_refund_id)

    async def reconcile(
        self,
        name: str = "register.csv",
        content: bytes = b"1",
        kind: Kind = Kind.PAYMENT,
        **how: Any,
    ) -> Any:
        def read(file: IO[bytes], _name: str, put: Callable[[Row], None]) -> Register:
            assert file.read() == content
            for row in self.rows:
                put(row)
            total = sum(row.amount_kopecks for row in self.rows)
            return Register(SHOP, kind, self.day, len(self.rows), total)

        opened = await reconciliation.receive(self.stand.gateway, read, io.BytesIO(content), name)
        try:
            return await reconciliation.apply(self.stand.gateway, opened.taken, opened.spool, **how)
        finally:
            opened.close()

    async def found(self) -> dict[str, str]:
        rows = await self.stand.rows(difference)
        mine = [row for row in rows if row.day == self.day and row.state == "open"]
        assert len({row.provider_id for row in mine}) == len(mine)
        return {row.provider_id: row.name for row in mine}

    async def ask(self) -> None:
        """Let the provider be asked about what is due."""
        while await verifying.step(self.stand.gateway):
            await self.stand.gateway.polls.drain()
        await self.stand.gateway.polls.drain()


@pytest.fixture
def books(stand: Any, monkeypatch: pytest.MonkeyPatch) -> Books:
    for module in ("differences", "verifying"):
        monkeypatch.setattr(
            f"shared.gateway.{module}.alarm", lambda kind, **what: stand.alarms.append(kind)
        )
    return Books(stand)


async def test_books_that_agree_say_every_row_and_no_difference(books: Books) -> None:
    for name in ("one", "two"):
        books.listed(name)
        await books.booked(name)
    taken = await books.reconcile()
    assert (taken.done, taken.differences, taken.state(NOON)) == (2, 0, "done")
    assert await books.found() == {}
    said = {event.subject: event.data for event in await books.stand.said("register.row")}
    assert said.keys() == {"one", "two"}
    assert said["one"] | {"occurred_at": None} == {
        "contract": None,
        "occurred_at": None,
        "provider": SHOP,
        "day": "2026-11-21",
        "kind": "payment",
        "provider_id": "one",
        "provider_payment_id": "one",
        "amount_kopecks": 65_000,
        "fee_kopecks": 1_820,
        "fee_vat_kopecks": 400,
        "net_kopecks": 62_780,
        "difference": None,
    }
    assert books.stand.alarms == []


async def test_every_difference_has_its_name(books: Books) -> None:
    books.listed("only there")
    await books.booked("only here")
    books.listed("amount", 65_000)
    await books.booked("amount", 64_999)
    books.listed("status")
    await books.booked("status", status=Status.PENDING, received_kopecks=None, paid_at=None)
    books.listed("canceled")
    await books.booked("canceled", status=Status.CANCELED, received_kopecks=None, paid_at=None)
    books.listed("fee", fee_kopecks=1_819)
    await books.booked("fee")
    taken = await books.reconcile()
    assert await books.found() == {
        "only there": "missing_here",
        "only here": "missing_there",
        "amount": "amount",
        "status": "status",
        "canceled": "status",
        "fee": "fee",
    }
    assert taken.differences == 6
    rows = {
        row.provider_id: (row.expected, row.found) for row in await books.stand.rows(difference)
    }
    assert rows["amount"] == ("649.99", "650.00")
    assert rows["status"] == ("pending", "succeeded")
    assert rows["fee"] == ("650.00", "627.80 + 18.19 + 4.00")
    assert rows["only here"] == ("650.00", "")
    assert rows["only there"] == ("", "650.00")
    said = {e.subject: e.data["difference"] for e in await books.stand.said("register.row")}
    assert said == {
        "only there": "missing_here",
        "amount": "amount",
        "status": "status",
        "canceled": "status",
        "fee": "fee",
    }
    assert sorted(books.stand.alarms) == [
        "difference_amount",
        "difference_fee",
        "difference_missing_here",
        "difference_missing_there",
        "difference_status",
    ]


@pytest.mark.parametrize(
    ("income", "found"),
    [(62_780, {}), (None, {}), (62_779, {"paid": "fee"})],
)
async def test_what_reaches_the_bank_is_what_the_provider_said(
    books: Books, income: int | None, found: dict[str, str]
) -> None:
    books.listed("paid")
    await books.booked("paid", income_kopecks=income)
    await books.reconcile()
    assert await books.found() == found


async def test_the_same_file_twice_changes_nothing(books: Books) -> None:
    books.listed("only there")
    await books.booked("only here")
    first = await books.reconcile()
    before = [len(await books.stand.rows(t)) for t in (outbox, difference, registers.register)]
    again = await books.reconcile(name="another name.csv")
    assert again == first
    after = [len(await books.stand.rows(t)) for t in (outbox, difference, registers.register)]
    assert after == before


async def test_the_same_rows_in_another_file_are_said_once(books: Books) -> None:
    books.listed("one")
    await books.booked("one")
    await books.reconcile()
    await books.reconcile(content=b"the same in another encoding")
    assert len(await books.stand.said("register.row")) == 1
    assert len(await books.stand.rows(registers.register)) == 2


async def test_what_is_found_only_there_is_asked_for_and_credited(books: Books) -> None:
    provider = books.stand.provider
    parts = b'{"payment_id":"%s","amount":65000,"parts":[["100245",65000]]}'
    paid = provider.add(parts % str(uuid4()).encode())
    provider.pay(paid, paid_at=NOON)
    books.listed(paid)
    await books.reconcile()
    assert await books.found() == {paid: "missing_here"}
    await books.ask()
    assert await books.found() == {}
    (said,) = await books.stand.said()
    assert (said.subject, said.data["contract"]) == (paid, "100245")
    (row,) = await books.stand.rows(difference)
    assert (row.state, row.outcome, row.due_at) == ("settled", "confirmed", None)
    assert provider.asked == [paid]


async def test_a_register_is_not_believed(books: Books) -> None:
    books.listed("forged")
    await books.reconcile()
    await books.ask()
    assert await books.stand.said() == []
    assert await books.found() == {"forged": "missing_here"}
    (row,) = await books.stand.rows(difference)
    assert row.outcome == "unknown_to_provider"


@pytest.mark.parametrize("told", [Unclear("timeout"), Refused("forbidden", ours=True)])
async def test_a_provider_that_does_not_answer_is_asked_again(books: Books, told: Any) -> None:
    provider = books.stand.provider
    paid = provider.add(b'{"payment_id":"%s","amount":65000,"parts":[]}' % str(uuid4()).encode())
    provider.pay(paid, paid_at=NOON)
    provider.fetches = [told]
    books.listed(paid)
    await books.reconcile()
    await books.ask()
    assert await books.found() == {paid: "missing_here"}
    books.stand.clock.advance(timedelta(minutes=2))
    await books.ask()
    assert await books.found() == {}


async def test_nobody_is_asked_for_ever(books: Books) -> None:
    books.listed("forged")
    await books.reconcile()
    for _ in range(verifying.ATTEMPTS_MAX + 3):
        await books.ask()
        books.stand.clock.advance(timedelta(minutes=10))
    assert len(books.stand.provider.asked) == verifying.ATTEMPTS_MAX
    assert "difference_unresolved" in books.stand.alarms


async def test_what_is_older_than_the_cutover_is_only_listed(
    db: Any, make_stand: Callable[..., Any]
) -> None:
    stand = make_stand(db, cutover_at=NOON + timedelta(days=1))
    books = Books(stand)
    stand.provider.clock = lambda: NOON
    paid = stand.provider.add(
        b'{"payment_id":"%s","amount":65000,"parts":[]}' % str(uuid4()).encode()
    )
    stand.provider.pay(paid)
    books.listed(paid)
    await books.reconcile()
    await books.ask()
    assert await stand.said() == []
    (row,) = await stand.rows(difference)
    assert (row.state, row.outcome) == ("settled", "before_cutover")
    await books.reconcile(content=b"once more")
    assert await books.found() == {}


async def test_a_later_register_settles_what_agrees_now(books: Books) -> None:
    await books.booked("late")
    await books.reconcile()
    assert await books.found() == {"late": "missing_there"}
    books.listed("late")
    await books.reconcile(content=b"corrected")
    assert await books.found() == {}
    (row,) = await books.stand.rows(difference)
    assert (row.state, row.outcome) == ("settled", "agreed")


@pytest.mark.parametrize(
    ("amount", "later", "allowed"),
    [
        (65_000, timedelta(hours=1), True),
        (64_999, timedelta(hours=1), False),
        (65_000, timedelta(hours=13), False),
    ],
)
async def test_what_was_paid_and_sent_back_whole_on_one_day_may_be_left_out(
    books: Books, amount: int, later: timedelta, allowed: bool
) -> None:
    await books.booked("paid")
    refund = await books.sent_back("paid", amount, refunded_at=NOON + later)
    await books.reconcile()
    assert await books.found() == ({} if allowed else {"paid": "missing_there"})
    await books.reconcile(content=b"2", kind=Kind.REFUND)
    same_day = later < timedelta(hours=12)
    expected = {refund: "missing_there"} if same_day and not allowed else {}
    assert await books.found() == expected | ({} if allowed else {"paid": "missing_there"})


async def test_registers_of_refunds(books: Books) -> None:
    provider = books.stand.provider
    parts = b'{"payment_id":"%s","amount":65000,"parts":[["100245",65000]]}'
    paid = provider.add(parts % str(uuid4()).encode())
    provider.pay(paid, paid_at=NOON)
    unasked = provider.send_back(paid, 5_000)
    await books.booked("other")
    known = await books.sent_back("other", 1_000)
    wrong = await books.sent_back("other", 2_000, provider_refund_id="wrong")
    for refund, of, amount in (
        (unasked, paid, 5_000),
        (known, "other", 1_000),
        (wrong, "other", 1),
    ):
        books.rows.append(Row(Kind.REFUND, refund, of, amount))
    await books.reconcile(kind=Kind.REFUND)
    assert await books.found() == {unasked: "missing_here", wrong: "amount"}
    rows = {event.subject: event.data for event in await books.stand.said("register.row")}
    assert rows[known]["kind"] == "refund"
    assert rows[known]["provider_payment_id"] == "other"
    await books.ask()
    assert await books.found() == {wrong: "amount"}
    (said,) = await books.stand.said("refund.succeeded")
    assert (said.subject, said.data["amount_kopecks"]) == (unasked, 5_000)
    assert [event.subject for event in await books.stand.said()] == [paid]


async def test_a_refund_that_the_provider_does_not_know_is_not_booked(books: Books) -> None:
    books.rows.append(Row(Kind.REFUND, "forged", "paid", 100))
    await books.reconcile(kind=Kind.REFUND)
    await books.ask()
    assert await books.found() == {"forged": "missing_here"}
    assert await books.stand.said("refund.succeeded") == []


async def test_a_day_is_moscows(books: Books) -> None:
    begins = datetime(2026, 11, 20, 21, tzinfo=UTC)
    moments = {
        "before": begins - timedelta(seconds=1),
        "first": begins,
        "last": begins + timedelta(hours=23, minutes=59, seconds=59),
        "after": begins + timedelta(days=1),
    }
    for name, moment in moments.items():
        await books.booked(name, paid_at=moment)
    await books.reconcile()
    assert await books.found() == {"first": "missing_there", "last": "missing_there"}


async def test_whoever_is_stopped_goes_on(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciliation, "BATCH_MAX", 2)
    for number in range(7):
        books.listed(f"row {number}")
    await books.booked("only here")

    def stop(done: int, _rows: int) -> None:
        if done == 4:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        await books.reconcile(progress=stop)
    (half,) = await books.stand.rows(registers.register)
    assert (half.done, half.finished_at) == (4, None)
    seen: list[int] = []
    taken = await books.reconcile(progress=lambda done, _rows: seen.append(done))
    assert seen == [6, 7]
    assert (taken.done, taken.differences) == (7, 8)
    assert len(await books.stand.said("register.row")) == 7


async def test_two_at_the_same_file_do_not_count_it_twice(books: Books) -> None:
    books.listed("one")

    first = await reconciliation.receive(
        books.stand.gateway, _reader(books.rows), io.BytesIO(b"1"), "register.csv"
    )
    await reconciliation.apply(books.stand.gateway, first.taken, first.spool)
    with pytest.raises(registers.Elsewhere):
        await reconciliation.apply(books.stand.gateway, first.taken, first.spool)
    first.close()


def _reader(rows: Sequence[Row]) -> Any:
    def read(_file: IO[bytes], _name: str, put: Callable[[Row], None]) -> Register:
        for row in rows:
            put(row)
        return Register(SHOP, Kind.PAYMENT, DAY, len(rows), sum(r.amount_kopecks for r in rows))

    return read


async def test_nothing_of_a_refused_file_is_applied(books: Books) -> None:
    def read(_file: IO[bytes], _name: str, put: Callable[[Row], None]) -> Register:
        put(GOOD)
        raise WrongRegister("a wrong total", "неверный итог", 9)

    with pytest.raises(WrongRegister):
        await reconciliation.receive(books.stand.gateway, read, io.BytesIO(b"1"), "register.csv")
    for table in (difference, registers.register, outbox):
        assert await books.stand.rows(table) == []


SIDES = st.sampled_from(
    ["both", "only here", "only there", "amount", "pending", "held", "old", "fee"]
)
EXPECTED = {
    "only here": "missing_there",
    "only there": "missing_here",
    "amount": "amount",
    "pending": "status",
    "held": "status",
    "fee": "fee",
}
DAYS = count()


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(split=st.lists(SIDES, max_size=12), batch=st.integers(1, 5))
async def test_any_split_of_the_truth_gives_exactly_its_differences(
    stand: Any, split: list[str], batch: int
) -> None:
    books = Books(stand, DAY + timedelta(days=next(DAYS)))
    expected: dict[str, str] = {}
    unfinished = {"received_kopecks": None, "paid_at": None}
    ways: dict[str, dict[str, Any]] = {
        "pending": {"status": Status.PENDING, **unfinished},
        "held": {"status": Status.PENDING, "held": "test_mode", **unfinished},
        "old": {"status": Status.PENDING, "held": "before_cutover", **unfinished},
    }
    for side in split:
        name = str(uuid4())
        if side != "only here":
            books.listed(name, **({"vat_kopecks": 399} if side == "fee" else {}))
        if side != "only there":
            await books.booked(name, 65_000 - (side == "amount"), **ways.get(side, {}))
        if side in EXPECTED:
            expected[name] = EXPECTED[side]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reconciliation, "BATCH_MAX", batch)
        taken = await books.reconcile(content=books.day.isoformat().encode())
    assert await books.found() == expected
    assert taken.differences == len(expected)
    said = [
        event for event in await stand.said("register.row") if event.data["day"] == str(books.day)
    ]
    there = Counter(row.id for row in books.rows)
    assert Counter(event.subject for event in said) == there
    for event in said:
        assert event.data["difference"] == expected.get(event.subject)


async def test_prometheus_sees_what_is_open(books: Books) -> None:
    await books.booked("only here")
    await books.reconcile()
    await differences.measure(books.stand.gateway.db, "test-gauge")
    shown = differences.SHOWN.labels("test-gauge", "missing_there")
    assert shown._value.get() == 1
