"""SMS against an SMSC.ru in small: what is said, what each answer means, what is never doubled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from notifier.channels import smsc_wire
from notifier.channels.port import Accepted, Outcome, Outgoing, Permanent, Temporary
from notifier.channels.smsc import Smsc

if TYPE_CHECKING:
    from conftest import SmsServer


@pytest.fixture
async def smsc(sms_server: SmsServer) -> AsyncIterator[Smsc]:
    """The channel, open."""
    channel = Smsc(sms_server.url, "demo", "secret", "SALDO", timeout_seconds=5)
    async with channel.opened():
        yield channel


async def test_what_is_said(
    smsc: Smsc, sms_server: SmsServer, outgoing: Callable[..., Outgoing]
) -> None:
    message = outgoing(to="+79161234567", text="Привет, ₽")
    assert await smsc.send(message) == Accepted(str(message.key))
    assert sms_server.sent == [
        {
            "login": "demo",
            "psw": "secret",
            "phones": "79161234567",
            "mes": "Привет, ₽",
            "id": str(message.key),
            "sender": "SALDO",
            "charset": "utf-8",
            "fmt": "3",
        }
    ]
    assert sms_server.asked == []


async def test_without_a_sender_the_providers_own_is_used(
    sms_server: SmsServer, outgoing: Callable[..., Outgoing]
) -> None:
    channel = Smsc(sms_server.url, "demo", "secret", "", timeout_seconds=5)
    async with channel.opened():
        await channel.send(outgoing(to="+79161234567"))
    assert "sender" not in sms_server.sent[0]


@pytest.mark.parametrize(
    ("code", "kind", "ours", "unknown"),
    [
        (1, Permanent, True, None),
        (2, Temporary, True, False),
        (3, Temporary, True, False),
        (4, Temporary, True, False),
        (5, Permanent, True, None),
        (6, Permanent, True, None),
        (7, Permanent, False, None),
        (8, Permanent, False, None),
        (9, Temporary, False, True),
        (77, Temporary, True, False),
    ],
)
async def test_refusals(
    smsc: Smsc,
    sms_server: SmsServer,
    outgoing: Callable[..., Outgoing],
    code: int,
    kind: type[Any],
    ours: bool,
    unknown: bool | None,
) -> None:
    sms_server.refuse_with = code
    refused = await smsc.send(outgoing(to="+79161234567"))
    assert type(refused) is kind
    assert refused.ours is ours
    assert getattr(refused, "unknown", None) is unknown
    assert str(code) in refused.reason


async def test_a_wrong_password(sms_server: SmsServer, outgoing: Callable[..., Outgoing]) -> None:
    channel = Smsc(sms_server.url, "demo", "wrong", "", timeout_seconds=5)
    async with channel.opened():
        refused = await channel.send(outgoing(to="+79161234567"))
    assert isinstance(refused, Temporary)
    assert refused.ours


async def test_a_lost_answer_is_looked_up_and_not_sent_again(
    smsc: Smsc, sms_server: SmsServer, outgoing: Callable[..., Outgoing]
) -> None:
    sms_server.lose_answer = True
    message = outgoing(to="+79161234567")
    lost = await smsc.send(message)
    assert isinstance(lost, Temporary)
    assert lost.unknown
    sms_server.lose_answer = False
    again = outgoing(message.key, to="+79161234567", doubtful=True)
    assert await smsc.send(again) == Accepted(str(message.key))
    assert len(sms_server.sent) == 1


async def test_what_the_provider_never_got_is_sent(
    smsc: Smsc, sms_server: SmsServer, outgoing: Callable[..., Outgoing]
) -> None:
    message = outgoing(to="+79161234567", doubtful=True)
    assert await smsc.send(message) == Accepted(str(message.key))
    assert len(sms_server.asked) == len(sms_server.sent) == 1
    assert sms_server.asked[0]["phone"] == "79161234567"


@pytest.mark.parametrize(
    "broken",
    [
        web.Response(status=502, text="<html>Bad gateway</html>"),
        web.Response(status=200, text="<html>maintenance</html>"),
        web.Response(status=200, text="[]"),
        web.Response(status=200, text="{}"),
        web.Response(status=404, text="{}"),
        web.Response(status=200, text='{"id": "1", "cnt": 1, "more": "' + "x" * 100_000 + '"}'),
    ],
    ids=["502", "html", "list", "empty", "404", "endless"],
)
@pytest.mark.parametrize("doubtful", [False, True])
async def test_unreadable_answers_leave_the_outcome_unknown(
    smsc: Smsc,
    sms_server: SmsServer,
    outgoing: Callable[..., Outgoing],
    broken: web.Response,
    doubtful: bool,
) -> None:
    # A response object serves once; each case needs its own.
    sms_server.broken = web.Response(status=broken.status, text=broken.text)
    answer = await smsc.send(outgoing(to="+79161234567", doubtful=doubtful))
    assert isinstance(answer, Temporary)
    assert answer.unknown
    assert sms_server.sent == []


async def test_nobody_listens(outgoing: Callable[..., Outgoing], unused_tcp_port: int) -> None:
    channel = Smsc(f"http://127.0.0.1:{unused_tcp_port}", "demo", "secret", "", 5)
    async with channel.opened():
        refused = await channel.send(outgoing(to="+79161234567"))
        assert refused == Temporary("smsc: cannot connect (ClientConnectorError)", channel=True)
        doubted = await channel.send(outgoing(to="+79161234567", doubtful=True))
        assert isinstance(doubted, Temporary)
        assert doubted.unknown


async def test_a_slow_provider_is_not_waited_for(
    sms_server: SmsServer, outgoing: Callable[..., Outgoing]
) -> None:
    sms_server.wait = asyncio.Event()
    channel = Smsc(sms_server.url, "demo", "secret", "", timeout_seconds=0.1)
    async with channel.opened():
        answer = await channel.send(outgoing(to="+79161234567"))
    sms_server.wait.set()
    assert isinstance(answer, Temporary)
    assert answer.unknown


async def test_a_closed_channel_is_a_fault_of_ours(outgoing: Callable[..., Outgoing]) -> None:
    with pytest.raises(RuntimeError):
        await Smsc("http://127.0.0.1:1", "demo", "secret", "", 5).send(outgoing())


@given(st.integers(100, 599), st.binary(max_size=200))
def test_no_answer_breaks_the_reader(status: int, body: bytes) -> None:
    assert isinstance(smsc_wire.sent(status, body), Temporary)
    assert isinstance(smsc_wire.known(status, body, "k"), Temporary)


@given(
    st.dictionaries(
        st.sampled_from(["id", "cnt", "error", "error_code", "status"]),
        st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=5),
    )
)
def test_only_an_id_and_a_count_mean_accepted(said: dict[str, Any]) -> None:
    taken = {"id", "cnt"} <= said.keys() and "error_code" not in said
    assert isinstance(smsc_wire.sent(200, orjson.dumps(said)), Accepted) == taken


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"error": "too often", "error_code": 9}, Temporary),
        ({"status": 1, "last_date": "22.11.2026 12:00:01"}, Accepted("k")),
        ({"status": -1}, Accepted("k")),
        ({"status": 20, "err": 1}, Accepted("k")),
        ({"status": -3}, None),
        ({"error": "message not found", "error_code": 3}, None),
        ({"error": "authorise error", "error_code": 2}, Temporary),
        ({"error": "ip", "error_code": "4"}, Temporary),
        ({"status": "?"}, Temporary),
        ({}, Temporary),
    ],
)
def test_statuses(said: dict[str, Any], expected: Any) -> None:
    found: Outcome | None = smsc_wire.known(200, orjson.dumps(said), "k")
    if expected is Temporary:
        assert isinstance(found, Temporary)
        assert found.unknown
    else:
        assert found == expected
