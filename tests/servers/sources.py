"""Where a test's server comes from: named, else local, else private."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from servers import broker, databases
from servers.postgres import PrivatePostgres, find_binaries
from servers.processes import ServerFailed, ServerMissing, run_aside
from servers.rabbitmq import PrivateRabbitMQ

NAMED_POSTGRES = "SALDO_TEST_DATABASE_URL"
NAMED_RABBITMQ = "SALDO_TEST_BUS_URL"
LOCAL_POSTGRES = "postgresql+asyncpg://postgres@127.0.0.1:5432/postgres"
LOCAL_RABBITMQ = "amqp://guest:guest@127.0.0.1:5672/"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def postgres() -> Iterator[str]:
    """Yield the address of a server where databases may be created.

    Raises ServerMissing where there is none, ServerFailed where the named one is of no use.
    """
    named = os.environ.get(NAMED_POSTGRES)
    url = databases.normalized(named or LOCAL_POSTGRES)
    if run_aside(databases.may_create(url)):
        yield url
    elif named:
        raise ServerFailed(f"{NAMED_POSTGRES} does not answer, or its role lacks CREATEDB")
    else:
        # What a test writes need not survive a power cut; bench and faults start their own.
        with PrivatePostgres({"fsync": "off"}) as private:
            yield private.url


def postgres_is_here() -> bool:
    """Say whether `postgres` would find a server or the programs of one."""
    if os.environ.get(NAMED_POSTGRES):
        return True
    try:
        find_binaries()
    except ServerMissing:
        return run_aside(databases.may_create(LOCAL_POSTGRES))
    return True


@contextmanager
def rabbitmq() -> Iterator[str]:
    """Yield the address of a broker.

    Raises ServerMissing where there is none, ServerFailed where the named one does not answer.
    """
    named = os.environ.get(NAMED_RABBITMQ)
    url = named or LOCAL_RABBITMQ
    if run_aside(broker.answers(url)):
        yield url
    elif named:
        raise ServerFailed(f"{NAMED_RABBITMQ} does not answer, or refuses its user")
    else:
        with PrivateRabbitMQ() as private:
            yield private.url


def chromium() -> str:
    """Return the path of an installed Chromium; raises ServerMissing."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise ServerMissing("no Chromium is installed (apt-get install chromium)")
    return found
