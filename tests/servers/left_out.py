"""Says loudly at the end of a run what was left out, and makes it a failure under CI=true."""

from __future__ import annotations

import os
from collections import Counter
from typing import Final, NoReturn

import pytest

_MARK: Final = "LEFT OUT: "


def leave_out(what: str, reason: object) -> NoReturn:
    """Skip the test that needs something this machine lacks; under CI=true fail it."""
    message = f"{_MARK}{what}: {reason}"
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was left out, just above pytest's last line."""
    reasons = Counter(
        reason
        for report in terminalreporter.stats.get("skipped", [])
        if (reason := _reason(report)) is not None
    )
    if reasons:
        terminalreporter.section("LEFT OUT", sep="!", red=True, bold=True)
        for reason, tests in sorted(reasons.items()):
            terminalreporter.write_line(f"{reason} ({tests} tests not run)", red=True)


def _reason(report: pytest.TestReport) -> str | None:
    """Return what a skipped test lacked; None for a test skipped for another reason."""
    said = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
    _, found, reason = said.partition(_MARK)
    return reason if found else None
