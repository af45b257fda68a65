"""Corrections of payments and their revisions: addresses."""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web

from core_billing import correction_acts, revisions, transfers, write_offs
from core_billing import correction_refusals as refusals
from core_billing.correction_rules import RIGHTS
from core_billing.revisions import By, Chain
from core_billing.web.acting import Act, CheckView, Do, Done, perform, rehearse
from core_billing.web.base import CORE, api
from core_billing.web.corrections_views import (
    Correction,
    CorrectionView,
    RevisionsView,
    correction_view,
    revisions_view,
)
from shared import api as apis
from shared.api import RIGHT_MISSING
from shared.db import Tx, reading

_ID: Final = re.compile(r"[1-9][0-9]{0,17}")
_AGAIN: Final = (write_offs.NO_DEBT, write_offs.ABOVE_DEBT, transfers.ABOVE_BALANCE)
"""What restoring a write-off or a transfer asks once more."""
_REFUSALS: Final = (*refusals.ALL, *_AGAIN, RIGHT_MISSING)


@api.post(
    "/payments/{id}/corrections",
    body=Correction,
    answers={201: CorrectionView},
    scope="payments:read",
    summary="Move, change, annul or restore a payment; moving and changing take payments:edit,"
    " annulling and restoring payments:annul",
    keyed=True,
    refusals=_REFUSALS,
)
async def correct_payment(request: web.Request, asked: Correction) -> web.Response:
    """Write a further revision of a payment."""
    return await perform(request, "payment.correct", asked, await _correcting(request, asked))


@api.post(
    "/payments/{id}/corrections/check",
    body=Correction,
    answers={200: CheckView[CorrectionView]},
    scope="payments:read",
    summary="What a correction would do, or which rule forbids it",
    refusals=_REFUSALS,
)
async def check_correction(request: web.Request, asked: Correction) -> web.Response:
    """Answer what the correction would do; nothing is written."""
    return await rehearse(request, await _correcting(request, asked))


@api.get(
    "/payments/{id}/revisions",
    answers={200: RevisionsView},
    scope="payments:read",
    summary="All revisions of a payment: who, why, when, and their postings",
    refusals=(refusals.PAYMENT_UNKNOWN,),
)
async def list_revisions(request: web.Request) -> web.Response:
    """Answer with every revision of a payment, the oldest first."""
    return apis.answer(revisions_view(_existing(request, await _standing(request))))


async def _correcting(request: web.Request, asked: Correction) -> Do:
    """Return the act; what stands now is looked at first, so that who comes second hears of it."""
    stood = await _standing(request)

    async def do(tx: Tx, act: Act) -> Done:
        act.require(RIGHTS[asked.action])
        chain = _existing(request, stood)
        seen = chain.newest.number if asked.revision is None else asked.revision
        by = By(act.actor, act.at, act.correlation_id)
        done = await correction_acts.correct(
            tx, act.core.rules, chain.reference, seen, asked.wish(), by
        )
        view = correction_view(done.chain, done.balances)
        return Done(view, f"payment:{chain.id}")

    return do


async def _standing(request: web.Request) -> Chain | None:
    said = request.match_info["id"]
    if _ID.fullmatch(said) is None:
        return None
    async with reading(request.app[CORE].db) as tx:
        return await revisions.find(tx, int(said))


def _existing(request: web.Request, chain: Chain | None) -> Chain:
    if chain is None:
        raise refusals.PAYMENT_UNKNOWN(id=request.match_info["id"][:40])
    return chain
