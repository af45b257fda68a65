"""Bound accounts and their charges: both have ids of ours, by which they are asked about first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from gateway_sbp import exact
from gateway_sbp.acquirers.raiffeisen.merchant import Merchant, read
from gateway_sbp.acquirers.raiffeisen.wire import codes, subscriptions, words
from shared.events_gateway import FailureClass
from shared.gateway.answer import Answer
from shared.gateway.method import MethodStatus, ProviderMethod
from shared.gateway.provider import Failure, Missing, ProviderPayment, Refused, Unclear

_SUBSCRIPTIONS: Final = "/sbp/v1/subscriptions"


async def bind(merchant: Merchant, request: bytes) -> ProviderMethod | Failure:
    """Ask for a binding that the bank has not heard of; see `Keeper.bind`."""
    known = await kept(merchant, subscriptions.asked_id(request))
    if not isinstance(known, Missing):
        return known
    return read(subscriptions.method, await merchant.post(_SUBSCRIPTIONS, request))


async def kept(merchant: Merchant, token: str) -> ProviderMethod | Missing | Failure:
    """Ask how a binding stands; see `Keeper.kept`. That it was paid by says nothing about it."""
    if not words.ID.fullmatch(token):
        return Missing()
    answer = await merchant.get(f"{_SUBSCRIPTIONS}/{token}")
    if isinstance(answer, Missing):
        return answer
    found = read(subscriptions.method, answer)
    if isinstance(found, ProviderMethod) and found.token != token:
        return Unclear("another_method")
    return found


async def charge(merchant: Merchant, request: bytes) -> ProviderPayment | Failure:
    """Charge a bound account, unless that was done before; see `Provider.create`."""
    known = await find(merchant, request)
    if not isinstance(known, Missing):
        return known
    token = str(exact.read(request)["subscription"])
    path = f"{_SUBSCRIPTIONS}/{token}/orders"
    answer = await merchant.post(path, codes.charge_body(request))
    if isinstance(answer, Refused) and not answer.ours and await _ended(merchant, token):
        # Not what we have asked for is at fault: the payer has taken the consent back.
        return replace(answer, failure=FailureClass.HARD)
    return _read(merchant, request, answer)


async def find(merchant: Merchant, request: bytes) -> ProviderPayment | Missing | Failure:
    """Return what the request of a charge has made; see `Finder.find`."""
    asked = exact.read(request)
    answer = await merchant.get(f"{_SUBSCRIPTIONS}/{asked['subscription']}/orders/{asked['order']}")
    return answer if isinstance(answer, Missing) else _read(merchant, request, answer)


async def _ended(merchant: Merchant, token: str) -> bool:
    found = await kept(merchant, token)
    return isinstance(found, ProviderMethod) and found.status is MethodStatus.INACTIVE


def _read(
    merchant: Merchant, request: bytes, answer: Answer | Failure
) -> ProviderPayment | Failure:
    def translate(said: Any) -> ProviderPayment:
        at, test = merchant.clock(), merchant.account.test
        return codes.charged(merchant.shop, request, said, at, test=test)

    return read(translate, answer)
