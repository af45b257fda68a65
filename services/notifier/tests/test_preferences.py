"""What subscribers choose: by API, on the page behind a signed link, and by leaving a kind."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson
import pytest
from aiohttp import ClientResponse, FormData, MultipartWriter
from aiohttp import web as aiohttp_web
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from notifier import choosing, preferences, unreachable, web, web_preferences
from notifier.channels.port import Accepted, Permanent, Temporary
from notifier.choosing import Choosing
from notifier.content import unseal
from notifier.kinds import KINDS
from notifier.links import Links
from notifier.pages import application, form
from notifier.preferences import Chosen, Off
from notifier.reach import DEFAULT_REACHING
from shared import problem
from shared.clock import ManualClock
from shared.crypto import Signer, token_hash
from shared.db import open_database, reading, transaction
from shared.outbox import Producer, outbox
from shared.settings import ApiToken
from shared.topology import Topology

if TYPE_CHECKING:
    from conftest import Said, World

SIGNER = Signer(["sixteen-characters"])
PUBLIC = "https://pay.example.org"
MAY = {"Authorization": "Bearer may"}


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """One database is enough: the SQL of preferences is tried on both elsewhere."""
    return f"sqlite+aiosqlite:///{tmp_path}/notifier.db"


@dataclass
class Place:
    """The notifier's pages and API, with what stands behind them."""

    world: World
    client: TestClient[Any, Any]
    links: Links
    here: Choosing

    def at(self, url: str) -> str:
        """Return the path of one of our addresses."""
        parts = urlsplit(url)
        return f"{parts.path}?{parts.query}"

    async def page(self, **headers: str) -> str:
        """Open the page of preferences and return what it says."""
        response = await self.client.get(self.address, headers=headers)
        assert response.status == 200, await response.text()
        return await response.text()

    @property
    def address(self) -> str:
        """The address of the page."""
        return self.at(self.links.preferences("100245", self.world.clock()))

    async def send(self, **fields: str) -> ClientResponse:
        """Send a form of the page as a browser does."""
        token = re.search(r'name="csrf" value="(\w+)"', await self.page())
        assert token is not None
        return await self.client.post(
            self.address,
            data={"csrf": token[1], **fields},
            headers={"Sec-Fetch-Site": "same-origin"},
            allow_redirects=False,
        )

    async def chosen(self) -> preferences.Preference:
        """Return what is chosen for the contract."""
        async with reading(self.world.db) as tx:
            found = await preferences.find(tx, self.world.vault, ["100245"])
        return found.get("100245", preferences.NONE)

    async def said(self) -> list[dict[str, Any]]:
        """Return what core was told."""
        async with reading(self.world.db) as tx:
            rows = await tx.execute(select(outbox.c.body).order_by(outbox.c.id))
        return [orjson.loads(row.body)["data"] for row in rows]


@pytest.fixture
async def place(world: World, said: Said, clock: ManualClock) -> AsyncIterator[Place]:
    """A contract whose subscriber has both a telephone and a mailbox."""
    topology = Topology(frozenset({"core-billing", "notifier"}))
    here = Choosing(
        world.db,
        world.vault,
        clock,
        DEFAULT_REACHING,
        Producer("notifier", topology, SIGNER, world.vault),
        10_000,
        "Связь",
        {},
    )
    token = ApiToken(name="crm", scopes=("preferences:write",))
    api = web.api.application({token_hash("may"): token})
    api[web.DB], api[web.VAULT] = world.db, world.vault
    api[web_preferences.CHOOSING] = here
    application.mount(api, here, SIGNER, PUBLIC)
    await world.hear(said.contract(), said.subscriber())
    root = aiohttp_web.Application(middlewares=[problem.middleware])
    root.add_subapp(web.PREFIX, api)
    async with TestClient(TestServer(root)) as client:
        yield Place(world, client, Links(SIGNER, PUBLIC), here)


