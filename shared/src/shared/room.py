"""How many requests are worked on at a time.

Without a bound all requests of an overload queue for the same few connections. Each one then waits
longer than its caller does, so the work is thrown away and asked for again: measured with 50 new
payments a second on a busy machine, a gateway finished half as many as with the bound.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from shared.errors import Text, Unavailable

IN_HAND_MAX: Final = 128
_RETRY_SECONDS: Final = 3
_BUSY: Final = Text(
    "Too many requests at once: repeat this one", "Слишком много запросов сразу: повторите этот"
)

Handler = Callable[..., Awaitable[web.StreamResponse]]


class Room:
    """Room for a number of requests, shared by the handlers of one application."""

    def __init__(self, most: int = IN_HAND_MAX) -> None:
        self._most = most
        self._in_hand = 0

    def bounded(self, handler: Handler) -> Handler:
        """Let a handler raise Unavailable at once where there is no room left."""

        async def handle(request: web.Request) -> web.StreamResponse:
            if self._in_hand >= self._most:
                raise Unavailable(_BUSY, retry_after_seconds=_RETRY_SECONDS)
            self._in_hand += 1
            try:
                return await handler(request)
            finally:
                self._in_hand -= 1

        return handle
