"""Fixtures that hand tests a server, a database, a namespace on the bus, a browser.

A test asks for what it needs and carries the right marker by that; where the machine lacks it,
the test is left out loudly (see `servers.left_out`).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Final, TypeAlias

import pytest

from servers import broker, databases, sources
from servers.left_out import leave_out
from servers.processes import ServerMissing, run_aside

Databases: TypeAlias = Callable[[str], str]
"""Service name → address of an empty database of its own, for the time of one test."""

_MARKERS: Final = {
    "postgres_server": ("connected", "postgres"),
    "rabbitmq_url": ("connected", "rabbitmq"),
    "chromium": ("browser",),
}
_ON_POSTGRES: Final = (pytest.mark.connected, pytest.mark.postgres)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by the fixtures they use, so that `-m "not connected"` is always right."""
    for item in items:
        for needed in _MARKERS.keys() & set(getattr(item, "fixturenames", ())):
            for marker in _MARKERS[needed]:
                item.add_marker(marker)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of a PostgreSQL where databases may be created."""
    yield from _given("PostgreSQL", sources.postgres())


@pytest.fixture(scope="session")
def rabbitmq_url() -> Iterator[str]:
    """The address of a RabbitMQ; use it with `bus_namespace`, other runs may share the broker."""
    yield from _given("RabbitMQ", sources.rabbitmq())


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of an installed Chromium; launch it with `--no-sandbox`, we may be root."""
    try:
        return sources.chromium()
    except ServerMissing as missing:
        leave_out("Chromium", missing)


@pytest.fixture
def sqlite_databases(tmp_path: Path) -> Databases:
    """Addresses of SQLite databases, each a file of its own."""
    return lambda service: f"sqlite+aiosqlite:///{tmp_path}/{service.replace('-', '_')}.db"


@pytest.fixture
def postgres_databases(postgres_server: str) -> Iterator[Databases]:
    """Addresses of PostgreSQL databases, dropped after the test."""
    with ExitStack() as created:

        def create(service: str) -> str:
            name = databases.fresh_name(service)
            created.callback(lambda: run_aside(databases.drop(postgres_server, name)))
            return run_aside(databases.create(postgres_server, name, durable=False))

        yield create


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=_ON_POSTGRES)])
def fresh_database(request: pytest.FixtureRequest) -> Databases:
    """Databases for several services: the test runs once on SQLite and once on PostgreSQL."""
    # Asked for by name, so that the SQLite half runs where there is no PostgreSQL.
    chosen: Databases = request.getfixturevalue(f"{request.param}_databases")
    return chosen


@pytest.fixture
def database_url(fresh_database: Databases) -> str:
    """One empty database: the test runs once on SQLite and once on PostgreSQL."""
    return fresh_database("test")


@pytest.fixture(scope="session")
def bus_namespaces(rabbitmq_url: str) -> Iterator[str]:
    """The prefix of this run's namespaces; what processes of ours left below it is deleted."""
    prefix = f"test-{secrets.token_hex(3)}-"
    yield prefix
    left = broker.names_below(prefix)
    run_aside(broker.delete(rabbitmq_url, left.queues, left.exchanges))


@pytest.fixture
def bus_namespace(rabbitmq_url: str, bus_namespaces: str) -> Iterator[str]:
    """A prefix for exchanges and queues of one test; what was declared below it is deleted.

    What this process declared goes with the test, what other processes did with the run.
    """
    namespace = bus_namespaces + secrets.token_hex(3)
    with broker.recorded(namespace) as declared:
        yield namespace
    run_aside(broker.delete(rabbitmq_url, declared.queues, declared.exchanges))


def _given(what: str, source: AbstractContextManager[str]) -> Iterator[str]:
    with ExitStack() as held:
        try:
            url = held.enter_context(source)
        except ServerMissing as missing:
            leave_out(what, missing)
        yield url
