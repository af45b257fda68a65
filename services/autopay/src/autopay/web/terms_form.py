"""The form in which a subscriber says when, how much and from what is charged."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from autopay.mandate import Method, MethodName, Terms, Trigger
from shared.errors import FieldError, Invalid, Language, Text
from shared.web import forms
from shared.web.formats import MINUS, typed

FIELDS: Final = (
    *("trigger", "threshold", "amount_balance", "days_before", "amount_fee"),
    *("day_of_month", "amount_day", "cap", "method", "reserve", "agreed", "form"),
)
"""What may be wrong: `form` is the whole."""

_WHOLE: Final = Text("Enter a whole number", "Введите целое число")
_TRIGGER: Final = Text("Choose when to top up", "Выберите, когда пополнять")
_METHOD: Final = Text("Choose what to charge", "Выберите, откуда списывать")
_ZERO = re.compile(r"0+(?:[.,]0{0,2})?", re.ASCII)
_MINUSES: Final = f"-\u2013{MINUS}"

Form = Mapping[str, str]
"""What stands in the fields, as it was typed."""


def key(name: MethodName) -> str:
    """Return what the form calls a method."""
    return f"{name.provider} {name.method_ref}"


def filled(terms: Terms, methods: Sequence[Method], language: Language) -> dict[str, str]:
    """Return a form that says these terms; a method that is there no more is not chosen."""
    there = {key(each.name) for each in methods}
    named = {"method": terms.method, "reserve": terms.reserve}
    chosen = {field: key(name) for field, name in named.items() if name is not None}
    return {
        **dict.fromkeys(FIELDS, ""),
        **{field: name for field, name in chosen.items() if name in there},
        "trigger": terms.trigger.value,
        "cap": typed(terms.cap_kopecks, language),
        "threshold": _typed(terms.threshold_kopecks, language),
        "days_before": _number(terms.days_before),
        "day_of_month": _number(terms.day_of_month),
        f"amount_{terms.trigger}": _typed(terms.amount_kopecks, language),
    }


def read(form: Form, methods: Sequence[Method], timezone: str) -> Terms:
    """Return the terms that a form asks for; raises Invalid that names the form's fields.

    Whether they can be agreed to is `mandate.check`'s to say.
    """
    fields = _Fields(form)
    trigger = fields.trigger()
    terms = Terms(
        trigger=trigger,
        cap_kopecks=fields.sum("cap") or 0,
        method=fields.method("method", methods) or MethodName("", ""),
        reserve=fields.method("reserve", methods) if fields.said("reserve") else None,
        threshold_kopecks=fields.threshold() if trigger is Trigger.BALANCE else None,
        days_before=fields.whole("days_before") if trigger is Trigger.FEE else None,
        day_of_month=fields.whole("day_of_month") if trigger is Trigger.DAY else None,
        amount_kopecks=fields.amount(trigger),
        timezone=timezone,
    )
    if fields.wrong:
        raise Invalid(*fields.wrong)
    return terms


def complaints(error: Invalid, form: Form) -> dict[str, Text | None]:
    """Return what to say beside each field; what the form has not got is said above it."""
    said: dict[str, Text | None] = dict.fromkeys(FIELDS)
    for each in error.fields:
        name = f"amount_{form.get('trigger', '')}" if each.field == "amount" else each.field
        said[name if name in said else "form"] = each.text
    return said


class _Fields:
    """Reads one field after the other, and keeps what is wrong with each."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self.wrong: list[FieldError] = []

    def said(self, name: str) -> str:
        return self._form.get(name, "").strip()

    def trigger(self) -> Trigger:
        try:
            return Trigger(self.said("trigger"))
        except ValueError:
            self.wrong.append(FieldError("trigger", _TRIGGER))
            return Trigger.FEE

    def method(self, name: str, methods: Sequence[Method]) -> MethodName | None:
        for each in methods:
            if key(each.name) == self.said(name):
                return each.name
        self.wrong.append(FieldError(name, _METHOD))
        return None

    def amount(self, trigger: Trigger) -> int | None:
        """Read the sum of each charge, which only a day of the month must have."""
        name = f"amount_{trigger}"
        return self.sum(name) if trigger is Trigger.DAY or self.said(name) else None

    def threshold(self) -> int | None:
        """Read a balance: alone among sums it may be nothing, or a debt."""
        said = self.said("threshold")
        if _ZERO.fullmatch(said):
            return 0
        debt = said[:1] in _MINUSES if said else False
        kopecks = self.sum("threshold", said.lstrip(_MINUSES) if debt else said)
        return -kopecks if debt and kopecks is not None else kopecks

    def sum(self, name: str, said: str | None = None) -> int | None:
        try:
            return forms.amount(self.said(name) if said is None else said, name).kopecks
        except Invalid as error:
            self.wrong.extend(error.fields)
            return None

    def whole(self, name: str) -> int | None:
        said = self.said(name)
        if re.fullmatch(r"\d{1,4}", said, re.ASCII):
            return int(said)
        self.wrong.append(FieldError(name, _WHOLE))
        return None


def _typed(kopecks: int | None, language: Language) -> str:
    if kopecks is None:
        return ""
    return f"{MINUS if kopecks < 0 else ''}{typed(abs(kopecks), language)}"


def _number(value: int | None) -> str:
    return "" if value is None else str(value)
