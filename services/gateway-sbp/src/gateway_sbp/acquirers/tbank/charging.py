"""Charging a bound account: a payment is made, then confirmed by the account's token.

A payment can be confirmed once, so a charge without an answer is repeated on the same payment, and
only while the bank has it as new.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gateway_sbp.acquirers.tbank import coding, standing
from gateway_sbp.acquirers.tbank.terminal import Terminal, read
from gateway_sbp.acquirers.tbank.wire import bindings, words
from gateway_sbp.acquirers.tbank.wire.bindings import Account
from shared.events_gateway import FailureClass
from shared.gateway.answer import Answer
from shared.gateway.method import MethodStatus, ProviderMethod
from shared.gateway.provider import (
    Failure,
    Missing,
    ProviderPayment,
    Refused,
    Status,
    Unclear,
)

_NEW: Final = "NEW"
_NOT_YET: Final = Refused("binding_pending", failure=FailureClass.SOFT)
_GONE: Final = Refused(words.BINDING_GONE, failure=FailureClass.HARD)


async def charge(
    terminal: Terminal, asked: Mapping[str, Any], binding: str
) -> ProviderPayment | Failure:
    """Charge a binding; what was made of this charge before is gone on with."""
    payment = await _begun(terminal, asked)
    if isinstance(payment, Failure):
        return payment
    if isinstance(payment, str):
        stands = await _stands(terminal, asked, payment)
        if isinstance(stands, Failure) or stands.said != _NEW:
            return stands
    account = await _account(terminal, binding)
    if isinstance(account, Failure):
        return account
    if isinstance(payment, Missing):
        payment = await _begin(terminal, asked)
    return await _confirm(terminal, asked, payment, account)


async def _begun(terminal: Terminal, asked: Mapping[str, Any]) -> str | Missing | Failure:
    """Return the payment of a charge that was sent before."""
    payment = await coding.found(terminal, asked)
    if isinstance(payment, Refused) and not payment.ours:
        # How the bank says that it has no such order is not documented; `Init` takes one once.
        return Missing()
    return payment


async def _begin(terminal: Terminal, asked: Mapping[str, Any]) -> str | Failure:
    made = await coding.initiated(terminal, asked)
    if isinstance(made, Failure):
        return made
    payment, new = made
    return payment if new else Unclear("an order that was not there is taken")


async def _account(terminal: Terminal, binding: str) -> Account | Failure:
    """Return what an active binding is charged by; it is kept no longer than for the charge."""
    said = await terminal.ask("GetAddAccountQrState", RequestKey=binding)
    if isinstance(said, Missing):
        return _GONE
    method = read(lambda value: bindings.method(binding, value), said)
    if not isinstance(method, ProviderMethod):
        return method
    if method.status is not MethodStatus.ACTIVE:
        return _GONE if method.status.final else _NOT_YET
    return read(bindings.account, said)


async def _confirm(
    terminal: Terminal, asked: Mapping[str, Any], payment: str | Failure, account: Account
) -> ProviderPayment | Failure:
    if isinstance(payment, Failure):
        return payment
    fields = {"PaymentId": payment, "AccountToken": account.token, "BankMemberId": account.bank}
    sent = {name: value for name, value in fields.items() if value}
    answer = await terminal.do("ChargeQr", sent)
    if isinstance(answer, Answer):
        return await _stands(terminal, asked, payment)
    if not isinstance(answer, Refused) or answer.ours:
        return answer
    stands = await _stands(terminal, asked, payment)
    if isinstance(stands, Failure):
        # The charge was refused; whether an earlier one was taken, the state alone tells.
        return stands
    if stands.status is Status.CANCELED:
        return replace(stands, reason=answer.code, failure=answer.failure)
    return answer if stands.said == _NEW else stands


async def _stands(
    terminal: Terminal, asked: Mapping[str, Any], payment: str
) -> ProviderPayment | Failure:
    stands = await standing.fetch(terminal, payment, asked)
    return Unclear("missing") if isinstance(stands, Missing) else stands
