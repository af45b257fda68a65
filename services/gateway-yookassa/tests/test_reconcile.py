"""Reconciliation with YooKassa's simulator: lists, registers by upload, by folder, by command."""

from __future__ import annotations

import argparse
import io
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from gateway_yookassa.app import TOOLS
from gateway_yookassa.settings import Settings
from shared.clock import MOSCOW
from shared.gateway import folder
from shared.gateway.commands import reconcile as reconcile_commands
from shared.gateway.commands.all import common
from shared.gateway.differences import difference
from shared.gateway.registers import register
from simulators.harness import Sandbox

TITLE = "РЕЕСТР ПЛАТЕЖЕЙ ПО ДОГОВОРУ НБ-1 (100500)"


@dataclass
class Day:
    """A day with two payments: one that both sides know, one that nobody told us of."""

    place: Any
    known: str
    lost: str
    day: str

    async def file(self, query: str = "") -> bytes:
        """Download a register from the simulator."""
        body: bytes = await _download(self.place.sandbox, f"day={self.day}&{query}")
        return body

    async def upload(
        self, body: Any, name: str = "register.csv", language: str = "en", **headers: str
    ) -> tuple[int, Any]:
        said = {
            "Authorization": "Bearer demo",
            "Accept-Language": language,
            "Content-Disposition": f'attachment; filename="{name}"',
            **headers,
        }
        address = f"{self.place.url}/yookassa/v1/reconciliation/registers"
        if isinstance(body, aiohttp.FormData):
            del said["Content-Disposition"]
        async with self.place.http.post(address, data=body, headers=said) as answer:
            return answer.status, await answer.json(content_type=None)

    async def get(self, path: str) -> Any:
        address = f"{self.place.url}/yookassa/v1/reconciliation/{path}"
        async with self.place.http.get(address, headers={"Authorization": "Bearer demo"}) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def applied(self, register_id: str) -> Any:
        async def done() -> Any:
            found = await self.get(f"registers/{register_id}")
            return found if found["state"] == "done" else None

        return await self.place.until(done)

    async def credited(self) -> None:
        """Wait until the lost payment stands here, too."""

        async def said() -> bool:
            return {event.subject for event in await self.place.said()} == {self.known, self.lost}

        await self.place.until(said)

    async def settled(self) -> Any:
        async def all_settled() -> Any:
            found = await self.get(f"differences?day={self.day}&shop=yookassa:100500")
            items = found["items"]
            return items if items and {item["state"] for item in items} == {"settled"} else None

        return await self.place.until(all_settled)


async def _download(sandbox: Sandbox, query: str) -> bytes:
    address = f"{sandbox.url}/yookassa/control/registers/payments?{query}"
    async with sandbox.session.get(address) as answer:
        assert answer.status == 200
        return await answer.read()


async def _day(place: Any) -> Day:
    _, made = await place.make()
    known = made["provider_payment_id"]
    await place.sandbox.pay(known)
    await place.becomes(made["id"], "succeeded")
    await place.sandbox.control("PUT", "/mischief", {"loss": 1.0})
    metadata = {"payment_id": str(uuid4()), "contract": "100245"}
    lost = await place.sandbox.create(metadata=metadata)
    await place.sandbox.pay(lost["id"])
    paid = (await place.sandbox.api("GET", f"/payments/{lost['id']}")).body
    moment = datetime.fromisoformat(paid["captured_at"])
    return Day(place, known, lost["id"], str(moment.astimezone(MOSCOW).date()))


@pytest.fixture
async def day(place: Any) -> Day:
    return await _day(place)


@pytest.mark.parametrize(
    "query", ["", "encoding=windows-1251&decimal=,", "encoding=utf-8-sig", "form=xlsx"]
)
async def test_a_register_by_upload(day: Day, query: str) -> None:
    body = await day.file(query)
    status, sent = await day.upload(body)
    assert (status, sent["rows"], sent["amount"], sent["repeated"]) == (202, 2, "1300.00", False)
    done = await day.applied(sent["id"])
    assert (done["done"], done["differences"]) == (2, 1)
    await day.credited()
    (found,) = await day.settled()
    assert found["provider_id"] == day.lost
    assert (found["difference"], found["outcome"]) == ("missing_here", "confirmed")
    rows = {event.subject: event.data for event in await day.place.said("register.row")}
    assert rows[day.known]["difference"] is None
    assert rows[day.lost]["difference"] == "missing_here"
    assert rows[day.known]["net_kopecks"] == 62_780
    status, again = await day.upload(body, name="the same.csv")
    assert (status, again["id"], again["repeated"]) == (200, sent["id"], True)
    assert len(await day.place.said("register.row")) == 2


