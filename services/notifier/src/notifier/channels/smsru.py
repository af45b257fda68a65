"""SMS over the HTTP API of SMS.ru; what is said and what it means stands in `smsru_wire`."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Final

from notifier.channels import smsru_wire
from notifier.channels.http import Http
from notifier.channels.port import ChannelName, Outcome, Outgoing, Temporary

_CONNECTIONS_MAX: Final = 5


class SmsRu:
    """The SMS channel through SMS.ru."""

    name: ChannelName = "sms"
    parallel = _CONNECTIONS_MAX

    def __init__(self, api_url: str, api_id: str, sender: str, timeout_seconds: float) -> None:
        self._url = f"{api_url}/sms/send"
        self._api_id = api_id
        self._sender = sender
        self._http = Http("smsru", timeout_seconds, _CONNECTIONS_MAX)

    def opened(self) -> AbstractAsyncContextManager[None]:
        """Hold the connections to the provider."""
        return self._http.opened()

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Send one SMS; one in doubt is sent again, because nothing tells what became of it."""
        form = smsru_wire.message(outgoing, self._api_id, self._sender)
        answer = await self._http.post(self._url, form)
        if isinstance(answer, Temporary):
            return answer
        return smsru_wire.sent(answer.status, answer.body, outgoing)
