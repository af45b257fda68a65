"""What may be corrected, and where the money goes then: decided from what stands, and pure.

A desk's payment may be moved, changed, annulled and restored. What a provider has confirmed is
only moved: it will be settled whatever we think of it. A transfer or write-off is annulled and
made anew, a fee is only annulled. Everything else follows from other entries and is corrected with
them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from core_billing import accounts
from core_billing import correction_refusals as refusals
from core_billing.revisions import Chain, Revision
from shared.errors import Refusal
from shared.money import Money

Share = tuple[str | None, int]
"""A contract's number, or None for suspense, and its kopecks."""

REVISIONS_MAX: Final = 200
"""Of one payment: more is somebody's loop."""


class Action(StrEnum):
    """What a manager does to a payment that stands in the ledger."""

    MOVE = "move"
    AMOUNT = "amount"
    ANNUL = "annul"
    RESTORE = "restore"


RIGHTS: Final = {
    Action.MOVE: "payments:edit",
    Action.AMOUNT: "payments:edit",
    Action.ANNUL: "payments:annul",
    Action.RESTORE: "payments:annul",
}
_WITHOUT_CONTRACT: Final = (Action.AMOUNT, Action.ANNUL)
_BETWEEN: Final = (accounts.TRANSFER, accounts.WRITE_OFF)
_NEVER: Final = (
    ((accounts.REFUND, accounts.REQUEST), refusals.REFUND_NOT_CORRECTED),
    ((accounts.DISTRIBUTION,), refusals.DISTRIBUTION_NOT_CORRECTED),
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a manager wants of a payment."""

    action: Action
    reason: str
    names_contract: bool = False
    number: str | None = None
    """The contract to put it on; None with `names_contract` means suspense."""
    amount_kopecks: int | None = None


def check_wish(wish: Wish) -> None:
    """Raise the refusal of a wish that no payment could fulfil."""
    if not wish.reason:
        raise refusals.REASON_MISSING()
    if wish.action is Action.MOVE and not wish.names_contract:
        raise refusals.CONTRACT_MISSING()
    if wish.action in _WITHOUT_CONTRACT and wish.names_contract:
        raise refusals.CONTRACT_UNASKED()
    if wish.action is Action.AMOUNT:
        _check_amount(wish)
    elif wish.amount_kopecks is not None:
        raise refusals.AMOUNT_UNASKED()


def _check_amount(wish: Wish) -> None:
    if wish.amount_kopecks is None:
        raise refusals.AMOUNT_MISSING()
    if wish.amount_kopecks == 0:
        raise refusals.AMOUNT_ZERO()
    if wish.amount_kopecks < 0:
        raise refusals.AMOUNT_NEGATIVE()


def decided(chain: Chain, wish: Wish, shown: Callable[[datetime], str]) -> tuple[Share, ...]:
    """Return how the payment is to lie; none of it anywhere means it is annulled.

    `shown` writes a moment for people. Raises the refusal of the rule that forbids it.
    """
    _check_source(chain, wish)
    newest = chain.newest
    if newest.number >= REVISIONS_MAX:
        raise refusals.TOO_MANY_REVISIONS(max=REVISIONS_MAX)
    if wish.action is Action.RESTORE:
        if newest.shares:
            raise refusals.NOT_ANNULLED()
        return _restored(chain, wish)
    if not newest.shares:
        raise refusals.ALREADY_ANNULLED(**who(newest, shown))
    if is_placed(chain, wish):
        return _placed(newest, wish)
    return _CHANGED[wish.action](newest, wish)


def who(revision: Revision, shown: Callable[[datetime], str]) -> dict[str, object]:
    """Return what a refusal says of whoever wrote a revision."""
    manager = revision.manager or "billing"
    return {"manager": manager, "at": shown(revision.at), "revision": revision.number}


def is_placed(chain: Chain, wish: Wish) -> bool:
    """Say whether a provider's money goes from suspense to a contract: that is no correction."""
    return (
        wish.action is Action.MOVE
        and wish.number is not None
        and chain.reference[0].startswith(accounts.PAYMENT)
        and None in {share.number for share in chain.newest.shares}
    )


def _check_source(chain: Chain, wish: Wish) -> None:
    source = chain.reference[0]
    for prefixes, refusal in _NEVER:
        if source.startswith(prefixes):
            raise refusal()
    if source in _BETWEEN:
        _check_between(wish, refusals.ONLY_ANNULLED)
    elif source.startswith(accounts.FEE):
        _check_between(wish, refusals.FEE_NOT_CORRECTED)
    elif source.startswith(accounts.PAYMENT):
        if wish.action is not Action.MOVE:
            raise refusals.PROVIDER_CONFIRMED(amount=Money(chain.newest.amount_kopecks))
    elif not accounts.is_real(source):
        raise refusals.OPENING_NOT_CORRECTED()


def _check_between(wish: Wish, refusal: Refusal) -> None:
    if wish.action in (Action.MOVE, Action.AMOUNT):
        raise refusal()
    if wish.names_contract:
        raise refusals.CONTRACT_UNASKED()


def _moved(newest: Revision, wish: Wish) -> tuple[Share, ...]:
    if {share.number for share in newest.shares} == {wish.number}:
        raise refusals.SAME_CONTRACT()
    return ((wish.number, newest.amount_kopecks),)


def _placed(newest: Revision, wish: Wish) -> tuple[Share, ...]:
    """Put what lies in suspense on a contract; what lies on contracts stays there."""
    lies: dict[str | None, int] = {}
    for share in newest.shares:
        number = wish.number if share.number is None else share.number
        lies[number] = lies.get(number, 0) + share.kopecks
    return tuple(lies.items())


def _changed(newest: Revision, wish: Wish) -> tuple[Share, ...]:
    amount = wish.amount_kopecks
    if amount is None:
        raise refusals.AMOUNT_MISSING()
    if len({share.number for share in newest.shares}) > 1:
        raise refusals.SPLIT_PAYMENT()
    if amount == newest.amount_kopecks:
        raise refusals.NOTHING_CHANGES()
    return ((newest.shares[0].number, amount),)


def _annulled(_newest: Revision, _wish: Wish) -> tuple[Share, ...]:
    return ()


def _restored(chain: Chain, wish: Wish) -> tuple[Share, ...]:
    before = chain.standing
    if wish.names_contract:
        return ((wish.number, before.amount_kopecks),)
    return tuple((share.number, share.kopecks) for share in before.shares)


_CHANGED: Final[dict[Action, Callable[[Revision, Wish], tuple[Share, ...]]]] = {
    Action.MOVE: _moved,
    Action.AMOUNT: _changed,
    Action.ANNUL: _annulled,
}
