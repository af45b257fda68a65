"""The page of a contract's autopay: how it stands, what is charged next and why, how to stop it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from typing import Any, Final

from aiohttp import web

from autopay import mandates
from autopay.case import IN_FLIGHT
from autopay.consents import Consent
from autopay.links import MANDATE
from autopay.mandate import Mandate
from autopay.web import words
from autopay.web.base import visitor
from autopay.web.card import Teller, card
from autopay.web.picture import picture
from autopay.web.subject import Subject, subject_of
from autopay.web.terms_page import offer
from autopay.web.visit import Visit, by_link, read_form, see_other
from shared.db import Tx, reading, transaction
from shared.errors import FieldError, Invalid, SaldoError, Text
from shared.web import pages

PAUSE_MAX: Final = timedelta(days=366)
_DONE: Final = frozenset({"on", "changed", "paused", "resumed", "skipped"})
_DAY: Final = timedelta(days=1)
_CHOOSE_DAY: Final = Text("Choose a day after today", "Выберите день позже сегодняшнего")

Act = Callable[[Tx, Mandate, Consent], Awaitable[object]]


@by_link(MANDATE)
async def show(request: web.Request, visit: Visit) -> web.Response:
    """Show the mandate of the link's contract, else what autopay is and how it is switched on."""
    at = visit.autopay.clock()
    async with reading(visit.autopay.db) as tx:
        subject = await subject_of(tx, visit.link.subject, at)
        agreed = await _agreed(tx, subject)
    if subject.live is not None:
        return _card(request, visit, subject, subject.live, agreed=agreed)
    if subject.mandate is not None:
        return _revoked(request, visit, subject, subject.mandate)
    return offer(request, visit, subject)


@by_link(MANDATE)
async def pause(request: web.Request, visit: Visit) -> web.Response:
    """Charge nothing before a day."""
    form = await read_form(request, visit)
    typed = form.get("until", "")

    async def do(tx: Tx, live: Mandate, given: Consent) -> None:
        until = _day(typed, words.day_at(given.at, live.terms.zone))
        if until != live.paused_until:
            await mandates.pause(tx, visit.autopay, live.id, until, given, given.at)

    try:
        await _act(request, visit, do)
    except Invalid as error:
        at = visit.autopay.clock()
        async with reading(visit.autopay.db) as tx:
            subject = await subject_of(tx, visit.link.subject, at)
        if subject.live is None:
            return see_other(visit.to(request, "mandate"))
        wrong = error.fields[0].text
        return _card(request, visit, subject, subject.live, wrong_until=wrong, typed_until=typed)
    return see_other(visit.to(request, "mandate", done="paused"))


@by_link(MANDATE)
async def resume(request: web.Request, visit: Visit) -> web.Response:
    """End a pause."""
    await read_form(request, visit)

    async def do(tx: Tx, live: Mandate, given: Consent) -> None:
        if live.paused_until is not None:
            await mandates.resume(tx, visit.autopay, live.id, given, given.at)

    await _act(request, visit, do)
    return see_other(visit.to(request, "mandate", done="resumed"))


@by_link(MANDATE)
async def skip_next(request: web.Request, visit: Visit) -> web.Response:
    """Leave the charge out that the page has shown, else the next one."""
    form = await read_form(request, visit)
    charge = form.get("charge") or None

    async def do(tx: Tx, live: Mandate, given: Consent) -> None:
        await mandates.skip(tx, visit.autopay, live.id, given, given.at, charge_id=charge)

    try:
        await _act(request, visit, do)
    except SaldoError as error:
        if error.status not in (404, 409):
            raise
        return see_other(visit.to(request, "mandate"))  # the page says what became of it
    return see_other(visit.to(request, "mandate", done="skipped"))


@by_link(MANDATE)
async def ask_to_revoke(request: web.Request, visit: Visit) -> web.Response:
    """Ask once, and name what will be removed."""
    async with reading(visit.autopay.db) as tx:
        subject = await subject_of(tx, visit.link.subject, visit.autopay.clock())
    if subject.live is None:
        return see_other(visit.to(request, "mandate"))
    request[pages.LANGUAGE] = subject.language
    titles = (subject.title(name) for name in subject.live.terms.methods)
    return pages.render(
        request,
        "revoke.html",
        contract=subject.contract,
        sentences=_in_flight(request, subject),
        methods=[title for title in titles if title],
        action=visit.to(request, "revoke"),
        back=visit.to(request, "mandate"),
        csrf=visit.csrf,
        cabinet=visit.cabinet,
    )


