"""The other side of the gateways in a year that is played: methods, charges and their outcomes.

It charges every id once, whatever comes again, and keeps what it has charged for the account that
is settled at the end. How often which reason comes is assumed; the reasons are the published ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from autopay.mandate import MethodName
from autopay.schedule import day_of
from shared.events import Allocation, Event, PaymentSucceeded
from shared.events_autopay import MandateRevoked
from shared.events_gateway import (
    ChargeFailed,
    ChargeRequested,
    FailureClass,
    PaymentMethodRevoked,
    PaymentMethodSaved,
)
from year.people import Card, draw, luck

GATEWAY: Final = "gateway-yookassa"
SPREAD: Final = (
    (0.970, ""),
    (0.978, "issuer_unavailable"),
    (0.984, "general_decline"),
    (0.988, "payment_method_limit_exceeded"),
    (0.991, "internal_timeout"),
    (0.994, "call_issuer"),
    (0.998, "a_reason_of_tomorrow"),
    (1.000, "unmade"),
)
"""What becomes of a charge for which there is money."""
ENDING: Final = frozenset({"fraud_suspected"})

Send = Callable[[Event, datetime], None]
"""Hands an event to the post; it is not delivered before the moment."""


@dataclass(slots=True)
class Charged:
    """A charge as the provider knows it."""

    contract: str
    method: MethodName
    amount_kopecks: int
    at: datetime
    outcome: str = ""
    """succeeded, or the reason of the failure; empty while it is open."""
    failure: FailureClass | None = None
    told: bool = False
    """Whether its outcome has been applied by autopay."""


class Bank:
    """Both gateways and both providers."""

    def __init__(self, seed: int, outages: list[tuple[datetime, datetime, str]], send: Send):
        self.seed = seed
        self.outages = outages
        """From when until when: ``shop`` refuses everybody, ``slow`` answers late, ``down`` not."""
        self.send = send
        self.cards: dict[MethodName, Card] = {}
        self.gone: dict[MethodName, datetime] = {}
        self.charges: dict[str, Charged] = {}
        self.broken: list[str] = []
        self.counts: Counter[str] = Counter()

    def save(self, card: Card, at: datetime) -> None:
        """Tell of a method that a subscriber has saved."""
        self.cards[card.name] = card
        expires = None if card.death != "card_expired" else card.dies_on
        body = PaymentMethodSaved(
            contract=card.owner,
            occurred_at=at,
            revision=1,
            provider=card.name.provider,
            method_ref=card.name.method_ref,
            kind="bank_card",
            title="Visa •4477",
            expires=None if expires is None else f"{expires:%Y-%m}",
        )
        self._say(body, card.name.method_ref, 1, at)

    def revoke(self, name: MethodName, reason: str, at: datetime) -> None:
        """End a method for good; only the first time is told."""
        if name in self.gone or name not in self.cards:
            return
        self.gone[name] = at
        body = PaymentMethodRevoked(
            contract=self.cards[name].owner,
            occurred_at=at,
            revision=2,
            provider=name.provider,
            method_ref=name.method_ref,
            reason=reason,
        )
        self._say(body, name.method_ref, 2, at)

    def hear(self, event: Event, at: datetime) -> None:
        """Take what autopay says to the gateways."""
        if event.type == MandateRevoked.TYPE:
            for one in MandateRevoked.of(event).methods:
                self.revoke(MethodName(one.provider, one.method_ref), "mandate_revoked", at)
        elif event.type == ChargeRequested.TYPE:
            self._charge(ChargeRequested.of(event), at)

    def _charge(self, said: ChargeRequested, at: datetime) -> None:
        name = MethodName(said.provider, said.method_ref)
        known = self.charges.get(said.charge_id)
        if known is not None:
            self.counts["charges asked for again"] += 1
            if (known.method, known.amount_kopecks) != (name, said.amount_kopecks):
                self.broken.append(f"charge {said.charge_id} came again as another one")
            return
        made = Charged(said.contract or "", name, said.amount_kopecks, at)
        self.charges[said.charge_id] = made
        outage = self._outage(name.provider, at)
        late = self._late(said.charge_id, outage)
        card = self.cards.get(name)
        if at > said.not_after:
            self._fail(said, made, "not_after", FailureClass.STALE, at)
        elif card is None or name in self.gone or card.owner != said.contract:
            self._fail(said, made, "method_removed", FailureClass.HARD, at)
        elif outage == "shop":
            self._fail(said, made, "shop_not_configured", FailureClass.SHOP, at + late)
        elif outage == "down":
            self._fail(said, made, "internal_timeout", FailureClass.SOFT, at + late)
        else:
            self._decide(said, made, card, at, late)

    def _decide(
        self, said: ChargeRequested, made: Charged, card: Card, at: datetime, late: timedelta
    ) -> None:
        today = day_of(at, card.zone)
        if card.dies_on is not None and today >= card.dies_on:
            reason = card.death
        elif not card.has_money(self.seed, at):
            reason = "insufficient_funds"
        else:
            # The same for every rule that tries the same card on the same day.
            word = luck(self.seed, card.name.method_ref, today, "spread")
            reason = draw(SPREAD, word)
        if not reason:
            self._succeed(said, made, at + late)
            return
        hard = reason in ENDING or (card.dies_on is not None and today >= card.dies_on)
        failure = FailureClass.HARD if hard else FailureClass.SOFT
        self._fail(said, made, reason, failure, at + late)
        if hard:
            self.revoke(card.name, reason, at + late)

    def _succeed(self, said: ChargeRequested, made: Charged, at: datetime) -> None:
        made.outcome = "succeeded"
        share = Allocation(contract=made.contract, amount_kopecks=made.amount_kopecks)
        body = PaymentSucceeded(
            contract=made.contract,
            occurred_at=at,
            provider=made.method.provider,
            provider_payment_id=f"p-{said.charge_id}",
            amount_kopecks=made.amount_kopecks,
            allocations=(share,),
            purpose="autopay",
            paid_at=at,
            charge_id=said.charge_id,
        )
        self._say(body, body.provider_payment_id, body.provider_payment_id, at)

    def _fail(
        self,
        said: ChargeRequested,
        made: Charged,
        reason: str,
        failure: FailureClass,
        at: datetime,
    ) -> None:
        made.outcome, made.failure = reason, failure
        body = ChargeFailed.model_validate(
            {
                "contract": made.contract,
                "occurred_at": at,
                "charge_id": said.charge_id,
                "provider": made.method.provider,
                "method_ref": made.method.method_ref,
                "amount_kopecks": made.amount_kopecks,
                "reason": reason,
                "class": failure,
            }
        )
        self._say(body, said.charge_id, "failed", at)

    def _outage(self, provider: str, at: datetime) -> str:
        for begins, ends, kind in self.outages:
            if begins <= at < ends and kind.startswith(provider):
                return kind.rpartition(" ")[2]
        return ""

    def _late(self, charge_id: str, outage: str) -> timedelta:
        """Return how long after a charge its outcome is known."""
        word = luck(self.seed, charge_id, "late")
        if outage == "slow" or word > 0.997:
            return timedelta(minutes=20 + int(1_500 * luck(self.seed, charge_id, "how late")))
        return timedelta(seconds=2 + int(30 * word))

    def _say(self, body: object, subject: str, revision: str | int, at: datetime) -> None:
        assert isinstance(
            body, PaymentMethodSaved | PaymentMethodRevoked | PaymentSucceeded | ChargeFailed
        )
        event = body.event(GATEWAY, subject=subject, revision=revision, correlation_id=subject)
        self.send(event, at)
