"""The checker judges the run, so it is tried on ledgers that are wrong by one kopeck."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core_billing import accounts, ledger, postings
from core_billing.drafts import Payment
from faults import books, checker, owed, truth
from faults.books import CORE, Balance, Books, Line
from faults.orders import BENT_KOPECKS, Fate, Order
from faults.owed import Owed
from faults.sbp import Account
from faults.settings import SHOP
from faults.tables import SqliteTables
from faults.truth import Taken
from shared.db import open_database, transaction
from simulators.store import Store
from simulators.yookassa import delivery, payment

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
OPENED = {"7001": -5_000, "7002": 0}


def order(number: int, contract: str, kopecks: int, fate: Fate = Fate.PAID) -> Order:
    return Order(number, 0.0, f"key-{number}", contract, kopecks, fate, 0.0, (), False)


ORDERS = (
    order(1, "7001", 10_001),
    order(2, "7002", 10_002),
    order(3, "7001", 10_003, Fate.OTHER_AMOUNT),
    order(4, "7002", 10_004, Fate.CANCELED),
    order(5, "7002", 10_005, Fate.TEST),
)


def stored(number: int, kopecks: int, **changes: object) -> payment.Payment:
    given: dict[str, object] = {
        "id": f"id-{number}",
        "shop_id": SHOP.id,
        "account_id": SHOP.id,
        "gateway_id": "1",
        "status": "succeeded",
        "amount_kopecks": kopecks,
        "currency": "RUB",
        "test": False,
        "capture": True,
        "created_at": 0,
    }
    return payment.Payment(**(given | changes))  # type: ignore[arg-type]


PROVIDER = (
    stored(1, 10_001),
    stored(2, 10_002),
    stored(3, 10_003 + BENT_KOPECKS),
    stored(4, 10_004, status="canceled"),
    stored(5, 10_005, test=True),
)


@dataclass(frozen=True)
class Files:
    """A provider's store and a ledger that agree."""

    store: Path
    folder: Path

    async def faults(self) -> list[str]:
        taken = truth.payments(self.store)
        debts = owed.owed(ORDERS, taken, SHOP)
        said = await books.read(SqliteTables(self.folder))
        return [
            *checker.keys(owed.made(ORDERS, taken), ORDERS),
            *checker.decided(taken),
            *checker.ledger(debts, said, SHOP),
            *checker.sums(debts, said, OPENED, SHOP),
            *checker.balances(said.balances),
        ]

    def plant(self, script: str) -> None:
        """Change the ledger past its own guards."""
        with sqlite3.connect(self.folder / f"{CORE}.db") as opened:
            for guard in opened.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
                opened.execute(f"DROP TRIGGER {guard[0]}")
            opened.executescript(script)


@pytest.fixture
async def files(tmp_path: Path) -> Files:
    store = Store(str(tmp_path / "sandbox.db"), (payment.SCHEMA, delivery.SCHEMA))
    for one in PROVIDER:
        payment.save(store, one)
    store.close()
    db = open_database(f"sqlite+aiosqlite:///{tmp_path}/{CORE}.db")
    async with db.engine.begin() as connection:
        await connection.run_sync(accounts.schema.create_all)
        await connection.run_sync(postings.schema.create_all)
    async with transaction(db) as tx:
        await accounts.open_contracts(tx, dict.fromkeys(OPENED, 0))
        opening = paid("7001", "7001", OPENED["7001"], source=accounts.OPENING)
        suspended = paid("id-3", "7001", 10_003 + BENT_KOPECKS, suspense="amount")
        known = [paid("id-1", "7001", 10_001), paid("id-2", "7002", 10_002)]
        await ledger.post(tx, [opening, *known, suspended], AT)
    await db.close()
    return Files(tmp_path / "sandbox.db", tmp_path)


