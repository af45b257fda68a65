"""SMS over the HTTP API of SMSC.ru; what is said and what it means stands in `smsc_wire`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Final

from notifier.channels import smsc_wire
from notifier.channels.http import Http
from notifier.channels.port import ChannelName, Outcome, Outgoing, Temporary

_CONNECTIONS_MAX: Final = 5


class Smsc:
    """The SMS channel through SMSC.ru."""

    name: ChannelName = "sms"
    parallel = _CONNECTIONS_MAX

    def __init__(
        self, api_url: str, login: str, password: str, sender: str, timeout_seconds: float
    ) -> None:
        self._api_url = api_url
        self._account = {"login": login, "psw": password}
        self._sender = sender
        self._http = Http("smsc", timeout_seconds, _CONNECTIONS_MAX)

    def opened(self) -> AbstractAsyncContextManager[None]:
        """Hold the connections to the provider."""
        return self._http.opened()

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Send one SMS; what may have been taken before is looked up first, never sent blindly."""
        if outgoing.doubtful:
            answer = await self._ask("status.php", smsc_wire.question(outgoing, self._account))
            if isinstance(answer, Temporary):
                return replace(answer, unknown=True)
            found = smsc_wire.known(*answer, key=str(outgoing.key))
            if found is not None:
                return found
        form = smsc_wire.message(outgoing, self._account, self._sender)
        answer = await self._ask("send.php", form)
        return answer if isinstance(answer, Temporary) else smsc_wire.sent(*answer)

    async def _ask(self, page: str, form: Mapping[str, str]) -> tuple[int, bytes] | Temporary:
        """Return status and body; Temporary where there was no answer."""
        answer = await self._http.post(f"{self._api_url}/sys/{page}", form)
        return answer if isinstance(answer, Temporary) else (answer.status, answer.body)
