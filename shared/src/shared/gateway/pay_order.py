"""A signed order: what core-billing lets a browser pay, and which shop takes it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared import log as logs
from shared.crypto import Link, read_link
from shared.errors import BadRequest, Invalid, Text
from shared.events import Allocation
from shared.gateway import directory
from shared.gateway.directory import CLOSED
from shared.gateway.forms import SaveMethod
from shared.gateway.gateway import Gateway
from shared.gateway.orders import Wish
from shared.gateway.provider import Provider
from shared.gateway.terms import only_shop
from shared.metrics import alarm

PURPOSE: Final = "pay"


class PayOrder(BaseModel):
    """The claims of a signed order."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    contract: str = Field(min_length=1, max_length=64)
    amount_kopecks: int = Field(gt=0, lt=10**15)
    return_url: str = Field(min_length=1, max_length=2048, pattern=r"^https?://\S+$")
    correlation_id: str | None = None
    save_method: SaveMethod | None = None
    """The consent that whoever signed the order has taken, with what the payer saw."""
    save_asked: bool = False
    """Whether whoever signed the order has asked for one: who has said no is not asked again."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An order whose link was opened."""

    token: str
    contract: str
    wish: Wish
    save_asked: bool = False
    """Whether the payer has been asked for leave to save what they pay with."""

    @property
    def back(self) -> str:
        """Return where the payer came from."""
        return self.wish.return_url


def opened(gateway: Gateway, audience: str, token: str) -> Opened:
    """Read an order's link; raises Forbidden as `read_link`, BadRequest for an incomplete order."""
    at = gateway.clock()
    link = read_link(gateway.signer, token, audience=audience, purpose=PURPOSE, at=at)
    try:
        order = PayOrder.model_validate(dict(link.claims))
    except ValidationError as error:
        raise BadRequest(
            Text("The order in the link is incomplete", "Заказ в ссылке неполон")
        ) from error
    asked = order.save_asked or order.save_method is not None
    return Opened(token, order.contract, _wish(link, order, at), asked)


async def shop_of(gateway: Gateway, contract: str, patience: timedelta) -> Provider | None:
    """Return the shop that takes an order; None while nobody can say.

    Core signed the order, so it knows the contract even where our directory lags behind. What
    takes every contract need not wait for it, what goes by the operator must. Raises Invalid for
    a closed contract, and what `Gateway.maker` raises.
    """
    every = only_shop(gateway.terms) is not None
    known = await directory.awaited(gateway.db, [contract], timedelta(0) if every else patience)
    entry = known.get(contract)
    if entry is not None and entry.status == CLOSED:
        raise Invalid(directory.closed("contract"))
    if entry is None and not every:
        alarm("contract_unknown", contract=contract, correlation_id=logs.correlation_id())
        return None
    return gateway.maker({contract: entry.operator if entry else ""})


def _wish(link: Link, order: PayOrder, at: datetime) -> Wish:
    save = order.save_method
    part = Allocation(contract=order.contract, amount_kopecks=order.amount_kopecks)
    return Wish(
        allocations=(part,),
        amount_kopecks=order.amount_kopecks,
        return_url=order.return_url,
        correlation_id=logs.acceptable(order.correlation_id),
        order_id=link.subject,
        consent=None if save is None else save.consent.consent("order", at),
    )
