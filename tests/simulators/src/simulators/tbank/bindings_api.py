"""The methods of T-Bank's acquiring API v2 that bind accounts and charge them."""

from __future__ import annotations

from dataclasses import replace

from simulators.banks.bank import Bank
from simulators.tbank import bindings, model, notices, payer
from simulators.tbank.model import Binding
from simulators.tbank.views import code, payment, view
from simulators.tbank.words import Body, Refusal, due, text

DESCRIPTION_MAX = 140
TYPOS = {"INACTIVE": "INACITVE", "PROCESSING": "PROCCESING"}
"""Words as the documentation spells them in places."""
CHARGED = (payer.PAID, payer.WAITING, *payer.ON_THE_WAY, *payer.REFUSED)


def add_account(bank: Bank, body: Body) -> Body:
    """`AddAccountQr`: a binding that waits for its payer."""
    _on(bank)
    description = text(body, "Description", DESCRIPTION_MAX)
    until = due(body, bank.clock.now())
    made = bindings.begin(bank, description, until)
    return {"RequestKey": made.request_key, "Data": code(body, made.payload)}


def account_state(bank: Bank, body: Body) -> Body:
    """`GetAddAccountQrState`: with its token, once the payer has agreed."""
    found = model.binding(bank.store, "request_key", text(body, "RequestKey", 64))
    if found is None:
        raise Refusal("3012", "Привязка не найдена")
    return _shown(bank, found)


def accounts(bank: Bank, body: Body) -> Body:
    """`GetAccountQrList`: all bindings of the terminal."""
    return {"AccountTokens": [_shown(bank, one) for one in model.bindings(bank.store)]}


def charge(bank: Bank, body: Body) -> Body:
    """`ChargeQr`: takes a payment's money from a bound account; the answer is only its beginning.

    The script `charge` has a status, or the digits of an error that the answer itself carries.
    """
    _on(bank)
    found = payment(bank, body)
    if found.status != "NEW":
        raise Refusal("8", "Неверный статус транзакции")
    bound = _charged(bank, body)
    taken = replace(found, status=payer.WAITING, binding=bound.request_key, charged=True)
    model.keep(bank.store, taken)
    waiting = bank.scripts.get("charge")
    if waiting and str(waiting[0]).isdigit():
        refused = str(waiting.pop(0))
        payer.end(bank, taken, payer.REFUSED[0], refused)
        raise Refusal(refused, "Отказ банка плательщика")
    wanted = payer.outcome(bank, "charge", payer.PAID, CHARGED)
    if wanted.status != payer.WAITING:
        payer.carry(bank, taken, wanted)
    return {**view(bank, taken), "Currency": 643}


def _charged(bank: Bank, body: Body) -> Binding:
    bound = model.binding(bank.store, "account_token", text(body, "AccountToken", 256))
    if bound is None:
        raise Refusal("3012", "Привязка не найдена")
    if bound.status != bindings.ACTIVE:
        raise Refusal("3015", "Привязка не активна")
    if bank.knobs["member_needed"] and body.get("BankMemberId") != bound.bank:
        raise Refusal("5031", "Банк плательщика не найден")
    return bound


def _on(bank: Bank) -> None:
    if bank.knobs["charges_off"]:
        raise Refusal("3013", "Рекуррентные платежи СБП недоступны")


def _shown(bank: Bank, found: Binding) -> Body:
    status = TYPOS.get(found.status, found.status) if bank.knobs["typos"] else found.status
    said: Body = {"RequestKey": found.request_key, "Status": status}
    if found.status == bindings.ACTIVE:
        said |= {"AccountToken": found.account_token, "BankMemberId": found.bank}
        said |= {"BankMemberName": notices.PAYER_BANK[1]}
    return said
