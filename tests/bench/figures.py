"""What a measurement means: its ratio to the reference, its bar, and whether the bar held."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from statistics import median
from typing import Final


class Sense(StrEnum):
    """On which side of its bar a row has to be."""

    AT_LEAST = "≥"
    AT_MOST = "≤"
    EXACTLY = "="

    def holds(self, number: float, bar: float) -> bool:
        """Say whether a number is on the right side; not a number never is."""
        match self:
            case Sense.AT_LEAST:
                return number >= bar
            case Sense.AT_MOST:
                return number <= bar
            case Sense.EXACTLY:
                return number == bar


@dataclass(frozen=True, slots=True)
class Row:
    """A line of "Numbers to hold": what is measured, and where its bar lies."""

    name: str
    """Short and stable: the key in `bench.json`."""
    title: str
    unit: str
    bar: float | None
    """None: printed beside another row, and holds no bar of its own."""
    sense: Sense = Sense.AT_LEAST
    on_ratio: bool = True
    """Whether the bar is for the ratio to the reference or for the value itself."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A row as it was measured: medians of the rounds, with the spread of what the bar is on."""

    row: Row
    value: float
    reference: float | None
    ratio: float | None
    least: float
    most: float
    note: str = ""

    @property
    def held(self) -> bool | None:
        """Say whether the bar held; None for a row without one. No number is never enough."""
        if self.row.bar is None:
            return None
        judged = self.ratio if self.row.on_ratio else self.value
        return judged is not None and self.row.sense.holds(judged, self.row.bar)


Round = tuple[float, float]
"""A value and its reference, measured one after the other."""


def paired(row: Row, rounds: Sequence[Round], note: str = "") -> Figure:
    """Return the figure of interleaved rounds: the median of their ratios, not of their sums."""
    ratios = [value / reference for value, reference in rounds]
    value = median(value for value, _ in rounds)
    reference = median(reference for _, reference in rounds)
    return Figure(row, value, reference, median(ratios), min(ratios), max(ratios), note)


def absolute(row: Row, values: Sequence[float], note: str = "") -> Figure:
    """Return the figure of a value that stands for itself, repeated or not."""
    return Figure(row, median(values), None, None, min(values), max(values), note)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which that share of them lies; not a number where there are none."""
    if not values:
        return math.nan
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def fallen(figures: Sequence[Figure]) -> list[str]:
    """Return the names of the rows whose bar did not hold."""
    return [figure.row.name for figure in figures if figure.held is False]


def exit_status(figures: Sequence[Figure]) -> int:
    """Return 0 where something was measured and every bar held, else 1."""
    return 1 if fallen(figures) or not figures else 0


_DIGITS: Final = 4


def as_json(figures: Sequence[Figure]) -> Mapping[str, Mapping[str, float | bool | None]]:
    """Return what `bench.json` holds."""
    return {
        figure.row.name: {
            "value": _rounded(figure.value),
            "reference": _rounded(figure.reference),
            "ratio": _rounded(figure.ratio),
            "bar": figure.row.bar,
            "held": figure.held,
        }
        for figure in figures
    }


def write(figures: Sequence[Figure], path: Path) -> None:
    """Write `bench.json`."""
    path.write_text(json.dumps(as_json(figures), indent=2) + "\n")


def _rounded(number: float | None) -> float | None:
    return None if number is None or math.isnan(number) else round(number, _DIGITS)
