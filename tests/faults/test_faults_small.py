"""The fault run in small, embedded: what `make faults` does for minutes, in every `make test`."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults import plan, report, stage
from faults.drive import drive
from faults.plan import Size

SMALL = Size(payments=150, seconds=10.0, kills=2, victims=("embedded",), servers=False)


@pytest.mark.slow
# A row that was leased when its process was killed is free again after a minute.
@pytest.mark.timeout(180)
async def test_two_kills_under_load_move_no_kopeck(tmp_path: Path) -> None:
    drawn = plan.draw(1, SMALL)
    async with stage.embedded(tmp_path, drawn.seed) as ready:
        outcome = await drive(ready, drawn)
    print(report.summary("embedded", outcome))
    assert outcome.faults == []
    assert outcome.kills == {"embedded": 2}
    assert outcome.ended == {}, "no process ended by itself"
    assert outcome.callbacks.arrived > SMALL.payments
    verdict = outcome.verdict
    assert verdict.provider_kopecks == verdict.ledger_kopecks > 0
