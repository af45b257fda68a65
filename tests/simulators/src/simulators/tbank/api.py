"""The methods of T-Bank's acquiring API v2 that SBP needs."""

from __future__ import annotations

import io
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import segno
from aiohttp import web
from aiohttp.typedefs import Handler

from simulators.banks import nspk
from simulators.banks.bank import Bank, bank_of
from simulators.banks.courier import COURIER
from simulators.banks.faults import HEADER, asked, befall
from simulators.control import Mistake
from simulators.settings import require_loopback
from simulators.tbank import model, payer
from simulators.tbank.model import Binding, Payment
from simulators.tbank.words import Refusal, genuine, read, text, whole

BANK = "100000000004"
THREE_DAYS = 3 * 86_400_000
LEAST_KOPECKS = 100
Body = dict[str, Any]
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


async def _paid_first(request: web.Request, response: web.StreamResponse) -> None:
    body = response.body if isinstance(response, web.Response) else b""
    made = json.loads(bytes(body)) if isinstance(body, bytes) and body else {}
    bank, number = bank_of(request), str(made.get("PaymentId", "0"))
    found = model.payment(bank.store, int(number)) if number.isdigit() else None
    if found is None:
        return
    try:
        payer.pay(bank, found)
    except Mistake:
        return
    await request.config_dict[COURIER].deliver_now(number)


def door(method: Method) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return the handler of a method: the token is checked, an error comes with HTTP 200."""

    async def handle(request: web.Request) -> web.Response:
        bank = bank_of(request)
        try:
            body = read(await request.read())
            if body.get("TerminalKey") != bank.knobs["terminal"]:
                raise Refusal("205", "Терминал не найден")
            if not genuine(body, bank.knobs["password"]):
                raise Refusal("204", "Неверный токен. Проверьте пару TerminalKey/SecretKey.")
            with bank.store.transaction():
                said = method(bank, body)
        except Refusal as error:
            said = {"Success": False, "ErrorCode": error.code, "Message": error.message}
            said["Details"] = error.details
        else:
            said = {"Success": True, "ErrorCode": "0", "Message": "OK", **said}
        return web.json_response({"TerminalKey": bank.knobs["terminal"], **said})

    return handle


def init(bank: Bank, body: Body) -> Body:
    """`Init`: a payment that waits for its payer."""
    order_id, amount = text(body, "OrderId", 50), whole(body, "Amount")
    if amount < LEAST_KOPECKS:
        raise Refusal("308", "Неверные параметры", "Сумма меньше допустимой")
    before = model.payments_of(bank.store, "order_id", order_id)
    if before and bank.knobs["orders_are_unique"]:
        raise Refusal("20", "Повторный идентификатор заказа.")
    if bank.knobs["fiscal"] and not isinstance(body.get("Receipt"), dict):
        raise Refusal("309", "Неверные параметры. Проверьте Receipt.")
    if body.get("NotificationURL"):
        require_loopback(str(body["NotificationURL"]))
    now = bank.clock.now()
    kept = {name: value for name, value in body.items() if name != "Token"}
    made = Payment(
        id=model.new_id(bank.store),
        order_id=order_id,
        amount_kopecks=amount,
        status="NEW",
        created_at=now,
        expires_at=_due(body, now),
        asked=kept,
    )
    model.keep(bank.store, made)
    page = bank.address(f"app?qr={made.id}")
    return {**_view(bank, made), "PaymentURL": page}


def get_qr(bank: Bank, body: Body) -> Body:
    """`GetQr`: what the code holds, or its picture as raw SVG."""
    found = _payment(bank, body)
    if found.status not in payer.PAYABLE:
        raise Refusal("4", "Неверный статус платежа")
    if found.qr_id is None or found.payload is None:
        qr_id = nspk.new_id(bank.dice, "AD10")
        address = nspk.payload(qr_id, nspk.ONCE, found.amount_kopecks, BANK)
        found = replace(found, qr_id=qr_id, payload=address, status="FORM_SHOWED")
        model.keep(bank.store, found)
    data = found.payload or ""
    return {**_named(found), "Data": _svg(data) if body.get("DataType") == "IMAGE" else data}


def get_state(bank: Bank, body: Body) -> Body:
    """`GetState`."""
    found = _payment(bank, body)
    return _view(bank, found)


def check_order(bank: Bank, body: Body) -> Body:
    """`CheckOrder`: the payments of an order."""
    order_id = text(body, "OrderId", 50)
    found = model.payments_of(bank.store, "order_id", order_id)
    if not found:
        raise Refusal("255", "Заказ не найден")
    listed = [
        {
            "PaymentId": str(one.id),
            "Amount": payer.shown(bank, one),
            "Status": one.status,
            "Success": True,
            "ErrorCode": "0",
        }
        for one in found
    ]
    return {"OrderId": order_id, "Payments": listed}


def cancel(bank: Bank, body: Body) -> Body:
    """`Cancel`: ends what nobody paid, sends back what was paid, each time anew."""
    found = _payment(bank, body)
    external = body.get("ExternalRequestId")
    if found.status in payer.PAYABLE:
        done = payer.end(bank, found, "CANCELED")
        return _canceled(done, found.amount_kopecks, 0)
    if found.status not in ("CONFIRMED", "PARTIAL_REFUNDED", "ASYNC_REFUNDING"):
        raise Refusal("4", "Неверный статус платежа для операции")
    left = found.amount_kopecks - found.returned_kopecks - model.going_back(bank.store, found.id)
    wanted = whole(body, "Amount") if body.get("Amount") is not None else left
    if wanted > left or wanted <= 0:
        raise Refusal("8", "Сумма возврата больше остатка")
    done = payer.send_back(bank, found, wanted, external if isinstance(external, str) else None)
    return _canceled(done, left, left - wanted)


def get_qr_state(bank: Bank, body: Body) -> Body:
    """`GetQrState`: how a refund stands."""
    found = _payment(bank, body)
    code = {"QrCancelCode": found.cancel_code or "0", "QrCancelMessage": found.cancel_code or ""}
    return {**_view(bank, found), **code}


def members(bank: Bank, body: Body) -> Body:
    """`QrMembersList`, `GetQrBankList`: the banks of payers."""
    member, name = payer.PAYER_BANK
    return {"Members": [{"MemberId": member, "MemberName": name, "IsPayee": True}]}


def static_qr(bank: Bank, body: Body) -> Body:
    """`GetStaticQr`: the terminal's one sticker, which names no order."""
    address = nspk.payload("AS10" + "0" * 28, nspk.MANY, None, BANK)
    return {"Data": _svg(address) if body.get("DataType") == "IMAGE" else address}


