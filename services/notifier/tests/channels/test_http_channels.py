"""SMS.ru, a messenger's bot and webhooks with messages, against the sandbox and by their words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from notifier import webhook
from notifier.channels import bot as bots
from notifier.channels import smsru_wire
from notifier.channels.bot import Bot
from notifier.channels.hook import Hook
from notifier.channels.http import ANSWER_BYTES_MAX, Answer
from notifier.channels.port import Accepted, Held, Outcome, Outgoing, Permanent, Temporary
from notifier.channels.smsru import SmsRu
from notifier.content import Content
from shared.clock import ManualClock
from simulators.bot.app import TOKEN
from simulators.harness import Sandbox, running
from simulators.smsru.app import API_ID

KEY = UUID("00000000-0000-5000-8000-0000000000a7")
TO = "+79161234567"
PLAIN = Outgoing(KEY, Content(to=TO, text="x"), "c-77", datetime(2026, 11, 22, 9, tzinfo=UTC))
Make = Callable[..., Outgoing]


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A sandbox of this test's own."""
    async with running() as started:
        yield started


async def received(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Return what people have got, repeats included, the first one first."""
    answer = await sandbox.call("GET", "/messages.json?parked=1")
    items: list[dict[str, Any]] = answer.body["items"]
    return items[::-1]


@pytest.fixture
async def smsru(sandbox: Sandbox) -> AsyncIterator[SmsRu]:
    """The channel through SMS.ru."""
    channel = SmsRu(f"{sandbox.url}/smsru", API_ID, "SALDO", 5.0)
    async with channel.opened():
        yield channel


async def script(sandbox: Sandbox, of: str, *faults: Any, **state: Any) -> None:
    """Say what the next calls meet."""
    await sandbox.control("PUT", "/state", {"script": faults, **state}, of=of)


async def test_smsru_takes_an_sms(sandbox: Sandbox, smsru: SmsRu, outgoing: Make) -> None:
    sent = await smsru.send(outgoing(to=TO, text="Баланс 650 ₽"))
    (got,) = await received(sandbox)
    assert sent == Accepted(got["id"])
    assert (got["to"], got["text"], got["from"]) == ("79161234567", "Баланс 650 ₽", "SALDO")


@pytest.mark.parametrize(
    ("fault", "kind", "flags"),
    [
        (202, Permanent, {"dead"}),
        (207, Permanent, {"dead"}),
        (205, Permanent, {"ours"}),
        (201, Temporary, {"ours", "channel"}),
        (220, Temporary, {"channel"}),
        (500, Temporary, {"unknown", "channel"}),
        (231, Temporary, set()),
        ("html", Temporary, {"unknown", "channel"}),
        ("empty", Temporary, {"unknown", "channel"}),
        ("lost", Temporary, {"unknown", "channel"}),
    ],
)
async def test_what_smsru_refuses(
    sandbox: Sandbox,
    smsru: SmsRu,
    outgoing: Make,
    fault: Any,
    kind: type[Outcome],
    flags: set[str],
) -> None:
    await script(sandbox, "smsru", fault)
    refused = await smsru.send(outgoing(to=TO))
    assert type(refused) is kind
    names = {"dead", "ours", "channel", "unknown"}
    assert {name for name in names if getattr(refused, name, False)} == flags


async def test_smsru_with_a_wrong_key(sandbox: Sandbox, outgoing: Make) -> None:
    channel = SmsRu(f"{sandbox.url}/smsru", "wrong", "", 5.0)
    async with channel.opened():
        refused = await channel.send(outgoing(to=TO))
    assert refused == Temporary("smsru 200: wrong api_id", ours=True, channel=True)


async def test_a_doubtful_sms_is_sent_again_and_says_so(
    sandbox: Sandbox, smsru: SmsRu, outgoing: Make
) -> None:
    await script(sandbox, "smsru", "lost")
    message = outgoing(to=TO, key=KEY)
    assert isinstance(await smsru.send(message), Temporary)
    again = await smsru.send(replace(message, doubtful=True))
    assert isinstance(again, Accepted)
    assert again.perhaps_twice
    assert len(await received(sandbox)) == 2


async def test_an_account_that_forbids_repeats_proves_the_first_one(
    sandbox: Sandbox, smsru: SmsRu, outgoing: Make
) -> None:
    await script(sandbox, "smsru", "lost", limit_same=True)
    message = outgoing(to=TO, key=KEY)
    assert isinstance(await smsru.send(message), Temporary)
    assert await smsru.send(replace(message, doubtful=True)) == Accepted(str(KEY))
    assert len(await received(sandbox)) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["status", "status_code", "sms", "sms_id", "79161234567"]), inner
        )
    ),
    max_leaves=8,
)


@given(st.integers(200, 599), json_values.map(orjson.dumps) | st.binary(max_size=20))
def test_only_an_id_of_smsru_means_accepted(status: int, body: bytes) -> None:
    outcome = smsru_wire.sent(status, body, PLAIN)
    if isinstance(outcome, Accepted):
        said = orjson.loads(body)
        assert (status, said["status_code"]) in ((200, 100), (200, "100"))
        assert [entry["sms_id"] for entry in said["sms"].values()] == [outcome.id]


@pytest.fixture
async def bot(sandbox: Sandbox) -> AsyncIterator[Bot]:
    """The channel of a bot."""
    channel = Bot(f"{sandbox.url}/bot", TOKEN, 5.0)
    async with channel.opened():
        yield channel


async def test_a_bot_writes_to_a_chat(sandbox: Sandbox, bot: Bot, outgoing: Make) -> None:
    assert await bot.send(outgoing(to="5001", text="Баланс 650 ₽")) == Accepted("1")
    long = "😀" * 3000
    assert isinstance(await bot.send(outgoing(to="5001", text=long)), Accepted)
    first, second = await received(sandbox)
    assert (first["to"], first["text"], first["channel"]) == ("5001", "Баланс 650 ₽", "bot")
    assert second["text"] == "😀" * 2047 + "…"


@pytest.mark.parametrize(
    ("to", "text", "dead"),
    [("5001", "x", True), ("9999", "x", True), ("5002", "", False)],
)
async def test_whom_a_bot_cannot_reach(
    sandbox: Sandbox, bot: Bot, outgoing: Make, to: str, text: str, dead: bool
) -> None:
    await script(sandbox, "bot", blocked=["5001"])
    refused = await bot.send(outgoing(to=to, text=text))
    assert isinstance(refused, Permanent)
    assert (refused.dead, refused.ours) == (dead, not dead)


async def test_a_bot_that_is_asked_to_wait(sandbox: Sandbox, bot: Bot, outgoing: Make) -> None:
    await script(sandbox, "bot", {"retry_after": 7})
    assert await bot.send(outgoing(to="5001")) == Held(timedelta(seconds=7))
    assert bot.parallel == 0
    assert isinstance(await bot.send(outgoing(to="5002")), Held)
    bot._pace._until = 0.0
    assert isinstance(await bot.send(outgoing(to="5001")), Accepted)
    assert len(await received(sandbox)) == 1


@pytest.mark.parametrize(
    ("fault", "unknown"), [(500, True), ("html", True), ({"retry_after": "x"}, None)]
)
async def test_a_messenger_in_trouble(
    sandbox: Sandbox, bot: Bot, outgoing: Make, fault: Any, unknown: bool | None
) -> None:
    await script(sandbox, "bot", fault)
    failed = await bot.send(outgoing(to="5001"))
    if unknown is None:
        assert failed == Held(timedelta(seconds=1))
        return
    assert isinstance(failed, Temporary)
    assert (failed.unknown, failed.channel, failed.ours) == (unknown, True, False)


async def test_a_wrong_token_is_ours_to_mend_and_stays_secret(
    sandbox: Sandbox, outgoing: Make
) -> None:
    channel = Bot(f"{sandbox.url}/bot", "123:hidden", 5.0)
    nowhere = Bot("http://127.0.0.1:1", "123:hidden", 5.0)
    async with channel.opened(), nowhere.opened():
        refused = await channel.send(outgoing(to="5001"))
        lost = await nowhere.send(outgoing(to="5001"))
    assert isinstance(refused, Temporary)
    assert isinstance(lost, Temporary)
    assert (refused.ours, refused.channel, lost.ours, lost.unknown) == (True, True, False, False)
    assert "hidden" not in refused.reason + lost.reason


def test_a_bot_s_answer_without_an_id() -> None:
    said = {"ok": True, "result": {}}
    assert bots.answered(Answer(200, b""), said, PLAIN) == Accepted(str(KEY))
    assert isinstance(bots.answered(Answer(200, b""), {"ok": True}, PLAIN), Temporary)


@dataclass
class Receiver:
    """The operator's system: it keeps what it is told and answers what a test wants."""

    url: str = ""
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[web.Response] = field(default_factory=list)

    async def hear(self, request: web.Request) -> web.Response:
        """Take a webhook."""
        self.heard.append((dict(request.headers), await request.read()))
        return self.answers.pop(0) if self.answers else web.Response(status=204)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver on loopback."""
    server = Receiver()
    app = web.Application()
    app.router.add_post("/messages", server.hear)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/messages"
    yield server
    await runner.cleanup()


SECRETS = (b"n" * 32, b"o" * 32)


@asynccontextmanager
async def hook(url: str, clock: ManualClock) -> AsyncIterator[Hook]:
    """Yield the channel of webhooks."""
    channel = Hook(url, SECRETS, 5.0, 4, clock)
    async with channel.opened():
        yield channel


async def test_a_message_as_a_webhook(
    receiver: Receiver, clock: ManualClock, outgoing: Make
) -> None:
    message = outgoing(KEY, to="crm-7", kind="payment", contract="100245")
    async with hook(receiver.url, clock) as channel:
        assert await channel.send(message) == Accepted(f"msg_{KEY.hex}")
        clock.advance(timedelta(hours=1))
        await channel.send(replace(message, doubtful=True))
    (headers, body), (again, _) = receiver.heard
    told = orjson.loads(body)
    assert (told["type"], told["timestamp"]) == ("message", "2026-11-22T09:00:00Z")
    assert told["data"] == {
        "message_id": str(KEY),
        "kind": "payment",
        "contract": "100245",
        "to": "crm-7",
        "subject": message.content.subject,
        "text": message.content.text,
        "correlation_id": "c-77",
    }
    assert headers["webhook-id"] == again["webhook-id"] == f"msg_{KEY.hex}"
    signed = webhook.signature(
        SECRETS, headers["webhook-id"], int(headers["webhook-timestamp"]), body
    )
    assert headers["webhook-signature"] == signed
    assert again["webhook-timestamp"] > headers["webhook-timestamp"]


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (500, {}, Temporary("webhook: HTTP 500", channel=True)),
        (401, {}, Temporary("webhook: HTTP 401", ours=True, channel=True)),
        (410, {}, Temporary("webhook: HTTP 410", ours=True, channel=True)),
        (302, {"Location": "/elsewhere"}, Temporary("webhook: HTTP 302", ours=True, channel=True)),
        (422, {}, Temporary("webhook: HTTP 422")),
        (429, {"Retry-After": "3"}, Held(timedelta(seconds=3))),
        (503, {"Retry-After": "2"}, Held(timedelta(seconds=2))),
        (503, {}, Temporary("webhook: HTTP 503", channel=True)),
        (429, {}, Held(timedelta(seconds=1))),
        (201, {}, Accepted(f"msg_{KEY.hex}")),
    ],
)
async def test_answers_of_a_receiver(
    receiver: Receiver,
    clock: ManualClock,
    outgoing: Make,
    status: int,
    headers: dict[str, str],
    expected: Any,
) -> None:
    receiver.answers = [web.Response(status=status, headers=headers)]
    async with hook(receiver.url, clock) as channel:
        assert await channel.send(outgoing(KEY)) == expected
        assert (channel.parallel == 0) is isinstance(expected, Held)


async def test_a_receiver_that_is_not_there(clock: ManualClock, outgoing: Make) -> None:
    async with hook("http://127.0.0.1:1/x", clock) as channel:
        lost = await channel.send(outgoing(KEY))
    assert lost == Temporary("webhook: cannot connect (ClientConnectorError)", channel=True)


async def test_an_endless_answer_is_cut(
    receiver: Receiver, clock: ManualClock, outgoing: Make
) -> None:
    receiver.answers = [web.Response(body=b"x" * (4 * ANSWER_BYTES_MAX))]
    async with hook(receiver.url, clock) as channel:
        assert isinstance(await channel.send(outgoing()), Accepted)


async def test_many_at_once(sandbox: Sandbox, bot: Bot, outgoing: Make) -> None:
    outcomes: Sequence[Any] = await asyncio.gather(
        *(bot.send(outgoing(to="5001", text=str(n))) for n in range(20))
    )
    assert {each.id for each in outcomes} == {str(n) for n in range(1, 21)}
