"""A few contracts through ten days: nobody told twice, missed, or told after paying."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from bench.notices_month import Town, live


async def test_a_small_month_of_notices(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/notifier.db"
    town = Town(url, contracts=60, seed=3, days=10, step=timedelta(hours=3))
    report, found = await live(town)
    assert found == []
    assert len(town.crossings) > 10, report
    assert " told" in report
