"""Daily registers: the day is Moscow's, the totals are those of the lines."""

import csv
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from io import BytesIO
from zoneinfo import ZoneInfo

import pytest
from openpyxl import load_workbook

from simulators.harness import Sandbox, running
from simulators.yookassa.register import Register


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with running() as each:
        yield each


async def fetch(sandbox: Sandbox, kind: str, query: str) -> bytes:
    address = f"{sandbox.url}/yookassa/control/registers/{kind}?{query}"
    async with sandbox.session.get(address) as response:
        assert response.status == 200
        return await response.read()


def today() -> str:
    return str(datetime.now(ZoneInfo("Europe/Moscow")).date())


def test_a_day_begins_at_nine_in_the_evening_utc() -> None:
    begins, ends = Register("payments", "1", date(2026, 11, 22)).span()
    assert datetime.fromtimestamp(begins / 1_000, UTC) == datetime(2026, 11, 21, 21, tzinfo=UTC)
    assert ends - begins == 24 * 3_600_000


@pytest.mark.parametrize(
    ("encoding", "decimal"), [("utf-8", "."), ("utf-8-sig", "."), ("windows-1251", ",")]
)
async def test_payments_and_their_totals(sandbox: Sandbox, encoding: str, decimal: str) -> None:
    for description in ('Счёт "5"; квартира 7', "Счёт 6"):
        created = await sandbox.create(description=description)
        await sandbox.pay(created["id"])
    await sandbox.create()
    query = f"day={today()}&encoding={encoding}&decimal={decimal}"
    lines = (await fetch(sandbox, "payments", query)).decode(encoding).split("\r\n")
    assert lines[0] == "РЕЕСТР ПЛАТЕЖЕЙ ПО ДОГОВОРУ НБ-1 (100500)"
    head, *rows = csv.reader(lines[2:5], delimiter=";")
    first = dict(zip(head, rows[0], strict=True))
    assert first["Описание"] == 'Счёт "5"; квартира 7'
    assert first["Сумма платежа"] == f"650{decimal}00"
    assert first["Сумма за вычетом комиссии и НДС"] == f"627{decimal}80"
    parts = ("Сумма за вычетом комиссии и НДС", "Сумма комиссии без НДС", "НДС с комиссии")
    kopecks = sum(int(first[name].replace(decimal, "")) for name in parts)
    assert kopecks == 65_000
    assert lines[6] == "Сумма принятых платежей: 1300.00 RUB"
    assert lines[8] == "Число платежей: 2"


async def test_refunds_and_an_empty_day(sandbox: Sandbox) -> None:
    created = await sandbox.create()
    await sandbox.pay(created["id"])
    await sandbox.control("POST", f"/payments/{created['id']}/refund", {"amount": "50.00"})
    text = (await fetch(sandbox, "refunds", f"day={today()}")).decode()
    assert f"{created['id']};50.00;RUB;" in text
    assert "Число возвратов: 1" in text
    empty = (await fetch(sandbox, "refunds", "day=2020-01-01")).decode()
    assert "Сумма возвратов: 0.00 RUB" in empty
    for wrong in ("payments?day=never", "payments", "gifts?day=2020-01-01"):
        path = f"/yookassa/control/registers/{wrong}"
        assert (await sandbox.call("GET", path)).status == 400


async def test_a_workbook_holds_the_same_rows(sandbox: Sandbox) -> None:
    created = await sandbox.create()
    await sandbox.pay(created["id"])
    body = await fetch(sandbox, "payments", f"day={today()}&form=xlsx&decimal=,")
    sheet = load_workbook(BytesIO(body)).active
    rows = [list(row) for row in sheet.iter_rows(values_only=True)]
    assert rows[0][0] == "РЕЕСТР ПЛАТЕЖЕЙ ПО ДОГОВОРУ НБ-1 (100500)"
    assert rows[3][:4] == [created["id"], 650, "RUB", 627.8]
    assert rows[-1][0] == "Число платежей: 1"


async def test_a_register_may_come_without_its_totals(sandbox: Sandbox) -> None:
    body = await fetch(sandbox, "payments", f"day={today()}&totals=no")
    assert body.decode().rstrip().endswith("НДС с комиссии")


@pytest.mark.parametrize("query", ["form=pdf", "decimal=;"])
async def test_a_register_of_no_such_form(sandbox: Sandbox, query: str) -> None:
    address = f"{sandbox.url}/yookassa/control/registers/payments?day={today()}&{query}"
    async with sandbox.session.get(address) as response:
        assert response.status == 400
