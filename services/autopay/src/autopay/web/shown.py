"""A mandate as the API answers it, with what it comes to and the journal of consent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Row

from autopay import mandates
from autopay.mandate import Mandate
from autopay.web import consent, words
from autopay.web.picture import Coming, picture
from autopay.web.subject import case_of
from autopay.web.views import (
    ConsentList,
    ConsentView,
    ExplainedLine,
    MandateDetail,
    NextCharge,
    Words,
    mandate_fields,
)
from shared.db import Tx
from shared.errors import Text
from shared.money import Money


async def detail(tx: Tx, mandate: Mandate, at: datetime) -> MandateDetail:
    """Return a mandate as it stands at a moment."""
    case = await case_of(tx, mandate.contract, at)
    seen = picture(mandate, case, at)
    return MandateDetail(
        **mandate_fields(mandate),
        condition=_words(words.condition(mandate.terms)),
        charged_this_month=Money(seen.spent_kopecks),
        left_this_month=Money(seen.left_kopecks),
        next_charge=None if seen.coming is None else _next(seen.coming),
        consents=_views(await mandates.history(tx, mandate.id)),
    )


async def consent_list(tx: Tx, mandate: Mandate) -> ConsentList:
    """Return the journal of a mandate."""
    items = _views(await mandates.history(tx, mandate.id))
    return ConsentList(mandate_id=mandate.id, contract=mandate.contract, items=items)


def _next(coming: Coming) -> NextCharge:
    lines = [
        ExplainedLine(ru=line.ru, en=line.en, amount=Money(line.kopecks)) for line in coming.lines
    ]
    return NextCharge(
        id=coming.id,
        state=coming.state,
        on=coming.on,
        charge_at=coming.charge_at,
        amount=Money(coming.amount_kopecks),
        why=_words(coming.why),
        lines=lines,
    )


def _views(rows: Sequence[Row[Any]]) -> list[ConsentView]:
    return [
        ConsentView(
            act=row.act,
            version=row.version or None,
            at=row.at,
            address=row.address,
            channel=row.channel,
            detail=row.detail or None,
            terms=orjson.loads(row.terms),
            words=[_words(text) for text in consent.words(row.version)],
        )
        for row in rows
    ]


def _words(text: Text) -> Words:
    return Words(ru=text.ru, en=text.en)
