"""Where callbacks come in: who may knock, how much is read, what is kept.

The source's network is checked before anything is read. Garbage and a foreign signature get an
error, because a provider never sends them; a well-formed callback about something we do not handle
gets 200 and is counted, because an error would only bring it again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from aiohttp import web

from shared.bodies import read_body
from shared.client import Network, client_address, contains
from shared.clock import Clock
from shared.errors import BadRequest, Forbidden, SaldoError, Text
from shared.gateway.callbacks import Received
from shared.gateway.intake import Intake
from shared.gateway.provider import Forged, Kind, Malformed, Nudge
from shared.gateway.visits import Keeping, Visit
from shared.metrics import CALLBACKS

BODY_BYTES_MAX: Final = 64 * 1024
PEERS_MAX: Final = 1000
FORWARDED: Final = "X-Forwarded-For"

ReadCallback = Callable[[web.BaseRequest, bytes], Nudge | None]
"""Reads a body: None for a known kind we do not handle; raises Malformed for garbage, Forged for a
signature that is not the provider's."""

Prove = Callable[[Nudge, datetime], Awaitable[object]]
"""Books what the signature of a callback proves; afterwards there is nothing to ask about."""

Wake = Callable[[str], Awaitable[object]]
"""Has the method of a provider's token asked about."""

_FOREIGN: Final = Text(
    "Callbacks are not accepted from this address", "С этого адреса уведомления не принимаются"
)
_FORGED: Final = Text("The signature does not fit", "Подпись не подходит")


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


class Taking(NamedTuple):
    """What is done with a callback that could be read."""

    intake: Intake
    wake: Wake | None = None
    """Without it what is told of a saved method is ignored: its token would stand in a row."""
    prove: Prove | None = None
    """Without it nothing is believed for its signature."""
    answer: bytes = b""
    """The body by which the provider knows that it was heard, with 200."""


def handler(
    service: str,
    read: ReadCallback,
    clock: Clock,
    visitors: Visitors,
    keeping: Keeping,
    taking: Taking,
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return the handler of a callback address."""
    outcomes = ("accepted", "refused", "forged", "malformed", "ignored", "full")
    counters = {name: CALLBACKS.labels(service, name) for name in outcomes}

    async def receive(request: web.Request) -> web.Response:
        visit = Visit(clock())
        try:
            if not visitors.welcome(request):
                visit.outcome = "refused"
                raise Forbidden(_FOREIGN)
            visit.body = await read_body(request, BODY_BYTES_MAX)
            visit.nudge = nudge = _understood(request, visit, read)
            if nudge is None or (nudge.kind is Kind.METHOD and taking.wake is None):
                visit.outcome = "ignored"
            else:
                visit.outcome = "full"
                await _taken(taking, nudge, visit.at)
                visit.outcome = "accepted"
            visit.status = 200
        except SaldoError as error:
            visit.status = error.status
            raise
        except web.RequestPayloadError:
            visit.status = BadRequest.status
            raise
        finally:
            counters[visit.outcome].inc()
            keeping.note(visit)
        return web.Response(body=taking.answer or None)

    return receive


def _understood(request: web.BaseRequest, visit: Visit, read: ReadCallback) -> Nudge | None:
    try:
        return read(request, visit.body)
    except Forged:
        visit.outcome = "forged"
        raise Forbidden(_FORGED) from None
    except Malformed as error:
        raise BadRequest(Text(f"Not a callback: {error}", f"Это не уведомление: {error}")) from None


def _taken(taking: Taking, nudge: Nudge, at: datetime) -> Awaitable[object]:
    """Return what must be waited for; for most callbacks that is the intake alone."""
    if nudge.kind is Kind.METHOD and taking.wake is not None:
        return taking.wake(nudge.provider_payment_id)
    if nudge.proof is not None and taking.prove is not None:
        return taking.prove(nudge, at)
    return taking.intake.put(Received(nudge, at))
