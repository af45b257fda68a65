"""Where the pages are, and who may open them: whoever holds a signed link, nobody else.

There is no session and no cookie. What a page shows is read, never done; only a form acts, and it
carries a token that only its link yields. Leaving a kind by one click is the exception that mail
readers need: RFC 8058 has them send a form of their own, with nothing but the link.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from aiohttp import hdrs, web

from notifier import addresses, choosing, confirmations, preferences, reach
from notifier.channels.port import ChannelName
from notifier.choosing import Choosing
from notifier.directory import Entry
from notifier.kinds import KINDS
from notifier.links import AUDIENCE, PREFERENCES, UNSUBSCRIBE
from notifier.pages import form
from notifier.pages.texts import TEXTS
from notifier.preferences import DAYS_MAX, NONE, Preference
from shared.bodies import read_body
from shared.crypto import Link, Signer, read_link
from shared.db import reading
from shared.errors import FieldError, Invalid, NotFound, Text
from shared.web import csrf, forms, pages

HERE: Final = web.AppKey("notifier_pages", Choosing)
SIGNER: Final = web.AppKey("notifier_signer", Signer)
PUBLIC_URL: Final = web.AppKey("notifier_public_url", str)
_CHANNELS: Final[Mapping[str, ChannelName]] = {"sms": "sms", "email": "email", "bot": "bot"}


def mount(app: web.Application, here: Choosing, signer: Signer, public_url: str) -> None:
    """Add the pages to the application of the service."""
    app[HERE], app[SIGNER], app[PUBLIC_URL] = here, signer, public_url
    pages.setup(app, __name__.rpartition(".")[0], TEXTS)
    app.router.add_get("/preferences", show, name="preferences")
    app.router.add_post("/preferences", act)
    app.router.add_get("/unsubscribe", show_way_out, name="unsubscribe")
    app.router.add_post("/unsubscribe", leave)


async def show(request: web.Request) -> web.Response:
    """Show what a contract's subscriber is told, and where."""
    return await _page(request, _link(request, PREFERENCES))


async def act(request: web.Request) -> web.Response:
    """Do what a form of the page says, and show the page again."""
    link = _link(request, PREFERENCES)
    csrf.check_origin(request, request.app[PUBLIC_URL])
    said = await forms.read(request)
    csrf.check_token(request, request.app[SIGNER], _token(request), said.get(csrf.FIELD))
    doing = _ACTS.get(said.get("act", ""), _save)
    try:
        await doing(request.app[HERE], link.subject, said)
    except Invalid as error:
        return await _page(request, link, error.fields, said)
    query = {"token": _token(request)} | ({"done": "1"} if doing is _save else {})
    there = f"{pages.address(request, 'preferences')}?{urlencode(query)}"
    return web.Response(status=303, headers={hdrs.LOCATION: there})


async def show_way_out(request: web.Request) -> web.Response:
    """Ask whether a kind is to be left: to look at a link does nothing."""
    link = _link(request, UNSUBSCRIBE)
    return _out(request, link, done=False)


async def leave(request: web.Request) -> web.Response:
    """Switch a kind off on a channel: by the page's button, or by the mail reader itself."""
    link = _link(request, UNSUBSCRIBE)
    # Nothing in the form is asked for: RFC 8058, 3.2, lets it come in two shapes.
    await read_body(request, forms.FORM_BYTES_MAX)
    kind, channel = _claims(link)
    await choosing.refuse(request.app[HERE], link.subject, kind, channel)
    return _out(request, link, done=True)


async def _save(here: Choosing, contract: str, said: Mapping[str, str]) -> None:
    async with reading(here.db) as tx:
        found = (await preferences.find(tx, here.vault, [contract])).get(contract, NONE)
    await choosing.choose(here, contract, form.read(said, found.chosen, _channels(here)))


async def _ask(here: Choosing, contract: str, said: Mapping[str, str]) -> None:
    await choosing.ask(here, contract, _channel(said), said.get("address", ""))


async def _confirm(here: Choosing, contract: str, said: Mapping[str, str]) -> None:
    await choosing.confirm(here, contract, _channel(said), said.get("code", ""))


