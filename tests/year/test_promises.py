"""Those who look at a year that is played are looked at themselves: each broken promise is seen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest

from autopay.mandate import MethodName, Terms, Trigger
from autopay.retry_limits import Rules
from autopay.schedule import Hours, Notice
from shared.events import Event, EventData
from shared.events_autopay import AutopayDropped, AutopayUpcoming
from shared.events_gateway import ChargeFailed, ChargeRequested, FailureClass, PaymentMethodRevoked
from year.bank import Charged
from year.outcome import Trouble, troubles
from year.promises import Agreement, Promises

CARD = MethodName("yookassa:1", "card")
NOTICE = Notice(timedelta(hours=1), timedelta(minutes=15), Hours.read("09:00-21:00"))
TERMS = Terms(Trigger.BALANCE, cap_kopecks=100_000, method=CARD, threshold_kopecks=10_000)
HOUR = timedelta(hours=1)


def at(written: str) -> datetime:
    """Read a moment of Moscow in December 2026, such as ``05 12:00``."""
    return datetime.fromisoformat(f"2026-12-{written}:00+03:00")


NOON = at("05 12:00")


def event(body: EventData) -> Event:
    return body.event("test", subject="A-1", revision=1, correlation_id="c")


class Story:
    """A contract whose service says and hears what a test tells."""

    def __init__(self) -> None:
        self.promises = Promises(NOTICE)
        self.agreement = Agreement(TERMS)
        self.promises.agreements["A-1"] = self.agreement

    def announced(self, charge: str, when: datetime, kopecks: int = 50_000) -> None:
        said = {"contract": "A-1", "occurred_at": when, "charge_id": charge, "mandate_id": "m"}
        more = {
            "amount_kopecks": kopecks,
            "charge_at": when + HOUR,
            "why": "balance",
            "balance_kopecks": 0,
        }
        self.promises.said(event(AutopayUpcoming.model_validate(said | more)))

    def requested(self, charge: str, when: datetime, kopecks: int = 50_000) -> None:
        body = ChargeRequested(
            contract="A-1",
            occurred_at=when,
            charge_id=charge,
            provider=CARD.provider,
            method_ref=CARD.method_ref,
            amount_kopecks=kopecks,
            not_after=when + HOUR,
        )
        self.promises.said(event(body))

    def charged(self, charge: str, when: datetime, kopecks: int = 50_000) -> None:
        self.announced(charge, when - HOUR, kopecks)
        self.requested(charge, when, kopecks)

    def failed(self, charge: str, failure: FailureClass = FailureClass.SOFT) -> None:
        said = {"contract": "A-1", "occurred_at": NOON, "charge_id": charge, "class": failure}
        more = {"provider": CARD.provider, "method_ref": CARD.method_ref}
        rest = {"amount_kopecks": 50_000, "reason": "x"}
        self.promises.heard([event(ChargeFailed.model_validate(said | more | rest))], NOON)


def _in_flight(story: Story) -> None:
    story.charged("1", NOON)
    story.charged("2", NOON + HOUR)


def _refused(story: Story) -> None:
    story.agreement.revoked_at = NOON
    story.charged("1", NOON)


def _paused(story: Story) -> None:
    story.agreement.paused_at, story.agreement.paused_until = NOON - HOUR, date(2026, 12, 6)
    story.charged("1", NOON)


def _gone(story: Story) -> None:
    said = {"contract": "A-1", "occurred_at": NOON, "revision": 2, "provider": CARD.provider}
    body = PaymentMethodRevoked.model_validate(said | {"method_ref": CARD.method_ref})
    story.promises.heard([event(body)], NOON)
    story.charged("1", NOON)


def _hard(story: Story) -> None:
    story.charged("1", NOON - HOUR)
    story.failed("1", FailureClass.HARD)
    story.charged("2", NOON + HOUR)


def _above(story: Story) -> None:
    story.charged("1", NOON)
    story.agreement.in_flight = None
    story.charged("2", NOON + HOUR, 50_001)


def _unsaid(story: Story) -> None:
    story.requested("1", NOON)


def _dearer(story: Story) -> None:
    story.announced("1", NOON - HOUR, 40_000)
    story.requested("1", NOON)


def _soon(story: Story) -> None:
    story.announced("1", NOON)
    story.requested("1", NOON + timedelta(minutes=14))


def _called_off(story: Story) -> None:
    story.announced("1", NOON - HOUR)
    said = {"contract": "A-1", "occurred_at": NOON, "charge_id": "1", "mandate_id": "m"}
    body = AutopayDropped.model_validate(said | {"amount_kopecks": 50_000, "reason": "skipped"})
    story.promises.said(event(body))
    story.requested("1", NOON)


def _late(story: Story) -> None:
    story.charged("1", at("05 21:00"))


BROKEN = {
    "two charges in flight": _in_flight,
    "charged after the refusal": _refused,
    "charged while paused": _paused,
    "charged by a method that is gone": _hard,
    "charged above the cap": _above,
    "charged without notice": _unsaid,
    "charged too soon after the notice": _soon,
    "charged although called off": _called_off,
    "charged at night": _late,
}


@pytest.mark.parametrize(
    ("what", "tell"),
    [*BROKEN.items(), ("charged by a method that is gone", _gone), ("without notice", _dearer)],
)
def test_what_is_broken_is_seen(what: str, tell: Callable[[Story], None]) -> None:
    story = Story()
    tell(story)

    assert len(story.promises.broken) == 1
    assert what in story.promises.broken[0]


def test_what_is_kept_is_no_complaint() -> None:
    story = Story()
    story.charged("1", NOON)
    story.requested("1", NOON)
    story.failed("1")
    story.charged("2", at("06 10:00"), 50_000)
    story.agreement.in_flight = None
    story.charged("3", at("06 11:00"), 50_000)
    story.agreement.revoked_at = NOON + timedelta(days=3)

    assert story.promises.broken == []


def _tried(*moments: str) -> list[Charged]:
    soft = FailureClass.SOFT
    return [Charged("A-1", CARD, 50_000, at(each), "x", soft) for each in moments]


def test_too_many_tries_are_seen_at_the_end() -> None:
    for count, most, broken in ((5, 5, 0), (6, 5, 1), (10, 15, 0), (11, 15, 1), (16, 16, 2)):
        story = Story()
        hours = [f"05 {9 + n // 2:02d}:{30 * (n % 2):02d}" for n in range(count)]
        story.promises.tries(_tried(*hours), Rules(month_max=most))
        assert len(story.promises.broken) == broken


def test_a_trouble_is_over_with_money_or_with_a_month() -> None:
    taken = Charged("A-1", CARD, 50_000, at("07 10:00"), "succeeded")
    paid = ("A-1", at("15 10:00"), 50_000, None)
    charges = [*_tried("05 10:00", "06 10:00", "14 10:00", "20 10:00", "21 10:00"), taken]
    end = at("30 10:00") + timedelta(days=30)

    assert troubles(charges, [paid], end) == [
        Trouble(50_000, 2, "taken", timedelta(days=2)),
        Trouble(50_000, 0, "by_hand", timedelta(days=1)),
        Trouble(50_000, 1, "lost", timedelta(days=30)),
    ]
    assert len(troubles(charges, [paid], at("30 10:00"))) == 2
