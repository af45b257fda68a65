"""A progress bar that is read by people on a terminal and by nobody in a file."""

from __future__ import annotations

import io

import pytest

from shared.progress import Bar


class Screen(io.StringIO):
    def __init__(self, *, tty: bool) -> None:
        super().__init__()
        self.tty = tty

    def isatty(self) -> bool:
        return self.tty


class Watch:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_terminal_sees_one_line_drawn_anew() -> None:
    screen, watch = Screen(tty=True), Watch()
    bar = Bar("rows", screen, shown=True, now=watch)
    watch.seconds = 1.0
    bar(500, 2000)
    watch.seconds = 1.05
    bar(600, 2000)
    watch.seconds = 2.0
    bar(2000, 2000)
    bar.close()
    bar.close()
    drawn = screen.getvalue()
    assert drawn.count("\r") == 2, "not more often than an eye can follow"
    assert drawn.startswith("\rrows [########......................]  25% 500 / 2,000      500/s")
    assert drawn.endswith("[##############################] 100% 2,000 / 2,000    1,000/s\n")


def test_a_file_gets_lines_now_and_then_and_always_the_last_one() -> None:
    screen, watch = Screen(tty=False), Watch()
    bar = Bar("rows", screen, shown=True, now=watch)
    for second in range(5):
        watch.seconds = float(second)
        bar(second, 5)
    bar(5, 5)
    bar.close()
    lines = screen.getvalue().splitlines()
    assert [line.split("%")[0].split()[-1] for line in lines] == ["0", "40", "80", "100"]


@pytest.mark.parametrize("tty", [True, False])
def test_nobody_sees_what_is_not_shown(tty: bool) -> None:
    screen = Screen(tty=tty)
    bar = Bar("rows", screen, shown=False)
    bar(1, 1)
    bar.close()
    assert screen.getvalue() == ""


def test_nothing_to_do_is_done() -> None:
    screen = Screen(tty=False)
    Bar("rows", screen, shown=True, now=Watch())(0, 0)
    assert "100% 0 / 0" in screen.getvalue()
