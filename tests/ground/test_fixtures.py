"""The fixtures: empty databases on both kinds of server, a namespace that leaves nothing behind."""

from collections.abc import Iterator

import aiormq
import aiormq.exceptions
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from servers import broker, databases
from servers.fixtures import Databases
from servers.processes import run_aside


async def ask(url: str, statement: str) -> object:
    """Run one statement and return its first value."""
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            return await connection.scalar(text(statement))
    finally:
        await engine.dispose()


async def test_database_answers(database_url: str) -> None:
    assert await ask(database_url, "SELECT 1") == 1


def test_every_service_gets_a_database_of_its_own(fresh_database: Databases) -> None:
    one, other = fresh_database("core-billing"), fresh_database("notifier")
    assert "core_billing" in one
    assert "notifier" in other


def test_a_repeated_service_is_not_given_the_same_name() -> None:
    assert databases.fresh_name("core-billing") != databases.fresh_name("core-billing")


async def test_database_is_dropped_while_somebody_is_connected(postgres_server: str) -> None:
    name = databases.fresh_name("ground")
    engine = create_async_engine(await databases.create(postgres_server, name))
    async with engine.connect():
        await databases.drop(postgres_server, name)
    await engine.dispose()
    left = f"SELECT count(*) FROM pg_database WHERE datname = '{name}'"
    assert await ask(postgres_server, left) == 0


def test_server_address_gets_our_driver() -> None:
    url = make_url(databases.normalized("postgresql://me:pass@127.0.0.1:6000"))
    assert url.drivername == "postgresql+asyncpg"
    assert (url.database, url.password, url.port) == ("postgres", "pass", 6000)


@pytest.fixture
def abandoned(rabbitmq_url: str) -> Iterator[list[str]]:
    """Names that must be gone after the test; asked for before `bus_namespace`, so checked last."""
    names: list[str] = []
    yield names
    run_aside(assert_gone(rabbitmq_url, names))


async def assert_gone(url: str, queues: list[str]) -> None:
    """Fail where a queue still exists."""
    for queue in queues:
        connection = await aiormq.connect(url)
        channel = await connection.channel()
        with pytest.raises(aiormq.exceptions.ChannelNotFoundEntity):
            await channel.queue_declare(queue, passive=True)
        await connection.close()


async def test_namespace_leaves_nothing_behind(
    abandoned: list[str], rabbitmq_url: str, bus_namespace: str
) -> None:
    abandoned.append(f"{bus_namespace}.work")
    connection = await aiormq.connect(rabbitmq_url)
    channel = await connection.channel()
    await channel.exchange_declare(f"{bus_namespace}.billing", durable=True)
    await channel.queue_declare(abandoned[0], durable=True)
    await connection.close()


async def test_what_another_process_declared_is_found(
    rabbitmq_url: str, bus_namespace: str
) -> None:
    """Another process is one whose declarations nobody here recorded."""
    if not broker.names_below("amq.").exchanges:
        pytest.skip("the broker is not this machine's own")
    connection = await aiormq.connect(rabbitmq_url)
    channel = await connection.channel()
    await channel.queue_declare(f"{bus_namespace}.work", durable=True)
    await connection.close()
    assert broker.names_below(bus_namespace).queues == {f"{bus_namespace}.work"}
