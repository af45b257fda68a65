"""What a payer does at YooKassa: pays, fails, or goes away.

The button of the page and `POST /sandbox/yookassa/payments/{id}/pay` come here alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulators.control import Mistake
from simulators.yookassa import cards, checks, lifecycle, means
from simulators.yookassa.cards import Refusal
from simulators.yookassa.payment import Payment
from simulators.yookassa.provider import Provider


@dataclass(frozen=True, slots=True)
class Wish:
    """What the payer does: a test card's number, or a method that asks for none.

    `keep_pending` lets a refused attempt leave the payment pending, as YooKassa's "smart" page
    does; without it the refusal is final, as for shops that have that switched off. `refuse` has
    the bank refuse whatever is paid with.
    """

    card: str | None = None
    method: str | None = None
    """What the payment was made for if it says so, else a card."""
    save: bool = False
    keep_pending: bool = False
    refuse: str | None = None


def wish(body: dict[str, Any]) -> Wish:
    """Read a wish from JSON; raises Mistake for an unknown member or a wrong type."""
    for name, value in body.items():
        kind = _MEMBERS.get(name)
        if kind is None:
            raise Mistake(f"no such member: {name}; there are {', '.join(_MEMBERS)}")
        if not isinstance(value, kind):
            raise Mistake(f"{name} must be a {kind.__name__}")
    return Wish(**body)


def attempt(provider: Provider, current: Payment, wish: Wish) -> Payment:
    """Try to pay; returns the payment as it then stands. Raises Mistake."""
    if current.status != "pending":
        raise Mistake(f"the payment is {current.status} already", 409)
    if current.confirm_by is not None and current.confirm_by <= provider.clock.now():
        lifecycle.expire(provider, current)
        raise Mistake("the term to pay is over", 409)
    used, refusal = _means(provider, current, wish)
    if refusal is None:
        return lifecycle.pay(provider, current, used, keep=_keeps(provider, current, used, wish))
    if wish.keep_pending:
        return lifecycle.fail_attempt(provider, current, refusal)
    return lifecycle.cancel(provider, current, refusal)


def payable(provider: Provider, current: Payment) -> list[str]:
    """Return by what a payment can be paid: what it was made for, else all that its shop has.

    What has no hold pays no two-stage payment, and each takes no more than its bound.
    """
    kinds = (
        [current.method_type] if current.method_type else provider.shops[current.shop_id].methods
    )
    return [
        kind
        for kind in kinds
        if (current.capture or kind in lifecycle.HOLD)
        and current.amount_kopecks <= checks.MOST.get(kind, checks.MOST["bank_card"])
    ]


_MEMBERS = {"card": str, "method": str, "save": bool, "keep_pending": bool, "refuse": str}


def _means(provider: Provider, current: Payment, wish: Wish) -> tuple[means.Means, Refusal | None]:
    kind = wish.method or current.method_type or "bank_card"
    if kind not in payable(provider, current):
        raise Mistake(f"this payment cannot be paid by {kind}", 400)
    refusal = Refusal("payment_network", wish.refuse) if wish.refuse else None
    if kind != "bank_card":
        return means.by_type(kind), refusal
    card = cards.find(wish.card or cards.PAYING[0].number)
    if card is None:
        raise Mistake("not a test card", 400)
    return means.by_card(card), refusal or card.refusal


def _keeps(provider: Provider, current: Payment, used: means.Means, wish: Wish) -> bool:
    # The shop's wish is unconditional; the payer's tick exists where the shop said nothing.
    wanted = current.save_method or wish.save
    return wanted and provider.shops[current.shop_id].recurring and used.type in means.SAVABLE