async def test_the_api_replaces_what_is_chosen_and_tells_core(place: Place) -> None:
    path = "/notifier/v1/preferences/100245"
    first = await (await place.client.get(path, headers=MAY)).json()
    assert (first["revision"], first["chosen"]["low_balance_kopecks"]) == (0, None)
    wanted = {
        "channels": ["sms", "email"],
        "one_by_one": True,
        "off": [{"kind": "payment", "channel": "sms"}],
        "low_balance_kopecks": 50_000,
        "low_balance_days": 3,
        "addresses": {"email": "own@example.net"},
    }
    answer = await place.client.put(path, headers=MAY, json=wanted)
    assert answer.status == 200, await answer.text()
    body = await answer.json()
    assert body["addresses"]["email"]["address"] == "o***@example.net"
    assert [(e["kind"], e.get("threshold_kopecks"), e.get("days")) for e in await place.said()] == [
        ("balance", 50_000, None),
        ("days", 0, 3),
    ]
    again = await place.client.put(path, headers=MAY, json={"addresses": {"email": None}})
    assert (await again.json())["addresses"] == {}
    assert [(e["kind"], e.get("threshold_kopecks")) for e in (await place.said())[2:]] == [
        ("balance", 10_000),
        ("days", None),
    ]


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"channels": []}, "channels"),
        ({"channels": ["sms", "sms"]}, "channels"),
        ({"channels": ["bot"]}, "channels"),
        ({"off": [{"kind": "blocked"}]}, "off"),
        ({"off": [{"kind": "weather"}]}, "off.0.kind"),
        ({"low_balance_days": 61}, "low_balance_days"),
        ({"addresses": {"sms": "нет"}}, "address"),
        ({"surprise": 1}, "surprise"),
    ],
)
async def test_what_cannot_be_chosen_is_named(
    place: Place, wanted: dict[str, Any], field: str
) -> None:
    answer = await place.client.put("/notifier/v1/preferences/100245", headers=MAY, json=wanted)
    assert answer.status == 422, await answer.text()
    assert [error["field"] for error in (await answer.json())["errors"]] == [field]
    assert (await place.chosen()).revision == 0


async def test_an_unknown_contract_has_no_preferences(place: Place) -> None:
    answer = await place.client.get("/notifier/v1/preferences/404", headers=MAY)
    assert answer.status == 404
    link = place.at(place.links.preferences("404", place.world.clock()))
    assert (await place.client.get(link)).status == 404


async def test_the_page_saves_and_messages_obey(place: Place, said: Said) -> None:
    answer = await place.send(
        act="save",
        use_email="1",
        kind_payment="off",
        kind_fee_upcoming="all",
        low_balance="500",
        low_balance_days="3",
        language="en",
    )
    assert answer.status == 303, await answer.text()
    chosen = (await place.chosen()).chosen
    assert chosen.channels == ("email",)
    assert (chosen.low_balance_kopecks, chosen.low_balance_days) == (50_000, 3)
    assert (chosen.on, chosen.language) == (("fee_upcoming",), "en")
    await place.world.hear(said.payment(), said.low())
    await place.world.prepare()
    rows = {(row.kind, row.channel): (row.state, row.reason) for row in await place.world.rows()}
    assert rows["payment", "email"] == ("skipped", "off")
    assert rows["low_balance", "email"] == ("ready", None)
    assert rows["low_balance", "sms"] == ("skipped", "not_chosen")
    row = await place.world.row(kind="low_balance", channel="email")
    assert "running out of money" in unseal(place.world.vault, row.sealed).text


async def test_to_look_never_acts_and_a_form_must_be_ours(place: Place) -> None:
    await place.page()
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-origin"}):
        forged = await place.client.post(
            place.address, data={"csrf": "0", "act": "save", "use_sms": "1"}, headers=headers
        )
        assert forged.status == 403
    assert (await place.chosen()).revision == 0


async def test_a_link_of_another_kind_opens_nothing(place: Place, clock: ManualClock) -> None:
    other = place.links.unsubscribe("100245", "payment", "email", clock())
    wrong = place.at(other).replace("/unsubscribe", "/preferences")
    assert (await place.client.get(wrong)).status == 403
    old = place.address
    clock.advance(timedelta(days=31))
    assert (await place.client.get(old)).status == 403
    assert (await place.client.get("/notifier/preferences")).status == 403


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"act": "save"}, "choose at least one way"),
        ({"act": "save", "use_sms": "1", "low_balance": "-5"}, "must be above zero"),
        ({"act": "save", "use_sms": "1", "low_balance_days": "90"}, "from 1 to 60"),
        ({"act": "address", "channel": "sms", "address": "нет"}, "nothing can be sent there"),
        ({"act": "code", "channel": "sms", "code": "000000"}, "no longer valid"),
    ],
)
async def test_a_wrong_field_is_named_on_the_page(
    place: Place, fields: dict[str, str], words: str
) -> None:
    answer = await place.send(**fields)
    assert answer.status == 422
    english = await place.client.get(f"{place.address}&lang=en")
    assert english.status == 200
    again = await place.send(**fields)
    assert words in await again.text()


