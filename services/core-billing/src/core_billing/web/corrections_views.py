"""What corrections ask and answer, as models: the OpenAPI document is made from them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from core_billing import accounts
from core_billing.amounts import TypedMoney
from core_billing.correction_rules import REVISIONS_MAX, Action, Wish
from core_billing.registration import Line, Number
from core_billing.revisions import Chain, Revision
from shared.money import RUB, Money, WireMoney

REASON_MAX = 250
RevisionNumber = Annotated[int, Field(ge=0, lt=2**31)]


class Correction(BaseModel):
    """A correction: move to `contract` (null for suspense), change the sum, annul or restore.

    A payment is restored where it was, or on `contract`.
    Of a provider's payment that lies partly in suspense, a move to a contract takes that part.
    `revision` is the one you have looked at; without it, the one that stands when you ask.
    """

    model_config = ConfigDict(extra="forbid")

    action: Action
    contract: Number | None = None
    amount: TypedMoney | None = None
    reason: Annotated[Line, Field(max_length=REASON_MAX)] = ""
    """1 to 250 characters."""
    revision: RevisionNumber | None = None

    def wish(self) -> Wish:
        """Return it as the rules read it."""
        suspense = self.action is Action.MOVE and "contract" in self.model_fields_set
        return Wish(
            self.action,
            self.reason,
            names_contract=self.contract is not None or suspense,
            number=self.contract,
            amount_kopecks=None if self.amount is None else self.amount.kopecks,
        )


class ShareView(BaseModel):
    """What a revision has put on a contract, or in suspense, where `contract` is null.

    `balance` is the contract's balance right after it. A negative amount was taken.
    """

    contract: str | None
    amount: WireMoney
    balance: WireMoney | None


class PostingView(BaseModel):
    """One posting; `reverses` says that it takes back one of the revision before."""

    debit: str
    credit: str
    amount: WireMoney
    reverses: bool


class BalanceView(BaseModel):
    """A contract that a correction has touched, with its balance after everything."""

    contract: str
    balance: WireMoney


class CorrectionView(BaseModel):
    """The newest revision of a payment; `id` is the payment's, for all of its revisions."""

    id: str
    revision: int
    action: str
    amount: WireMoney
    currency: str = RUB
    shares: list[ShareView]
    balances: list[BalanceView] = Field(max_length=2000)
    manager: str | None
    reason: str
    at: datetime


class RevisionView(BaseModel):
    """One revision: who has written it, why and when, and its postings.

    `manager` is null where a provider or the billing itself has.
    """

    number: int
    action: str
    amount: WireMoney
    shares: list[ShareView]
    manager: str | None
    reason: str
    at: datetime
    postings: list[PostingView]


class RevisionsView(BaseModel):
    """All revisions of a payment, the oldest first; the last one is what stands."""

    id: str
    source: str
    external_id: str
    amount: WireMoney
    currency: str = RUB
    annulled: bool
    paid_at: datetime
    items: list[RevisionView] = Field(max_length=REVISIONS_MAX)


def correction_view(chain: Chain, balances: Mapping[str, int]) -> CorrectionView:
    """Return what is answered to a correction."""
    newest = chain.newest
    return CorrectionView(
        id=str(chain.id),
        revision=newest.number,
        action=newest.action,
        amount=_amount(chain, newest),
        shares=_shares(newest),
        balances=[
            BalanceView(contract=number, balance=Money(kopecks))
            for number, kopecks in sorted(balances.items())
        ],
        manager=newest.manager,
        reason=newest.reason,
        at=newest.at,
    )


def revisions_view(chain: Chain) -> RevisionsView:
    """Return what is shown of a payment's revisions."""
    source, external_id = chain.reference
    return RevisionsView(
        id=str(chain.id),
        source=source,
        external_id=external_id,
        amount=_amount(chain, chain.newest),
        annulled=not chain.newest.shares,
        paid_at=chain.paid_at,
        items=[_revision_view(chain, one) for one in chain.revisions],
    )


def _revision_view(chain: Chain, one: Revision) -> RevisionView:
    return RevisionView(
        number=one.number,
        action=one.action,
        amount=_amount(chain, one),
        shares=_shares(one),
        manager=one.manager,
        reason=one.reason,
        at=one.at,
        postings=[
            PostingView(
                debit=line.debit,
                credit=line.credit,
                amount=Money(line.kopecks),
                reverses=line.reverses,
            )
            for line in one.lines
        ],
    )


def _shares(one: Revision) -> list[ShareView]:
    return [
        ShareView(
            contract=share.number,
            amount=Money(share.kopecks),
            balance=None if share.balance_kopecks is None else Money(share.balance_kopecks),
        )
        for share in one.shares
    ]


def _amount(chain: Chain, one: Revision) -> Money:
    """Return the visible sum: of what only moves between contracts, how much it has moved."""
    between = chain.reference[0] in (accounts.TRANSFER, accounts.DISTRIBUTION)
    return Money(one.moved_kopecks if between else one.amount_kopecks)
