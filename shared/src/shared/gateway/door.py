"""Where callbacks come in: who may knock, how much is read, what is kept.

The source's network is checked before anything is read. Garbage gets an error, because a provider
never sends it; a well-formed callback about something we do not handle gets 200 and is counted,
because an error would only bring it again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from aiohttp import web

from shared.api import read_body
from shared.client import Network, client_address, contains
from shared.clock import Clock
from shared.errors import BadRequest, Forbidden, SaldoError, Text
from shared.gateway.callbacks import Received
from shared.gateway.intake import Intake
from shared.gateway.provider import Kind, Malformed, Nudge
from shared.gateway.visits import Keeping, Visit
from shared.metrics import CALLBACKS

BODY_BYTES_MAX: Final = 64 * 1024
PEERS_MAX: Final = 1000
FORWARDED: Final = "X-Forwarded-For"

ReadCallback = Callable[[bytes], Nudge | None]
"""Reads a body: None for a known kind we do not handle; raises Malformed for garbage."""

Wake = Callable[[str], Awaitable[object]]
"""Has the method of a provider's token asked about."""

_FOREIGN: Final = Text(
    "Callbacks are not accepted from this address", "С этого адреса уведомления не принимаются"
)


class Visitors:
    """Tells the provider's addresses from all others."""

    def __init__(self, allowed: Sequence[Network] | None, trusted: Sequence[Network]) -> None:
        self._allowed = allowed
        self._trusted = trusted
        self._known: dict[str, bool] = {}

    def welcome(self, request: web.BaseRequest) -> bool:
        """Say whether a request comes from an allowed network; None allows every one.

        Verdicts are remembered: a provider calls from a handful of addresses, and reading one
        costs more than the rest of the way in.
        """
        if self._allowed is None:
            return True
        if FORWARDED in request.headers:
            return self._judge(request, self._allowed)
        peer = request.remote or ""
        verdict = self._known.get(peer)
        if verdict is None:
            verdict = self._judge(request, self._allowed)
            if len(self._known) < PEERS_MAX:
                self._known[peer] = verdict
        return verdict

    def _judge(self, request: web.BaseRequest, allowed: Sequence[Network]) -> bool:
        address = client_address(request, self._trusted)
        return address is not None and contains(allowed, address)


def handler(
    service: str,
    intake: Intake,
    read: ReadCallback,
    clock: Clock,
    visitors: Visitors,
    keeping: Keeping,
    wake: Wake | None = None,
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return the handler of the callback address.

    What is told of a saved method is not stored, for its token would stand in it; without `wake`
    it is ignored.
    """
    outcomes = ("accepted", "refused", "malformed", "ignored", "full")
    counters = {name: CALLBACKS.labels(service, name) for name in outcomes}

    async def receive(request: web.Request) -> web.Response:
        visit = Visit(clock())
        try:
            if not visitors.welcome(request):
                visit.outcome = "refused"
                raise Forbidden(_FOREIGN)
            visit.body = await read_body(request, BODY_BYTES_MAX)
            visit.nudge = nudge = read(visit.body)
            if nudge is None or (nudge.kind is Kind.METHOD and wake is None):
                visit.outcome = "ignored"
            elif nudge.kind is Kind.METHOD and wake is not None:
                visit.outcome = "full"
                await wake(nudge.provider_payment_id)
                visit.outcome = "accepted"
            else:
                visit.outcome = "full"
                await intake.put(Received(nudge, visit.at))
                visit.outcome = "accepted"
            visit.status = 200
        except Malformed as error:
            visit.status = BadRequest.status
            raise BadRequest(
                Text(f"Not a callback: {error}", f"Это не уведомление: {error}")
            ) from None
        except SaldoError as error:
            visit.status = error.status
            raise
        except web.RequestPayloadError:
            visit.status = BadRequest.status
            raise
        finally:
            counters[visit.outcome].inc()
            keeping.note(visit)
        return web.Response()

    return receive
