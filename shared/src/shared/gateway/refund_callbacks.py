"""What a callback about a refund leads to: the provider is asked, its answer is settled."""

from __future__ import annotations

from shared.gateway import refund_settling
from shared.gateway.claims import Claimed
from shared.gateway.gateway import Gateway
from shared.gateway.provider import Failure, Missing, ProviderRefund, Status
from shared.gateway.refund_settling import Told


async def ask(gateway: Gateway, claimed: Claimed) -> str | Missing | Failure | None:
    """Return what has become of the refund; None where the provider says less than its callback."""
    found = await gateway.providers[claimed.shop].fetch_refund(claimed.provider_payment_id)
    if not isinstance(found, ProviderRefund):
        return found
    decision = await refund_settling.settle(gateway, Told(claimed.shop, found))
    if isinstance(decision, Failure):
        return decision
    if found.status is Status.PENDING and claimed.claims.rank > Status.PENDING.rank:
        return None
    return "nothing" if decision is None else str(decision.refund.status)
