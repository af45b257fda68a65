"""How contracts stand and what comes to them, as events say it: for jobs and for crossings."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Final

from core_billing import outlook, policy_rows, recommend
from core_billing.forecast import Forecast, foresee
from core_billing.policies import BLOCK_CALENDAR, RECOMMENDED, of_group
from core_billing.policy_values import Recommended
from core_billing.position import Position
from core_billing.recommend import Line, Recommendation
from core_billing.rules import Rules
from shared.db import Tx
from shared.events_billing import NeededLine

AHEAD_DAYS: Final = 62
"""A block that is farther away than the next two months is said of nobody."""
_LINES_MAX: Final = 50
_TEXT_MAX: Final = 300


@dataclass(frozen=True)
class Prospect:
    """A contract, when it will be blocked, and what it is advised to pay."""

    position: Position
    forecast: Forecast
    setting: Recommended
    today: date

    @cached_property
    def advice(self) -> Recommendation:
        """Return what it is advised to pay: as much work as the forecast, and asked of few."""
        return recommend.recommend(self.position, self.setting, self.today)

    @property
    def blocks_on(self) -> date | None:
        """Return the day of the block, if one is foreseen."""
        return self.forecast.blocks_on

    @property
    def needed_kopecks(self) -> int:
        """Return what has to be paid: what is advised, and no less than lacks on that day."""
        return max(self.advice.kopecks, self.forecast.lacks_kopecks)


async def find(
    tx: Tx, rules: Rules, contract_ids: Collection[int], at: datetime, days: int = AHEAD_DAYS
) -> dict[int, Prospect]:
    """Return the prospects of these contracts by id, a batch in a fixed number of reads."""
    if not contract_ids:
        return {}
    today = rules.day(at)
    policies = await policy_rows.load_all(tx, today)
    calendar = policies.get(BLOCK_CALENDAR)
    found = await outlook.positions(tx, rules, policies, contract_ids, today)
    groups = {one.group for one in found}
    settings = {group: policies.get(RECOMMENDED, of_group(group)) for group in groups}
    return {
        one.contract_id: Prospect(
            position=one,
            forecast=foresee(one, calendar, today, days),
            setting=settings[one.group],
            today=today,
        )
        for one in found
    }


def told(lines: Iterable[Line]) -> tuple[NeededLine, ...]:
    """Return the lines of a sum as events carry them: at most 50, of which the last is the rest."""
    made = [_line(one.what.ru, one.what.en, one.kopecks) for one in lines]
    if len(made) > _LINES_MAX:
        rest = sum(one.kopecks for one in made[_LINES_MAX - 1 :])
        made = [*made[: _LINES_MAX - 1], _line("Прочее", "Other", rest)]
    return tuple(made)


def _line(ru: str, en: str, kopecks: int) -> NeededLine:
    return NeededLine(ru=ru[:_TEXT_MAX], en=en[:_TEXT_MAX], kopecks=kopecks)
