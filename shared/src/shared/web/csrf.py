"""Whether a form was sent by a person who saw it here.

Two guards. The browser itself says where a request was started (`Sec-Fetch-Site`, in older ones
`Origin`); and a form of a signed-in person carries a token which only their session yields.
Signing in has no session yet, so there the first guard stands alone. A client that sends none of
these headers is no browser, nobody's cookies can ride on it, and a script need not read our forms.
Source: Fetch Metadata Request Headers, W3C; OWASP Cross-Site Request Forgery Prevention.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from shared.crypto import Signer
from shared.errors import Forbidden, Text

FIELD: Final = "csrf"
_PURPOSE: Final = "csrf"
_OF_BROWSERS: Final = ("Sec-Fetch-Site", "Origin", "Referer")
_OURS: Final = ("same-origin", "none")

_REFUSED: Final = Text(
    "The form was not sent from our page: open the page again and repeat",
    "Форма отправлена не с нашей страницы: откройте страницу заново и повторите",
)
_STALE: Final = Text(
    "The form is out of date: open the page again and repeat",
    "Форма устарела: откройте страницу заново и повторите",
)


def token(signer: Signer, session: str) -> str:
    """Return what a form of this session must carry in the field `csrf`."""
    return signer.sign(_PURPOSE, session.encode())


def check_origin(request: web.Request, public_url: str) -> None:
    """Raise Forbidden where a browser says that another site started the request."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        if site not in _OURS:
            raise Forbidden(_REFUSED)
        return
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc not in (
        urlsplit(public_url).netloc,
        request.host,
    ):
        raise Forbidden(_REFUSED)


def check_token(request: web.Request, signer: Signer, session: str, given: str | None) -> None:
    """Raise Forbidden where a form does not carry its session's token, in the time of any other.

    A form without any token passes only from a client that is no browser.
    """
    if given is None and not any(name in request.headers for name in _OF_BROWSERS):
        return
    if given is None or not signer.verify(_PURPOSE, session.encode(), given):
        raise Forbidden(_STALE)
