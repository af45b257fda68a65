"""How the bank's files come in: several registers in one, by a folder and by a command."""

from __future__ import annotations

import argparse
import os
from datetime import date
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway_sbp import register_files
from sbp_books import CODE, EXPECTED, SHOP, Line, register, title
from shared.gateway import folder
from shared.gateway.commands import reconcile
from shared.gateway.commands.tools import Tools
from shared.gateway.reconciliation_rest import Inlet
from shared.gateway.registers import register as taken_register

OURS = Line(order="0" * 32, qr=CODE)
PAPER_PAID = Line()


def test_whose_books_are_taken() -> None:
    found = register_files.expected(["raiffeisen:MA1", "tbank:1", "raiffeisen:MA2"])
    assert found.merchants == {"MA1": "raiffeisen:MA1", "MA2": "raiffeisen:MA2"}


async def test_a_file_is_let_go_of_where_it_cannot_be_written_down(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[bool] = []

    class Watched(register_files.Spool):
        def close(self) -> None:
            closed.append(True)
            super().close()

    async def take(*_: Any) -> None:
        if closed or len(taken) == 1:
            raise RuntimeError("no database")
        taken.append(True)

    taken: list[bool] = []
    monkeypatch.setattr(register_files, "Spool", Watched)
    monkeypatch.setattr(register_files.registers, "take", take)
    days = title(date(2026, 2, 3), date(2026, 2, 4))
    with pytest.raises(RuntimeError):
        await place.read(register([OURS], title=days))
    assert closed == [True, True]


def inlet() -> Inlet:
    return Inlet(partial(register_files.receive, EXPECTED), 1024**2)


def put(path: Path, body: bytes) -> None:
    path.write_bytes(body)
    os.utime(path, (0, 0))


async def test_files_in_a_folder_may_hold_several_registers(place: Any, tmp_path: Path) -> None:
    days = title(date(2026, 2, 3), date(2026, 2, 4))
    put(tmp_path / "a.csv", register([PAPER_PAID, OURS], title=days))
    put(tmp_path / "b.csv", register([OURS], total="1.00"))
    watched = folder.Folder(tmp_path, inlet())
    assert [await folder.step(place.gateway, watched) for _ in range(3)] == [True, True, False]
    assert (tmp_path / "done" / "a.csv").exists()
    assert "в итоге «сумма» 1.00" in (tmp_path / "refused" / "b.csv.txt").read_text("utf-8")
    finished = [row.finished_at for row in await place.rows(taken_register)]
    assert len(finished) == 2
    assert None not in finished


async def test_files_by_command(
    place: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "register.csv"
    path.write_bytes(register([PAPER_PAID, OURS]))
    parts: Any = SimpleNamespace(gateway=place.gateway)
    tools = Tools("gateway_sbp", lambda _: parts, lambda *_: inlet())
    command = reconcile.register_command(tools)
    parser = argparse.ArgumentParser()
    command.configure(parser)
    settings: Any = None
    assert await command.run(settings, parser.parse_args([str(path)])) == reconcile.DIFFER
    said = capsys.readouterr()
    assert f"{SHOP}, payments of 2026-02-03, 1 rows, 701.00, 1 differences" in said.out
    assert f"{CODE} missing_here" in said.out
    assert "которые ждут уведомлений банка: 1;" in said.err
