"""Contracts from a file: each line once, what is wrong stands in the report."""

import csv
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from core_billing import contracts, import_contracts, passwords
from core_billing.import_contracts import Summary
from core_billing.imports.columns import Unreadable
from core_billing.subscribers import subscriber
from shared.db import reading
from shared.errors import Text, Unavailable

HEADER = "number;name;phone;email;balance;password"


def write(path: Path, *lines: str, header: str = HEADER, encoding: str = "utf-8") -> Path:
    """Write a file of contracts."""
    path.write_text("\n".join([header, *lines, ""]), encoding=encoding)
    return path


def told(report: Path) -> list[tuple[int, str, str]]:
    """Return the report's lines, numbers and fields; every row says what to do, twice."""
    with report.open(encoding="utf-8-sig", newline="") as file:
        head, *rows = list(csv.reader(file, delimiter=";"))
    assert head[:3] == ["line", "number", "field"]
    assert all(row[3] and row[4] for row in rows)
    return [(int(row[0]), row[1], row[2]) for row in rows]


@pytest.fixture
def run(books: Any, tmp_path: Path) -> Any:
    """Import a file; returns the summary and what the report says."""

    async def importing(path: Path, **more: Any) -> tuple[Summary, list[tuple[int, str, str]]]:
        report = tmp_path / "rejected.csv"
        done = await import_contracts.import_contracts(books.core, path, report, **more)
        assert report.exists() is bool(done.rejected)
        return done, told(report) if report.exists() else []

    return importing


def counts(done: Summary) -> tuple[int, int, int, int]:
    """Return lines, opened, repeated, rejected."""
    return done.lines, done.opened, done.repeated, done.rejected


async def test_a_file_is_taken_once(books: Any, run: Any, tmp_path: Path) -> None:
    header = (
        "number;subscriber_id;name;phone;email;language;timezone;operator;balance;"
        "credit_limit;low_balance;password"
    )
    path = write(
        tmp_path / "c.csv",
        " 100245 ;s-1;Анна; 89161234567;anna@example.ru;ru;Asia/Omsk;north;-1200.00;500;-1; demo",
        "100246;s-1;Анна; 89161234567;anna@example.ru;ru;Asia/Omsk;north;;;;",
        "100301;;Emma;;;en;;;845.5;;;",
        header=header,
        encoding="cp1251",
    )
    assert counts((await run(path))[0]) == (3, 3, 0, 0)
    assert await books.balances() == {"100245": -120_000, "100246": 0, "100301": 84_550}
    async with reading(books.db) as tx:
        found = await contracts.find_all(tx, ["100245", "100301"])
        login = await contracts.login(tx, "100245")
        people = (await tx.execute(select(subscriber))).all()
    anna, emma = found["100245"], found["100301"]
    assert (anna.subscriber_id, anna.operator, anna.credit_limit_kopecks) == (
        "s-1",
        "north",
        50_000,
    )
    assert anna.low_balance_kopecks == -100
    assert (emma.operator, emma.low_balance_kopecks, emma.has_password) == ("default", None, False)
    assert passwords.fits(login.password_hash, " demo")
    assert len(people) == 2
    assert {books.core.vault.decrypt(row.name) for row in people} == {"Анна", "Emma"}
    before = await books.said(), await books.lines()
    done, _ = await run(path)
    assert counts(done) == (3, 0, 3, 0)
    assert done.bytes_read == done.bytes_all == path.stat().st_size
    assert (await books.said(), await books.lines()) == before


async def test_every_wrong_line_is_reported_and_the_others_are_taken(
    books: Any, run: Any, tmp_path: Path
) -> None:
    await books.open(books.asked("taken", "5.00"))
    path = write(
        tmp_path / "c.csv",
        "1;Anna;;;10.00;",
        "2;Anna;;;10.005;",
        "3;Anna;12;x;NaN;abc",
        "4;Anna;;;1;;",
        "taken;Anna;;;5.00;",
        "1;Anna;;;10.00;",
        '5;"Anna;;;1;',
        ";Anna;;;1;",
        "6;Anna;;;-0.01;",
        "7;Anna;;;1 000,50;",
    )
    done, rejected = await run(path)
    assert counts(done) == (10, 2, 0, 8)
    assert rejected == [
        (3, "2", "balance"),
        (4, "3", "phone"),
        (4, "3", "email"),
        (4, "3", "balance"),
        (4, "3", "password"),
        (5, "", ""),
        (6, "taken", "name"),
        (6, "taken", "phone"),
        (6, "taken", "email"),
        (7, "1", "number"),
        (8, "", ""),
        (9, "", "number"),
        (11, "7", "balance"),
    ]
    assert await books.balances() == {"taken": 500, "1": 1_000, "6": -1}
    again, rejected_again = await run(path)
    assert counts(again) == (10, 0, 2, 8)
    assert rejected_again == rejected


