"""Reports of delivery: whose they are, what they change, and what they never take back."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from notifier import report_wire, reports, web_reports
from notifier.channels.port import Accepted, Fate, Report
from notifier.reach import Reaching
from notifier.report_table import report
from notifier.report_wire import Forged, Unreadable
from notifier.reports import Reports
from notifier.web_reports import Box
from shared.clock import ManualClock
from shared.crypto import Vault
from shared.db import Database, reading
from shared.metrics import REPORTS

if TYPE_CHECKING:
    from conftest import Said, World

API_ID = "0000-KEY"
SECRET = "abcdefgh12345678"
AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def kept(db: Database, vault: Vault, clock: ManualClock) -> Reports:
    """Where reports go."""
    return Reports(db, vault, clock)


@pytest.fixture
async def sent(world: World, said: Said) -> World:
    """A notifier that has sent an SMS, which the provider calls 1."""
    await world.hear(said.contract(), said.subscriber(), said.payment())
    await world.prepare()
    world.sms.answer = lambda _outgoing: Accepted("1")
    await world.deliver(world.sms)
    return world


def said_of(this: str, fate: Fate | None, at: datetime = AT, reason: str = "smsc status") -> Report:
    """Return a report of SMSC.ru."""
    return Report("smsc", "sms", this, fate, reason, at)


async def waiting(db: Database) -> int:
    """Return how many reports wait for their message."""
    async with reading(db) as tx:
        return int((await tx.execute(select(func.count()).select_from(report))).scalar_one())


async def test_delivered(sent: World, kept: Reports, db: Database) -> None:
    at = AT + timedelta(minutes=3)
    await reports.keep(kept, [said_of("1", None), said_of("1", "delivered", at)])
    row = await sent.row(channel="sms")
    assert (row.state, row.report, row.delivered_at) == ("sent", "delivered", at)
    assert await waiting(db) == 0


@pytest.mark.parametrize("fate", ["undelivered", "expired"])
async def test_not_delivered(sent: World, kept: Reports, fate: Fate) -> None:
    await reports.keep(kept, [said_of("1", fate, reason="smsc status 20 err 1")])
    row = await sent.row(channel="sms")
    assert (row.state, row.report, row.delivered_at) == ("undelivered", fate, None)
    assert row.reason == "smsc status 20 err 1"
    (other,) = await sent.rows(channel="email")
    assert other.state == "ready", "nothing else has changed"


@SQLITE
async def test_core_is_told_that_it_was_not(
    sent: World, kept: Reports, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []

    async def hear(_tx: Any, _producer: Any, events: Sequence[Any], _at: datetime) -> None:
        told.extend(events)

    monkeypatch.setattr(reports, "tell", hear)
    for _ in range(2):
        await reports.keep(kept, [said_of("1", "expired")])
    row = await sent.row(channel="sms")
    assert [(each.message_id, each.reason) for each in told] == [(row.id, "smsc status")]


@SQLITE
async def test_a_report_before_our_own_mark_waits(
    world: World, said: Said, kept: Reports, db: Database, clock: ManualClock
) -> None:
    await world.hear(said.contract(), said.subscriber(), said.payment())
    await world.prepare()
    await reports.keep(kept, [said_of("1", "delivered")])
    await reports.keep(kept, [said_of("1", "delivered")])
    assert await waiting(db) == 1
    world.sms.answer = lambda _outgoing: Accepted("1")
    await world.deliver(world.sms)
    assert (await world.row(channel="sms")).report is None
    clock.advance(timedelta(seconds=5))
    await reports.step(kept)
    row = await world.row(channel="sms")
    assert (row.state, row.report) == ("sent", "delivered")
    assert await waiting(db) == 0


@SQLITE
async def test_a_report_about_nothing_is_counted_and_forgotten(
    kept: Reports, db: Database, clock: ManualClock
) -> None:
    counter = REPORTS.labels("smsc", "unknown")
    before = counter._value.get()
    await reports.keep(kept, [said_of("of another", "delivered"), said_of("ever", "expired")])
    for _ in range(60):
        clock.advance(timedelta(minutes=2))
        await reports.step(kept)
    assert await waiting(db) == 0
    assert counter._value.get() == before + 2


@SQLITE
async def test_a_full_room_takes_no_more(
    kept: Reports, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "KEPT_MAX", 2)
    for this in "abcd":
        await reports.keep(kept, [said_of(this, "delivered")])
    assert await waiting(db) == 2


ORDERS: list[tuple[list[Fate | None], str, str]] = [
    (["delivered", "expired"], "sent", "delivered"),
    (["expired", "delivered"], "sent", "delivered"),
    (["expired", "undelivered"], "undelivered", "expired"),
    (["undelivered", None, "delivered", "undelivered"], "sent", "delivered"),
]


@SQLITE
async def test_delivered_is_the_last_word(world: World, said: Said, kept: Reports) -> None:
    await send_many(world, said, len(ORDERS))
    for n, (fates, _, _) in enumerate(ORDERS):
        for fate in fates:
            await reports.keep(kept, [said_of(f"n{n}", fate)])
    for n, (_, state, word) in enumerate(ORDERS):
        row = await world.row(channel="sms", provider_id=f"n{n}")
        assert (row.state, row.report) == (state, word)


@SQLITE
@pytest.mark.parametrize(
    ("after", "fate", "told"),
    [
        (timedelta(hours=30), "expired", True),
        (timedelta(hours=30), "delivered", False),
        (timedelta(days=4), "expired", False),
    ],
)
async def test_the_next_channel_takes_over_however_late_the_report_comes(
    world: World,
    said: Said,
    kept: Reports,
    clock: ManualClock,
    after: timedelta,
    fate: Fate,
    told: bool,
) -> None:
    """Providers give up on a phone that is off after a day; an hour without a word is no report."""
    world.reaching = Reaching(("sms", "email"), frozenset({"all"}))
    await world.hear(said.contract(), said.subscriber(), said.payment())
    await world.prepare()
    world.sms.answer = lambda _outgoing: Accepted("1")
    await world.deliver()
    clock.advance(timedelta(hours=1))
    await world.prepare()
    assert (await world.row(channel="email")).reason == "told"
    clock.advance(after)
    await reports.keep(kept, [said_of("1", fate)])
    await reports.keep(kept, [said_of("1", fate)])
    await world.prepare()
    await world.deliver()
    assert len(world.email.taken) == told
    assert len(world.sms.taken) == 1
    row = await world.row(channel="email")
    assert (row.state, row.reason) == (("sent", None) if told else ("skipped", "told"))


async def test_an_id_that_a_provider_uses_again_means_the_newest_message(
    world: World, said: Said, kept: Reports, clock: ManualClock
) -> None:
    """Centres of messages count anew when they are restarted."""
    await world.hear(said.contract(), said.subscriber())
    world.sms.answer = lambda _outgoing: Accepted("1")
    for n in range(8):
        await world.hear(said.payment(payment=f"p-{n}"))
        await world.prepare()
        await world.deliver(world.sms)
        clock.advance(timedelta(hours=1))
    await reports.keep(kept, [said_of("1", "delivered")])
    newest = max(await world.rows(channel="sms"), key=lambda row: row.done_at)
    assert [row.id for row in await world.rows(report="delivered")] == [newest.id]


async def test_reports_that_come_together(world: World, said: Said, kept: Reports) -> None:
    await send_many(world, said, len(ORDERS))
    together = [said_of(f"n{n}", fate) for n, (fates, _, _) in enumerate(ORDERS) for fate in fates]
    await reports.keep(kept, together)
    rows = {row.provider_id: row.report for row in await world.rows(channel="sms")}
    assert rows == {"n0": "delivered", "n1": "delivered", "n2": "undelivered", "n3": "delivered"}


async def send_many(world: World, said: Said, count: int) -> None:
    """Send so many SMS, which the provider calls n0, n1 and so on."""
    numbers = [str(number) for number in range(count)]
    await world.hear(
        *(said.contract(number, subscriber_id="s-1") for number in numbers),
        said.subscriber(),
        *(said.payment(number, payment=number) for number in numbers),
    )
    while await world.prepare():
        pass
    ids = iter(range(count))
    world.sms.answer = lambda _outgoing: Accepted(f"n{next(ids)}")
    while await world.deliver(world.sms):
        world.clock.advance(timedelta(seconds=1))


async def test_many_at_once(world: World, said: Said, kept: Reports) -> None:
    await send_many(world, said, 40)
    fates: list[Fate] = ["delivered", "expired"]
    await reports.keep(kept, [said_of(f"n{n}", fates[n % 2]) for n in range(60)])
    rows = await world.rows(channel="sms")
    assert {row.state for row in rows if row.report == "delivered"} == {"sent"}
    assert [row.report for row in rows].count("expired") == 20


def _smsru(*entries: str, api_id: str = API_ID) -> list[tuple[str, str]]:
    hashed = hashlib.sha256((api_id + "".join(entries)).encode()).hexdigest()
    return [*((f"data[{n}]", each) for n, each in enumerate(entries)), ("hash", hashed)]


def test_what_smsru_posts() -> None:
    moment = int(AT.timestamp()) - 60
    form = _smsru(
        f"sms_status\n202648-1\n103\n{moment}", "callcheck_status\n1\n401\n2", "sms_status\n2\n104"
    )
    first, second = report_wire.smsru(form, AT, API_ID)
    assert first == Report(
        "smsru", "sms", "202648-1", "delivered", "smsru status 103", AT - timedelta(minutes=1)
    )
    assert (second.id, second.fate, second.at) == ("2", "expired", AT)


@pytest.mark.parametrize(
    "form",
    [
        [],
        [("data[0]", "sms_status\n1\n103")],
        _smsru("sms_status\n1\n103", api_id="another"),
        [*_smsru("sms_status\n1\n103"), ("data[1]", "sms_status\n2\n103")],
    ],
)
def test_what_smsru_has_not_written(form: list[tuple[str, str]]) -> None:
    with pytest.raises(Forged):
        report_wire.smsru(form, AT, API_ID)


@pytest.mark.parametrize(
    "entry", ["sms_status", "sms_status\n1", "sms_status\n1\nx", "sms_status\nы\n1"]
)
def test_what_smsru_would_not_write(entry: str) -> None:
    with pytest.raises(Unreadable):
        report_wire.smsru(_smsru(entry), AT, API_ID)


@pytest.mark.parametrize(
    ("status", "fate"),
    [("1", "delivered"), ("3", "expired"), ("20", "undelivered"), ("0", None), ("-1", None)],
)
def test_what_smsc_posts(status: str, fate: Fate | None) -> None:
    form = [
        ("id", "k"),
        ("phone", "79161234567"),
        ("status", status),
        ("err", "0"),
        ("ts", "9" * 10),
    ]
    (read,) = report_wire.smsc(form, AT)
    assert read == Report("smsc", "sms", "k", fate, f"smsc status {status} err 0", AT)


names = st.sampled_from(["id", "status", "ts", "err", "hash", "data[0]", "key"])


@given(st.lists(st.tuples(names, st.text(max_size=30)), max_size=6))
def test_any_form_is_a_report_or_none(form: list[tuple[str, str]]) -> None:
    for read in (report_wire.smsc, lambda form, at: report_wire.smsru(form, at, API_ID)):
        try:
            found = read(form, AT)
        except (Forged, Unreadable):
            continue
        assert all(0 < len(each.id) <= report_wire.ID_LENGTH_MAX for each in found)


@asynccontextmanager
async def serving(kept: Reports, **given: Any) -> AsyncIterator[ClientSession]:
    """Yield a client of the address for reports."""
    box = Box(kept, SECRET, None, (), web_reports.readers(API_ID))
    app = web.Application()
    web_reports.mount(app, replace(box, **given))
    async with TestClient(TestServer(app)) as client:
        yield client  # type: ignore[misc]


FORM = {"id": "1", "status": "1", "phone": "79161234567"}


@SQLITE
async def test_a_provider_reports(sent: World, kept: Reports) -> None:
    key = {"key": SECRET}
    async with serving(kept) as client:
        answer = await client.get("/reports/smsc", params=key | FORM | {"status": "0"})
        assert (answer.status, await answer.text()) == (200, "OK")
        assert (await sent.row(channel="sms")).report is None
        answer = await client.post("/reports/smsc", params=key, data=FORM)
        assert (answer.status, await answer.text()) == (200, "OK")
        form = dict(_smsru("sms_status\n1\n103"))
        answer = await client.post("/reports/smsru", params={"key": SECRET}, data=form)
        assert (answer.status, await answer.text()) == (200, "100")
    assert (await sent.row(channel="sms")).report == "delivered"


FOREIGN: list[tuple[str, Any, int]] = [
    (f"/reports/smsc?key={SECRET[:-1]}", FORM, 403),
    ("/reports/smsc", FORM, 403),
    ("/reports/smsc?key=%D1%8B", FORM, 403),
    (f"/reports/smsru?key={SECRET}", {"data[0]": "sms_status\n1\n103", "hash": "0"}, 403),
    (f"/reports/smsc?key={SECRET}", {"id": "1"}, 400),
    (f"/reports/smsc?key={SECRET}", "id=%FF&status=1", 400),
    (f"/reports/smsc?key={SECRET}", "ы".encode(), 400),
    (f"/reports/smsc?key={SECRET}", "&".join(f"a{n}=1" for n in range(300)), 400),
]


@SQLITE
async def test_what_is_no_provider_s(sent: World, kept: Reports) -> None:
    async with serving(kept) as client:
        for path, data, status in FOREIGN:
            answer = await client.post(path, data=data)
            assert (path, answer.status) == (path, status)
    assert (await sent.row(channel="sms")).report is None


@SQLITE
async def test_networks_and_no_secret_at_all(kept: Reports) -> None:
    elsewhere = (ip_network("10.0.0.0/8"),)
    async with serving(kept, networks=elsewhere) as client:
        assert (await client.post(f"/reports/smsc?key={SECRET}", data=FORM)).status == 403
    async with serving(kept, networks=elsewhere, proxies=(ip_network("127.0.0.0/8"),)) as client:
        answer = await client.post(
            f"/reports/smsc?key={SECRET}", data=FORM, headers={"X-Forwarded-For": "10.1.2.3"}
        )
        assert answer.status == 200
    async with serving(kept, secret="") as client:
        assert (await client.post("/reports/smsc?key=", data=FORM)).status == 404


def test_only_what_is_known_is_read() -> None:
    assert set(web_reports.readers("")) == {"smsc"}
    assert set(web_reports.readers("x")) == {"smsc", "smsru"}
