"""Refunds: the bank knows no idempotency, so each is asked about before it is asked for."""

from __future__ import annotations

from typing import Final

from gateway_sbp import paper_row, signed
from gateway_sbp.acquirers.raiffeisen.merchant import Merchant, read
from gateway_sbp.acquirers.raiffeisen.wire import codes, refunds, words
from shared.db import reading
from shared.gateway import refunds as ours
from shared.gateway.answer import Answer
from shared.gateway.payments import find_provided
from shared.gateway.provider import (
    Failure,
    Missing,
    ProviderRefund,
    RefundPage,
    Refused,
    Status,
    Unclear,
)

_REFUND: Final = "/sbp/v1/refund"


async def create(merchant: Merchant, request: bytes) -> ProviderRefund | Failure:
    """Ask for a refund that the bank has not heard of; see `Provider.create_refund`."""
    name = refunds.named(request)
    known = await fetch(merchant, name)
    if not isinstance(known, Missing):
        return known
    found = await _transaction(merchant, refunds.of(request))
    if isinstance(found, Failure):
        return found
    order, transaction = found
    answer = await merchant.post(_REFUND, refunds.sent(request, order, transaction))
    return _read(merchant, name, answer)


async def fetch(merchant: Merchant, name: str) -> ProviderRefund | Missing | Failure:
    """Ask how a refund stands that we call so; see `Provider.fetch_refund`."""
    found = refunds.refund_id(name)
    if paper_row.made_up(name) or not words.ORDER.fullmatch(found):
        return Missing()
    answer = await merchant.get(f"{_REFUND}/{found}")
    return answer if isinstance(answer, Missing) else _read(merchant, name, answer)


async def listed(merchant: Merchant, payment: str) -> RefundPage | Failure:
    """Return the refunds of a payment that the bank knows of those whose success we do not know.

    The bank has no list: each is asked about by its id. Without an answer about one there is no
    page, because whoever is not on it counts as never made.
    """
    async with reading(merchant.db) as tx:
        paid = await find_provided(tx, merchant.shop, payment)
        rows = [] if paid is None else await ours.of_payment(tx, paid.id)
    found = list[ProviderRefund]()
    for row in rows:
        if row.status is Status.SUCCEEDED:
            continue
        known = row.provider_refund_id or refunds.called(row.id.hex, payment)
        said = await fetch(merchant, known)
        if isinstance(said, Failure):
            return said
        if isinstance(said, ProviderRefund):
            found.append(said)
    return RefundPage(found[::-1], None)


async def _transaction(merchant: Merchant, payment: str) -> tuple[str, int | None] | Failure:
    """Return the order and the transaction by which the bank finds a payment.

    Where both are sent the bank looks at the transaction alone, so that the pair is ours to check:
    it is what the bank says of the code, and of a code on paper what was booked as one payment.
    """
    if codes.on_paper(payment):
        found = await signed.find(merchant.db, merchant.shop, payment)
        if found is None:
            return Refused("unknown_payment")
        if found.transaction is None:
            return Refused(words.NO_TRANSACTION)
        return found.order, int(found.transaction)
    answer = await merchant.get(codes.info(payment))
    if isinstance(answer, Missing):
        return Unclear("missing")
    return read(lambda said: codes.transaction(payment, said), answer)


def _read(merchant: Merchant, name: str, answer: Answer | Failure) -> ProviderRefund | Failure:
    return read(lambda said: refunds.refund(name, said, merchant.clock()), answer)
