"""A small T-Bank for tests: it keeps payments, checks Tokens, and fails the way it is told to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway_sbp.acquirers.tbank.wire.token import genuine

TERMINAL, PASSWORD = "1700000000001DEMO", "SimPassw0rd"
ACCOUNT_TOKEN = "tok_sim_0001"
MEMBER = "100000000111"

Said = dict[str, Any]
Fault = Callable[[web.Request, Callable[[], Said]], web.StreamResponse]
"""Takes a request and what it would do, and answers instead of the bank."""


@dataclass
class Paid:
    """A payment as the bank keeps it."""

    id: str
    order: str
    amount: int
    status: str = "NEW"
    left: int = 0
    cancel_code: str = ""
    charged: int = 0
    """How often an account was charged for it."""


class Refusal(Exception):
    """A business error: HTTP 200, `Success` false and a code."""


@dataclass
class Bank:
    """The bank's side of the wire."""

    payments: dict[str, Paid] = field(default_factory=dict)
    bindings: dict[str, str] = field(default_factory=dict)
    """The status of each by its `RequestKey`."""
    faults: dict[str, list[Fault]] = field(default_factory=lambda: defaultdict(list))
    calls: list[tuple[str, Said]] = field(default_factory=list)
    shows_rest: bool = True
    """Whether `Amount` is what is left after a refund, or goes on to be what was paid."""
    works_on_refunds: bool = False
    """Whether a refund stays under way until `finish`."""
    says_member: bool = True

    def asked(self, method: str) -> list[Said]:
        """Return the requests of a method so far."""
        return [body for name, body in self.calls if name == method]

    def pay(self, payment: str) -> None:
        """Do what the payer's bank does."""
        self.payments[payment].status = "CONFIRMED"
        self.payments[payment].left = self.payments[payment].amount

    def finish(self, payment: str, code: str = "") -> None:
        """End a refund that is under way; with a code it has come to nothing."""
        paid = self.payments[payment]
        paid.cancel_code = code
        if code:
            paid.left = paid.amount
            paid.status = "CONFIRMED"
        else:
            paid.status = "PARTIAL_REFUNDED" if paid.left else "REFUNDED"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one call."""
        method = request.match_info["method"]
        body: Said = orjson.loads(await request.read())
        self.calls.append((method, body))
        do = getattr(self, f"_{method}", None)
        if do is None:
            return web.Response(status=404, text="<html>Not found</html>")

        def effect() -> Said:
            if body.get("TerminalKey") != TERMINAL or not genuine(body, PASSWORD):
                raise Refusal("204")
            done: Said = do(body)
            return done

        if self.faults[method]:
            return self.faults[method].pop(0)(request, effect)
        try:
            return say(effect())
        except Refusal as refusal:
            return refused(str(refusal))

    def _Init(self, body: Said) -> Said:
        if any(paid.order == body["OrderId"] for paid in self.payments.values()):
            raise Refusal("20")
        made = Paid(str(4_000_000_001 + len(self.payments)), body["OrderId"], body["Amount"])
        self.payments[made.id] = made
        return {**self._shown(made), "PaymentURL": "https://securepay.example/pay"}

    def _GetQr(self, body: Said) -> Said:
        paid = self._found(body)
        if paid.status == "NEW":
            paid.status = "FORM_SHOWED"
        link = f"https://qr.nspk.ru/AD{paid.id:0>30}?type=02"
        return {"OrderId": paid.order, "PaymentId": paid.id, "Data": link}

    def _GetState(self, body: Said) -> Said:
        return self._shown(self._found(body))

    def _CheckOrder(self, body: Said) -> Said:
        found = [paid for paid in self.payments.values() if paid.order == body["OrderId"]]
        if not found:
            raise Refusal("255")
        return {"OrderId": body["OrderId"], "Payments": [self._shown(paid) for paid in found]}

    def _Cancel(self, body: Said) -> Said:
        paid = self._found(body)
        if paid.status in ("NEW", "FORM_SHOWED"):
            paid.status = "CANCELED"
            return self._shown(paid)
        if paid.status not in ("CONFIRMED", "PARTIAL_REFUNDED"):
            raise Refusal("8")
        before, wanted = paid.left, body.get("Amount", paid.left)
        if wanted > before:
            raise Refusal("7")
        paid.left, paid.cancel_code = before - wanted, ""
        paid.status = "ASYNC_REFUNDING"
        if not self.works_on_refunds:
            self.finish(paid.id)
        said = {**self._shown(paid), "OriginalAmount": before, "NewAmount": paid.left}
        del said["Amount"]
        return said

    def _GetQrState(self, body: Said) -> Said:
        paid = self._found(body)
        code = {"QrCancelCode": paid.cancel_code} if paid.cancel_code else {}
        return {**self._shown(paid), **code}

    def _AddAccountQr(self, body: Said) -> Said:
        if not body.get("Description"):
            raise Refusal("308")
        key = f"9f0c0000-0000-4000-8000-{len(self.bindings):012d}"
        self.bindings[key] = "NEW"
        return {"Data": "https://sub.nspk.ru/AS1?type=03", "RequestKey": key}

    def _GetAddAccountQrState(self, body: Said) -> Said:
        status = self.bindings.get(body["RequestKey"])
        if status is None:
            raise Refusal("3012")
        said = {"RequestKey": body["RequestKey"], "Status": status}
        if status == "ACTIVE":
            said |= {"AccountToken": ACCOUNT_TOKEN, "BankMemberName": "Sim Bank"}
            if self.says_member:
                said["BankMemberId"] = MEMBER
        return said

    def _ChargeQr(self, body: Said) -> Said:
        paid = self._found(body)
        if body.get("AccountToken") != ACCOUNT_TOKEN or body.get("BankMemberId") != MEMBER:
            raise Refusal("5031")
        if paid.status not in ("NEW", "FORM_SHOWED"):
            raise Refusal("8")
        paid.charged += 1
        paid.status = "AUTHORIZING"
        return {**self._shown(paid), "Status": "FORM_SHOWED"}

    def _found(self, body: Said) -> Paid:
        if str(body["PaymentId"]) not in self.payments:
            raise Refusal("255")
        return self.payments[str(body["PaymentId"])]

    def _shown(self, paid: Paid) -> Said:
        back = paid.status in ("PARTIAL_REFUNDED", "REFUNDED")
        amount = paid.left if back and self.shows_rest else paid.amount
        names = {"OrderId": paid.order, "PaymentId": paid.id}
        return {**names, "Status": paid.status, "Amount": amount}


def say(said: Said) -> web.Response:
    """Return what the bank says where all is well."""
    well = {"Success": True, "ErrorCode": "0", "TerminalKey": TERMINAL}
    return web.json_response({**well, **said})


def refused(code: str, **more: Any) -> web.Response:
    """Return a business error."""
    said = {"Success": False, "ErrorCode": code, "Message": "no", "TerminalKey": TERMINAL}
    return web.json_response({**said, **more})


def refuses(code: str) -> Fault:
    """Refuse a call, which has no effect."""
    return lambda _request, _effect: refused(code)


def fails(status: int, body: str = "<html></html>") -> Fault:
    """Answer something that no API says, without an effect."""
    return lambda _request, _effect: web.Response(
        status=status, text=body, content_type="text/html"
    )


def drops(request: web.Request, _effect: Callable[[], Said]) -> web.StreamResponse:
    """Lose a request: nothing happens and nobody says so."""
    return _cut(request)


def drops_after(request: web.Request, effect: Callable[[], Said]) -> web.StreamResponse:
    """Lose an answer: everything happens and nobody says so."""
    effect()
    return _cut(request)


def breaks_after(_request: web.Request, effect: Callable[[], Said]) -> web.StreamResponse:
    """Answer 500 although everything has happened."""
    effect()
    return web.Response(status=500, text="<html></html>", content_type="text/html")


def says(**more: Any) -> Fault:
    """Do what is asked and say something else of it."""
    return lambda _request, effect: say({**effect(), **more})


def _cut(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


@asynccontextmanager
async def running(bank: Bank) -> AsyncIterator[str]:
    """Run a bank; gives its address."""
    app = web.Application()
    app.router.add_post("/v2/{method}", bank.answer)
    async with TestServer(app) as server:
        yield f"http://127.0.0.1:{server.port}/v2"
