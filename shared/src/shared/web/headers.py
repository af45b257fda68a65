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
_TO_PROVIDER: Final = _POLICY.format(targets="'self' https:")
_TO_PROVIDER_IN_CLEAR: Final = _POLICY.format(targets="'self' https: http:")

_ALWAYS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def policy_of_paying(public_url: str) -> str:
    """Return the policy of a page whose form leads on to a provider.

    An installation that is itself served without TLS is somebody's trial, and so is its provider.
    """
    return _TO_PROVIDER if public_url.startswith("https:") else _TO_PROVIDER_IN_CLEAR


async def protect(request: web.Request, response: web.StreamResponse) -> None:
    """Add what a handler has not set itself; connected to an application by `pages.setup`."""
    for name, value in _ALWAYS.items():
        response.headers.setdefault(name, value)
    if response.content_type == "text/html":
        response.headers.setdefault("Content-Security-Policy", POLICY)
