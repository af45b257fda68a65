"""Which tests begin, and which stay together.

The longest begin: one that begins last would keep a single worker busy at the end. The journeys
share installations that take longer to start than to travel, so one worker makes them all, those
at one place after one another. Everything else is handed out by files, as shuffled.
"""

from __future__ import annotations

from typing import Any, Final

import pytest
from xdist.scheduler.loadfile import LoadFileScheduling

JOURNEYS: Final = "tests/e2e/"
_LONG: Final = ("machine.py", "test_faults_small.py")


class Scheduling(LoadFileScheduling):  # type: ignore[misc]  # the plugin has no types
    """By files, and the journeys as one."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return JOURNEYS if file.startswith(JOURNEYS) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling | None:
    """Hand tests out in that way where they are handed out by files."""
    return Scheduling(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes long first; workers take tests in this order."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> tuple[int, str]:
    if item.nodeid.startswith(JOURNEYS) and hasattr(item, "callspec"):
        return 0, str(item.callspec.params.get("place", ""))
    return (1 if item.path.name.endswith(_LONG) else 2), ""