async def _forget(here: Choosing, contract: str, said: Mapping[str, str]) -> None:
    await choosing.forget(here, contract, _channel(said))


_ACTS: Final[Mapping[str, Callable[[Choosing, str, Mapping[str, str]], Awaitable[None]]]] = {
    "address": _ask,
    "code": _confirm,
    "forget": _forget,
}


def _channel(said: Mapping[str, str]) -> ChannelName:
    return _CHANNELS.get(said.get("channel", ""), "email")


def _channels(here: Choosing) -> tuple[ChannelName, ...]:
    return tuple(channel for channel in here.reaching.channels if channel != "webhook")


def _link(request: web.Request, purpose: str) -> Link:
    here = request.app[HERE]
    return read_link(
        request.app[SIGNER],
        _token(request),
        audience=AUDIENCE,
        purpose=purpose,
        at=here.clock(),
    )


def _token(request: web.Request) -> str:
    return request.query.get("token", "")


def _claims(link: Link) -> tuple[str, str]:
    return str(link.claims.get("kind", "")), str(link.claims.get("channel", ""))


async def _page(
    request: web.Request,
    link: Link,
    wrong: tuple[FieldError, ...] = (),
    said: Mapping[str, str] | None = None,
) -> web.Response:
    here, contract = request.app[HERE], link.subject
    async with reading(here.db) as tx:
        entry = await choosing.known(tx, here, contract)
        found = (await preferences.find(tx, here.vault, [contract])).get(contract, NONE)
        codes = await confirmations.waiting(tx, here.vault, contract, here.clock())
    request[pages.LANGUAGE] = found.chosen.language or entry.language
    return pages.render(
        request,
        "preferences.html",
        status=422 if wrong else 200,
        csrf=csrf.token(request.app[SIGNER], _token(request)),
        action=f"{pages.address(request, 'preferences')}?{urlencode({'token': _token(request)})}",
        contract=contract,
        done="done" in request.query and not wrong,
        wrong={each.field: each.text for each in wrong},
        said=said or {},
        codes={channel: addresses.masked(each) for channel, each in codes.items()},
        **_shown(here, entry, found) | _typed(here, said or {}),
    )


def _shown(here: Choosing, entry: Entry, found: Preference) -> dict[str, Any]:
    """Return what the page shows of what is chosen."""
    chosen, channels = found.chosen, _channels(here)
    used = channels if chosen.channels is None else chosen.channels
    everywhere = Preference(addresses=found.addresses)
    state = reach.state(entry, everywhere, here.reaching)
    known = {
        channel: addresses.masked(reach.given(channel, entry, found, here.reaching)[0])
        for channel in channels
        if channel in state.usable
    }
    return {
        "channels": channels,
        "used": used,
        "first": used[0] if used else "",
        "known": known,
        "faults": {c: r.partition("_")[0] for c, r in state.wrong.items()},
        "own": [channel for channel in channels if channel in found.addresses],
        "mode": {None: "", False: "all", True: "first"}[chosen.one_by_one],
        "choices": form.choices(chosen, channels),
        "always": form.always(),
        "low_balance": chosen.low_balance_kopecks,
        "low_default": here.low_balance_kopecks,
        "low_balance_days": chosen.low_balance_days or "",
        "days_max": DAYS_MAX,
        "speaks": chosen.language or "",
    }


def _typed(here: Choosing, said: Mapping[str, str]) -> dict[str, Any]:
    """Return the boxes as they were ticked, where the form comes back with a complaint."""
    if said.get("act") != "save":
        return {}
    return {"used": [channel for channel in _channels(here) if said.get(f"use_{channel}")]}


def _out(request: web.Request, link: Link, *, done: bool) -> web.Response:
    kind, _ = _claims(link)
    if kind not in KINDS:
        raise NotFound(Text("There is no such kind", "Такого вида нет"))
    return pages.render(
        request,
        "unsubscribe.html",
        contract=link.subject,
        kind=KINDS[kind].title,
        done=done,
        action=f"{pages.address(request, 'unsubscribe')}?{urlencode({'token': _token(request)})}",
        cabinet=f"{request.app[PUBLIC_URL].rstrip('/')}/cabinet/",
    )
