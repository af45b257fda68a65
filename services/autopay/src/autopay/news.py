"""What events say of how contracts stand, and which occasions they make. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

import orjson

from autopay import standing
from autopay.case import Account, Occasion
from autopay.mandate import Trigger
from shared.errors import Poison
from shared.events import BalanceLow, BalanceRecovered, Event, PaymentPosted
from shared.events_billing import (
    ContractBlocked,
    ContractDue,
    ContractUnblocked,
    FeeUpcoming,
    NeededLine,
    PaymentAnnulled,
)
from shared.events_gateway import RefundPosted
from shared.topology import AUTOPAY

_MODELS = {
    model.TYPE: model
    for model in (
        *(BalanceLow, BalanceRecovered, PaymentPosted, ContractBlocked, ContractDue),
        *(ContractUnblocked, FeeUpcoming, PaymentAnnulled, RefundPosted),
    )
}
TYPES = frozenset(_MODELS)

News = (
    BalanceLow
    | BalanceRecovered
    | PaymentPosted
    | ContractBlocked
    | ContractDue
    | ContractUnblocked
    | FeeUpcoming
    | PaymentAnnulled
    | RefundPosted
)


def read(event: Event) -> News | None:
    """Return the body of an event that speaks of a contract's money; None for one of no contract.

    Money that core-billing holds in suspense is on no contract.
    """
    body: News = _MODELS[event.type].of(event)
    return body if body.contract else None


def after(account: Account, news: News) -> Account:
    """Return how a contract stands after news of it."""
    at = news.occurred_at
    if isinstance(news, PaymentPosted):
        at = news.posted_at or at
    available = getattr(news, "available_kopecks", None)
    account = standing.with_balance(account, news.balance_kopecks, available, at)
    if isinstance(news, ContractBlocked | ContractUnblocked):
        blocked = isinstance(news, ContractBlocked)
        return standing.with_access(account, blocked, news.revision)
    if isinstance(news, BalanceLow):
        return standing.with_needed(
            account,
            news.needed_kopecks,
            news.balance_kopecks,
            at,
            blocks_on=_date(news.blocks_on),
        )
    if isinstance(news, FeeUpcoming | ContractDue):
        return standing.with_needed(
            account,
            news.needed_kopecks,
            news.balance_kopecks,
            at,
            lines=_written(news.lines),
            blocks_on=news.blocks_on,
        )
    return account


def occasion(news: News, at: datetime) -> Occasion | None:
    """Return the occasion that news make; None where they are another watcher's, or make none."""
    if isinstance(news, FeeUpcoming) and news.watcher == AUTOPAY:
        return Occasion(
            contract=news.contract or "",
            key=f"{Trigger.FEE}:{news.fees_on.isoformat()}",
            why=str(Trigger.FEE),
            number=news.fees_on.toordinal(),
            opened_at=at,
            day=news.fees_on,
            balance_kopecks=news.balance_kopecks,
            needed_kopecks=news.needed_kopecks,
            lines=_written(news.lines),
            blocks_on=news.blocks_on,
        )
    if _ours(news) and isinstance(news, BalanceLow):
        return Occasion(
            contract=news.contract or "",
            key=f"{Trigger.BALANCE}:{news.crossing}",
            why=str(Trigger.BALANCE),
            number=news.crossing,
            opened_at=at,
            balance_kopecks=news.balance_kopecks,
            needed_kopecks=news.needed_kopecks,
            blocks_on=_date(news.blocks_on),
        )
    return None


def recovery(news: News) -> int | None:
    """Return the crossing that is over by the news, if one of ours is."""
    if isinstance(news, BalanceRecovered) and _ours(news):
        return news.crossing
    return None


def _ours(news: News) -> bool:
    mine = isinstance(news, BalanceLow | BalanceRecovered) and news.watcher == AUTOPAY
    return mine and getattr(news, "kind", "") == Trigger.BALANCE


def _written(lines: Iterable[NeededLine]) -> str:
    return orjson.dumps([line.model_dump() for line in lines]).decode()


def _date(written: str | None) -> date | None:
    if written is None:
        return None
    try:
        return date.fromisoformat(written[:10])
    except ValueError as error:
        raise Poison(f"blocks_on is not a date: {written!r}") from error
