"""The page of one charge and one button: "not this time".

Looking at it changes nothing, because readers of mail open links by themselves.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from autopay import charges, mandates
from autopay.case import IN_FLIGHT, UPCOMING, Charge, State
from autopay.consents import Consent
from autopay.links import MANDATE, SKIP, page_url
from autopay.web.base import visitor
from autopay.web.subject import Subject, subject_of
from autopay.web.visit import Visit, by_link, read_form, see_other
from shared.db import Tx, reading, transaction
from shared.errors import NotFound, Text
from shared.web import pages

_UNKNOWN: Final = Text("There is no such charge", "Такого списания нет")


@by_link(SKIP)
async def show(request: web.Request, visit: Visit) -> web.Response:
    """Show the charge, and the button while it can be left out; else what became of it."""
    async with reading(visit.autopay.db) as tx:
        charge = await _charge(tx, visit)
        subject = await subject_of(tx, charge.contract, visit.autopay.clock())
    return _page(request, visit, charge, subject)


@by_link(SKIP)
async def skip(request: web.Request, visit: Visit) -> web.Response:
    """Leave the charge out; pressed again, or too late, the page says what became of it."""
    await read_form(request, visit)
    at = visit.autopay.clock()
    async with transaction(visit.autopay.db) as tx:
        charge = await _charge(tx, visit)
        await subject_of(tx, charge.contract, at, held=True)
        charge = await _charge(tx, visit)
        if charge.state in UPCOMING and charge.mandate_id is not None:
            given = Consent("", at, visitor(request), "skip_link")
            await mandates.skip(
                tx, visit.autopay, charge.mandate_id, given, at, charge_id=charge.id
            )
    return see_other(visit.to(request, "skip"))


async def _charge(tx: Tx, visit: Visit) -> Charge:
    found = await charges.find(tx, visit.link.subject)
    if found is None:
        raise NotFound(_UNKNOWN)
    return found


def _page(request: web.Request, visit: Visit, charge: Charge, subject: Subject) -> web.Response:
    request[pages.LANGUAGE] = subject.language
    t, language = pages.translate(request), pages.language(request)
    open_ = charge.state in UPCOMING
    title, text = _said(charge)
    zone = subject.live.terms.timezone if subject.live is not None else subject.timezone
    method = subject.title(charge.method) or t("nameless")
    amount = pages.money(charge.amount_kopecks, language)
    # That link ends with this one, so nobody makes it last longer.
    onward = page_url(visit.autopay, MANDATE, charge.contract, visit.link.expires_at)
    return pages.render(
        request,
        "skip.html",
        title=t(title),
        sentences=[t(text, amount=amount)] if text else [],
        charge=charge if open_ else None,
        when=pages.moment(charge.charge_at, zone, language),
        from_what=t("from_method", title=method),
        action=visit.to(request, "skip") if open_ else None,
        csrf=visit.csrf,
        onward=onward,
        cabinet=visit.cabinet,
    )


def _said(charge: Charge) -> tuple[str, str]:
    """Return the words of the title and of the text."""
    if charge.state in UPCOMING:
        return "skip_title", ""
    if charge.state in IN_FLIGHT:
        return "late_title", "late_sent"
    if charge.state is State.SUCCEEDED:
        return "late_title", "late_done"
    if charge.state is State.FAILED:
        return "late_title", "late_failed"
    if charge.reason == "skipped":
        return "skipped_title", "skipped_text"
    return "dropped_title", "dropped_text"
