"""What a shop takes, by which means, and which of several shops takes a payment: pure.

A shop is a legal entity's account at a provider. Money for a contract belongs to the legal entity
that serves it, its operator, so the operator picks the shop and a payment never spans two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from shared.errors import FieldError, Invalid, Text, Unavailable, invalid
from shared.gateway.receipt import ReceiptTerms
from shared.money import Money

_SEVERAL = Text(
    "these contracts are served by different legal entities: pay for each one separately",
    "эти договоры обслуживают разные юридические лица: оплатите каждый отдельно",
)
_NOBODY = Text(
    "Payments for this contract are not set up yet: tell your provider",
    "Оплата этого договора ещё не настроена: сообщите об этом своему провайдеру",
)


class Unserved(Unavailable):
    """No shop takes payments for this operator's contracts: a person has to set one up."""

    def __init__(self, operator: str) -> None:
        super().__init__(_NOBODY)
        self.operator = operator


@dataclass(frozen=True, slots=True)
class Means:
    """One means of payment at a provider: a bank card, a wallet, a bank's app."""

    code: str
    """The provider's word for it."""
    title: Text
    amount_min: Money
    amount_max: Money | None
    """None where the provider names none; then the shop's own bound holds."""
    term: timedelta
    """How long the payer may take."""
    holds: bool = True
    """Whether money can be held first and taken later."""
    scans: bool = False
    """Whether it can be paid by scanning a code that we show."""
    keeps: bool = False
    """Whether it can be saved with a payment and charged later."""

    def takes(self, amount: Money) -> bool:
        """Say whether an amount is within the bounds of this means."""
        most = self.amount_max
        return self.amount_min <= amount and (most is None or amount <= most)


@dataclass(frozen=True, slots=True)
class Terms:
    """What one shop takes."""

    amount_min: Money
    amount_max: Money
    operators: frozenset[str] | None = None
    """Whose contracts it takes; None for all that no other shop names, empty for no new ones."""
    receipts: ReceiptTerms | None = None
    """How its cash register prints; None for a shop whose payments print nothing through it."""
    offered: tuple[Means, ...] = ()
    """What our page lets the payer choose from; empty where the provider's page asks."""
    known: tuple[Means, ...] = ()
    """What a caller may ask for where nothing is offered."""
    shows_codes: bool = False
    """Whether our page shows the code to scan, where the means has one."""
    capture: bool = True
    """False holds the money first, where the means can."""
    saves: bool = False
    """Whether it saves payment methods for later charges."""

    def keeps(self, means: Means | None) -> bool:
        """Say whether what is paid with can be saved; without means the provider's page asks."""
        return self.saves and (means is None or means.keeps)

    def check_amount(self, amount: Money) -> None:
        """Raise Invalid for an amount that this shop does not take."""
        if amount < self.amount_min:
            raise invalid(
                "amount", f"not less than {self.amount_min}", f"не меньше {self.amount_min}"
            )
        if amount > self.amount_max:
            raise invalid(
                "amount", f"not more than {self.amount_max}", f"не больше {self.amount_max}"
            )

    def fitting(self, amount: Money) -> tuple[Means, ...]:
        """Return what is offered for an amount; raises Invalid where all of it is too small."""
        found = tuple(means for means in self.offered if means.takes(amount))
        if self.offered and not found:
            raise _unfit(amount, self.offered[0])
        return found

    def chosen(self, code: str | None, amount: Money, *, qr: bool = False) -> Means | None:
        """Return the means a payment is made for; None where the provider's page asks.

        One that is offered alone is taken without a question. Raises Invalid for one that is not
        offered, an amount it does not take, and a code to scan where there is none.
        """
        alone = self.offered[0] if len(self.offered) == 1 else None
        found = alone if code is None else self.means(code)
        if code is not None and found is None:
            names = ", ".join(means.code for means in self.offered or self.known)
            raise invalid("method", f"take one of: {names}", f"возьмите один из: {names}")
        if found is not None and not found.takes(amount):
            raise _unfit(amount, found)
        if qr and (found is None or not found.scans):
            raise invalid(
                "qr",
                "this method is not paid by a code: leave qr out or take another method",
                "этот способ не оплачивают по коду: уберите qr или возьмите другой способ",
            )
        return found

    def means(self, code: str) -> Means | None:
        """Return the means of this name, where it is offered or nothing is."""
        among = self.offered or self.known
        return next((means for means in among if means.code == code), None)

    def captures(self, code: str | None) -> bool:
        """Say whether a payment takes the money at once; what cannot be held is never held."""
        means = None if code is None else self.means(code)
        return self.capture or (means is not None and not means.holds)


def _unfit(amount: Money, means: Means) -> Invalid:
    if amount < means.amount_min:
        return invalid(
            "amount", f"not less than {means.amount_min}", f"не меньше {means.amount_min}"
        )
    most = means.amount_max
    return invalid(
        "amount",
        f"not more than {most} by this method",
        f"не больше {most} этим способом",
    )


def only_shop(terms: Mapping[str, Terms]) -> str | None:
    """Return the shop that takes every contract; None where the operator decides."""
    taking = [shop for shop, said in terms.items() if said.operators != frozenset()]
    return taking[0] if len(taking) == 1 and terms[taking[0]].operators is None else None


def shop_for(terms: Mapping[str, Terms], operators: Mapping[str, str]) -> str:
    """Return the shop that takes a payment; `operators` is contract → operator.

    Raises Invalid where the contracts belong to several shops, Unserved where one has none.
    """
    if (only := only_shop(terms)) is not None:
        return only
    shops = {_serving(terms, operator) for operator in operators.values()}
    if len(shops) != 1:
        raise Invalid(FieldError("allocations", _SEVERAL))
    return shops.pop()


def _serving(terms: Mapping[str, Terms], operator: str) -> str:
    named = [shop for shop, said in terms.items() if said.operators and operator in said.operators]
    others = [shop for shop, said in terms.items() if said.operators is None]
    if not named and not others:
        raise Unserved(operator)
    return (named or others)[0]