@by_link(MANDATE)
async def revoke(request: web.Request, visit: Visit) -> web.Response:
    """Switch autopay off, before the press is answered; again it stays off."""
    await read_form(request, visit)

    async def do(tx: Tx, live: Mandate, given: Consent) -> None:
        await mandates.revoke(tx, visit.autopay, live.id, given, given.at, "asked")

    await _act(request, visit, do)
    return see_other(visit.to(request, "mandate"))


async def _act(request: web.Request, visit: Visit, do: Act) -> None:
    """Do something to the live mandate of the link's contract, if there is one."""
    at = visit.autopay.clock()
    async with transaction(visit.autopay.db) as tx:
        subject = await subject_of(tx, visit.link.subject, at, held=True)
        if subject.live is not None:
            await do(tx, subject.live, Consent("", at, visitor(request), "page"))


async def _agreed(tx: Tx, subject: Subject) -> tuple[datetime, str] | None:
    """Return when which text was agreed to last."""
    if subject.live is None:
        return None
    rows = await mandates.history(tx, subject.live.id)
    return next(((row.at, row.version) for row in reversed(rows) if row.version), None)


def _card(
    request: web.Request,
    visit: Visit,
    subject: Subject,
    live: Mandate,
    *,
    agreed: tuple[datetime, str] | None = None,
    wrong_until: Text | None = None,
    typed_until: str = "",
) -> web.Response:
    request[pages.LANGUAGE] = subject.language
    t, language = pages.translate(request), pages.language(request)
    seen = picture(live, subject.case, visit.autopay.clock())
    teller = Teller(t, language, subject, live.terms.timezone)
    done = request.query.get("done")
    context: dict[str, Any] = {
        "shown": card(teller, seen, agreed),
        "done": t(f"done_{done}") if done in _DONE else "",
        "wrong_until": wrong_until,
        "typed_until": typed_until,
        "pause_from": (seen.today + _DAY).isoformat(),
        "pause_to": (seen.today + PAUSE_MAX).isoformat(),
    }
    return pages.render(
        request,
        "mandate.html",
        status=200 if wrong_until is None else Invalid.status,
        contract=subject.contract,
        to=lambda route: visit.to(request, route),
        csrf=visit.csrf,
        cabinet=visit.cabinet,
        **context,
    )


def _revoked(request: web.Request, visit: Visit, subject: Subject, last: Mandate) -> web.Response:
    request[pages.LANGUAGE] = subject.language
    t, language = pages.translate(request), pages.language(request)
    at = pages.moment(last.revoked_at or last.changed_at, last.terms.timezone, language)
    sentences = [t("revoked_text", number=subject.contract, at=at)]
    sentences += _in_flight(request, subject)
    actions = [(t("to_cabinet"), visit.cabinet)]
    if subject.methods:
        actions.insert(0, (t("switch_on_again"), visit.to(request, "new")))
    else:
        sentences.append(t("revoked_again"))
    return pages.render(
        request,
        "said.html",
        title=t("revoked_title"),
        sentences=sentences,
        actions=actions,
        cabinet=visit.cabinet,
    )


def _in_flight(request: web.Request, subject: Subject) -> list[str]:
    """Say of a charge that has left already that nobody can call it back."""
    t, language = pages.translate(request), pages.language(request)
    return [
        t("in_flight_text", amount=pages.money(each.amount_kopecks, language))
        for each in subject.case.charges
        if each.state in IN_FLIGHT
    ]


def _day(typed: str, today: date) -> date:
    """Read the day of a pause's end; raises Invalid for none, and for one that is not to come."""
    try:
        chosen = date.fromisoformat(typed)
    except ValueError:
        chosen = today
    if not today < chosen <= today + PAUSE_MAX:
        raise Invalid(FieldError("until", _CHOOSE_DAY))
    return chosen
