"""Messages through a messenger's bot, as the Bot API of Telegram has it.

Source: Telegram, "Bot API", `sendMessage` and "Making requests"; other messengers' gateways speak
the same. Who has blocked the bot (403) or is unknown to it is a dead address. There is no
idempotence: after an unknown outcome the message is sent again, and the doubt stays written.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any, Final

import orjson

from notifier.channels.http import Answer, Http
from notifier.channels.pace import Pace
from notifier.channels.port import (
    Accepted,
    ChannelName,
    Held,
    Outcome,
    Outgoing,
    Permanent,
    Temporary,
)

TEXT_MAX: Final = 4096
"""Characters (UTF-16 units) of one message."""
_CONNECTIONS_MAX: Final = 5
_UNKNOWN_CHATS: Final = ("chat not found", "user not found", "peer_id_invalid", "group chat was")
_REASON_MAX: Final = 100


class Bot:
    """The channel of a bot. An address is the id of a chat."""

    name: ChannelName = "bot"

    def __init__(self, api_url: str, token: str, timeout_seconds: float) -> None:
        self._url = f"{api_url}/bot{token}/sendMessage"
        self._http = Http("bot", timeout_seconds, _CONNECTIONS_MAX)
        self._pace = Pace("bot")

    @property
    def parallel(self) -> int:
        """None while the messenger has asked for fewer."""
        return 0 if self._pace.wait() else _CONNECTIONS_MAX

    def opened(self) -> AbstractAsyncContextManager[None]:
        """Hold the connections to the messenger."""
        return self._http.opened()

    async def send(self, outgoing: Outgoing) -> Outcome | Held:
        """Send one message to one chat."""
        if wait := self._pace.wait():
            return Held(wait)
        answer = await self._http.post(
            self._url, orjson.dumps(request(outgoing)), {"Content-Type": "application/json"}
        )
        if isinstance(answer, Temporary):
            return answer
        said = _object(answer.body)
        if answer.status == 429 or said.get("error_code") == 429:
            return self._pace.slow(_asked(said))
        return answered(answer, said, outgoing)


def request(outgoing: Outgoing) -> dict[str, Any]:
    """Return the body of `sendMessage`; a text that is too long ends in an ellipsis."""
    text = outgoing.content.text
    if len(text.encode("utf-16-le")) > 2 * TEXT_MAX:
        text = text.encode("utf-16-le")[: 2 * (TEXT_MAX - 1)].decode("utf-16-le", "ignore") + "…"
    return {
        "chat_id": outgoing.content.to,
        "text": text,
        "link_preview_options": {"is_disabled": True},
    }


def answered(answer: Answer, said: Mapping[str, Any], outgoing: Outgoing) -> Outcome:
    """Say what an answer other than 429 means."""
    result = said.get("result")
    if answer.status == 200 and said.get("ok") is True and type(result) is dict:
        return Accepted(str(result.get("message_id", outgoing.key)), outgoing.doubtful)
    if said.get("ok") is not False:
        refused = 400 <= answer.status < 500
        reason = f"bot: HTTP {answer.status}, an answer of an unknown shape"
        return Temporary(reason, unknown=True, ours=refused, channel=True)
    words = str(said.get("description", ""))[:_REASON_MAX]
    reason = f"bot {answer.status}: {words}"
    if answer.status == 403:
        return Permanent(reason, dead=True)
    if answer.status == 400:
        dead = any(known in words.lower() for known in _UNKNOWN_CHATS)
        return Permanent(reason, ours=not dead, dead=dead)
    if answer.status < 500:  # 401 and 404: a wrong token
        return Temporary(reason, ours=True, channel=True)
    return Temporary(reason, unknown=True, channel=True)


def _asked(said: Mapping[str, Any]) -> timedelta | None:
    parameters = said.get("parameters")
    seconds = parameters.get("retry_after") if type(parameters) is dict else None
    return timedelta(seconds=min(seconds, 3600)) if type(seconds) is int else None


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        said = None
    return said if type(said) is dict else {}
