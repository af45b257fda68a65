"""The SMTP server: real sessions on loopback, refusals on demand."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

from simulators import control, message
from simulators.clock import SandboxClock
from simulators.mail import letter
from simulators.message import Message
from simulators.store import Store

LARGEST_LETTER = 1024 * 1024
LARGEST_SCRIPT = 1_000
STAGES = ("rcpt", "data")
TEXTS = {
    421: "4.3.2 Service shutting down",
    451: "4.3.0 Try again later",
    452: "4.2.2 Mailbox full",
    550: "5.1.1 No such mailbox",
    552: "5.3.4 Message too big",
    554: "5.7.1 Rejected as spam",
}


@dataclass(slots=True)
class Sink:
    """Takes letters; `script` holds `(stage, code)` for the next ones."""

    store: Store
    clock: SandboxClock
    port: int
    script: deque[tuple[str, int]] = field(default_factory=lambda: deque(maxlen=LARGEST_SCRIPT))
    sessions: weakref.WeakSet[SMTP] = field(default_factory=weakref.WeakSet)

    async def handle_RCPT(
        self, _: SMTP, __: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Accept a recipient, or refuse it as scripted."""
        if refusal := self._scripted("rcpt"):
            return refusal
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:
        """Keep the letter, once for each recipient, before the 250."""
        if refusal := self._scripted("data"):
            return refusal
        raw = envelope.content if isinstance(envelope.content, bytes) else b""
        read = letter.read(raw, envelope.mail_from or "")
        now = self.clock.now()
        with self.store.transaction():
            for recipient in envelope.rcpt_tos:
                new = Message(
                    channel="email",
                    sender=read.sender,
                    recipient=recipient,
                    subject=read.subject,
                    text=read.text,
                    html=read.html,
                    received_at=now,
                    provider_id=read.message_id,
                )
                message.add(self.store, new)
        return "250 2.0.0 Accepted"

    def session(self) -> SMTP:
        """Make the protocol of one connection."""
        made = SMTP(
            self, data_size_limit=LARGEST_LETTER, enable_SMTPUTF8=True, hostname="sandbox.invalid"
        )
        self.sessions.add(made)
        return made

    def _scripted(self, stage: str) -> str | None:
        if self.script and self.script[0][0] == stage:
            code = self.script.popleft()[1]
            return f"{code} {TEXTS[code]}" if code in TEXTS else None
        return None


SINK: web.AppKey[Sink] = web.AppKey("mail-sink", Sink)


def create(sink: Sink) -> web.Application:
    """Return the application mounted at `/mail`: the SMTP server's life, and its control."""
    app = web.Application()
    app[SINK] = sink
    mail_control = control.application()
    mail_control.add_routes([web.get("/state", state), web.put("/state", set_state)])
    app.add_subapp("/control", mail_control)
    app.cleanup_ctx.append(_listening)
    return app


async def state(request: web.Request) -> web.Response:
    """`GET /control/state` → `{"port", "script"}`."""
    sink = request.config_dict[SINK]
    script = [{"stage": stage, "code": code} for stage, code in sink.script]
    return web.json_response({"port": sink.port, "script": script})


async def set_state(request: web.Request) -> web.Response:
    """`PUT /control/state {"script": [{"stage": "rcpt" | "data", "code": 451}]}`: answers to come.

    Codes: 421, 451, 452, 550, 552, 554; 0 lets one letter pass.
    """
    sink, body = request.config_dict[SINK], await control.read(request)
    script = [(each["stage"], each["code"]) for each in body["script"]]
    for stage, code in script:
        if stage not in STAGES or code not in {0, *TEXTS}:
            raise control.Mistake(f"no such answer: {stage} {code}")
    sink.script.clear()
    sink.script.extend(script)
    return await state(request)


async def _listening(app: web.Application) -> AsyncIterator[None]:
    sink = app[SINK]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(sink.session, "127.0.0.1", sink.port)
    sink.port = server.sockets[0].getsockname()[1]
    yield
    server.close()
    for session in list(sink.sessions):
        _end(session)
    await server.wait_closed()


def _end(session: Any) -> None:
    if session.transport is not None:
        session.transport.abort()
