"""What a text may say about each kind: its facts as ready words, for one reader. Pure.

A word that does not apply is empty, so that a text can ask for it. `variables` says what they mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from notifier import declines, facts, formats
from notifier.facts import Fact
from notifier.reader import Reader, Voice
from notifier.template_language import Words
from shared.errors import Text

_WHY: Final = {
    "balance": Text(
        "the balance is below your threshold", "баланс опустился ниже заданного порога"
    ),
    "fee": Text(
        "there is not enough money for the fees to come",
        "на предстоящую абонентскую плату не хватает денег",
    ),
    "day": Text("this is the day you have chosen", "наступает выбранный вами день"),
}
_BLOCKED: Final = {
    "below_zero": Text("there is no money left", "на договоре закончились деньги"),
    "after_days": Text("the time to pay the debt is over", "срок оплаты долга истёк"),
    "above_sum": Text("the debt has become too large", "долг превысил допустимый"),
}


def words(fact: Fact, reader: Reader, at: datetime) -> Words:
    """Return what a text may say of the facts to a reader at a moment."""
    voice = Voice.of(reader, at)
    link = voice.link(getattr(fact, "skip_url", "") or getattr(fact, "mandate_url", ""))
    return {**voice.about(), "link": link, **_WORDS[type(fact)](fact, voice)}


def _payment(fact: facts.Payment, voice: Voice) -> dict[str, Any]:
    return {
        "amount": voice.money(fact.amount_kopecks),
        "balance": voice.money(fact.balance_kopecks),
        "missing": voice.owed(fact.missing_kopecks),
        **voice.moment("paid_at", fact.paid_at),
    }


def _annulled(fact: facts.Annulled, voice: Voice) -> dict[str, Any]:
    amount, balance = voice.money(fact.amount_kopecks), voice.money(fact.balance_kopecks)
    return {"amount": amount, "balance": balance, **voice.moment("at", fact.at)}


def _refund(fact: facts.Refund, voice: Voice) -> dict[str, Any]:
    balance = "" if fact.balance_kopecks is None else voice.money(fact.balance_kopecks)
    amount = voice.money(fact.amount_kopecks)
    return {"amount": amount, "balance": balance, **voice.moment("at", fact.at)}


def _low_balance(fact: facts.LowBalance, voice: Voice) -> dict[str, Any]:
    return {
        "balance": voice.money(fact.balance_kopecks),
        "needed": voice.money(fact.needed_kopecks),
        **voice.until_block(fact.blocks_on),
    }


def _fee(fact: facts.FeeComing, voice: Voice) -> dict[str, Any]:
    return {
        "fee": voice.money(fact.fee_kopecks),
        "balance": voice.money(fact.balance_kopecks),
        "needed": voice.money(fact.needed_kopecks),
        "lines": tuple(_line(line, voice) for line in fact.lines),
        **voice.day("fees_on", fact.fees_on),
        **voice.until_block(fact.blocks_on),
    }


def _line(line: facts.Line, voice: Voice) -> tuple[str, str]:
    text = " ".join(voice.say(Text(line.en, line.ru)).split())
    return text, voice.money(line.kopecks)


def _promise_given(fact: facts.PromiseGiven, voice: Voice) -> dict[str, Any]:
    return {
        "amount": voice.money(fact.amount_kopecks),
        "fee": voice.owed(fact.fee_kopecks),
        "automatic": "+" if fact.automatic else "",
        **voice.soon("until", fact.until),
    }


def _promise_owed(fact: facts.PromiseOwed, voice: Voice) -> dict[str, Any]:
    amount, owed = voice.money(fact.amount_kopecks), voice.money(fact.owed_kopecks)
    return {"amount": amount, "owed": owed, **voice.soon("until", fact.until)}


def _autopay_before(fact: facts.AutopayBefore, voice: Voice) -> dict[str, Any]:
    return {
        "amount": voice.money(fact.amount_kopecks),
        "balance": voice.money(fact.balance_kopecks),
        "why": voice.say(_WHY[fact.why]),
        "skip_url": voice.link(fact.skip_url),
        "mandate_url": voice.link(fact.mandate_url),
        **voice.soon("charge_at", fact.charge_at),
        **voice.day("fees_on", fact.fees_on),
        **voice.method(fact.method_title),
    }


def _autopay_failed(fact: facts.AutopayFailed, voice: Voice) -> dict[str, Any]:
    return {
        "amount": voice.money(fact.amount_kopecks),
        "reason": voice.say(declines.words(fact.reason)),
        "new_method": "+" if fact.needs == "new_method" else "",
        "promise": "+" if fact.needs == "promise" else "",
        "mandate_url": voice.link(fact.mandate_url),
        **voice.soon("next_try", fact.next_try_at),
        **voice.method(fact.method_title),
        **voice.method(fact.next_method_title or "", "next_method"),
    }


def _autopay_expiring(fact: facts.AutopayExpiring, voice: Voice) -> dict[str, Any]:
    year, _, month = fact.expires.partition("-")
    return {
        "expires": formats.month(fact.expires, voice.language),
        "expires_short": f"{month}.{year}" if voice.language == "ru" else f"{month}/{year}",
        "mandate_url": voice.link(fact.mandate_url),
        **voice.method(fact.method_title),
    }


def _autopay_off(fact: facts.AutopayOff, voice: Voice) -> dict[str, Any]:
    return {"methods": "+" if fact.methods else "", **voice.moment("at", fact.at)}


def _method(fact: facts.Method, voice: Voice) -> dict[str, Any]:
    return {**voice.moment("at", fact.at), **voice.method(fact.method_title)}


def _access(fact: facts.Access, voice: Voice) -> dict[str, Any]:
    why = _BLOCKED.get(fact.reason)
    return {
        "balance": voice.money(fact.balance_kopecks),
        "missing": voice.owed(fact.missing_kopecks),
        "why": voice.say(why) if why else "",
        **voice.moment("at", fact.at),
    }


def _statement(fact: facts.Statement, voice: Voice) -> dict[str, Any]:
    return {
        "month": formats.month(fact.month, voice.language),
        "opening": voice.money(fact.opening_kopecks),
        "received": voice.money(fact.received_kopecks),
        "charged": voice.money(fact.charged_kopecks),
        "closing": voice.money(fact.closing_kopecks),
    }


_WORDS: Final[Mapping[type[Fact], Callable[[Any, Voice], dict[str, Any]]]] = {
    facts.Payment: _payment,
    facts.Annulled: _annulled,
    facts.Refund: _refund,
    facts.LowBalance: _low_balance,
    facts.FeeComing: _fee,
    facts.PromiseGiven: _promise_given,
    facts.PromiseOwed: _promise_owed,
    facts.AutopayBefore: _autopay_before,
    facts.AutopayFailed: _autopay_failed,
    facts.AutopayExpiring: _autopay_expiring,
    facts.AutopayOff: _autopay_off,
    facts.Method: _method,
    facts.Access: _access,
    facts.Statement: _statement,
}
