"""What the page of a mandate says, sentence by sentence."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from autopay.case import IN_FLIGHT, UPCOMING, Charge, State
from autopay.mandate import MethodName
from autopay.web import words
from autopay.web.picture import Coming, Picture
from autopay.web.subject import Subject
from shared.errors import Language
from shared.web.formats import moment, money
from shared.web.texts import Translate

_MOODS: Final = {State.SUCCEEDED: "good", State.FAILED: "bad"}


@dataclass(frozen=True, slots=True)
class Line:
    """A part of a sum."""

    words: str
    kopecks: int


@dataclass(frozen=True, slots=True)
class Next:
    """The charge to come, as it is read."""

    id: str
    label: str
    amount_kopecks: int
    when: str
    from_what: str
    why: str
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class Result:
    """A charge of late."""

    what: str
    mood: str
    when: str
    note: str
    amount_kopecks: int


@dataclass(frozen=True, slots=True)
class Card:
    """A mandate, as it is read."""

    state: str
    mood: str
    sentences: list[str]
    facts: list[tuple[str, str]]
    next: Next | None
    results: list[Result] = field(default_factory=list)
    needs_method: bool = False
    may_skip: bool = False
    may_pause: bool = False
    may_resume: bool = False


@dataclass(frozen=True, slots=True)
class Teller:
    """Says things in the reader's language and zone."""

    t: Translate
    language: Language
    subject: Subject
    zone: str

    def sum(self, kopecks: int) -> str:
        """Return a sum as people write it."""
        return money(kopecks, self.language)

    def at(self, when: datetime) -> str:
        """Return a moment in the mandate's zone."""
        return moment(when, self.zone, self.language)

    def method(self, name: MethodName) -> str:
        """Return what a method is called."""
        return self.subject.title(name) or self.t("nameless_method")

    def from_method(self, name: MethodName) -> str:
        """Return that a charge is taken from a method."""
        return self.t("from_method", title=self.subject.title(name) or self.t("nameless"))


def card(teller: Teller, seen: Picture, agreed: tuple[datetime, str] | None) -> Card:
    """Return what is said of a live mandate; `agreed` is when the consent was given, its text."""
    t, mandate = teller.t, seen.mandate
    state = "paused" if seen.paused else "active" if seen.chargeable else "stopped"
    in_flight = seen.coming is not None and seen.coming.state in IN_FLIGHT
    planned = seen.coming is not None and seen.coming.state in UPCOMING
    return Card(
        state=t(f"state_{state}"),
        mood={"active": "good", "stopped": "bad"}.get(state, ""),
        sentences=_sentences(teller, seen, in_flight=in_flight),
        facts=_facts(teller, seen, agreed),
        next=None if seen.coming is None else _next(teller, seen.coming),
        results=_results(teller),
        needs_method=not seen.chargeable,
        may_skip=planned or not (mandate.skip_next or seen.idle or in_flight),
        may_pause=not seen.closed,
        may_resume=seen.paused,
    )


def _sentences(teller: Teller, seen: Picture, *, in_flight: bool) -> list[str]:
    t, mandate, until = teller.t, seen.mandate, seen.mandate.paused_until
    if seen.closed:
        return [t("closed_text")]
    said = [] if seen.chargeable else [t("stopped_text")]
    if seen.paused and until is not None:
        said.append(t("paused_text", until=words.day(until, teller.language)))
    if mandate.skip_next:
        said.append(t("skipping_text"))
    if seen.full:
        said.append(t("full_text", cap=teller.sum(mandate.terms.cap_kopecks)))
    if in_flight and seen.coming is not None:
        said.append(t("late_sent", amount=teller.sum(seen.coming.amount_kopecks)))
    return said + (_waiting(teller, seen) if seen.coming is None and seen.chargeable else [])


def _waiting(teller: Teller, seen: Picture) -> list[str]:
    said = [seen.waits.in_(teller.language)]
    if seen.balance_kopecks is not None:
        said.append(teller.t("balance_now", amount=teller.sum(seen.balance_kopecks)))
    return said


def _next(teller: Teller, coming: Coming) -> Next:
    language = teller.language
    when = words.day(coming.on, language)
    lines = [Line(line.ru if language == "ru" else line.en, line.kopecks) for line in coming.lines]
    needed = sum(line.kopecks for line in lines)
    if lines and needed != coming.amount_kopecks:
        lines.append(Line(teller.t("needed"), needed))
    label = "charging_now" if coming.state in IN_FLIGHT else "next_charge"
    return Next(
        id=coming.id or "",
        label=teller.t(label),
        amount_kopecks=coming.amount_kopecks,
        when=when if coming.charge_at is None else teller.at(coming.charge_at),
        from_what=teller.from_method(coming.method),
        why=coming.why.in_(language),
        lines=lines,
    )


def _facts(
    teller: Teller, seen: Picture, agreed: tuple[datetime, str] | None
) -> list[tuple[str, str]]:
    t, terms = teller.t, seen.mandate.terms
    amount = t("as_needed") if terms.amount_kopecks is None else teller.sum(terms.amount_kopecks)
    facts = [
        (t("fact_when"), words.condition(terms).in_(teller.language)),
        (t("fact_amount"), amount),
        (t("fact_cap"), teller.sum(terms.cap_kopecks)),
        (t("fact_left"), teller.sum(seen.left_kopecks)),
        (t("fact_method"), teller.method(terms.method)),
    ]
    if terms.reserve is not None:
        facts.append((t("fact_reserve"), teller.method(terms.reserve)))
    if agreed is not None:
        given = t("consent_of", at=teller.at(agreed[0]), version=agreed[1])
        facts.append((t("fact_consent"), given))
    return facts


def _results(teller: Teller) -> list[Result]:
    """Return what became of the last charges; those that are open stand above."""
    over = [each for each in teller.subject.charges if each.concluded_at is not None]
    return [_result(teller, each) for each in over]


def _result(teller: Teller, charge: Charge) -> Result:
    why = f"failed_{charge.reason}" if charge.state is State.FAILED else f"dropped_{charge.reason}"
    return Result(
        what=teller.t(f"result_{charge.state}"),
        mood=_MOODS.get(charge.state, ""),
        when=teller.at(charge.concluded_at or charge.created_at),
        note="" if charge.state is State.SUCCEEDED else _known(teller.t, why),
        amount_kopecks=charge.amount_kopecks,
    )


def _known(t: Translate, word: str) -> str:
    """Return the sentence of a reason; nothing for one that says nothing to people."""
    try:
        return t(word)
    except KeyError:
        return ""
