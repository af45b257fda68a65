"""A progress bar for commands that take longer than a breath."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final, TextIO

WIDTH: Final = 30
REDRAW_SECONDS: Final = 0.1
LINE_SECONDS: Final = 2.0

Seconds = Callable[[], float]


class Bar:
    """Shows how much is done: one line that is drawn anew on a terminal, lines elsewhere."""

    def __init__(self, what: str, stream: TextIO, *, shown: bool, now: Seconds = monotonic) -> None:
        self._what = what
        self._stream = stream
        self._shown = shown
        self._tty = stream.isatty()
        self._now = now
        self._begun = now()
        self._drawn: float | None = None
        self._open = False

    def __call__(self, done: int, whole: int) -> None:
        """Draw it, not more often than an eye can follow, but always when all is done."""
        now, least = self._now(), REDRAW_SECONDS if self._tty else LINE_SECONDS
        soon = self._drawn is not None and now - self._drawn < least
        if not self._shown or (soon and done < whole):
            return
        self._drawn = now
        line = self._line(done, whole, now - self._begun)
        self._stream.write(f"\r{line}" if self._tty else f"{line}\n")
        self._stream.flush()
        self._open = self._tty

    def close(self) -> None:
        """Leave the line, so that what is said next begins a new one."""
        if self._open:
            self._stream.write("\n")
            self._stream.flush()
            self._open = False

    def _line(self, done: int, whole: int, seconds: float) -> str:
        share = done / whole if whole else 1.0
        bar = "#" * round(WIDTH * share)
        pace = f"{done / seconds:,.0f}/s" if seconds > 0 else ""
        return f"{self._what} [{bar:.<{WIDTH}}] {share:4.0%} {done:,} / {whole:,} {pace:>10}"
