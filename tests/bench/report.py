"""What a run prints: progress while it measures, and the table of all rows at its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from bench.figures import Figure

Say = Callable[[str], None]

_COLUMNS: Final = ("row", "value", "reference", "ratio", "range", "bar", "held")
_VERDICTS: Final = {True: "yes", False: "NO", None: "-"}


def progress() -> Say:
    """Return what prints a line with the seconds since the run began."""
    begun = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - begun:6.0f} s  {line}", flush=True)

    return say


def table(figures: Sequence[Figure]) -> str:
    """Return the rows as a table, their notes below it."""
    cells = [_COLUMNS, *(_cells(figure) for figure in figures)]
    widths = [max(len(line[at]) for line in cells) for at in range(len(_COLUMNS))]
    lines = [_line(line, widths) for line in cells]
    legend = [
        f"{figure.row.name}: {figure.row.title}{f' ({figure.note})' if figure.note else ''}"
        for figure in figures
    ]
    return "\n".join([*lines, "", *legend])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))
    return "  ".join([first, *others]).rstrip()


def _cells(figure: Figure) -> tuple[str, ...]:
    row = figure.row
    return (
        row.name,
        f"{_number(figure.value)} {row.unit}".strip(),
        _number(figure.reference),
        _number(figure.ratio),
        f"{_number(figure.least)} .. {_number(figure.most)}",
        "-" if row.bar is None else f"{row.sense} {row.bar:g}",
        _VERDICTS[figure.held],
    )


def _number(number: float | None) -> str:
    if number is None:
        return "-"
    return f"{number:.0f}" if abs(number) >= 100 else f"{number:.2f}"
