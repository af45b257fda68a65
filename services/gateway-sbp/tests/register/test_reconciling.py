"""The bank's files against our books, through the reconciliation that every gateway has."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest

from gateway_sbp.paper_rows import CALLBACKS_END_AFTER, GRACE
from sbp_books import CODE, NOON, PAPER, SECOND, SHOP, Line, register, title
from shared.db import transaction
from shared.gateway import refunds
from shared.gateway.provider import Kind, ProviderRefund, Status
from shared.gateway.refund_settle import Refund
from shared.gateway.register import WrongRegister
from shared.gateway.registers import register as taken_register

OVER = CALLBACKS_END_AFTER + GRACE
OURS = Line(order="0" * 32, qr=CODE)
PAPER_PAID = Line()
HEAD = "1CClientBankExchange\nКодировка=Windows\n"


def document(words: str, amount: str = "350.50") -> str:
    return (
        f"СекцияДокумент=Банковский ордер\nНомер=1\nДата=04.02.2026\nСумма={amount}\n"
        f"ДатаПоступило=04.02.2026\nНазначениеПлатежа={words} за 03/02/26\nКонецДокумента\n"
    )


def paid(qr: str, number: str = "1", what: str = "IPS") -> str:
    return document(f"{number} {what} MA0000099999 СБП [{number} - {qr} - 00790]")


def statement(*documents: str) -> bytes:
    return (HEAD + "".join(documents) + "КонецФайла\n").encode("cp1251")


async def sent_back(place: Any, of: str, amount: int = 10_000, bound: bool = True) -> Any:
    """Have a refund stand here, its name at the bank known or not."""
    name = uuid4()
    one = Refund(
        id=name,
        shop=SHOP,
        payment_id=uuid4(),
        provider_payment_id=of,
        status=Status.SUCCEEDED if bound else Status.PENDING,
        amount_kopecks=amount,
        correlation_id="corr",
        created_at=NOON,
        provider_refund_id=f"{name.hex}:{of}" if bound else None,
        refunded_at=NOON if bound else None,
    )
    async with transaction(place.gateway.db) as tx:
        assert await refunds.insert(tx, one, {})
    return one


async def test_a_code_that_is_found_only_there_is_asked_about_and_credited(place: Any) -> None:
    await place.booked(f"{CODE}A")
    place.bank.pays(CODE)
    taken = await place.read(register([OURS, replace(OURS, qr=f"{CODE}A")]))
    assert [(one.register.kind, one.done, one.differences) for one in taken] == [
        (Kind.PAYMENT, 2, 1)
    ]
    assert await place.differences() == {CODE: "missing_here"}
    await place.ask()
    assert await place.credited() == {CODE: 35_050}
    assert await place.differences() == {}
    said = {event.data["provider_id"]: event.data for event in await place.said("register.row")}
    assert said[CODE]["difference"] == "missing_here"
    assert said[f"{CODE}A"]["difference"] is None
    assert {row["fee_kopecks"] for row in said.values()} == {140}


async def test_an_amount_that_differs_is_shown_and_nothing_is_credited(place: Any) -> None:
    await place.booked(CODE, 35_000)
    await place.read(register([OURS]))
    await place.ask()
    assert await place.differences() == {CODE: "amount"}
    assert await place.credited() == {}


async def test_what_the_bank_does_not_know_stays_for_a_person(place: Any) -> None:
    await place.read(register([OURS]))
    await place.ask()
    assert await place.differences() == {CODE: "missing_here"}
    assert await place.credited() == {}


async def test_what_the_register_lacks(place: Any) -> None:
    await place.booked(CODE)
    await place.callback("900001")
    await place.booked(f"{CODE}B", at=NOON + timedelta(days=1))
    await place.read(register([PAPER_PAID]))
    assert await place.differences() == {CODE: "missing_there"}
    await place.read(register([PAPER_PAID, OURS]))
    assert await place.differences() == {}


async def test_a_day_without_operations_is_compared(place: Any) -> None:
    await place.booked(CODE)
    await place.read(register())
    assert await place.differences() == {CODE: "missing_there"}


async def test_a_period_is_compared_by_the_day(place: Any) -> None:
    await place.booked(CODE)
    await place.booked(f"{CODE}B", at=NOON + timedelta(days=1))
    days = title(date(2026, 2, 2), date(2026, 2, 4))
    taken = await place.read(register([OURS, replace(OURS, at=NOON, qr=f"{CODE}C")], title=days))
    assert [(one.register.day.day, one.register.rows) for one in taken] == [(2, 0), (3, 2), (4, 0)]
    assert await place.differences() == {f"{CODE}B": "missing_there", f"{CODE}C": "missing_here"}
    # The same day in a file of its own is the same register.
    (again,) = await place.read(register([OURS, replace(OURS, at=NOON, qr=f"{CODE}C")]))
    assert again.id == taken[1].id
    assert len(await place.rows(taken_register)) == 3


async def test_refunds_are_known_by_the_ids_that_we_gave_them(place: Any) -> None:
    await place.callback("900001")
    await place.booked(CODE)
    known, unsure = await sent_back(place, "900001"), await sent_back(place, CODE, bound=False)
    name = f"{unsure.id.hex}:{CODE}"
    place.bank.back[name] = ProviderRefund(
        name, CODE, Status.SUCCEEDED, "COMPLETED", 10_000, "RUB", NOON, refund_id=unsure.id
    )
    back = Line(type="Refund", amount="100.00", fee="0.00")
    lines = [
        PAPER_PAID,
        OURS,
        replace(back, refund=known.id.hex),
        replace(back, refund=unsure.id.hex, qr=CODE),
        replace(back, refund="cabinet-1", qr=CODE),
    ]
    taken = await place.read(register(lines))
    assert [one.register.kind for one in taken] == [Kind.PAYMENT, Kind.REFUND]
    assert await place.differences() == {name: "missing_here", f"cabinet-1:{CODE}": "missing_here"}
    await place.ask()
    assert await place.differences() == {f"cabinet-1:{CODE}": "missing_here"}
    kinds = [event.data["kind"] for event in await place.said("register.row")]
    assert sorted(kinds) == ["payment"] * 2 + ["refund"] * 3


async def test_rows_that_are_nothing_we_know_are_for_a_person(place: Any) -> None:
    lines = [OURS, OURS, replace(OURS, qr="247123|0344")]
    await place.read(register(lines))
    await place.read(register(lines))
    found = await place.differences()
    assert found.pop(CODE) == "missing_here"
    assert list(found.values()) == ["missing_here"] * 2
    assert all(name.startswith("line-") for name in found)
    await place.pass_time(OVER)
    await place.ask()
    assert await place.credited() == {}


@pytest.mark.parametrize("order", ["C-100245", "desk-77"])
async def test_codes_that_others_have_printed_are_recovered_as_ours(place: Any, order: str) -> None:
    """A callback tells them by the code's id, so a register does as well."""
    line = Line(order=order, qr=PAPER)
    await place.callback("900001", NOON, order=order)
    await place.read(register([line, line]))
    assert await place.differences() == {}
    await place.pass_time(OVER)
    assert sorted((await place.credited()).values()) == [35_050, 35_050]


