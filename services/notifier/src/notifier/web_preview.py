"""`/notifier/v1/templates/preview`: how texts would read, and what they would cost as an SMS."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from notifier import directory, history, messages, segments, template_store, variables
from notifier.facts import FACTS, Fact
from notifier.kinds import KindName
from notifier.reader import Reader
from notifier.segments import Encoding
from notifier.template_parser import SOURCE_LENGTH_MAX
from notifier.texts import Key, Part, Stored
from notifier.web import DB, VAULT, api
from notifier.web_templates import DESK, Desk, check
from shared.api import TOKEN, answer, require
from shared.db import Tx, reading
from shared.errors import Language
from shared.money import Money, WireMoney

_LOOKED_AT_MAX: Final = 100
"""Messages of a contract among which facts of the kind are looked for."""
_Source = Annotated[str, Field(min_length=1, max_length=SOURCE_LENGTH_MAX)]


class PreviewBody(BaseModel):
    """Which texts to show; those that are not given are the ones in use."""

    model_config = ConfigDict(extra="forbid")

    kind: KindName
    language: Language = "ru"
    contract: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        None, description="a contract to show them for; needs messages:read"
    )
    subject: _Source | None = None
    text: _Source | None = None
    html: _Source | None = None
    sms: _Source | None = None
    bot: _Source | None = None


class SmsView(BaseModel):
    """An SMS, its size and its price."""

    text: str
    encoding: Encoding
    units: int = Field(description="septets of GSM-7, or code units of UCS-2")
    segments: int
    price: WireMoney | None = Field(description="none where NOTIFIER_SMS_PRICE_KOPECKS is not set")


class PreviewView(BaseModel):
    """How the texts read."""

    sample: bool = Field(description="the facts are made up; else those of the contract's last one")
    subject: str
    text: str
    html: str
    bot: str
    sms: SmsView


@api.post(
    "/v1/templates/preview",
    body=PreviewBody,
    answers={200: PreviewView},
    scope="templates:read",
    summary="Show how texts would read, the size of the SMS and its price",
)
async def preview_template(request: web.Request, asked: PreviewBody) -> web.Response:
    """Answer the texts filled in; raises Invalid that names what is wrong with a given one."""
    desk = request.app[DESK]
    given = _given(asked, request)
    who = variables.reader(asked.language, desk.operator, desk.cabinet_url)
    at, facts = desk.clock(), None
    async with reading(request.app[DB]) as tx:
        stored = {**await template_store.stored(tx), **given}
        if asked.contract is not None:
            require(request[TOKEN], "messages:read")
            who = await _reader(tx, request, who, asked.contract, desk)
            facts = await _facts(tx, asked.contract, asked.kind)
    shown = facts or variables.sample(asked.kind, at)
    return answer(_preview(asked.kind, shown, who, at, stored, desk, sample=facts is None))


def _given(asked: PreviewBody, request: web.Request) -> Stored:
    parts: dict[Part, str | None] = {
        "subject": asked.subject,
        "text": asked.text,
        "html": asked.html,
        "sms": asked.sms,
        "bot": asked.bot,
    }
    given = {Key(asked.kind, asked.language, p): text for p, text in parts.items() if text}
    for key, text in given.items():
        check(key, text, key.part, request)
    return given


async def _reader(tx: Tx, request: web.Request, who: Reader, contract: str, desk: Desk) -> Reader:
    """Return the contract's own reader; one that is not known keeps the name of the sample."""
    known = (await directory.find(tx, request.app[VAULT], [contract])).get(contract)
    if known is None:
        return replace(who, contract=contract)
    return replace(
        who,
        contract=contract,
        operator=desk.operators.get(known.operator, desk.operator),
        name=known.person.name,
        timezone=known.timezone,
    )


async def _facts(tx: Tx, contract: str, kind: KindName) -> Fact | None:
    """Return the facts of the contract's last message of a kind; its sealed links stay sealed."""
    for row in await history.page(tx, limit=_LOOKED_AT_MAX, contract=contract):
        if row.kind == kind:
            try:
                return FACTS[kind].model_validate_json(row.facts)
            except ValueError:
                continue  # a message that was dropped before its event came
    return None


def _preview(
    kind: KindName,
    facts: Fact,
    who: Reader,
    at: datetime,
    stored: Stored,
    desk: Desk,
    *,
    sample: bool,
) -> PreviewView:
    mail = messages.mail(kind, facts, who, at, stored)
    sms = messages.sms(kind, facts, who, at, stored)
    size = segments.size(sms)
    kopecks = desk.segment_kopecks
    price = None if kopecks is None else Money(size.price_kopecks(kopecks))
    return PreviewView(
        sample=sample,
        subject=mail.subject,
        text=mail.text,
        html=mail.html,
        bot=messages.bot(kind, facts, who, at, stored),
        sms=SmsView(
            text=sms,
            encoding=size.encoding,
            units=size.units,
            segments=size.segments,
            price=price,
        ),
    )
