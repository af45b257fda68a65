"""Headers that keep a page what it is: no foreign script, no frame, no copy in a cache."""

from __future__ import annotations

from typing import Final

from aiohttp import web

_POLICY: Final = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'none'; form-action {targets}"
)
POLICY: Final = _POLICY.format(targets="'self'")

# Browsers hold a form to this list through every redirect that follows it, and the last one goes
# to a provider whose hosts only the provider knows.
POLICY_OF_PAYING: Final = _POLICY.format(targets="'self' https:")

_ALWAYS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


async def protect(request: web.Request, response: web.StreamResponse) -> None:
    """Add what a handler has not set itself; connected to an application by `pages.setup`."""
    for name, value in _ALWAYS.items():
        response.headers.setdefault(name, value)
    if response.content_type == "text/html":
        response.headers.setdefault("Content-Security-Policy", POLICY)
