"""Private servers: they start, stop, survive a kill, and end with whoever started them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiormq
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from servers import broker, databases
from servers.left_out import leave_out
from servers.postgres import PrivatePostgres
from servers.processes import ServerFailed, ServerMissing, free_ports, wait_until
from servers.rabbitmq import PrivateRabbitMQ, greets

TESTS = Path(__file__).parents[1]


@pytest.fixture
def postgres() -> Iterator[PrivatePostgres]:
    """A private PostgreSQL with a setting of its own."""
    try:
        server = PrivatePostgres({"work_mem": "5MB"})
    except ServerMissing as missing:
        leave_out("PostgreSQL", missing)
    with server:
        yield server


@pytest.fixture
def rabbitmq() -> Iterator[PrivateRabbitMQ]:
    """A private RabbitMQ."""
    try:
        server = PrivateRabbitMQ()
    except ServerMissing as missing:
        leave_out("RabbitMQ", missing)
    with server:
        yield server


async def execute(url: str, *statements: str) -> object:
    """Run statements in one transaction and return the last one's first value, if it has rows."""
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            results = [await connection.execute(text(one)) for one in statements]
            return results[-1].scalar() if results[-1].returns_rows else None
    finally:
        await engine.dispose()


async def test_postgres_keeps_what_was_committed(postgres: PrivatePostgres) -> None:
    await execute(postgres.url, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (7)")
    first = postgres.pid
    postgres.restart()
    assert await execute(postgres.url, "SELECT n FROM kept") == 7
    postgres.kill()
    assert not await databases.may_create(postgres.url)
    postgres.start()
    assert await execute(postgres.url, "SELECT n FROM kept") == 7
    assert postgres.pid != first


async def test_postgres_takes_settings_and_databases(postgres: PrivatePostgres) -> None:
    assert await execute(postgres.url, "SHOW work_mem") == "5MB"
    assert await databases.may_create(postgres.url)
    name = databases.fresh_name("ground")
    url = await databases.create(postgres.url, name)
    assert await execute(url, "SELECT current_database()") == name


def test_postgres_leaves_nothing_behind(postgres: PrivatePostgres) -> None:
    postgres.close()
    assert not postgres.directory.exists()
    assert postgres.pid is None


def test_postgres_says_why_it_does_not_start() -> None:
    try:
        server = PrivatePostgres({"work_mem": "much"})
    except ServerMissing as missing:
        leave_out("PostgreSQL", missing)
    with pytest.raises(ServerFailed, match="work_mem"):
        server.__enter__()
    assert not server.directory.exists()


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_rabbitmq_keeps_what_was_confirmed(rabbitmq: PrivateRabbitMQ) -> None:
    connection = await aiormq.connect(rabbitmq.url)
    channel = await connection.channel()
    await channel.queue_declare("kept", durable=True, arguments={"x-queue-type": "quorum"})
    await channel.basic_publish(b"7", routing_key="kept")
    await connection.close()
    rabbitmq.restart()
    assert "kept" in rabbitmq.ctl("list_queues", "name")
    rabbitmq.kill()
    assert not await broker.answers(rabbitmq.url)
    rabbitmq.start()
    assert rabbitmq.purge("kept") == 1
    rabbitmq.close()
    assert not rabbitmq.directory.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("postgres.PrivatePostgres", signal.SIGINT),
        ("postgres.PrivatePostgres", signal.SIGKILL),
        ("rabbitmq.PrivateRabbitMQ", signal.SIGKILL),
    ],
)
def test_server_ends_with_its_owner(kind: str, how: signal.Signals) -> None:
    module, name = kind.split(".")
    script = f"""
        from servers.{module} import {name}
        with {name}() as server:
            print(server.pid, server.directory, flush=True)
            input()
    """
    owner = subprocess.Popen(
        [sys.executable, "-c", "if True:" + script],
        env=os.environ | {"PYTHONPATH": str(TESTS)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with owner:
        said = owner.stdout.readline().decode().split() if owner.stdout else []
        if not said:
            pytest.skip("the server is not installed; its own test says so")
        owner.send_signal(how)
    pid, directory = int(said[0]), Path(said[1])
    assert wait_until(lambda: not directory.exists(), seconds=30)
    assert wait_until(lambda: not Path(f"/proc/{pid}").exists(), seconds=10)


def test_ports_are_distinct_and_silent() -> None:
    ports = free_ports(3)
    assert len(set(ports)) == 3
    assert not any(map(greets, ports))


def test_no_connection_can_take_the_port_of_a_server_that_is_down() -> None:
    taken_by_connections = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    assert max(free_ports(20)) < int(taken_by_connections[0])
