"""The methods of T-Bank's acquiring API v2 that end payments and send money back."""

from __future__ import annotations

from simulators.banks.bank import Bank
from simulators.tbank import bindings, payer, receipts, refunds
from simulators.tbank.model import Payment
from simulators.tbank.views import named, payment, view
from simulators.tbank.words import BAD, Body, Refusal, text, whole

EXTERNAL_MAX = 256
BANKS = (
    ("100000000111", "Сбербанк"),
    (bindings.MEMBER, "Т-Банк"),
    ("100000000008", "Альфа-Банк"),
    ("100000000007", "Райффайзен Банк"),
)


def cancel(bank: Bank, body: Body) -> Body:
    """`Cancel`: ends what nobody paid, sends back what was paid, each time anew."""
    found = payment(bank, body)
    if found.status in payer.PAYABLE:
        return _canceled(payer.end(bank, found, "CANCELED"), found.amount_kopecks, 0)
    if found.status not in ("CONFIRMED", "PARTIAL_REFUNDED", "ASYNC_REFUNDING"):
        raise Refusal("4", "Неверный статус платежа для операции")
    left = refunds.left(bank, found)
    wanted = whole(body, "Amount") if body.get("Amount") is not None else left
    if not 0 < wanted <= left:
        raise Refusal("8", "Сумма возврата больше остатка")
    part = wanted < found.amount_kopecks
    receipts.check(body, wanted, needed=bank.knobs["fiscal"] and part)
    external = text(body, "ExternalRequestId", EXTERNAL_MAX, needed=False)
    done = refunds.send(bank, found, wanted, external or None)
    said = _canceled(done, left, left - wanted)
    return {**said, "ExternalRequestId": external} if external else said


def get_qr_state(bank: Bank, body: Body) -> Body:
    """`GetQrState`: how a refund stands, and why the last one came to nothing."""
    found = payment(bank, body)
    message = "Банк получателя отклонил операцию" if found.cancel_code else ""
    code = {"QrCancelCode": found.cancel_code or "0", "QrCancelMessage": message}
    return {**view(bank, found), **code}


def members(bank: Bank, body: Body) -> Body:
    """`QrMembersList`: the banks to which a payment can be sent back."""
    found = payment(bank, body)
    listed = [{"MemberId": id_, "MemberName": name, "IsPayee": True} for id_, name in BANKS]
    return {**named(found), "Members": listed}


def banks(bank: Bank, body: Body) -> Body:
    """`GetQrBankList`: the apps of payers' banks; not all of them know bindings."""
    device = body.get("Device")
    if not isinstance(device, dict) or body.get("ScenarioType", "qr") not in ("qr", "sub"):
        raise Refusal("308", BAD, "Поля Device, ScenarioType")
    known = BANKS[:2] if body.get("ScenarioType") == "sub" else BANKS
    logo = "https://qr.nspk.ru/proxyapp/logo/bank{}.png"
    listed = [
        {"bankName": name, "logoURL": logo.format(id_), "schema": f"bank{id_}"}
        for id_, name in known
    ]
    return {"version": "1.0", "dictionary": listed}


def _canceled(found: Payment, before: int, after: int) -> Body:
    amounts = {"OriginalAmount": before, "NewAmount": after}
    return {**named(found), "Status": found.status, **amounts}
