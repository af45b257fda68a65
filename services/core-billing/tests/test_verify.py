"""The proof of the books finds one planted kopeck, wherever it is."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import insert, text

from core_billing import corrections
from core_billing import verify as proof
from core_billing.block_rows import block
from core_billing.promise_rows import promise
from core_billing.terms import terms
from shared.db import reading, transaction


async def plant(books: Any, *statements: str) -> None:
    """Change the books behind everybody's back."""
    async with transaction(books.db) as tx:
        for statement in statements:
            await tx.execute(text(statement))


async def allow_changes(books: Any, table: str) -> None:
    """Take away what refuses changes, as somebody with the database's password could."""
    names = ("no_update", "no_delete")
    if books.db.postgres:
        await plant(books, f"ALTER TABLE {table} DISABLE TRIGGER {table}_written_once")
    else:
        await plant(books, *(f"DROP TRIGGER {table}_{name}" for name in names))


@pytest.fixture
async def busy(books: Any) -> Any:
    """Books with some of everything."""
    await books.open("A", books.asked("B", "-1200.00"), "C")
    for n in range(1, 8):
        await books.post(books.paid(f"p{n}", n * 100, ("AB"[n % 2], n * 100)))
    await books.post(
        books.paid("lost", 5, ("nobody", 5)), books.paid("both", 9, ("A", 4), ("B", 5))
    )
    async with transaction(books.db) as tx:
        reference, at = ("payment:yookassa:100500", "p4"), books.clock()
        await corrections.correct(tx, reference, 1, [("C", 400)], at)
        await corrections.correct(tx, reference, 2, [("B", 399), (None, 1)], at)
    yield books
    if books.db.postgres:
        for table in ("payment", "posting"):
            await plant(books, f"ALTER TABLE {table} ENABLE TRIGGER {table}_written_once")


async def test_honest_books_agree(busy: Any) -> None:
    report = await busy.proof()
    assert report.faults == []
    assert report.faults_count == 0
    assert (report.payments, report.balances) == (12, 3)
    assert report.debits_kopecks == report.credits_kopecks == 120_000 + 2_814 + 4 * 400


async def test_empty_books_agree(books: Any) -> None:
    report = await books.proof()
    assert (report.faults, report.payments, report.balances) == ([], 0, 0)


@pytest.mark.parametrize("table", ["payment", "posting"])
@pytest.mark.parametrize("what", ["UPDATE {} SET amount_kopecks = 1", "DELETE FROM {}"])
async def test_the_database_refuses_changes(busy: Any, table: str, what: str) -> None:
    with pytest.raises(Exception, match="is written once"):
        await plant(busy, what.format(table))
    assert (await busy.proof()).faults == []


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE balance SET kopecks = kopecks + 1 WHERE account_id = {A}", "contract:A"),
        ("UPDATE balance SET kopecks = kopecks - 1 WHERE account_id = {B}", "contract:B"),
        ("DELETE FROM balance WHERE account_id = {C}", "contract:C"),
        ("UPDATE account SET id = id + 1000 WHERE id = {A}", "accounts have postings"),
    ],
)
async def test_a_changed_balance_is_found(busy: Any, statement: str, named: str) -> None:
    ids = {contract.number: contract.id for contract in await busy.contracts()}
    await plant(busy, statement.format(**ids))
    report = await busy.proof()
    assert any(named in fault for fault in report.faults)
    assert report.faults_count == len(report.faults) >= 1


_LAST = "(SELECT max(id) FROM payment WHERE external_id = '{}')"


