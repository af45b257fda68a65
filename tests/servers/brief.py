"""`--brief`: the run of `make test`, minutes on two cores; `make test-all` runs everything.

A test that runs on SQLite and on PostgreSQL alike runs on one of them. Its name decides which, so
that the tests of a file are spread over both, and a run always takes the same. What the databases
do differently runs on both all the same: order, locks, postings and migrations. Where there is no
PostgreSQL, all run on SQLite. Left to the whole run are tests of the private servers and of the
measurements, and journeys that another place or another subscriber makes, too.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Final
from zlib import crc32

import pytest

from servers import sources

OPTION: Final = "--brief"
_DATABASES: Final = ("sqlite", "postgres")
_BOTH: Final = re.compile(
    r"at_once|migration|ledger|posting|outbox|inbox|relay|waiting|leases|distribution"
)
"""Files whose tests run on both databases."""
_WHOLE: Final = re.compile(
    r"tests/ground/test_servers|tests/bench/test_(bench_smoke|registers_small)"
    r"|tests/e2e/test_journey.*\[(embedded-program|real-browser)\]"
)
"""What only the whole run takes."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.addoption(OPTION, action="store_true", help="most tests on one database only")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what a brief run does without."""
    if not config.getoption(OPTION):
        return
    left = {id(item) for item in items if _WHOLE.search(item.nodeid)}
    if sources.postgres_is_here():
        left |= _other_halves(items)
    config.hook.pytest_deselected(items=[item for item in items if id(item) in left])
    items[:] = [item for item in items if id(item) not in left]


def _other_halves(items: Sequence[pytest.Item]) -> set[int]:
    """Return one of each two tests that differ in nothing but their database."""
    alike: dict[str, dict[str, pytest.Item]] = defaultdict(dict)
    for item in items:
        database = _database(item)
        if database and not _BOTH.search(item.nodeid.partition("[")[0]):
            alike[item.nodeid.replace(database, "*")][database] = item
    return {
        id(pair[_DATABASES[1 - crc32(name.encode()) % 2]])
        for name, pair in alike.items()
        if len(pair) == len(_DATABASES)
    }


def _database(item: pytest.Item) -> str | None:
    values = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return next((one for one in _DATABASES if one in values), None)