async def test_a_register_as_a_form(day: Day) -> None:
    form = aiohttp.FormData()
    form.add_field("file", await day.file("form=xlsx"), filename="register.xlsx")
    status, sent = await day.upload(form)
    assert (status, sent["file"]) == (202, "register.xlsx")
    await day.applied(sent["id"])
    days = (await day.get("days"))["items"]
    assert [(item["source"], item["state"], item["rows"]) for item in days] == [
        ("register", "done", 2)
    ]


async def test_a_refused_register_names_the_line_in_both_languages(day: Day) -> None:
    body = (await day.file()).replace("Число платежей: 2".encode(), "Число платежей: 3".encode())
    status, refused = await day.upload(body)
    assert status == 422
    assert refused["errors"][0]["field"] == "file"
    assert "line 9: the total says 3, the rows give 2" in refused["errors"][0]["message"]
    status, refused = await day.upload(body, language="ru")
    assert "строка 9: в итоге 3, а в строках 2" in refused["errors"][0]["message"]
    assert await day.place.rows(register) == []
    assert await day.place.said("register.row") == []


async def test_the_file_name_stands_in_for_the_title(day: Day) -> None:
    lines = (await day.file()).decode().split("\r\n")[2:]
    name = f"yoomoney-payments-100500-{day.day}.csv"
    status, _ = await day.upload("\r\n".join(lines).encode(), name=name)
    assert status == 202


async def test_a_register_of_another_shop(day: Day) -> None:
    body = (await day.file()).replace(b"(100500)", b"(100501)")
    status, refused = await day.upload(body)
    assert status == 422
    assert "another shop, 100501" in refused["errors"][0]["message"]


async def test_a_body_that_is_too_large(start: Any) -> None:
    day = Day(await start(GATEWAY_YOOKASSA_REGISTER_MIB_MAX="1"), "", "", "")
    status, refused = await day.upload(io.BytesIO(bytes(1024**2 + 1)))
    assert (status, refused["status"]) == (413, 413)


async def test_a_form_without_a_file(day: Day) -> None:
    form = aiohttp.FormData({"x": "y"}, default_to_multipart=True)
    status, _ = await day.upload(form)
    assert status == 422, "an empty name and a body that is no register"
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert (await day.upload(b"--x--\r\n", **headers))[0] == 400


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("text/csv", 202),
        ("multipart/form-data", 400),
        ("multipart/form-data; boundary=", 400),
        ("multipart/form-data; boundary=x", 400),
    ],
)
async def test_a_body_without_a_name(day: Day, content_type: str, status: int) -> None:
    address = f"{day.place.url}/yookassa/v1/reconciliation/registers"
    headers = {"Authorization": "Bearer demo", "Content-Type": content_type}
    async with day.place.http.post(address, data=await day.file(), headers=headers) as answer:
        assert answer.status == status, await answer.text()


async def test_who_may_not(day: Day) -> None:
    status, _ = await day.upload(b"", Authorization="Bearer nobody")
    assert status == 401
    address = f"{day.place.url}/yookassa/v1/reconciliation/differences"
    async with day.place.http.get(address) as answer:
        assert answer.status == 401


@pytest.mark.parametrize("name", ["x", "8c33e61f-dc58-4133-b4fd-1e60bd6d02cb"])
async def test_a_register_nobody_knows(day: Day, name: str) -> None:
    address = f"{day.place.url}/yookassa/v1/reconciliation/registers/{name}"
    async with day.place.http.get(address, headers={"Authorization": "Bearer demo"}) as answer:
        assert answer.status == 404


@pytest.mark.parametrize("query", ["since=2026-11-22&until=2026-11-21", "since=2020-01-01", "x=1"])
async def test_days_that_cannot_be_meant(day: Day, query: str) -> None:
    address = f"{day.place.url}/yookassa/v1/reconciliation/days?{query}"
    async with day.place.http.get(address, headers={"Authorization": "Bearer demo"}) as answer:
        assert answer.status == 422


