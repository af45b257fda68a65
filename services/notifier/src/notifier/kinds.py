"""What subscribers are told of: every kind of message, and the rules it obeys. Pure.

One registry, so that who delivers, who shows preferences and who writes the words agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from typing import Final, Literal, get_args

from shared.errors import Text

KindName = Literal[
    "payment",
    "autopay_done",
    "payment_annulled",
    "refund",
    "low_balance",
    "low_balance_reminder",
    "fee_upcoming",
    "promise_granted",
    "promise_ending",
    "promise_overdue",
    "autopay_before",
    "autopay_failed",
    "autopay_expiring",
    "autopay_off",
    "method_saved",
    "method_removed",
    "blocked",
    "unblocked",
    "statement",
]
"""What a message is about; also the name of its templates."""
KIND_NAMES: Final[tuple[KindName, ...]] = get_args(KindName)

_ALL: Final = ("bot", "email", "sms")
_WRITTEN: Final = ("bot", "email")


class Urgency(IntEnum):
    """In which order a queue is emptied: smaller ones first."""

    NOW = 0
    """Access has changed, a method too, or money is about to be taken."""
    SOON = 1
    """Something the subscriber may still prevent, or is waiting for."""
    TODAY = 2
    """What has happened already and changes nothing in the next hours."""
    LATER = 3
    """What could as well be read tomorrow."""


@dataclass(frozen=True, slots=True)
class Kind:
    """The rules of one kind of message."""

    name: KindName
    title: Text
    """How a subscriber's preferences call it."""
    urgency: Urgency
    channels: tuple[str, ...] = _ALL
    """Where it goes unless the subscriber has said otherwise."""
    age: timedelta = timedelta(days=1)
    """How old the fact may be when it is told, where no setting says so."""
    quiet: bool = True
    """Waits for the end of quiet hours."""
    loud: tuple[str, ...] = _ALL
    """Channels on which it does wait for them: an e-mail wakes nobody."""
    recheck: bool = False
    """Asks for money, or says that services will stop: leaves only while the money still lacks."""
    counted: bool = False
    """Frequency limits hold it back; without this it tells a fact that is never withheld."""
    on: bool = True
    """Told unless the subscriber has said otherwise."""
    refusable: bool = True
    """The subscriber may switch it off altogether; else on all channels but one."""
    closed: bool = False
    """Told of a closed contract, too."""

    def waits_for_morning(self, channel: str) -> bool:
        """Say whether quiet hours hold it on a channel."""
        return self.quiet and channel in self.loud


_NOW, _SOON, _TODAY, _LATER = Urgency
_DAYS_3: Final = timedelta(days=3)
_WEEK: Final = timedelta(days=7)

_KINDS: Final = (
    # Whoever has just paid waits for the answer.
    Kind(
        "payment",
        Text("Payment received", "Платёж зачислен"),
        _SOON,
        age=_DAYS_3,
        quiet=False,
        closed=True,
    ),
    Kind(
        "autopay_done",
        Text("Automatic payment made", "Автоплатёж выполнен"),
        _SOON,
        age=_DAYS_3,
        quiet=False,
    ),
    Kind(
        "payment_annulled",
        Text("Payment annulled", "Платёж аннулирован"),
        _TODAY,
        age=_DAYS_3,
        refusable=False,
        closed=True,
    ),
    Kind("refund", Text("Money returned", "Возврат денег"), _TODAY, age=_DAYS_3, closed=True),
    Kind(
        "low_balance",
        Text("Money is running out", "Заканчиваются деньги"),
        _SOON,
        loud=("bot", "sms"),
        recheck=True,
        counted=True,
    ),
    Kind(
        "low_balance_reminder",
        Text("Reminder: money is running out", "Напоминание: заканчиваются деньги"),
        _TODAY,
        recheck=True,
        counted=True,
    ),
    # Off: a low balance in days tells the same of most contracts.
    Kind(
        "fee_upcoming",
        Text("Fees to come", "Предстоящее списание"),
        _TODAY,
        recheck=True,
        counted=True,
        on=False,
    ),
    Kind("promise_granted", Text("Promised payment given", "Обещанный платёж включён"), _SOON),
    Kind(
        "promise_ending",
        Text("Promised payment ends soon", "Заканчивается обещанный платёж"),
        _SOON,
        recheck=True,
        counted=True,
    ),
    Kind(
        "promise_overdue",
        Text("Promised payment is overdue", "Обещанный платёж просрочен"),
        _SOON,
        recheck=True,
    ),
    # Consent to autopay stands on being told beforehand, with the sum and the way to refuse.
    Kind(
        "autopay_before",
        Text("Before an automatic payment", "Перед автоплатежом"),
        _NOW,
        refusable=False,
    ),
    Kind(
        "autopay_failed",
        Text("Automatic payment has not gone through", "Автоплатёж не прошёл"),
        _SOON,
    ),
    Kind(
        "autopay_expiring",
        Text("Card of autopay expires", "Истекает карта автоплатежа"),
        _LATER,
        age=_WEEK,
        counted=True,
    ),
    Kind(
        "autopay_off",
        Text("Autopay switched off", "Автоплатёж отключён"),
        _SOON,
        age=_DAYS_3,
        refusable=False,
        closed=True,
    ),
    # Somebody else may have done it, so the owner hears of it at any hour.
    Kind(
        "method_saved",
        Text("Payment method saved", "Способ оплаты сохранён"),
        _NOW,
        quiet=False,
        refusable=False,
    ),
    Kind(
        "method_removed",
        Text("Payment method removed", "Способ оплаты удалён"),
        _NOW,
        quiet=False,
        refusable=False,
        closed=True,
    ),
    # A suspension has to be told. Most of them fall into the night, when nobody could do anything.
    Kind("blocked", Text("Services suspended", "Услуги приостановлены"), _NOW, refusable=False),
    # Whoever has just paid waits for it.
    Kind("unblocked", Text("Services restored", "Услуги восстановлены"), _NOW, quiet=False),
    Kind(
        "statement",
        Text("Monthly statement", "Итоги месяца"),
        _LATER,
        channels=_WRITTEN,
        age=_WEEK,
        on=False,
        closed=True,
    ),
)
KINDS: Final[Mapping[str, Kind]] = {kind.name: kind for kind in _KINDS}
AGE_MAX: Final = max(kind.age for kind in _KINDS)
"""The journal must remember a fact for longer than this."""
