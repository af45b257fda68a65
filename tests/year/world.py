"""A year of everything around autopay, and how fine its time is.

Outside the service everything happens at its own second: banks decide, core books, subscribers
act, events come. The service hears what has come, and does what is due, each quarter of an hour,
so that it is told of hundreds of things at a time; a quarter in which it has nothing to do is
passed over. What it says is heard at its own moment. Core charges fees and looks at its watches,
services stop and clocks go wrong on the hour.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from itertools import count
from typing import Final

from autopay.retry_limits import Rules
from shared.clock import MOSCOW
from shared.events import Event, PaymentSucceeded
from shared.topology import AUTOPAY, GATEWAYS, LISTENERS, MONEY, REST
from year.bank import Bank
from year.billing import Billing
from year.deeds import Deeds
from year.engine import Engine, Killed
from year.people import Person, luck, person
from year.post import Post
from year.promises import Agreement, Promises

HOUR: Final = timedelta(hours=1)
ROUND: Final = timedelta(minutes=15)
"""How often the service hears what has come and does what is due; divides the hour."""
ROUNDS_MAX: Final = 200


class World:
    """Subscribers, banks, core, the bus and one service."""

    def __init__(self, engine: Engine, seed: int, mandates: int, start: date, days: int) -> None:
        self.engine = engine
        self.clock = engine.clock
        self.seed = seed
        self.start, self.days = start, days
        self.rules: Rules = engine.autopay.rules.retries
        self.to_autopay = Post(seed, "autopay")
        self.promises = Promises(engine.autopay.rules.notice_balance)
        self.bank = Bank(seed, outages(seed, start, days), self.send)
        self.billing = Billing(self.send)
        self.people = {
            one.number: one for one in (person(seed, n, start, days) for n in range(mandates))
        }
        self.deeds = Deeds(self)
        self._due: list[tuple[datetime, int, Callable[[], None]]] = []
        self._numbers = count()
        self._next: datetime | None = None
        """When the service has something to do of itself; None is not known."""
        self._off = nights_off(seed, start, days)
        self._wrong = wrong_clocks(seed, start, days)

    def later(self, at: datetime, do: Callable[[], None]) -> None:
        """Have something done at a moment."""
        heapq.heappush(self._due, (at, next(self._numbers), do))

    def send(self, event: Event, at: datetime) -> None:
        """Carry an event of a gateway or of core to those who listen to it."""
        listeners = LISTENERS[event.type]
        if AUTOPAY in listeners:
            self.to_autopay.send(event, at)
        if MONEY in listeners and event.type == PaymentSucceeded.TYPE:
            slow = luck(self.seed, event.id, "core") > 0.99
            delay = timedelta(minutes=90) if slow else timedelta(seconds=5)
            self.later(at + delay, lambda: self.billing.hear(event, self.clock.now))

    def said(self, event: Event) -> None:
        """Hear what the service has published."""
        at = self.clock.now
        self.promises.said(event)
        self.deeds.heard(event)
        listeners = LISTENERS[event.type]
        if GATEWAYS[0] in listeners:
            word = luck(self.seed, event.id, "to the gateway")
            late = timedelta(minutes=1 + int(40 * word)) if word > 0.99 else timedelta()
            self.later(at + late, lambda: self.bank.hear(event, self.clock.now))
            if luck(self.seed, event.id, "twice to the gateway") < 0.01:
                self.later(at + HOUR, lambda: self.bank.hear(event, self.clock.now))
        if REST in listeners:
            self.billing.hear(event, at)

    async def open(self) -> None:
        """Have everybody there on the first day, with their methods and mandates."""
        at = self.clock.now
        self.to_autopay.late, late = 0.0, self.to_autopay.late
        for one in self.people.values():
            self.billing.open(one, self._first_balance(one), at)
            for each in one.cards:
                self.bank.save(each, at)
            self.promises.agreements[one.number] = Agreement(one.terms)
            for moment, what in one.acts:
                self.later(moment, partial(self.deeds.plan, one, what))
        await self._settle()
        await self.deeds.agree(list(self.people.values()))
        self.to_autopay.late = late
        self._next = None
        await self._settle()

    async def hour(self) -> None:
        """Play one hour."""
        begun = self.clock.now
        self._play()
        local = begun.astimezone(MOSCOW)
        if local.hour == 0:
            self.billing.day(begun)
        elif local.hour == 7:
            self.billing.morning(begun)
            self.deeds.morning()
        self.clock.wrong_by = next(
            (by for begins, ends, by in self._wrong if begins <= begun < ends), timedelta()
        )
        off = any(begins <= begun < ends for begins, ends in self._off)
        while self.clock.now < begun + HOUR:
            self._play()
            if not off and self._busy():
                await self._round()
            self.clock.now += ROUND
        if local.hour == 4 and local.day % 7 == 0:
            await self._tidy()

    def end(self) -> None:
        """Let what the service has said last arrive: nothing is on its way longer than an hour."""
        self.clock.now += HOUR
        self._play()

    def _busy(self) -> bool:
        """Say whether the service has anything to do; else the moment is passed over."""
        planned = self._next is None or self._next <= self.clock()
        doubtful = self.engine.free_at is not None
        come = self.to_autopay.has_come(self.clock.now)
        return planned or come or doubtful or bool(self.deeds.waiting)

    async def _settle(self) -> None:
        """Go on until nobody has anything to say; no time has passed by then."""
        begun = self.clock.now
        for _ in range(ROUNDS_MAX):
            self._play()
            if not self._busy():
                break
            await self._round()
            self.clock.now += timedelta(seconds=1)
        self.clock.now = begun

    def _play(self) -> None:
        """Have everything outside the service happen until now, each at its own moment."""
        now = self.clock.now
        while self._due and self._due[0][0] <= now:
            self.clock.now, _, do = heapq.heappop(self._due)
            do()
        self.clock.now = now

    async def _round(self) -> None:
        """Let the service hear, do and say what is due; it may die meanwhile."""
        try:
            await self._deliver()
            await self.deeds.do()
            self._next = await self.engine.work()
            await self.engine.relay(self.said)
        except Killed:
            await self.engine.restart()
            self._next = None

    async def _tidy(self) -> None:
        try:
            await self.engine.tidy()
        except Killed:
            await self.engine.restart()

    async def _deliver(self) -> None:
        most = self.engine.consumer.batch_max
        while events := self.to_autopay.take(self.clock.now, most):
            # A batch never holds an event twice: the second copy comes with the next one.
            once = list({event.id: event for event in events}.values())
            try:
                await self.engine.hear(once)
            except Killed:
                self.to_autopay.back(once, self.clock.now)
                raise
            self.promises.heard(once, self.clock())

    def _first_balance(self, one: Person) -> int:
        return int(one.tariff_kopecks * (1.05 + luck(self.seed, one.number, "balance") / 2))


def outages(seed: int, start: date, days: int) -> list[tuple[datetime, datetime, str]]:
    """Return when which provider refuses the shop, is down, or answers late."""
    kinds = ("yookassa:100500 shop", "yookassa:100500 down", "yookassa:100500 slow")
    found = []
    for kind in (*kinds, "tbank:1700000000001 down", "tbank:1700000000001 slow"):
        for nth in range(max(1, days // 90)):
            begins = _moment(seed, start, days, kind, nth)
            hours = 1 + int(11 * luck(seed, kind, nth, "lasts"))
            found.append((begins, begins + timedelta(hours=hours), kind))
    return found


def nights_off(seed: int, start: date, days: int) -> list[tuple[datetime, datetime]]:
    """Return when the service does not run at all: from an hour to two days."""
    found = []
    for nth in range(max(1, days // 60)):
        begins = _moment(seed, start, days, "off", nth)
        hours = (1, 3, 8, 48)[nth % 4]
        found.append((begins, begins + timedelta(hours=hours)))
    return found


def wrong_clocks(seed: int, start: date, days: int) -> list[tuple[datetime, datetime, timedelta]]:
    """Return when the service's clock is wrong, and by how much."""
    found = []
    for nth in range(max(2, days // 60)):
        begins = _moment(seed, start, days, "clock", nth)
        by = timedelta(hours=(-2, 3)[nth % 2])
        found.append((begins, begins + (1 + nth % 3) * HOUR, by))
    return found


def _moment(seed: int, start: date, days: int, *words: object) -> datetime:
    hours = int((days - 3) * 24 * luck(seed, *words)) + 24
    return datetime.combine(start, time(), UTC) + timedelta(hours=hours)
