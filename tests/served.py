"""A process of ours in a thread of its own: for clients that know nothing of asyncio."""

from __future__ import annotations

import threading
from asyncio import AbstractEventLoop, Event, new_event_loop
from collections.abc import Callable
from concurrent.futures import Future

from shared import service
from shared.service import Process


class Served:
    """What `make` returns, listening on a free port; `base` is its address."""

    def __init__(self, make: Callable[[], Process]) -> None:
        self.base: Future[str] = Future()
        self._make = make
        self._loop: AbstractEventLoop = new_event_loop()
        self._stop = Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop it and wait for it."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as error:
            self.base.set_exception(error)
            raise
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        async with service.running(self._make(), "127.0.0.1", 0) as port:
            self.base.set_result(f"http://127.0.0.1:{port}")
            await self._stop.wait()
