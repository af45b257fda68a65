"""A saved method and everything that may happen to it, in any order: removed never comes back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from shared.events_gateway import PaymentMethodRevoked, PaymentMethodSaved
from shared.gateway import methods_rules
from shared.gateway.consent import Consent
from shared.gateway.method import MethodStatus, ProviderMethod
from shared.gateway.methods_rules import Change, Method

NOON = datetime(2026, 11, 22, 9, tzinfo=UTC)
ORDER = list(MethodStatus)


class MethodMachine(RuleBasedStateMachine):
    """The provider goes on by its own rules; we see any of its answers, old ones too."""

    answers = Bundle("answers")

    def __init__(self) -> None:
        super().__init__()
        self.mine = Method(
            id=UUID(int=1),
            shop="yookassa:100500",
            contract="1",
            status=MethodStatus.CREATING,
            consent=Consent("1", NOON, None, "demo"),
            correlation_id="c",
            created_at=NOON,
        )
        self.truth = ProviderMethod("token", MethodStatus.PENDING, "bank_card")
        self.at = NOON
        self.ranks = [ORDER.index(self.mine.status)]
        self.said: list[PaymentMethodSaved | PaymentMethodRevoked] = []
        self.removed = False

    @rule(target=answers)
    def answer(self) -> ProviderMethod:
        """The provider is asked; the answer may arrive much later."""
        return self.truth

    @rule(title=st.sampled_from(["Visa •4477", "Мир •0004"]))
    def payer_confirms(self, title: str) -> None:
        self.truth = replace(self.truth, status=MethodStatus.ACTIVE, title=title)

    @rule()
    def provider_ends(self) -> None:
        self.truth = replace(self.truth, status=MethodStatus.INACTIVE)

    @rule(seen=answers)
    def we_see(self, seen: ProviderMethod) -> None:
        before = self.mine
        change = methods_rules.told(before, seen, self.at)
        if before.status.final:
            assert change == Change(before)
        self._take(change)
        assert methods_rules.told(self.mine, seen, self.at) == Change(self.mine)

    @rule(reason=st.sampled_from(["card_expired", "expired"]))
    def a_charge_ends_it(self, reason: str) -> None:
        self._take(methods_rules.ended(self.mine, reason, self.at))

    @rule()
    def payer_removes(self) -> None:
        self.removed = True
        self._take(methods_rules.removed(self.mine, "removed", self.at))
        assert methods_rules.removed(self.mine, "removed", self.at) == Change(self.mine)

    @invariant()
    def states_never_go_back(self) -> None:
        assert self.ranks == sorted(self.ranks)

    @invariant()
    def removed_never_returns(self) -> None:
        assert (self.mine.status is MethodStatus.REMOVED) == self.removed
        assert (self.mine.removed_at is None) == (not self.removed)

    @invariant()
    def what_is_said_grows_and_ends(self) -> None:
        revisions = [event.revision for event in self.said]
        assert revisions == list(range(1, len(revisions) + 1))
        assert self.mine.revision == len(revisions)
        kinds = "".join("s" if isinstance(e, PaymentMethodSaved) else "r" for e in self.said)
        assert "rs" not in kinds, "nothing is saved again once it was revoked"
        assert not kinds.startswith("r"), "what nobody has heard of is not revoked"
        if "s" in kinds:
            assert (self.mine.status is MethodStatus.ACTIVE) == kinds.endswith("s")

    def _take(self, change: Change) -> None:
        self.mine = change.method
        self.at += timedelta(seconds=1)
        self.ranks.append(ORDER.index(self.mine.status))
        if change.event is not None:
            self.said.append(change.event)


TestMethodMachine = MethodMachine.TestCase
