"""The channel without a provider shows what would be said, and not to whom."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from notifier.channels.log import Log
from notifier.channels.port import Accepted, ChannelName, Outgoing


@pytest.mark.parametrize(
    ("name", "to", "shown", "text"),
    [
        ("sms", "+79161234567", "+7***4567", "Зачислено 650,00 ₽"),
        ("email", "anna@example.org", "a***@example.org", "Зачислено 650,00 ₽ на договор 100245"),
    ],
)
async def test_logged(
    outgoing: Callable[..., Outgoing], name: ChannelName, to: str, shown: str, text: str
) -> None:
    subject = {} if name == "email" else {"subject": ""}
    channel = Log(name)
    with capture_logs() as logs:
        async with channel.opened():
            outcome = await channel.send(outgoing(to=to, **subject))
    assert isinstance(outcome, Accepted)
    (line,) = logs
    assert (line["event"], line["to"], line["text"]) == ("message.logged", shown, text)