async def test_a_recovered_row_agrees_with_later_registers(place: Any) -> None:
    await place.read(register([PAPER_PAID]))
    await place.pass_time(OVER)
    days = title(date(2026, 2, 3), date(2026, 2, 4))
    await place.read(register([PAPER_PAID], title=days))
    assert await place.differences() == {}
    assert len(await place.said("register.row")) == 1


async def test_a_refused_file_leaves_nothing(place: Any) -> None:
    with pytest.raises(WrongRegister):
        await place.read(register([PAPER_PAID, OURS], total="1.00"))
    with pytest.raises(WrongRegister, match="another merchant"):
        await place.read(register([replace(PAPER_PAID, merchant="MA0000000001")]))
    await place.pass_time(OVER)
    assert await place.credited() == {}
    assert await place.rows(taken_register) == []


async def test_a_statement_credits_nobody_and_lacks_nothing(place: Any) -> None:
    await place.read(register([PAPER_PAID, replace(PAPER_PAID, at=NOON + timedelta(minutes=1))]))
    await place.callback("900001")
    await place.booked(f"{CODE}A")
    await place.booked(f"{CODE}B")
    before = len(await place.said("register.row"))
    place.bank.pays(CODE)
    lines = [paid(f"{CODE}A"), paid(PAPER), paid(PAPER, "900001"), paid(PAPER, "900002")]
    await place.read(statement(*lines, paid(CODE)), "statement.txt")
    found = await place.differences()
    assert found.pop(CODE) == "missing_here"
    (line,) = found.items()
    assert (line[0][:5], line[1]) == ("line-", "missing_here")
    assert len(await place.said("register.row")) == before
    await place.ask()
    # What a statement brings up the bank is asked about, where it can be.
    assert await place.credited() == {"900001": 35_050, CODE: 35_050}
    assert line[0] in await place.differences()


async def test_refunds_of_a_statement_are_counted_off(place: Any) -> None:
    await place.callback("900001")
    await place.booked(CODE)
    await sent_back(place, "900001", 35_050)
    await sent_back(place, CODE, 35_050)
    lines = [paid(qr, what="RTRN") for qr in (PAPER, CODE, CODE)]
    await place.read(statement(*lines))
    (name,) = await place.differences()
    assert name.startswith("line-")


async def test_seconds_of_a_callback_do_not_matter(place: Any) -> None:
    await place.callback("900001", NOON + 42 * SECOND)
    await place.read(register([PAPER_PAID]))
    await place.pass_time(OVER)
    assert await place.credited() == {"900001": 35_050}