async def test_duplicates_are_found_across_batches(
    books: Any, run: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(import_contracts, "BATCH", 2)
    numbers = ["1", "2", "3", "1", "4", "3", "5"]
    path = write(tmp_path / "c.csv", *(f"{number};Anna;;;1;" for number in numbers))
    heard: list[tuple[int, int]] = []
    done, rejected = await run(path, progress=lambda now: heard.append((now.lines, now.bytes_read)))
    assert counts(done) == (7, 5, 0, 2)
    assert rejected == [(5, "1", "number"), (7, "3", "number")]
    assert [lines for lines, _ in heard] == [2, 4, 6, 7]
    assert [size for _, size in heard] == sorted({size for _, size in heard})


async def test_two_people_under_one_id(run: Any, tmp_path: Path) -> None:
    path = write(
        tmp_path / "c.csv", "1;s;Anna", "2;s;Igor", "3;s;Anna", header="number;subscriber_id;name"
    )
    done, rejected = await run(path)
    assert counts(done) == (3, 2, 0, 1)
    assert rejected == [(3, "2", "name")]
    other = write(tmp_path / "d.csv", "1;t;Anna", header="number;subscriber_id;name")
    assert (await run(other))[1] == [(2, "1", "subscriber_id")]


async def test_a_dry_run_changes_nothing(books: Any, run: Any, tmp_path: Path) -> None:
    await books.open(books.asked("taken", "5.00"))
    before = await books.said(), await books.lines(), await books.balances()
    path = write(
        tmp_path / "c.csv", "1;Anna;;;1;demo", "taken;A;;;5;", "1;Anna;;;1;", "2;Anna;;;x;"
    )
    done, rejected = await run(path, dry_run=True)
    assert counts(done) == (4, 1, 0, 3)
    assert [line for line, _, _ in rejected] == [3, 3, 3, 4, 5]
    assert (await books.said(), await books.lines(), await books.balances()) == before
    assert counts((await run(path))[0]) == (4, 1, 0, 3)


async def test_an_interrupted_import_goes_on(
    books: Any, run: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(import_contracts, "BATCH", 3)
    path = write(tmp_path / "c.csv", *(f"{n};Anna;;;{n}.00;" for n in range(1, 11)))

    def stop(now: Summary) -> None:
        if now.lines >= 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await run(path, progress=stop)
    assert len(await books.balances()) == 6
    assert counts((await run(path))[0]) == (10, 4, 6, 0)
    assert await books.balances() == {str(n): n * 100 for n in range(1, 11)}


async def test_somebody_in_the_way_costs_one_line(
    books: Any, run: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    open_all = import_contracts.openings.open_all

    async def busy(tx: Any, vault: Any, rules: Any, wanted: Any, at: Any) -> Any:
        if any(want.number == "2" for want in wanted):
            raise Unavailable(Text("busy", "занято"))
        return await open_all(tx, vault, rules, wanted, at)

    monkeypatch.setattr(import_contracts.openings, "open_all", busy)
    path = write(tmp_path / "c.csv", *(f"{n};Anna;;;1;" for n in (1, 2, 3)))
    done, rejected = await run(path)
    assert counts(done) == (3, 2, 0, 1)
    assert rejected == [(3, "2", "number")]


async def test_known_contracts_cost_no_password_hash(
    books: Any, run: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    path = write(tmp_path / "c.csv", "1;Anna;;;1;demo", "2;Anna;;;1;", "3;Anna;;;1;demo")
    hashed: list[str] = []

    def hash_password(password: str) -> str:
        hashed.append(password)
        return f"hash of {password}"

    monkeypatch.setattr(passwords, "hash_password", hash_password)
    for _ in range(2):
        await run(path)
    assert hashed == ["demo", "demo"]


async def test_a_stale_report_is_taken_away(run: Any, tmp_path: Path) -> None:
    assert (await run(write(tmp_path / "c.csv", "1;Anna;;;x;")))[0].rejected == 1
    assert (await run(write(tmp_path / "c.csv", "1;Anna;;;1;")))[0].rejected == 0


async def test_an_unreadable_file_changes_nothing(books: Any, run: Any, tmp_path: Path) -> None:
    with pytest.raises(Unreadable):
        await run(write(tmp_path / "c.csv", "1;Anna", header="nummer;name"))
    with pytest.raises(FileNotFoundError):
        await run(tmp_path / "nothing.csv")
    assert await books.contracts() == []