@pytest.mark.parametrize(
    ("table", "statement", "named"),
    [
        (
            "posting",
            "UPDATE posting SET amount_kopecks = amount_kopecks + 1 WHERE payment_id = "
            + _LAST.format("p3"),
            ":p3, revision 1",
        ),
        (
            "posting",
            "UPDATE posting SET amount_kopecks = amount_kopecks + 1 WHERE line < 0"
            " AND payment_id = " + _LAST.format("p4"),
            ":p4, revision 3",
        ),
        (
            "posting",
            "DELETE FROM posting WHERE line = 2 AND payment_id = " + _LAST.format("both"),
            ":both, revision 1",
        ),
        (
            "posting",
            "UPDATE posting SET debit_id = credit_id, credit_id = debit_id WHERE payment_id = "
            + _LAST.format("p5"),
            ":p5, revision 1",
        ),
        (
            "payment",
            "UPDATE payment SET amount_kopecks = amount_kopecks - 1 WHERE id = "
            + _LAST.format("lost"),
            ":lost, revision 1",
        ),
        (
            "payment",
            "UPDATE payment SET amount_kopecks = 1 WHERE revision = 1 AND external_id = 'p4'",
            ":p4, revision 2",
        ),
        ("payment", "DELETE FROM payment WHERE external_id = 'p2'", "does not exist"),
    ],
)
async def test_a_changed_payment_is_found(
    busy: Any, table: str, statement: str, named: str
) -> None:
    await allow_changes(busy, table)
    await plant(busy, statement)
    report = await busy.proof()
    assert any(named in fault for fault in report.faults), report.faults


async def test_a_posting_to_another_contract_is_found(busy: Any) -> None:
    """The payment still brings its sum and the trial balance agrees: only the balances tell."""
    ids = {contract.number: contract.id for contract in await busy.contracts()}
    await allow_changes(busy, "posting")
    await plant(
        busy,
        f"UPDATE posting SET credit_id = {ids['C']} WHERE payment_id = " + _LAST.format("p1"),
    )
    report = await busy.proof()
    assert report.debits_kopecks == report.credits_kopecks
    assert {fault.split(":")[1] for fault in report.faults} == {"B", "C"}


async def test_pieces_make_one_picture(busy: Any, monkeypatch: Any) -> None:
    whole = await busy.proof()
    heard: list[tuple[str, int, int]] = []
    monkeypatch.setattr(proof, "PIECE", 2)
    report = await proof.verify(busy.db, lambda *said: heard.append(said))
    assert report == whole
    done = [now for what, now, _ in heard if what == "payments"]
    assert done == sorted(set(done))
    assert done[-1] == next(all_ for what, _, all_ in heard if what == "payments")
    await plant(busy, "UPDATE balance SET kopecks = kopecks + 1")
    assert (await proof.verify(busy.db, lambda *_: None)).faults_count == 3


async def test_many_faults_are_counted_and_few_are_named(books: Any) -> None:
    await books.open(*(f"N{n}" for n in range(30)))
    await plant(books, "UPDATE balance SET kopecks = 1")
    report = await books.proof()
    assert (len(report.faults), report.faults_count) == (proof.SHOWN_MAX, 30)


async def test_payments_going_on_are_no_fault(books: Any, monkeypatch: Any) -> None:
    """All statements see one moment: what is posted meanwhile is not half seen."""
    await books.open("A")
    await books.post(*(books.paid(f"p{n}", 1, ("A", 1)) for n in range(10)))
    monkeypatch.setattr(proof, "PIECE", 3)
    compare = proof._compare_balances

    async def later(*arguments: Any) -> None:
        await books.post(books.paid("meanwhile", 100, ("A", 100)))
        await compare(*arguments)

    monkeypatch.setattr(proof, "_compare_balances", later)
    report = await books.proof()
    assert (report.faults, report.payments) == ([], 10)
    async with reading(books.db) as tx:
        assert (await tx.execute(text("SELECT kopecks FROM balance"))).scalar_one() == 110