async def test_an_address_counts_when_its_code_comes_back(
    place: Place, said: Said, clock: ManualClock
) -> None:
    sent = await place.send(act="address", channel="email", address="new@example.net")
    assert sent.status == 303, await sent.text()
    await place.world.deliver()
    (mail,) = place.world.email.taken
    code = re.search(r"\d{6}", mail.content.text)
    assert code is not None
    assert mail.content.to == "new@example.net"
    assert (await place.chosen()).addresses == {}
    wrong = await place.send(act="code", channel="email", code="000000")
    assert wrong.status == 422
    right = await place.send(act="code", channel="email", code=code[0])
    assert right.status == 303, await right.text()
    assert (await place.chosen()).addresses["email"].confirmed_at == clock()
    assert (await place.send(act="code", channel="email", code=code[0])).status == 422
    await place.world.hear(said.payment())
    await place.world.prepare()
    row = await place.world.row(channel="email", kind="payment")
    assert unseal(place.world.vault, row.sealed).to == "new@example.net"
    assert (await place.send(act="forget", channel="email")).status == 303
    assert (await place.chosen()).addresses == {}


async def test_a_code_is_bounded_in_tries_time_and_number(place: Place, clock: ManualClock) -> None:
    async def ask() -> int:
        sent = await place.send(act="address", channel="sms", address="8 (916) 000-00-01")
        return int(sent.status)

    assert await ask() == 303
    assert await ask() == 422, "one a minute"
    await place.world.deliver()
    code = re.search(r"\d{6}", place.world.sms.taken[0].content.text)
    assert code is not None
    other = "111111" if code[0] != "111111" else "222222"
    for _ in range(5):
        assert (await place.send(act="code", channel="sms", code=other)).status == 422
    assert (await place.send(act="code", channel="sms", code=code[0])).status == 422
    for _ in range(4):
        clock.advance(timedelta(minutes=16))
        assert await ask() == 303
    clock.advance(timedelta(minutes=16))
    assert await ask() == 422, "five a day"
    assert (await place.chosen()).addresses == {}
    clock.advance(timedelta(days=1))
    assert await ask() == 303


@pytest.mark.parametrize("arrives", [True, False])
async def test_a_code_says_nothing_of_the_address_that_is_used(
    place: Place, said: Said, arrives: bool
) -> None:
    """It goes to an address that is nobody's yet."""
    world = place.world

    async def faults() -> dict[str, str]:
        async with reading(world.db) as tx:
            rows = (await unreachable.page(tx, limit=5, partly=True)).get("100245", [])
        return {row.channel: row.reason for row in rows}

    dead = Permanent("no such mailbox", dead=True)
    if arrives:
        world.email.answer = lambda _outgoing: dead
        await world.hear(said.payment())
        await world.prepare()
        await world.deliver()
    before = await faults()
    await place.send(act="address", channel="email", address="new@example.net")
    world.email.answer = lambda _outgoing: Accepted("1") if arrives else dead
    await world.deliver()
    assert world.email.taken[-1].content.to == "new@example.net"
    assert await faults() == before == ({"email": "dead_address"} if arrives else {})


@pytest.mark.parametrize("tried", [False, True])
async def test_what_is_refused_does_not_leave_any_more(
    place: Place, said: Said, clock: ManualClock, tried: bool
) -> None:
    world = place.world
    await world.hear(said.payment(), said.access())
    await world.prepare()
    if tried:
        world.email.answer = lambda _outgoing: Temporary("busy")
        await world.deliver(world.email)
        world.email.taken.clear()
        world.email.answer = lambda _outgoing: Accepted("1")
    url = place.at(place.links.unsubscribe("100245", "payment", "email", clock()))
    assert (await place.client.post(url, data={})).status == 200
    clock.advance(timedelta(minutes=1))
    await world.prepare()
    await world.deliver()
    assert [outgoing.kind for outgoing in world.email.taken] == ["blocked"]
    assert sorted(outgoing.kind for outgoing in world.sms.taken) == ["blocked", "payment"]
    assert (await world.row(kind="payment", channel="email")).reason == "off"


async def test_what_waits_goes_to_the_address_of_now(place: Place, said: Said) -> None:
    world = place.world
    await world.hear(said.payment())
    await place.send(act="address", channel="sms", address="8 (916) 000-00-01")
    await world.prepare()
    await world.hear(said.subscriber(revision=2, email="new@example.net"))
    assert await world.rows(kind="address_code", state="ready"), "a code is written once"
    await world.prepare()
    await world.deliver()
    (mail,) = world.email.taken
    assert mail.content.to == "new@example.net"
    assert len(world.sms.taken) == 2


