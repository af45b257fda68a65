"""How the bank's API is entered: tokens, faults, and errors that come with HTTP 200."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from simulators.banks.bank import Bank, bank_of
from simulators.banks.courier import COURIER
from simulators.banks.faults import HEADER, asked, befall
from simulators.control import Mistake
from simulators.tbank import bindings, model, payer
from simulators.tbank.words import Body, Refusal, genuine, number, read

Method = Callable[[Bank, Body], Body]


@web.middleware
async def struck(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let a fault befall the call, if one is asked for."""
    name = request.match_info.route.name
    if name is None:
        return await handler(request)
    try:
        header = request.headers.get(HEADER)
        fault = asked(header) if header else bank_of(request).faults.strike(name)
    except ValueError as error:
        return web.json_response({"error": str(error)}, status=400)
    if fault is None:
        return await handler(request)
    return await befall(fault, request, handler, _paid_first)


def door(method: Method) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return the handler of a method: the token is checked, an error comes with HTTP 200."""

    async def handle(request: web.Request) -> web.Response:
        bank = bank_of(request)
        said: Body = {"Success": True, "ErrorCode": "0", "Message": "OK"}
        try:
            body = read(await request.read())
            _check(bank, body)
            said |= _done(method, bank, body)
        except Refusal as error:
            said = {"Success": False, "ErrorCode": error.code, "Message": error.message}
            said["Details"] = error.details
        return web.json_response({"TerminalKey": bank.knobs["terminal"], **said})

    return handle


def _check(bank: Bank, body: Body) -> None:
    if body.get("TerminalKey") != bank.knobs["terminal"]:
        raise Refusal("501", "Терминал не найден")
    if not genuine(body, bank.knobs["password"]):
        raise Refusal("204", "Неверный токен. Проверьте пару TerminalKey/SecretKey.")


def _done(method: Method, bank: Bank, body: Body) -> Body:
    """Do it at once or not at all; but what a refusal has made of a payment stays."""
    with bank.store.transaction():
        try:
            return method(bank, body)
        except Refusal as error:
            refused = error
    raise refused


async def _paid_first(request: web.Request, response: web.StreamResponse) -> None:
    """Pay, or bind, what a call has made, and tell it before the call is answered."""
    raw = response.body if isinstance(response, web.Response) else None
    made: dict[str, Any] = json.loads(raw) if isinstance(raw, bytes) else {}
    bank, payment_id = bank_of(request), number(made.get("PaymentId"))
    found = model.payment(bank.store, payment_id) if payment_id else None
    bound = model.binding(bank.store, "request_key", str(made.get("RequestKey")))
    with suppress(Mistake):
        if found is not None:
            payer.pay(bank, found)
        elif bound is not None:
            bindings.accept(bank, bound)
    for told in filter(None, (made.get("PaymentId"), made.get("RequestKey"))):
        await request.config_dict[COURIER].deliver_now(str(told))
