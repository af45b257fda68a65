"""Who is asking: the cabinet's settings, the session behind a cookie, and the guards of a form."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Final
from urllib.parse import urlencode

from aiohttp import hdrs, web

from core_billing import contracts, sessions, subscribers
from core_billing.attempts import Limits
from core_billing.contracts import Contract
from core_billing.sessions import Session
from core_billing.subscribers import Reader
from core_billing.topups import CARD, Amounts
from shared.client import Network
from shared.clock import Clock
from shared.crypto import Signer
from shared.db import Database, Tx, reading
from shared.errors import NotFound, Text, Unauthorized
from shared.web import csrf, forms, pages

COOKIE: Final = "saldo_session"
_TOKEN_LENGTH_MAX: Final = 64
_NO_CONTRACT: Final = Text("You have no such contract", "У вас нет такого договора")


@dataclass(frozen=True)
class Cabinet:
    """What the cabinet needs of the service it belongs to."""

    db: Database
    signer: Signer
    clock: Clock
    public_url: str
    poll_seconds: float = 2.0
    trusted_proxies: Sequence[Network] = ()
    suggested_kopecks: int = 50_000
    amounts: Amounts = field(default_factory=Amounts)
    gateways: Sequence[str] = (CARD,)
    """Who takes top-ups; the first where the form does not say."""
    saves: bool = False
    """Whether subscribers are asked for leave to save the card they top up with."""
    services: Collection[str] = ()
    """Who runs beside us: only to their pages does the cabinet lead."""
    limits: Limits = field(default_factory=Limits)


CABINET: Final = web.AppKey("cabinet", Cabinet)


@dataclass(frozen=True, slots=True)
class Visit:
    """A request of a signed-in subscriber."""

    cabinet: Cabinet
    token: str
    session: Session
    reader: Reader

    @property
    def csrf(self) -> str:
        """The token that this visitor's forms carry."""
        return csrf.token(self.cabinet.signer, self.token)


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
PersonalHandler = Callable[[web.Request, Visit], Awaitable[web.StreamResponse]]


def signed_in(handler: PersonalHandler) -> Handler:
    """Let only signed-in subscribers through; a browser is led to the sign-in page and back."""

    @wraps(handler)
    async def guarded(request: web.Request) -> web.StreamResponse:
        visit = await _visit(request)
        if visit is None:
            return _ask_to_sign_in(request)
        request[pages.LANGUAGE] = visit.reader.language
        return await handler(request, visit)

    return guarded


async def own_contract(
    tx: Tx, visit: Visit, number: str, otherwise: Text = _NO_CONTRACT
) -> Contract:
    """Return a contract of this visitor; raises NotFound for others', as for those that are not."""
    contract = await contracts.find(tx, number)
    if contract is None or contract.subscriber_id != visit.reader.id:
        raise NotFound(otherwise)
    return contract


async def read_form(request: web.Request, visit: Visit) -> Mapping[str, str]:
    """Read a form that this visitor sent from one of our pages; raises Forbidden for others."""
    csrf.check_origin(request, visit.cabinet.public_url)
    form = await forms.read(request)
    csrf.check_token(request, visit.cabinet.signer, visit.token, form.get(csrf.FIELD))
    return form


def see_other(address: str) -> web.Response:
    """Send a browser to another page, whatever the method was."""
    return web.Response(status=303, headers={hdrs.LOCATION: address})


def token_of(request: web.Request) -> str:
    """Return the session token a browser has sent, or an empty text."""
    token = request.cookies.get(COOKIE, "")
    return token if len(token) <= _TOKEN_LENGTH_MAX else ""


def set_cookie(response: web.StreamResponse, cabinet: Cabinet, token: str) -> None:
    """Hand a browser its session; no script sees it, and no other site's form sends it."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(sessions.AGE_MAX.total_seconds()),
        path="/cabinet",
        secure=cabinet.public_url.startswith("https://"),
        httponly=True,
        samesite="Lax",
    )


def del_cookie(response: web.StreamResponse, cabinet: Cabinet) -> None:
    """Take a browser's session cookie back."""
    response.del_cookie(
        COOKIE, path="/cabinet", secure=cabinet.public_url.startswith("https://"), httponly=True
    )


async def _visit(request: web.Request) -> Visit | None:
    cabinet = request.app[CABINET]
    token = token_of(request)
    if not token:
        return None
    at = cabinet.clock()
    async with reading(cabinet.db) as tx:
        session = await sessions.find(tx, token, at)
        if session is None:
            return None
        reader = await subscribers.reader(tx, session.subscriber_id)
    if reader is None:
        return None
    await sessions.touch(cabinet.db, session, at)
    return Visit(cabinet, token, session, reader)


def _ask_to_sign_in(request: web.Request) -> web.Response:
    if "text/html" not in request.headers.get(hdrs.ACCEPT, ""):
        raise Unauthorized(Text("Sign in first", "Сначала войдите"))
    login = pages.address(request, "login")
    if request.method != "GET":
        return see_other(login)
    return see_other(f"{login}?{urlencode({'next': request.path})}")