def paid(
    external_id: str,
    contract: str,
    kopecks: int,
    source: str = SHOP.source,
    suspense: str | None = None,
) -> Payment:
    parts = ((contract, kopecks),)
    return Payment(source, external_id, kopecks, parts, AT, suspense=suspense)


async def test_a_right_ledger_has_no_faults(files: Files) -> None:
    assert await files.faults() == []


# What is done to the ledger, and what the checker must name.
PLANTED = {
    "one kopeck in a posting": (
        "UPDATE posting SET amount_kopecks = amount_kopecks + 1 WHERE payment_id = {id_1}",
        "id-1",
    ),
    "one kopeck in a kept balance": (
        "UPDATE balance SET kopecks = kopecks - 1 WHERE account_id = {contract_7002}",
        "contract:7002",
    ),
    "one kopeck in both": (
        """UPDATE posting SET amount_kopecks = amount_kopecks + 1 WHERE payment_id = {id_1};
        UPDATE balance SET kopecks = kopecks + 1 WHERE account_id = {contract_7001}""",
        "id-1",
    ),
    "a credit doubled by a second line": (
        """INSERT INTO posting (payment_id, line, amount_kopecks, debit_id, credit_id)
        SELECT payment_id, 2, amount_kopecks, debit_id, credit_id FROM posting
        WHERE payment_id = {id_1}""",
        "id-1",
    ),
    "a credit doubled by a second revision": (
        """INSERT INTO payment (id, amount_kopecks, paid_at, registered_at, source_id, revision,
        category, external_id, method) SELECT 99, amount_kopecks, paid_at, registered_at,
        source_id, 2, category, external_id, method FROM payment WHERE external_id = 'id-1';
        INSERT INTO posting (payment_id, line, amount_kopecks, debit_id, credit_id)
        SELECT 99, line, amount_kopecks, debit_id, credit_id FROM posting
        WHERE payment_id = {id_1}""",
        "id-1",
    ),
    "a missing payment": (
        """DELETE FROM posting WHERE payment_id = {id_1};
        DELETE FROM payment WHERE external_id = 'id-1'""",
        "id-1",
    ),
    "a payment without its posting": ("DELETE FROM posting WHERE payment_id = {id_1}", "id-1"),
    "a posting without its payment": (
        "DELETE FROM payment WHERE external_id = 'id-1'",
        "postings belong to no payment",
    ),
    "the right sum on the wrong contract": (
        "UPDATE posting SET credit_id = {contract_7002} WHERE payment_id = {id_1}",
        "id-1",
    ),
    "a doubtful amount on the contract": (
        "UPDATE posting SET credit_id = {contract_7001} WHERE payment_id = {id_3}",
        "id-3",
    ),
    "a canceled payment that is credited": (
        "UPDATE payment SET external_id = 'id-4' WHERE external_id = 'id-1'",
        "id-4",
    ),
    "a payment from nowhere": (
        "UPDATE source SET name = 'payment:yookassa:666' WHERE name LIKE 'payment:%'",
        "payment:yookassa:666",
    ),
}
WORDS = {
    "id_1": "(SELECT id FROM payment WHERE external_id = 'id-1' AND revision = 1)",
    "id_3": "(SELECT id FROM payment WHERE external_id = 'id-3')",
    "contract_7001": "(SELECT id FROM account WHERE name = 'contract:7001')",
    "contract_7002": "(SELECT id FROM account WHERE name = 'contract:7002')",
}


@pytest.mark.parametrize("planted", PLANTED)
async def test_a_planted_fault_is_found_and_named(files: Files, planted: str) -> None:
    script, named = PLANTED[planted]
    files.plant(script.format(**WORDS))
    assert named in "\n".join(await files.faults())


def _one(payments: list[Taken]) -> list[Taken]:
    return [*payments, Taken("id-9", "succeeded", SHOP.id, 10_001, "RUB", False)]


def _none(payments: list[Taken]) -> list[Taken]:
    return payments[1:]


