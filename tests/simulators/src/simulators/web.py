"""Pages of the sandbox: plain HTML, one style sheet, no script inside the page."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jinja2
from aiohttp import web

from simulators.settings import SandboxSettings
from simulators.store import Store

SETTINGS: web.AppKey[SandboxSettings] = web.AppKey("sandbox-settings", SandboxSettings)
STORE: web.AppKey[Store] = web.AppKey("sandbox-store", Store)
HERE = Path(__file__).parent
STATIC = HERE / "static"


def page(
    request: web.Request,
    template: str,
    *,
    leads_to: str | None = None,
    status: int = 200,
    **context: Any,
) -> web.Response:
    """Render a page. `leads_to` is where its form redirects, which the browser must be told."""
    prefix = urlsplit(request.config_dict[SETTINGS].public_url).path.rstrip("/")
    text = _environment().get_template(template).render(prefix=prefix, **context)
    headers = {
        "Content-Security-Policy": policy(leads_to),
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return web.Response(text=text, status=status, content_type="text/html", headers=headers)


def policy(leads_to: str | None) -> str:
    """Return a strict Content-Security-Policy: own style sheet and own script files only."""
    targets = "'self'"
    if leads_to:
        parts = urlsplit(leads_to)
        # Chromium checks the redirect after a form against form-action, too.
        targets = f"'self' {parts.scheme}://{parts.netloc}"
    return (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        f"img-src data:; form-action {targets}; base-uri 'none'; frame-ancestors 'none'"
    )


def rouble_text(kopecks: int) -> str:
    """Write kopecks for people: `1 234,50 ₽` with a narrow space."""
    roubles, rest = divmod(kopecks, 100)
    return f"{roubles:,},{rest:02d} ₽".replace(",", "\u202f", f"{roubles:,}".count(","))


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["roubles"] = rouble_text
    return environment
