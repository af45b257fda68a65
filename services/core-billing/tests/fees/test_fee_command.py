"""The command ``charge-fees``: what it says and the status it ends with."""

import argparse
import asyncio
import os
import signal
from datetime import date
from typing import Any

import pytest

from core_billing import fee_command, fee_jobs

pytestmark = pytest.mark.parametrize("db", ["sqlite"], indirect=True)


async def command(books: Any, *words: str) -> int:
    parser = argparse.ArgumentParser()
    fee_command.configure(parser)
    return await fee_command.charge_fees(books.core, parser.parse_args(words))


async def test_it_charges_to_the_end_and_says_how_much(
    books: Any, fees: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    await books.open("1", "2")
    await fees.tariff("Net", 65_050)
    await fees.begin("1", "Net")
    await fees.begin("2", "Net", date(2026, 12, 1))
    assert await command(books, "--dry-run", "--day", "2026-12-01") == 0
    said = capsys.readouterr().out
    assert said.startswith("would be: 2026-12-01: 3 fees, 1951.50 in all, 2 services were due")
    assert await command(books) == 0
    said, progress = capsys.readouterr()
    assert said.startswith("2026-11-22: 1 fees, 650.50 in all, 1 services were due")
    assert "1 / 1" in progress
    assert await books.balances() == {"1": -65_050, "2": 0}


async def test_a_day_that_has_not_come_is_only_rehearsed(
    books: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await command(books, "--day", "2026-11-23") == 2
    assert "--dry-run" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        await command(books, "--day", "22.11.2026")


async def test_a_run_that_is_told_to_stop_finishes_its_batch(
    books: Any, fees: Any, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    await books.open("1")
    await fees.tariff("Day", 30_000, "daily")
    await fees.begin("1", "Day", date(2026, 11, 20))
    charge_batch = fee_jobs.charge_batch

    async def told_to_stop(*given: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0)
        return await charge_batch(*given)

    monkeypatch.setattr(fee_jobs, "charge_batch", told_to_stop)
    assert await command(books) == 1
    said, told = capsys.readouterr()
    assert said.startswith("2026-11-22: 1 fees, 10.00 in all")
    assert "goes on from here" in told
    assert (await fees.charge()).fees == 2
