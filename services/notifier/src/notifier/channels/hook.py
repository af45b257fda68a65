"""Messages handed to the operator's own system, as signed webhooks (Standard Webhooks).

The id is that of the message, so a repeat is known by it: after an unknown outcome it is sent
again, and nobody is told twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC
from typing import Final

import orjson

from notifier import webhook
from notifier.channels.http import Answer, Http
from notifier.channels.pace import Pace
from notifier.channels.port import Accepted, ChannelName, Held, Outcome, Outgoing, Temporary
from shared.clock import Clock

TYPE: Final = "message"
_OURS: Final = (401, 403, 404, 405, 410)


class Hook:
    """The channel to the operator's system."""

    name: ChannelName = "webhook"

    def __init__(
        self,
        url: str,
        secrets: Sequence[bytes],
        timeout_seconds: float,
        parallel: int,
        clock: Clock,
    ) -> None:
        self._url = url
        self._secrets = tuple(secrets)
        self._parallel = parallel
        self._clock = clock
        self._http = Http("webhook", timeout_seconds, parallel)
        self._pace = Pace("webhook")

    @property
    def parallel(self) -> int:
        """None while the receiver has asked for fewer."""
        return 0 if self._pace.wait() else self._parallel

    def opened(self) -> AbstractAsyncContextManager[None]:
        """Hold the connections to the receiver."""
        return self._http.opened()

    async def send(self, outgoing: Outgoing) -> Outcome | Held:
        """Hand one message over."""
        if wait := self._pace.wait():
            return Held(wait)
        this, told = message_id(outgoing), body(outgoing)
        headers = webhook.signed(self._secrets, this, told, self._clock())
        answer = await self._http.post(self._url, told, headers)
        if isinstance(answer, Temporary):
            # The receiver knows a repeat by its id: nothing is in doubt.
            return Temporary(answer.reason, channel=True)
        read = webhook.answered(answer.status, answer.headers, self._clock())
        if read.crowded or (answer.status == 503 and read.retry_after):
            return self._pace.slow(read.retry_after)
        return answered(answer, this)


def message_id(outgoing: Outgoing) -> str:
    """Return the webhook's id: the same for every attempt. It holds no full stop."""
    return f"msg_{outgoing.key.hex}"


def body(outgoing: Outgoing) -> bytes:
    """Return what is told of a message."""
    created = outgoing.created_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    content = outgoing.content
    data = {
        "message_id": str(outgoing.key),
        "kind": outgoing.kind,
        "contract": outgoing.contract,
        "to": content.to,
        "subject": content.subject,
        "text": content.text,
        "correlation_id": outgoing.correlation_id,
    }
    return orjson.dumps({"type": TYPE, "timestamp": created, "data": data})


def answered(answer: Answer, this: str) -> Outcome:
    """Say what an answer means: 2xx is the only word for taken."""
    reason = f"webhook: HTTP {answer.status}"
    if 200 <= answer.status < 300:
        return Accepted(this)
    if answer.status in _OURS or 300 <= answer.status < 400:
        return Temporary(reason, ours=True, channel=True)
    return Temporary(reason, channel=answer.status >= 500)
