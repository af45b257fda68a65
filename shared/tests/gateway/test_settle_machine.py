"""A payment and its provider, in any order of events: what must hold whatever is seen when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from shared.events import Allocation, PaymentCanceled, PaymentSucceeded
from shared.gateway import settle
from shared.gateway.provider import ProviderPayment, Status
from shared.gateway.settle import Payment, Rules, decide

NOON = datetime(2026, 11, 22, 9, tzinfo=UTC)
SHOP = "yookassa:100500"
RULES = Rules(test=False)


class PaymentMachine(RuleBasedStateMachine):
    """The provider goes on by its own rules; we see any of its answers, old ones too."""

    answers = Bundle("answers")

    def __init__(self) -> None:
        super().__init__()
        self.mine = Payment(
            id=UUID(int=1),
            shop=SHOP,
            status=Status.CREATING,
            amount_kopecks=10_000,
            allocations=(Allocation(contract="1", amount_kopecks=10_000),),
            correlation_id="c",
            created_at=NOON,
        )
        self.truth = ProviderPayment(
            id="p",
            shop=SHOP,
            status=Status.PENDING,
            said="pending",
            amount_kopecks=10_000,
            currency="RUB",
            test=False,
            created_at=NOON,
        )
        self.ranks = [self.mine.status.rank]
        self.said: list[PaymentSucceeded | PaymentCanceled] = []
        self.seen_success: ProviderPayment | None = None

    @rule(target=answers)
    def answer(self) -> ProviderPayment:
        """The provider is asked; the answer may arrive much later."""
        return self.truth

    @rule(kopecks=st.sampled_from([10_000, 9_999, 1, 20_000]), minutes=st.integers(0, 600))
    def payer_pays(self, kopecks: int, minutes: int) -> None:
        if self.truth.status is Status.PENDING:
            self.truth = replace(
                self.truth,
                status=Status.SUCCEEDED,
                said="succeeded",
                amount_kopecks=kopecks,
                paid_at=NOON + timedelta(minutes=minutes),
            )

    @rule()
    def provider_cancels(self) -> None:
        if self.truth.status is Status.PENDING:
            self.truth = replace(self.truth, status=Status.CANCELED, said="canceled", reason="x")

    @rule(seen=answers)
    def we_see(self, seen: ProviderPayment) -> None:
        decision = decide(self.mine, seen, RULES, NOON)
        self._take(decision)
        if seen.status is Status.SUCCEEDED:
            self.seen_success = seen
        assert decision.poll == (
            seen.status is Status.PENDING and self.mine.status is not Status.SUCCEEDED
        )

    @rule()
    def we_give_up(self) -> None:
        self._take(settle.canceled(self.mine, "unmade", NOON))

    @invariant()
    def states_never_go_back(self) -> None:
        assert self.ranks == sorted(self.ranks)

    @invariant()
    def money_is_said_once_and_as_it_came(self) -> None:
        successes = [said for said in self.said if isinstance(said, PaymentSucceeded)]
        if self.seen_success is None:
            assert successes == []
            return
        assert len(successes) == 1
        assert successes[0].amount_kopecks == self.seen_success.amount_kopecks
        shares = sum(part.amount_kopecks for part in successes[0].allocations)
        assert shares == self.seen_success.amount_kopecks
        assert (successes[0].suspense is None) == (self.seen_success.amount_kopecks == 10_000)
        assert settle.success(self.mine) == successes[0]

    @invariant()
    def a_cancellation_is_said_once_and_never_after_a_success(self) -> None:
        kinds = [type(said) for said in self.said]
        assert kinds in (
            [],
            [PaymentCanceled],
            [PaymentSucceeded],
            [PaymentCanceled, PaymentSucceeded],
        )

    def _take(self, decision: settle.Decision) -> None:
        self.mine = decision.payment
        self.ranks.append(self.mine.status.rank)
        if decision.event is not None:
            self.said.append(decision.event)


TestPaymentMachine = PaymentMachine.TestCase
