"""The command line names what an operator can do."""

from __future__ import annotations

import subprocess
import sys


def test_the_commands_are_listed() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "notifier", "--help"], check=True, capture_output=True, text=True
    )
    for command in ("serve", "migrate", "check", "rotate-keys", "access"):
        assert command in shown.stdout
