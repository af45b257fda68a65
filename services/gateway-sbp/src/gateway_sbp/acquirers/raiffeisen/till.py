"""The cash register behind a merchant account: each receipt is a request of its own.

A receipt has a number of ours, its key: a draft under that number is written over until it is
registered, and afterwards the bank says of a further one that it conflicts. So nothing is printed
twice, however often an answer is lost. Source: the bank's API of fiscal receipts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway_sbp.acquirers.raiffeisen.merchant import Merchant, read
from gateway_sbp.acquirers.raiffeisen.wire import receipts
from shared.gateway.answer import Answer
from shared.gateway.provider import Failure, Missing, Refused, Unclear
from shared.gateway.receipt import Receipt
from shared.gateway.till import Issued, Kind, Registered

_RECEIPTS: Final = "/fiscal/v1/receipts"


class RaiffeisenTill:
    """The cash register of one merchant account."""

    apart = True

    def __init__(self, merchant: Merchant) -> None:
        self._merchant = merchant

    def receipt_request(self, kind: Kind, receipt: Receipt, provider_payment_id: str) -> bytes:
        """Return what is to be printed; the bank is told of no payment. See `Till`."""
        return receipts.request(kind, receipt, self._merchant.account.vat_words)

    async def create_receipt(self, key: str, request: bytes) -> Issued | Failure:
        """Write a draft and have it registered; see `Till`."""
        group, body = receipts.draft(key, request)
        path = f"{_RECEIPTS}/{group}/{key}"
        answer = await self._merchant.post(f"{_RECEIPTS}/{group}", body)
        if isinstance(answer, Answer):
            answer = await self._merchant.put(path)
        if _conflicts(answer):
            answer = _there(await self._merchant.get(path))
        return read(lambda said: receipts.issued(key, request, said), answer)

    async def receipts_of(self, provider_payment_id: str) -> Sequence[Issued] | Failure:
        """Return nothing: the bank knows no receipts of a payment, it is asked by their keys."""
        return ()

    async def registration(self, kind: Kind, about: str) -> Registered | Missing | Failure:
        """Ask how a receipt stands; a draft that nobody has registered is registered now."""
        if not receipts.NUMBER.fullmatch(about):
            return Missing()
        path = f"{_RECEIPTS}/{receipts.group(kind)}/{about}"
        answer = await self._merchant.get(path)
        if isinstance(answer, Missing):
            return answer
        if isinstance(answer, Answer) and receipts.status(answer.value) == receipts.NEW:
            answer = await self._merchant.put(path)
            if _conflicts(answer):
                answer = _there(await self._merchant.get(path))
        return read(lambda said: receipts.registered(about, said), answer)


def _conflicts(answer: Answer | Failure) -> bool:
    """Say whether a receipt is on its way already."""
    return isinstance(answer, Refused) and answer.code in receipts.CONFLICTS


def _there(answer: Answer | Missing | Failure) -> Answer | Failure:
    return Unclear("missing") if isinstance(answer, Missing) else answer
