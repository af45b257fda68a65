"""Making codes and ending them: one payment for one OrderId, however often it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gateway_sbp.acquirers.tbank import standing
from gateway_sbp.acquirers.tbank.terminal import Terminal, read
from gateway_sbp.acquirers.tbank.wire import payments, words
from shared.gateway.answer import Answer
from shared.gateway.provider import (
    Failure,
    Missing,
    ProviderPayment,
    Refused,
    Status,
    Unclear,
)
from shared.metrics import alarm
from shared.money import RUB


async def create(terminal: Terminal, asked: Mapping[str, Any]) -> ProviderPayment | Failure:
    """Register a payment and get its code; one that is there already is gone on with."""
    made = await initiated(terminal, asked)
    if isinstance(made, Failure):
        return made
    payment, new = made
    if not new:
        stands = await standing.fetch(terminal, payment, asked)
        if isinstance(stands, Missing):
            return Unclear("missing")
        if isinstance(stands, Failure) or stands.said not in payments.UNPAID:
            return stands
    return await _code(terminal, asked, payment)


async def find(terminal: Terminal, asked: Mapping[str, Any]) -> ProviderPayment | Missing | Failure:
    """Return what a request has made, by its OrderId."""
    payment = await found(terminal, asked)
    if not isinstance(payment, str):
        return payment
    return await standing.fetch(terminal, payment, asked)


async def cancel(terminal: Terminal, payment: str) -> ProviderPayment | Failure:
    """End a code that nobody is paying by.

    `Cancel` of a paid one would send the money back, so the state is looked at first. Whoever pays
    in this very moment gets the money back: that is an alarm, and is booked as any other refund.
    """
    before, ended = await standing.fetch(terminal, payment), False
    if isinstance(before, Missing):
        return Unclear("missing")
    if isinstance(before, Failure) or before.said not in payments.UNPAID:
        return before
    answer = await terminal.do("Cancel", {"PaymentId": payment})
    if isinstance(answer, Answer):
        word = words.text(answer.value, "Status")
        ended = word == payments.ENDED
        if word in payments.REFUNDING or word == payments.REFUNDED:
            alarm("code_ended_as_paid", provider=terminal.shop, provider_payment_id=payment)
    stands = await standing.fetch(terminal, payment)
    if isinstance(stands, Missing):
        return Unclear("missing")
    if ended and isinstance(stands, ProviderPayment) and stands.status is Status.PENDING:
        return replace(stands, status=Status.CANCELED, reason=payments.CANCELED)
    return stands


async def initiated(terminal: Terminal, asked: Mapping[str, Any]) -> tuple[str, bool] | Failure:
    """Return the payment of an order, and whether it was made just now."""
    answer = await terminal.do("Init", asked)
    if isinstance(answer, Refused) and answer.code == words.TAKEN_ORDER:
        payment = await found(terminal, asked)
        if isinstance(payment, Missing):
            return Unclear("an order that is taken and not there")
        return payment if isinstance(payment, Failure) else (payment, False)
    payment = read(lambda said: payments.made(asked, said), answer)
    return payment if isinstance(payment, Failure) else (payment, True)


async def found(terminal: Terminal, asked: Mapping[str, Any]) -> str | Missing | Failure:
    """Return the payment of an order, by asking the bank."""
    answer = await terminal.ask("CheckOrder", OrderId=asked["OrderId"])
    if isinstance(answer, Missing):
        return answer
    payment = read(lambda said: payments.of_order(asked, said), answer)
    return Missing() if payment is None else payment


async def _code(
    terminal: Terminal, asked: Mapping[str, Any], payment: str
) -> ProviderPayment | Failure:
    answer = await terminal.do("GetQr", {"PaymentId": payment, "DataType": "PAYLOAD"})
    if isinstance(answer, Refused) and answer.code in words.WRONG_STATUS:
        # It was paid or ended meanwhile.
        stands = await standing.fetch(terminal, payment, asked)
        return Unclear("missing") if isinstance(stands, Missing) else stands
    link = read(lambda said: payments.code(asked, payment, said), answer)
    if isinstance(link, Failure):
        return link
    return ProviderPayment(
        id=payment,
        shop=terminal.shop,
        status=Status.PENDING,
        said="NEW",
        amount_kopecks=asked["Amount"],
        currency=RUB,
        test=terminal.account.test,
        created_at=terminal.clock(),
        method=words.METHOD,
        qr_payload=link,
        expires_at=standing.until(asked),
        payment_id=words.payment_id(asked["OrderId"]),
    )