@pytest.mark.connected
@pytest.mark.postgres
async def test_of_two_who_choose_first_neither_is_lost(
    place: Place, prepared_postgres: str
) -> None:
    db = open_database(prepared_postgres)
    async with transaction(db) as tx:
        await tx.execute(preferences.preference.delete())
    here = replace(place.here, db=db)
    kinds = ("payment", "refund", "statement", "low_balance")
    await asyncio.gather(*(choosing.refuse(here, "100245", kind, "sms") for kind in kinds))
    async with reading(db) as tx:
        found = (await preferences.find(tx, here.vault, ["100245"]))["100245"]
    assert {off.kind for off in found.chosen.off} == set(kinds)
    assert found.revision == len(kinds)
    await db.close()


async def test_one_click_leaves_a_kind_once(place: Place, said: Said, clock: ManualClock) -> None:
    url = place.at(place.links.unsubscribe("100245", "payment", "email", clock()))
    looked = await place.client.get(url)
    assert looked.status == 200
    assert (await place.chosen()).chosen.off == ()
    for _ in range(2):
        left = await place.client.post(url, data={"List-Unsubscribe": "One-Click"})
        assert left.status == 200
    assert (await place.chosen()).chosen.off == (Off(kind="payment", channel="email"),)
    await place.world.hear(said.payment())
    await place.world.prepare()
    states = {row.channel: row.state for row in await place.world.rows(kind="payment")}
    assert states == {"email": "skipped", "sms": "ready"}
    # RFC 8058, 3.2: mail readers should send it so, and may send it as a plain form.
    other = place.at(place.links.unsubscribe("100245", "refund", "email", clock()))
    with MultipartWriter("form-data") as parts:
        parts.append("One-Click").set_content_disposition("form-data", name="List-Unsubscribe")
    assert (await place.client.post(other, data=parts)).status == 200
    assert Off(kind="refund", channel="email") in (await place.chosen()).chosen.off
    many = FormData({"List-Unsubscribe": "One-Click" * 10_000}, default_to_multipart=True)
    assert (await place.client.post(other, data=many)).status == 413
    kept = place.at(place.links.unsubscribe("100245", "blocked", "email", clock()))
    assert (await place.client.post(kept, data={})).status == 422


_OFF = st.builds(
    Off,
    kind=st.sampled_from(sorted(k for k, v in KINDS.items() if v.refusable)),
    channel=st.sampled_from(["sms", "email", None]),
)
_CHOSEN = st.builds(
    Chosen,
    channels=st.sampled_from([None, ("sms",), ("sms", "email")]),
    one_by_one=st.sampled_from([None, True, False]),
    off=st.lists(_OFF, max_size=6).map(tuple),
    on=st.lists(st.sampled_from(["fee_upcoming", "statement"]), unique=True).map(tuple),
    low_balance_kopecks=st.none() | st.integers(1, 10**6),
    low_balance_days=st.none() | st.integers(1, 60),
)


@given(_CHOSEN)
def test_a_form_that_is_sent_back_unchanged_changes_nothing(chosen: Chosen) -> None:
    channels = ("email", "sms")
    used = channels if chosen.channels is None else chosen.channels
    kopecks = chosen.low_balance_kopecks
    fields = {f"use_{channel}": "1" for channel in used}
    fields |= {f"kind_{c.kind.name}": c.value for c in form.choices(chosen, channels)}
    fields |= {
        "first": used[0],
        "mode": {None: "", True: "first", False: "all"}[chosen.one_by_one],
        "low_balance": "" if kopecks is None else f"{kopecks // 100},{kopecks % 100:02}",
        "low_balance_days": str(chosen.low_balance_days or ""),
    }
    again = form.read(fields, chosen, channels)
    assert form.choices(again, channels) == form.choices(chosen, channels)
    for name in ("channels", "one_by_one", "low_balance_kopecks", "low_balance_days"):
        assert getattr(again, name) == getattr(chosen, name)
    told = [
        (kind, channel) for kind in KINDS for channel in channels if channel in KINDS[kind].channels
    ]
    assert [again.refuses(*each) for each in told if KINDS[each[0]].on] == [
        chosen.refuses(*each) for each in told if KINDS[each[0]].on
    ]
