"""The sandbox as one application: YooKassa, two banks, two SMS providers, a messenger, mail, an
access controller, and a subscriber's inbox.

Mount it under the prefix that `SandboxSettings.public_url` ends with::

    root.add_subapp("/sandbox", create(SandboxSettings(public_url="http://127.0.0.1:8080/sandbox")))
"""

from __future__ import annotations

from aiohttp import web

from simulators import inbox, message
from simulators.access import app as access
from simulators.bot import app as bot
from simulators.clock import SandboxClock
from simulators.mail import sink
from simulators.mail.sink import SINK, Sink
from simulators.raiffeisen import app as raiffeisen
from simulators.settings import SandboxSettings
from simulators.smsc import app as smsc
from simulators.smsc.desk import Desk
from simulators.smsru import app as smsru
from simulators.store import Store
from simulators.tbank import app as tbank
from simulators.web import SETTINGS, STATIC, STORE
from simulators.yookassa import app as yookassa
from simulators.yookassa.provider import open_provider

CLOCK: web.AppKey[SandboxClock] = web.AppKey("sandbox-clock", SandboxClock)


def create(settings: SandboxSettings) -> web.Application:
    """Return the sandbox; its loops and its SMTP server live as long as the application runs.

    `app[SINK].port` is the SMTP server's port, known after the start where the settings say 0.
    """
    schemas = (
        *yookassa.SCHEMAS,
        message.SCHEMA,
        *raiffeisen.SCHEMAS,
        *tbank.SCHEMAS,
        access.SCHEMA,
    )
    store = Store(settings.store_path, schemas)
    clock = SandboxClock()
    app = web.Application()
    app[SETTINGS], app[STORE], app[CLOCK] = settings, store, clock
    app[SINK] = Sink(store, clock, settings.smtp_port)
    app.add_routes(
        [
            web.get("", inbox.home),
            web.get("/", inbox.home),
            web.get("/messages", inbox.show),
            web.get("/messages.json", inbox.list_),
            web.delete("/messages", inbox.clear),
            web.static("/static", STATIC),
        ]
    )
    app.add_subapp("/yookassa", yookassa.create(open_provider(settings, store, clock)))
    app.add_subapp("/raiffeisen", raiffeisen.create(settings, store, clock))
    app.add_subapp("/tbank", tbank.create(settings, store, clock))
    app.add_subapp(
        "/smsc", smsc.create(Desk(settings, store, clock, settings.smsc_balance_kopecks))
    )
    app.add_subapp("/smsru", smsru.create(store, clock))
    app.add_subapp("/bot", bot.create(store, clock))
    app.add_subapp("/access", access.create(settings.access_secret, clock))
    app.add_subapp("/mail", sink.create(app[SINK]))
    # After the mounted ones have ended: they write to it until then.
    app.on_cleanup.append(_close)
    return app


async def _close(app: web.Application) -> None:
    app[STORE].close()
