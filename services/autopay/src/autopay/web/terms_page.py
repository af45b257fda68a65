"""The pages on which terms are agreed to: autopay is switched on, or changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from aiohttp import web

from autopay import mandates
from autopay.consents import Consent
from autopay.links import MANDATE
from autopay.mandate import MethodName, Terms, Trigger
from autopay.web import consent, terms_form
from autopay.web.base import visitor
from autopay.web.subject import Subject, subject_of
from autopay.web.visit import Visit, by_link, read_form, see_other
from shared.db import Tx, reading, transaction
from shared.errors import FieldError, Invalid, Text
from shared.web import pages

_AGREE: Final = Text(
    "Autopay works only with your consent: tick the box",
    "Без согласия автоплатёж не включить: отметьте галочку",
)
_NEW_WORDS: Final = Text(
    "The text of the consent has changed: read it and agree again",
    "Текст согласия изменился: прочитайте его и подтвердите ещё раз",
)
_CHANGED: Final = Text(
    "Autopay was changed elsewhere meanwhile: look at it again and repeat",
    "Тем временем автоплатёж изменили в другом месте: проверьте условия и повторите",
)
_SUGGESTED: Final = Terms(
    trigger=Trigger.FEE,
    cap_kopecks=200_000,
    method=MethodName("", ""),
    days_before=2,
)
"""What the form offers; whoever wants something else says so."""
_EXAMPLES: Final = {"threshold": "100", "amount_balance": "500", "day_of_month": "1"}


@by_link(MANDATE)
async def show_new(request: web.Request, visit: Visit) -> web.Response:
    """Show the form that switches autopay on."""
    async with reading(visit.autopay.db) as tx:
        subject = await subject_of(tx, visit.link.subject, visit.autopay.clock())
    if subject.live is not None:
        return see_other(visit.to(request, "mandate"))
    return offer(request, visit, subject)


@by_link(MANDATE)
async def make(request: web.Request, visit: Visit) -> web.Response:
    """Switch autopay on; asked again it stays as it is."""
    form = await read_form(request, visit)
    subject, at = None, visit.autopay.clock()
    try:
        async with transaction(visit.autopay.db) as tx:
            subject = await subject_of(tx, visit.link.subject, at, held=True)
            if subject.live is None:
                terms = _agreed(form, subject, subject.timezone)
                given = _consent(request, visit)
                await mandates.create(tx, visit.autopay, subject.contract, terms, given, at)
    except Invalid as error:
        if subject is None:
            raise
        return _ask(request, visit, subject, form, error)
    return see_other(visit.to(request, "mandate", done="on"))


@by_link(MANDATE)
async def show_change(request: web.Request, visit: Visit) -> web.Response:
    """Show the form with the terms as they subject."""
    async with reading(visit.autopay.db) as tx:
        subject = await subject_of(tx, visit.link.subject, visit.autopay.clock())
    if subject.live is None:
        return see_other(visit.to(request, "mandate"))
    request[pages.LANGUAGE] = subject.language
    filled = terms_form.filled(subject.live.terms, subject.methods, pages.language(request))
    return _ask(request, visit, subject, {**filled, "revision": str(subject.live.revision)})


@by_link(MANDATE)
async def change(request: web.Request, visit: Visit) -> web.Response:
    """Put other terms in place, where nobody else has meanwhile."""
    form = await read_form(request, visit)
    subject, at = None, visit.autopay.clock()
    try:
        async with transaction(visit.autopay.db) as tx:
            subject = await subject_of(tx, visit.link.subject, at, held=True)
            await _change(tx, request, visit, subject, form)
    except Invalid as error:
        if subject is None:
            raise
        newest = "" if subject.live is None else str(subject.live.revision)
        return _ask(request, visit, subject, {**form, "revision": newest}, error)
    return see_other(visit.to(request, "mandate", done="changed"))


async def _change(
    tx: Tx, request: web.Request, visit: Visit, subject: Subject, form: Mapping[str, str]
) -> None:
    live = subject.live
    if live is None:
        return
    terms = _agreed(form, subject, live.terms.timezone)
    if form.get("revision") != str(live.revision):
        if terms == live.terms:
            return  # the same form, sent twice
        raise Invalid(FieldError("form", _CHANGED))
    given = _consent(request, visit)
    await mandates.change(tx, visit.autopay, live.id, terms, given, given.at)


def offer(request: web.Request, visit: Visit, subject: Subject) -> web.Response:
    """Show what autopay is and the form that switches it on; without a method, where to get one."""
    request[pages.LANGUAGE] = subject.language
    if subject.case.closed:
        return _say(request, visit, "closed_title", "closed_text", None, subject)
    if not subject.methods:
        return _no_method(request, visit, subject)
    suggested = replace(_SUGGESTED, method=subject.methods[0].name)
    filled = terms_form.filled(suggested, subject.methods, pages.language(request))
    return _ask(request, visit, subject, {**filled, **_EXAMPLES})


def _agreed(form: Mapping[str, str], subject: Subject, timezone: str) -> Terms:
    """Return the terms of a form that was agreed to; raises Invalid with everything wrong."""
    wrong = []
    if form.get("consent_version") != consent.CURRENT:
        wrong.append(FieldError("agreed", _NEW_WORDS))
    elif not form.get("agreed"):
        wrong.append(FieldError("agreed", _AGREE))
    try:
        terms = terms_form.read(form, subject.methods, timezone)
    except Invalid as error:
        raise Invalid(*error.fields, *wrong) from None
    if wrong:
        raise Invalid(*wrong)
    return terms


def _consent(request: web.Request, visit: Visit) -> Consent:
    return Consent(consent.CURRENT, visit.autopay.clock(), visitor(request), "page")


def _ask(
    request: web.Request,
    visit: Visit,
    subject: Subject,
    form: Mapping[str, str],
    error: Invalid | None = None,
) -> web.Response:
    request[pages.LANGUAGE] = subject.language
    if not subject.methods:
        return _no_method(request, visit, subject)
    known = {name: form.get(name, "") for name in (*terms_form.FIELDS, "revision")}
    return pages.render(
        request,
        "terms.html",
        status=200 if error is None else error.status,
        contract=subject.contract,
        form=known,
        methods=[(terms_form.key(each.name), each) for each in subject.methods],
        errors=terms_form.complaints(error or Invalid(), form),
        words=consent.words(consent.CURRENT),
        version=consent.CURRENT,
        told_before=_told_before(request, visit),
        action=visit.to(request, "change" if known["revision"] else "new"),
        back=visit.to(request, "mandate"),
        csrf=visit.csrf,
        cabinet=visit.cabinet,
    )


def _told_before(request: web.Request, visit: Visit) -> str:
    """Return how long before a charge it is said, as the operator has set it."""
    t, rules = pages.translate(request), visit.autopay.rules

    def length(of: timedelta) -> str:
        minutes = round(of.total_seconds() / 60)
        return t("minutes", count=minutes) if minutes % 60 else t("hours", count=minutes // 60)

    # Nobody calls a charge off within seconds.
    if rules.notice_balance.length < timedelta(minutes=1):
        return t("offer_before_fee", long=length(rules.notice.length))
    return t(
        "offer_before",
        long=length(rules.notice.length),
        short=length(rules.notice_balance.length),
    )


def _no_method(request: web.Request, visit: Visit, subject: Subject) -> web.Response:
    return _say(request, visit, "no_method_title", "no_method_text", "save_card", subject)


def _say(
    request: web.Request, visit: Visit, title: str, text: str, act: str | None, subject: Subject
) -> web.Response:
    t = pages.translate(request)
    return pages.render(
        request,
        "said.html",
        title=t(title),
        sentences=[t(text, number=subject.contract)],
        actions=[] if act is None else [(t(act), visit.cabinet)],
        cabinet=visit.cabinet,
    )
