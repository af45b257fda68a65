"""The command of `make autopay-year`: a year of 20 000 mandates under several retry rules.

Each rule meets the same subscribers with the same money on the same days, the same outages, deaths
of the service and wrong clocks. The service hears and looks each quarter of an hour, all else has
its own second (see `year.world`). Rules are played side by side, each by one process on a database
of its own. The exit status is 1 where a promise was broken.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from multiprocessing import get_context
from tempfile import TemporaryDirectory
from typing import Any, Final

import structlog

from autopay.reasons import WAYS, Way
from servers import databases
from servers.postgres import PrivatePostgres
from year.engine import Clock, Engine, hurry, migrate, settings_of
from year.outcome import HEAD, Outcome, outcome
from year.world import World

START: Final = date(2027, 1, 1)
BEGUN: Final = datetime(2026, 12, 31, 18, tzinfo=UTC)
"""Some hours before the first day begins in Moscow: everybody is there by then."""
DEATHS: Final = 0.0005
SAID_DAYS: Final = 10
"""How often it is said how far a year has come."""
SQLITE: Final = "sqlite"
SETTINGS: Final = {"shared_buffers": "512MB", "max_wal_size": "4GB", "synchronous_commit": "off"}

SOFT: Final = {name for name, way in WAYS.items() if way not in (Way.STOP, Way.PAUSE)}
RULES: Final[Mapping[str, Mapping[str, Any]]] = {
    "calendar": {},
    "daily": {"retry_ways": dict.fromkeys(SOFT, Way.NEXT_DAY)},
    "daily up to 15": {
        "retry_ways": dict.fromkeys(SOFT, Way.NEXT_DAY),
        "retry_month_max": 15,
    },
    "none": {"retry_within": timedelta(0), "retry_month_max": 15},
}
"""What is said to the service: all else is as it comes."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is played."""

    mandates: int
    days: int
    seed: int
    deaths: float = DEATHS


async def play(url: str, rule: str, plan: Plan, say: Any = print) -> tuple[Outcome, list[str]]:
    """Play a year under one rule on an empty database; return what it came to and what is wrong."""
    begun = time.monotonic()
    await migrate(url)
    engine = Engine(settings_of(url, **RULES[rule]), Clock(BEGUN), plan.seed, 0.0)
    await hurry(engine.db, url)
    world = World(engine, plan.seed, plan.mandates, START, plan.days)
    await world.open()
    engine.deaths = plan.deaths
    for hour in range(plan.days * 24):
        if say is not None and hour % (24 * SAID_DAYS) == 0:
            say(f"{rule}: {_progress(world, begun)}")
        await world.hour()
    engine.deaths = 0.0
    world.end()
    made = outcome(world, rule, time.monotonic() - begun, _mib())
    await engine.db.close()
    return made, found(world)


def found(world: World) -> list[str]:
    """Return what was not as it has to be."""
    promises = world.promises
    promises.tries(world.bank.charges.values(), world.rules)
    for asked, (contract, _, _) in promises.asked.items():
        if asked not in world.bank.charges:
            promises.broke(f"a charge never reached its gateway: {contract} {asked}")
    posted: dict[str, int] = {}
    for _, _, _, charge_id in world.billing.posted:
        if charge_id is not None:
            posted[charge_id] = posted.get(charge_id, 0) + 1
    if any(times != 1 for times in posted.values()):
        promises.broke("a charge was posted twice")
    more = promises.counts["broken"] - len(promises.broken)
    rest = [f"and {more} more"] if more > 0 else []
    return [*world.bank.broken, *promises.broken, *rest]


def _progress(world: World, begun: float) -> str:
    day = world.clock.now.date()
    return (
        f"{day}, {len(world.bank.charges):,} charges, {world.to_autopay.sent:,} events heard,"
        f" {sum(world.promises.counts.values()):,} said, {world.engine.restarts} deaths,"
        f" {time.monotonic() - begun:.0f} s, {_mib():.0f} MiB"
    )


def _mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def play_apart(server: str, rule: str, plan: Plan) -> tuple[Outcome, list[str]]:
    """Play a year under one rule on a database of its own, which is dropped."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    # Hundreds of thousands of things stay until the end: to look through them again costs time.
    gc.set_threshold(50_000, 20, 50)
    name = databases.fresh_name("year")
    with TemporaryDirectory() as folder:
        if server == SQLITE:
            url = f"sqlite+aiosqlite:///{folder}/{name}.db"
            return asyncio.run(play(url, rule, plan, _say))
        url = asyncio.run(databases.create(server, name))
        try:
            return asyncio.run(play(url, rule, plan, _say))
        finally:
            asyncio.run(databases.drop(server, name))


def measure(server: str | None, rules: Sequence[str], plan: Plan, jobs: int) -> list[str]:
    """Play the year under each rule, print the table, and return what is wrong."""
    with ExitStack() as stack:
        if server is None:
            server = stack.enter_context(PrivatePostgres(SETTINGS)).url
        elif server != SQLITE:
            server = databases.normalized(server)
        # Each in a process of its own: its memory is its own, too.
        pool = stack.enter_context(ProcessPoolExecutor(jobs, get_context("spawn")))
        asked = [pool.submit(play_apart, server, rule, plan) for rule in rules]
        played = [one.result() for one in asked]
    print("\n".join([HEAD, *(made.row() for made, _ in played)]), flush=True)
    for made, _ in played:
        print(f"{made.rule}: {made.seconds:.0f} s, {made.mib:.0f} MiB", flush=True)
    return [f"{made.rule}: {one}" for made, broken in played for one in broken]


def _say(line: str) -> None:
    print(line, flush=True)


def main(given: Sequence[str] | None = None) -> int:
    """Play, print the table, and say what is wrong."""
    parser = argparse.ArgumentParser(prog="make autopay-year", description=__doc__)
    parser.add_argument("--mandates", type=int, default=20_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rules", default="calendar,daily,none", help=", ".join(RULES))
    parser.add_argument("--deaths", type=float, default=DEATHS, help="of transactions, 0 to 1")
    parser.add_argument("--server", help="address of a PostgreSQL, or the word sqlite")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="rules at a time")
    args = parser.parse_args(given)
    rules = [rule.strip() for rule in args.rules.split(",")]
    if unknown := set(rules) - RULES.keys():
        parser.error(f"no such rule: {', '.join(sorted(unknown))}")
    plan = Plan(args.mandates, args.days, args.seed, args.deaths)
    wrong = measure(args.server, rules, plan, args.jobs)
    for line in wrong:
        print(f"BROKEN {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