def add_account(bank: Bank, body: Body) -> Body:
    """`AddAccountQr`: a binding that waits for its payer."""
    description = text(body, "Description", 140)
    qr_id = nspk.new_id(bank.dice, "AS10")
    made = Binding(
        request_key=str(UUID(int=bank.dice.getrandbits(128), version=4)),
        status="NEW",
        account_token=f"tok_sim_{bank.dice.getrandbits(64):016x}",
        bank=payer.PAYER_BANK[0],
        qr_id=qr_id,
        payload=nspk.payload(qr_id, nspk.BINDING, None, BANK),
        created_at=bank.clock.now(),
        description=description,
    )
    model.keep(bank.store, made)
    image = body.get("DataType") == "IMAGE"
    return {"RequestKey": made.request_key, "Data": _svg(made.payload) if image else made.payload}


def account_state(bank: Bank, body: Body) -> Body:
    """`GetAddAccountQrState`; the words with typos are those of the documentation."""
    found = model.binding(bank.store, "request_key", str(body.get("RequestKey")))
    if found is None:
        raise Refusal("3012", "Привязка не найдена")
    typos = {"INACTIVE": "INACITVE", "PROCESSING": "PROCCESING"}
    status = typos.get(found.status, found.status) if bank.knobs["typos"] else found.status
    said: Body = {"RequestKey": found.request_key, "Status": status}
    if found.status == "ACTIVE":
        said |= {
            "AccountToken": found.account_token,
            "BankMemberId": found.bank,
            "BankMemberName": payer.PAYER_BANK[1],
        }
    return said