@pytest.mark.parametrize("number", ["A", "B", "C"])
async def test_a_changed_balance_beside_an_entry_is_found(busy: Any, number: str) -> None:
    """The sums are as before: only what the subscriber was told in between is wrong."""
    ids = {contract.number: contract.id for contract in await busy.contracts()}
    await allow_changes(busy, "posting")
    mine = f"(SELECT min(payment_id) FROM posting WHERE credit_id = {ids[number]})"
    await plant(
        busy,
        "UPDATE posting SET credit_balance = credit_balance + 1"
        f" WHERE credit_id = {ids[number]} AND payment_id = {mine}",
    )
    report = await busy.proof()
    assert report.faults == [
        f"contract:{number}: the balances beside its entries do not follow each other"
    ]


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
async def test_balances_are_followed_from_piece_to_piece(busy: Any, monkeypatch: Any) -> None:
    for size in (1, 2, 3, 5):
        monkeypatch.setattr(proof, "PIECE", size)
        monkeypatch.setattr(proof, "PIECES_SUMMED", 1)
        assert (await busy.proof()).faults == []
    await allow_changes(busy, "posting")
    # All entries of one piece are off by the same: only the piece before tells.
    await plant(busy, "UPDATE posting SET credit_balance = credit_balance + 1 WHERE payment_id > 5")
    report = await busy.proof()
    assert any("do not follow" in fault for fault in report.faults)


async def test_a_lost_revision_is_found(busy: Any) -> None:
    await allow_changes(busy, "payment")
    await plant(busy, "UPDATE payment SET revision = 7 WHERE revision = 3")
    report = await busy.proof()
    assert any("the revision before is missing" in fault for fault in report.faults)


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
async def test_a_floor_without_its_promise_is_found(busy: Any) -> None:
    ids = {contract.number: contract.id for contract in await busy.contracts()}
    columns = "contract_id, amount_kopecks, fee_kopecks, paid_kopecks, granted_at, until,"
    columns += " origin, granted_by, revision, closed_at"
    at = "'2026-11-22 12:00:00'"
    row = f"{ids['A']}, 500, 0, 0, {at}, {at}, 'manager', 'x', 1"
    await plant(
        busy,
        f"INSERT INTO promise ({columns}) VALUES ({row}, NULL), ({row}, {at})",
        f"UPDATE balance SET promised_kopecks = 500, tied = true WHERE account_id = {ids['A']}",
    )
    assert (await busy.proof()).faults == []
    await plant(busy, f"UPDATE promise SET overdue_at = {at} WHERE closed_at IS NULL")
    assert (await busy.proof()).faults == [
        "contract:A: its floor is lowered by 5.00, its promise says 0.00"
    ]
    await plant(
        busy,
        f"UPDATE balance SET promised_kopecks = 0 WHERE account_id = {ids['A']}",
        "UPDATE promise SET overdue_at = NULL",
    )
    assert (await busy.proof()).faults == [
        "contract:A: its floor is lowered by 0.00, its promise says 5.00"
    ]


UNTIED = "it is not tied, though a promise, a block or subordinates hang on it"


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
@pytest.mark.parametrize("held", ["promise", "block", "short", "subordinates"])
async def test_a_contract_that_should_be_tied_is_found(busy: Any, held: str) -> None:
    ids = {contract.number: contract.id for contract in await busy.contracts()}
    at, mine = datetime(2026, 11, 22, tzinfo=UTC), {"contract_id": ids["A"]}
    row = {
        "promise": insert(promise).values(
            **mine,
            amount_kopecks=1,
            granted_at=at,
            until=at,
            overdue_at=at,
            origin="manager",
            granted_by="x",
            fee_kopecks=0,
            paid_kopecks=0,
            revision=1,
        ),
        "block": insert(block).values(**mine, blocked=True, revision=1, reason=""),
        "short": insert(block).values(**mine, blocked=False, short_since=at, revision=1, reason=""),
        "subordinates": insert(terms).values(
            contract_id=ids["B"],
            main_id=ids["A"],
            revision=1,
            changed_by="x",
            group_name="",
            charging="advance",
            priority=1,
            automatic_promise=False,
        ),
    }[held]
    async with transaction(busy.db) as tx:
        await tx.execute(row)
    assert (await busy.proof()).faults == [f"contract:A: {UNTIED}"]
    await plant(busy, "UPDATE balance SET tied = true")
    assert (await busy.proof()).faults == []
