"""What the words of the texts mean, and samples of each kind's facts. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from notifier import facts
from notifier.facts import Fact
from notifier.kinds import KindName
from notifier.reader import Reader
from notifier.template_language import LINE_WORDS, LINES
from notifier.words import words
from shared.clock import MOSCOW
from shared.errors import Language, Text

_SHORT: Final = "_short"
_MEANINGS: Final[Mapping[str, Text]] = {
    "contract": Text("number of the contract", "номер договора"),
    "name": Text("name of the subscriber, may be empty", "имя абонента, бывает пустым"),
    "operator": Text("name of the operator", "название оператора"),
    "cabinet_url": Text("address of the subscriber's pages", "адрес личного кабинета"),
    "cabinet_short": Text(
        "that address without https://, or words where it is too long for an SMS",
        "этот адрес без https:// или слова, если для SMS он длинный",
    ),
    "link": Text(
        "where this message leads: to the page of autopay, or to the subscriber's pages",
        "куда ведёт сообщение: страница автоплатежа или личный кабинет",
    ),
    "amount": Text("sum of the payment, charge or promise", "сумма платежа, списания, обещания"),
    "balance": Text("balance", "баланс"),
    "missing": Text(
        "what services wait for; empty where nothing is missing",
        "сколько не хватает, чтобы услуги работали; пусто, если хватает",
    ),
    "paid_at": Text("moment of the payment", "когда заплачено"),
    "at": Text("when it happened", "когда это произошло"),
    "needed": Text("what has to be paid", "сколько нужно внести"),
    "blocks_on": Text(
        "day on which services stop; empty where it is unknown",
        "день отключения услуг; пусто, если неизвестен",
    ),
    "days_left": Text(
        "days until then, with the word; empty for none",
        "сколько до него дней, со словом; пусто, если нисколько",
    ),
    "fee": Text("fee; empty where there is none", "плата; пусто, если её нет"),
    LINES: Text("parts of the sum, for a loop", "из чего складывается сумма, для цикла"),
    LINE_WORDS[0]: Text("what the part is for, in the loop", "за что эта часть, внутри цикла"),
    LINE_WORDS[1]: Text("sum of the part, in the loop", "сумма этой части, внутри цикла"),
    "fees_on": Text("day of the fees; may be empty", "день списания; бывает пустым"),
    "until": Text("until when", "до какого времени"),
    "automatic": Text(
        "not empty where it started by itself", "не пусто, если включился автоматически"
    ),
    "owed": Text("what is still to be paid", "сколько осталось внести"),
    "why": Text("why, in words; may be empty", "почему, словами; бывает пустым"),
    "skip_url": Text("link that calls this charge off", "ссылка, которая отменяет это списание"),
    "mandate_url": Text("page of autopay", "страница автоплатежа"),
    "charge_at": Text("when it will be charged", "когда будет списание"),
    "method": Text("card or account; may be empty", "карта или счёт; бывает пусто"),
    "reason": Text("why it was declined, in words", "почему отказано, словами"),
    "new_method": Text(
        "not empty where another card is needed", "не пусто, если нужна другая карта"
    ),
    "promise": Text(
        "not empty where all tries are over and a promised payment helps",
        "не пусто, если попытки закончились и поможет обещанный платёж",
    ),
    "next_try": Text("moment of the next try; may be empty", "когда повтор; бывает пусто"),
    "next_method": Text(
        "other card or account that is tried next; may be empty",
        "другая карта или счёт для повтора; бывает пусто",
    ),
    "expires": Text("last month of the card", "последний месяц действия карты"),
    "methods": Text(
        "not empty where saved cards were removed, too",
        "не пусто, если удалены и сохранённые карты",
    ),
    "month": Text("month of the statement", "месяц, за который итоги"),
    "opening": Text("balance at its beginning", "баланс на начало"),
    "received": Text("what was paid", "сколько поступило"),
    "charged": Text("what was charged", "сколько списано"),
    "closing": Text("balance at its end", "баланс на конец"),
}


def meaning(name: str) -> Text:
    """Return what a variable means; raises KeyError for one that there is not."""
    if name in _MEANINGS:
        return _MEANINGS[name]
    long = _MEANINGS[name.removesuffix(_SHORT)]
    return Text(f"{long.en}, short for an SMS", f"{long.ru}, кратко для SMS")


@lru_cache(maxsize=64)
def names(kind: KindName) -> frozenset[str]:
    """Return the variables of a kind; those of a line are known inside its loop only."""
    at = datetime(2026, 1, 1, tzinfo=MOSCOW)
    return frozenset(words(sample(kind, at), reader("ru"), at))


def reader(language: Language, operator: str = "Saldo", cabinet_url: str = "") -> Reader:
    """Return somebody to show a text to."""
    name = "Анна Петрова" if language == "ru" else "Anna Petrova"
    return Reader("100245", operator, cabinet_url, name, language)


def sample(kind: KindName, at: datetime) -> Fact:
    """Return facts of a kind as they may be at a moment."""
    return _SAMPLES[kind](at)


def _payment(at: datetime) -> Fact:
    return facts.Payment(
        amount_kopecks=65_000, balance_kopecks=-5_000, missing_kopecks=5_000, paid_at=at
    )


def _low(at: datetime) -> Fact:
    ends = (at + timedelta(days=3)).date()
    return facts.LowBalance(balance_kopecks=5_000, needed_kopecks=60_000, blocks_on=ends)


def _fee(at: datetime) -> Fact:
    day = (at + timedelta(days=3)).date()
    return facts.FeeComing(
        fees_on=day,
        fee_kopecks=65_000,
        balance_kopecks=5_000,
        needed_kopecks=60_000,
        lines=(
            facts.Line(ru="Интернет", en="Internet", kopecks=65_000),
            facts.Line(ru="Уже есть", en="There already", kopecks=-5_000),
        ),
        blocks_on=day,
    )


def _owed(at: datetime) -> Fact:
    until = at + timedelta(days=1)
    return facts.PromiseOwed(amount_kopecks=65_000, owed_kopecks=60_000, until=until)


def _access(at: datetime) -> Fact:
    return facts.Access(reason="below_zero", balance_kopecks=-5_000, missing_kopecks=5_000, at=at)


def _method(at: datetime) -> Fact:
    return facts.Method(method_title="Visa •4477", at=at)


_SAMPLES: Final[Mapping[KindName, Callable[[datetime], Fact]]] = {
    "payment": _payment,
    "autopay_done": _payment,
    "payment_annulled": lambda at: facts.Annulled(
        amount_kopecks=65_000, balance_kopecks=-5_000, at=at
    ),
    "refund": lambda at: facts.Refund(amount_kopecks=65_000, balance_kopecks=5_000, at=at),
    "low_balance": _low,
    "low_balance_reminder": _low,
    "fee_upcoming": _fee,
    "promise_granted": lambda at: facts.PromiseGiven(
        amount_kopecks=65_000, fee_kopecks=5_000, until=at + timedelta(days=3)
    ),
    "promise_ending": _owed,
    "promise_overdue": _owed,
    "autopay_before": lambda at: facts.AutopayBefore(
        amount_kopecks=65_000,
        charge_at=at + timedelta(days=1),
        method_title="Visa •4477",
        why="balance",
        balance_kopecks=5_000,
    ),
    "autopay_failed": lambda at: facts.AutopayFailed(
        amount_kopecks=65_000,
        method_title="Visa •4477",
        reason="insufficient_funds",
        next_try_at=at + timedelta(days=1),
    ),
    "autopay_expiring": lambda at: facts.AutopayExpiring(
        method_title="Visa •4477", expires=f"{at:%Y-%m}"
    ),
    "autopay_off": lambda at: facts.AutopayOff(methods=1, at=at),
    "method_saved": _method,
    "method_removed": _method,
    "blocked": _access,
    "unblocked": _access,
    "statement": lambda at: facts.Statement(
        month=f"{at:%Y-%m}",
        opening_kopecks=5_000,
        received_kopecks=65_000,
        charged_kopecks=65_000,
        closing_kopecks=5_000,
    ),
}