def accounts(bank: Bank, body: Body) -> Body:
    """`GetAccountQrList`."""
    rows = bank.store.all("SELECT * FROM tbank_binding LIMIT 1000")
    return {
        "AccountTokens": [{"RequestKey": r["request_key"], "Status": r["status"]} for r in rows]
    }


def charge(bank: Bank, body: Body) -> Body:
    """`ChargeQr`: takes a payment's money from a bound account."""
    found = _payment(bank, body)
    if found.status != "NEW":
        raise Refusal("8", "Неверный статус транзакции")
    bound = model.binding(bank.store, "account_token", str(body.get("AccountToken")))
    if bound is None:
        raise Refusal("3012", "Привязка не найдена")
    if bound.status != "ACTIVE":
        raise Refusal("3015", "Привязка не активна")
    if bank.knobs["member_needed"] and body.get("BankMemberId") != bound.bank:
        raise Refusal("5031", "Банк плательщика не найден")
    outcome = bank.outcome("charge", "CONFIRMED")
    if isinstance(outcome, str) and outcome.isdigit():
        model.keep(bank.store, replace(found, status=payer.REJECTED, binding=bound.request_key))
        raise Refusal(outcome, "Отказ банка плательщика")
    taken = replace(found, status="FORM_SHOWED", binding=bound.request_key)
    model.keep(bank.store, taken)
    if outcome == "CONFIRMED":
        payer.pay(bank, taken)
    elif outcome == payer.REJECTED:
        payer.end(bank, taken, payer.REJECTED)
    # The answer is the first step, whatever comes of it.
    return {**_view(bank, taken), "Currency": 643}


def pay_test(bank: Bank, body: Body) -> Body:
    """`SbpPayTest`: a DEMO terminal's own payer."""
    if not str(bank.knobs["terminal"]).endswith("DEMO"):
        raise Refusal("3001", "Метод доступен только для DEMO-терминала")
    found = _payment(bank, body)
    try:
        if body.get("IsDeadlineExpired") is True:
            payer.end(bank, found, payer.DEADLINE)
        elif body.get("IsRejected") is True:
            payer.end(bank, found, payer.REJECTED)
        else:
            payer.pay(bank, found)
    except Mistake as error:
        raise Refusal("4", "Неверный статус платежа", str(error)) from None
    return {}


METHODS: dict[str, Method] = {
    "Init": init,
    "GetQr": get_qr,
    "GetState": get_state,
    "CheckOrder": check_order,
    "Cancel": cancel,
    "GetQrState": get_qr_state,
    "QrMembersList": members,
    "GetQrBankList": members,
    "GetStaticQr": static_qr,
    "AddAccountQr": add_account,
    "GetAddAccountQrState": account_state,
    "GetAccountQrList": accounts,
    "ChargeQr": charge,
    "SbpPayTest": pay_test,
}


def _payment(bank: Bank, body: Body) -> Payment:
    found = model.payment(bank.store, whole(body, "PaymentId"))
    if found is None:
        raise Refusal("255", "Платёж не найден")
    return found


def _due(body: Body, now: int) -> int:
    said = body.get("RedirectDueDate")
    if said is None:
        return now + THREE_DAYS
    try:
        found = datetime.fromisoformat(str(said))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or found.timestamp() * 1_000 <= now:
        raise Refusal("12", "Неверный RedirectDueDate")
    return int(found.timestamp() * 1_000)


def _named(found: Payment) -> Body:
    return {"OrderId": found.order_id, "PaymentId": str(found.id)}


def _view(bank: Bank, found: Payment) -> Body:
    amount = payer.shown(bank, found)
    return {**_named(found), "Status": found.status, "Amount": amount}


def _canceled(found: Payment, before: int, after: int) -> Body:
    amounts = {"OriginalAmount": before, "NewAmount": after}
    return {**_named(found), "Status": found.status, **amounts}


def _svg(address: str) -> str:
    drawn = io.BytesIO()
    segno.make_qr(address, error="m").save(drawn, kind="svg", xmldecl=False)
    return drawn.getvalue().decode()