def _open(payments: list[Taken]) -> list[Taken]:
    return [*payments[:-1], Taken("id-5", "pending", SHOP.id, 10_005, "RUB", True)]


@pytest.mark.parametrize(
    ("change", "named"),
    [(_one, "id-1, id-9"), (_none, "key key-1: 0 payments"), (_open, "id-5: still pending")],
)
def test_a_key_has_exactly_one_payment_that_came_to_an_end(
    change: Callable[[list[Taken]], list[Taken]], named: str
) -> None:
    taken = change(
        [
            Taken(p.id, p.status, p.account_id, p.amount_kopecks, p.currency, p.test)
            for p in PROVIDER
        ]
    )
    found = checker.keys(owed.made(ORDERS, taken), ORDERS) + checker.decided(taken)
    assert named in "\n".join(found)


def test_a_charge_is_owed_by_its_amount_as_often_as_it_was_taken() -> None:
    taken = [Taken(f"id-{n}", "succeeded", SHOP.id, 1_234, "RUB", False) for n in (7, 8)]
    assert owed.owed(ORDERS, taken, SHOP, {1_234: "7002"}) == [
        Owed("id-7", 1_234, "7002"),
        Owed("id-8", 1_234, "7002"),
    ]
    made = owed.made(ORDERS, taken, {1_234: "7002"})
    assert not any(made.values()), "no order is meant"
    with pytest.raises(KeyError):
        owed.owed(ORDERS, taken, SHOP, {1_235: "7002"})


BANK = Account("tbank:1")


def back(payment: str, kopecks: int, credit: str | None = "clearing:tbank:1") -> Line:
    return Line(f"refund:{BANK.provider}", payment, 1, -kopecks, kopecks, "contract:7001", credit)


def test_what_a_bank_sends_back_is_posted_once() -> None:
    sent = [Owed("40", 10_001, "7001")]
    line = back("40:0", 10_001)
    taken = Line(BANK.source, "40", 1, 10_001, 10_001, "clearing:tbank:1", "contract:7001")
    right = Books([taken, line], [])
    assert checker.returned(sent, right, BANK) == []
    assert checker.total(right, BANK) == 0
    missing = ["40: 10001 kopecks went back, and are not posted"]
    assert checker.returned(sent, Books([taken], []), BANK) == missing
    twice = ["40: 10001 kopecks posted that have not gone back"]
    assert checker.returned(sent, Books([line, line], []), BANK) == twice
    assert checker.returned(sent, Books([back("40:0", 10_000)], []), BANK) != []
    elsewhere = checker.returned(sent, Books([back("40:0", 10_001, "suspense:tbank:1")], []), BANK)
    assert elsewhere == [*missing, "1 refunds are not posted to clearing"]


def test_what_was_sent_back_is_no_longer_on_the_contract() -> None:
    owing, sent = [Owed("40", 10_001, "7001")], [Owed("40", 10_001, "7001")]
    taken = Line(BANK.source, "40", 1, 10_001, 10_001, "clearing:tbank:1", "contract:7001")
    right = Books([taken, back("40:0", 10_001)], [Balance("contract:7001", 500, 500)])
    assert checker.sums(owing, right, {"7001": 500}, BANK, back=sent) == []
    assert checker.sums(owing, right, {"7001": 500}, BANK) == [
        "contract:7001: the provider's payments make 10501 kopecks, the balance is 500",
        "the provider took 10001 kopecks, the ledger holds 0",
    ]


def test_foreign_money_is_held_back_and_nothing_else() -> None:
    assert checker.held({"a"}, {"a"}) == []
    assert checker.held({"a"}, set()) == ["a: foreign money, and not held back"]
    assert checker.held(set(), {"b"}) == ["b: held back without need"]


def test_a_callback_that_makes_the_gateway_fail_is_a_fault() -> None:
    assert checker.answers({200: 9, 400: 1, 503: 2}) == []
    assert checker.answers({200: 9, 500: 2}) == ["2 callbacks were answered 500"]
