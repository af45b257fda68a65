"""Who opens a page of autopay: whoever holds a signed link. Its subject is all that they may touch.

There is no session and no cookie. A form carries a token that only its link yields, so a form of
one link is worth nothing at another.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from typing import Final
from urllib.parse import urlencode

from aiohttp import hdrs, web

from autopay.autopay import Autopay
from autopay.links import AUDIENCE
from autopay.web.base import AUTOPAY
from shared.crypto import Link, Signer, read_link
from shared.errors import Forbidden
from shared.web import csrf, forms, pages

_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Visit:
    """A request that came by a link."""

    autopay: Autopay
    token: str
    link: Link

    @property
    def csrf(self) -> str:
        """The token that the forms of this link carry."""
        return csrf.token(self.autopay.producer.signer, self.token)

    @property
    def cabinet(self) -> str:
        """Where links are had: the subscriber's own pages."""
        return f"{self.autopay.public_url.rstrip('/')}/cabinet/"

    def to(self, request: web.Request, route: str, **more: str) -> str:
        """Return the address of another page of the same link."""
        return f"{pages.address(request, route)}?{urlencode({'token': self.token, **more})}"


Page = Callable[[web.Request, Visit], Awaitable[web.Response]]


def by_link(purpose: str) -> Callable[[Page], Callable[[web.Request], Awaitable[web.Response]]]:
    """Let a page be opened by a link of one purpose only; others are told where to get one."""

    def guard(page: Page) -> Callable[[web.Request], Awaitable[web.Response]]:
        @wraps(page)
        async def guarded(request: web.Request) -> web.Response:
            autopay, token = request.app[AUTOPAY], request.query.get("token", "")
            signer, at = autopay.producer.signer, autopay.clock()
            try:
                link = read_link(signer, token, audience=AUDIENCE, purpose=purpose, at=at)
            except Forbidden:
                return _dead(request, expired=_expired(signer, token, purpose))
            return await page(request, Visit(autopay, token, link))

        return guarded

    return guard


async def read_form(request: web.Request, visit: Visit) -> Mapping[str, str]:
    """Read a form that was sent from a page of this very link; raises Forbidden for others."""
    csrf.check_origin(request, visit.autopay.public_url)
    form = await forms.read(request)
    signer = visit.autopay.producer.signer
    csrf.check_token(request, signer, visit.token, form.get(csrf.FIELD))
    return form


def see_other(address: str) -> web.Response:
    """Send a browser to another page, whatever the method was."""
    return web.Response(status=303, headers={hdrs.LOCATION: address})


def _expired(signer: Signer, token: str, purpose: str) -> bool:
    try:
        read_link(signer, token, audience=AUDIENCE, purpose=purpose, at=_LONG_AGO)
    except Forbidden:
        return False
    return True


def _dead(request: web.Request, *, expired: bool) -> web.Response:
    t = pages.translate(request)
    which = "expired" if expired else "bad_link"
    cabinet = f"{request.app[AUTOPAY].public_url.rstrip('/')}/cabinet/"
    return pages.render(
        request,
        "said.html",
        status=Forbidden.status,
        title=t(f"{which}_title"),
        sentences=[t(f"{which}_text")],
        actions=[(t("to_cabinet"), cabinet)],
        cabinet=cabinet,
    )
