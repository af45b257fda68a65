"""The bus of a year that is played: late, doubled and out of order, as buses are."""

from __future__ import annotations

import heapq
from datetime import datetime, timedelta
from itertools import count
from typing import Final

from shared.events import Event
from year.people import luck

LATE: Final = 0.02
"""Which part of the events is late, from minutes to a day and a half."""
DOUBLED: Final = 0.01
LATE_MINUTES: Final = 36 * 60


class Post:
    """Events on their way to one who hears them."""

    def __init__(self, seed: int, name: str, late: float = LATE, minutes: int = LATE_MINUTES):
        self.seed = seed
        self.name = name
        self.late = late
        self.minutes = minutes
        self._way: list[tuple[datetime, int, Event]] = []
        self._numbers = count()
        self.sent = 0
        self.doubled = 0

    def send(self, event: Event, at: datetime) -> None:
        """Put an event on its way; it may come late, and twice."""
        self.sent += 1
        self._put(event, at + self._delay(event, "first"))
        if luck(self.seed, self.name, event.id, "twice") < DOUBLED:
            self.doubled += 1
            again = timedelta(minutes=1 + int(2_000 * luck(self.seed, event.id, "again")))
            self._put(event, at + again)

    def take(self, at: datetime, most: int) -> list[Event]:
        """Return what has come until a moment, at most so many."""
        came: list[Event] = []
        while self._way and self._way[0][0] <= at and len(came) < most:
            came.append(heapq.heappop(self._way)[2])
        return came

    def has_come(self, at: datetime) -> bool:
        """Say whether anything is there at a moment."""
        return bool(self._way) and self._way[0][0] <= at

    def back(self, events: list[Event], at: datetime) -> None:
        """Deliver again what was taken and not settled."""
        for event in events:
            self._put(event, at)

    def _put(self, event: Event, at: datetime) -> None:
        heapq.heappush(self._way, (at, next(self._numbers), event))

    def _delay(self, event: Event, what: str) -> timedelta:
        word = luck(self.seed, self.name, event.id, what)
        if word >= self.late:
            return timedelta()
        return timedelta(minutes=1 + int(self.minutes * word / self.late))