async def test_differences_page_by_page(day: Day) -> None:
    rows = "".join(f"id-{number};1.00\r\n" for number in range(5))
    columns = "Идентификатор платежа;Сумма платежа"
    tail = "Сумма принятых платежей: 5.00 RUB\r\nЧисло платежей: 5\r\n"
    head = f"{TITLE}\r\nДата платежей: 2026-11-01\r\n{columns}\r\n"
    _, sent = await day.upload((head + rows + tail).encode())
    await day.applied(sent["id"])
    seen: list[str] = []
    cursor = 0
    while cursor is not None:
        page = await day.get(f"differences?day=2026-11-01&state=open&limit=2&cursor={cursor}")
        seen += [item["provider_id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen == [f"id-{number}" for number in range(5)]


def _put(path: Path, body: bytes, age: float = 60) -> None:
    path.write_bytes(body)
    then = time.time() - age
    os.utime(path, (then, then))


async def test_registers_by_folder(
    start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "EVERY_SECONDS", 0.05)
    inbox = tmp_path / "registers"
    inbox.mkdir()
    day = await _day(await start(GATEWAY_YOOKASSA_REGISTERS_DIR=str(inbox)))
    body = await day.file()
    _put(inbox / "being-written.csv", body[:200], age=0)
    _put(inbox / "upload.part", body)
    _put(inbox / "b.csv", body)
    _put(inbox / "broken.csv", body[:-40])

    async def taken() -> bool:
        return not (inbox / "b.csv").exists() and not (inbox / "broken.csv").exists()

    await day.place.until(taken)
    await day.credited()
    assert sorted(path.name for path in inbox.iterdir()) == [
        "being-written.csv",
        "done",
        "refused",
        "upload.part",
    ]
    assert (inbox / "done" / "b.csv").read_bytes() == body
    reason = (inbox / "refused" / "broken.csv.txt").read_text(encoding="utf-8")
    assert "файл оборван" in reason
    assert "cut off" in reason
    _put(inbox / "b.csv", body)

    async def again() -> bool:
        return (inbox / "done" / "b-2.csv").exists()

    await day.place.until(again)
    assert len(await day.place.rows(register)) == 1


def _args(name: str, *said: str) -> tuple[Any, argparse.Namespace]:
    (command,) = (one for one in common(TOOLS) if one.name == name)
    parser = argparse.ArgumentParser()
    command.configure(parser)
    return command, parser.parse_args(said)


async def _run(name: str, *said: str) -> int:
    command, args = _args(name, *said)
    status: int = await command.run(Settings(), args)
    return status


async def test_a_day_by_command(day: Day, capsys: pytest.CaptureFixture[str]) -> None:
    assert await _run("reconcile", "--day", day.day, "--days", "2", "--progress") == 0
    said = capsys.readouterr()
    assert f"{day.day} yookassa:100500 payments: done, 2 listed, 1300.00, 1 differences" in said.out
    assert "4 / 4" in said.err
    await day.credited()
    (found,) = await day.settled()
    assert (found["difference"], found["source"]) == ("missing_here", "list")
    items = (await day.get(f"days?shop=yookassa:100500&until={day.day}"))["items"]
    assert [(item["day"], item["kind"], item["rows"]) for item in items[:2]] == [
        (day.day, "refund", 0),
        (day.day, "payment", 2),
    ]
    assert await _run("reconcile", "--day", day.day) == 0
    assert "2 listed, 1300.00, 0 differences" in capsys.readouterr().out


async def test_refunds_made_in_the_profile_are_found_by_command(day: Day) -> None:
    await day.place.sandbox.control("POST", f"/payments/{day.known}/refund", {"amount": "50.00"})
    assert await _run("reconcile", "--day", day.day) == 0
    (said,) = await day.place.said("refund.succeeded")
    assert (said.data["provider_payment_id"], said.data["amount_kopecks"]) == (day.known, 5_000)


async def test_a_provider_that_does_not_answer_ends_the_command(
    day: Day, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile_commands, "FAILURES_MAX", 2)
    broken = {"kind": "error_before", "calls": ["list_payments"], "probability": 1.0}
    await day.place.sandbox.control("POST", "/faults", {"faults": [broken]})
    assert await _run("reconcile", "--day", day.day) == 3
    assert "the same command goes on from here" in capsys.readouterr().err
    await day.place.sandbox.control("DELETE", "/faults")
    assert await _run("reconcile", "--day", day.day) == 0
    await day.credited()


async def test_a_register_by_command(
    day: Day, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"yoomoney-payments-100500-{day.day}.csv"
    path.write_bytes(await day.file("decimal=,"))
    assert await _run("register", str(path), "--progress") in (0, 1)
    said = capsys.readouterr()
    assert f"payments of {day.day}, 2 rows, 1300.00, 1 differences" in said.out
    assert "100% 2 / 2" in said.err
    await day.credited()
    await day.settled()
    assert await _run("register", str(path)) == 0
    assert "nothing was changed" in capsys.readouterr().out
    other = tmp_path / "other.csv"
    other.write_bytes(b"nothing")
    assert await _run("register", str(other), str(tmp_path / "gone.csv")) == 2
    assert "other.csv: no line with the names of the columns" in capsys.readouterr().err


def test_yesterday_is_moscows() -> None:
    _, args = _args("reconcile")
    assert (args.day, args.days, args.progress) == (None, 1, None)
    assert datetime(2026, 11, 21, 21, tzinfo=UTC).astimezone(MOSCOW).date().day == 22


async def test_what_the_days_show_of_differences(day: Day) -> None:
    await day.place.sandbox.control("PATCH", f"/payments/{day.known}", {"amount": "649.00"})
    assert await _run("reconcile", "--day", day.day) == 1
    rows = {row.provider_id: row.name for row in await day.place.rows(difference)}
    assert rows == {day.known: "amount", day.lost: "missing_here"}
    items = (await day.get("days"))["items"]
    payments = next(item for item in items if item["kind"] == "payment")
    assert (payments["differences"], payments["open_differences"]) == (2, 1)
