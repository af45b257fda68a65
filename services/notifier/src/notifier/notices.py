"""Rows of the journal out of events: what is to be told, and what must not be told any more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from notifier import news_autopay, news_billing, news_over
from notifier.facts import Fact, seal_links
from notifier.journal import Notice
from notifier.kinds import KINDS, KindName
from notifier.news import News
from shared.errors import Poison
from shared.events import Event, EventData

_TOLD: Final[Mapping[str, tuple[type[EventData], Callable[[Any], News | None]]]] = {
    model.TYPE: (model, teller) for model, teller in (*news_billing.TELLERS, *news_autopay.TELLERS)
}
READ: Final = frozenset(_TOLD) | news_over.ENDING
"""The types of events that say something to a subscriber, or end something that was to be said."""
_PAYMENTS: Final = frozenset({"payment", "autopay_done", "payment_annulled", "refund"})


@dataclass(frozen=True)
class Freshness:
    """How old a fact may be when it is told; older ones are dropped, not told late."""

    payment: timedelta
    low_balance: timedelta

    def of(self, kind: KindName) -> timedelta:
        """Return how old the fact of a kind may be."""
        if kind in _PAYMENTS:
            return self.payment
        return self.low_balance if KINDS[kind].recheck else KINDS[kind].age


def told(
    events: Iterable[Event], freshness: Freshness, encrypt: Callable[[str], str]
) -> list[Notice]:
    """Return what events tell; their links are sealed. Raises Poison where one cannot be read."""
    notices = []
    for event in events:
        found = _TOLD.get(event.type)
        if found is None:
            continue
        body = found[0].of(event)
        if news := found[1](body):
            notices.append(_notice(event, body, news, freshness, encrypt))
    return notices


def ended(events: Iterable[Event], freshness: Freshness) -> Mapping[str, list[Notice]]:
    """Return by reason what must not be told any more; raises Poison as `told` does."""
    notices: defaultdict[str, list[Notice]] = defaultdict(list)
    for event, body, over in news_over.over(events):
        news = News(over.kind, over.fact, Fact())
        notices[over.reason].append(_notice(event, body, news, freshness, str))
    return notices


def _notice(
    event: Event,
    body: EventData,
    news: News,
    freshness: Freshness,
    encrypt: Callable[[str], str],
) -> Notice:
    if not body.contract:
        raise Poison(f"{event.type} names no contract")
    expires_at = body.occurred_at + freshness.of(news.kind)
    return Notice(
        fact=news.fact,
        contract=body.contract,
        kind=news.kind,
        facts=seal_links(news.facts, encrypt),
        event_id=event.id,
        correlation_id=event.correlation_id,
        expires_at=min(expires_at, news.until) if news.until else expires_at,
    )
