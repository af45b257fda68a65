"""The pages of money: balances and history, ordering a top-up, waiting for it to arrive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from aiohttp import web

from core_billing import contracts, history, topup_links, topups
from core_billing.contracts import Contract
from core_billing.topups import Outcome, State, Topup
from core_billing.web import links, saving
from core_billing.web.visit import Visit, own_contract, read_form, see_other, signed_in
from shared.db import reading, transaction
from shared.errors import Conflict, Invalid, NotFound, Text
from shared.web import pages

ENTRIES_MAX: Final = 20
BY: Final[Mapping[str, str]] = {"card": topups.CARD, "sbp": topups.SBP}
"""What the form's buttons say, and which gateway that is."""
_FINAL: Final[tuple[State, ...]] = ("credited", "held", "canceled")
_NO_TOPUP: Final = Text("You have no such top-up", "У вас нет такого пополнения")
_CLOSED: Final = Text(
    "The contract is closed and takes no payments", "Договор закрыт и платежей не принимает"
)


@dataclass(frozen=True, slots=True)
class Said:
    """What the page of one top-up says now; the same words on the page and in its status."""

    state: State
    final: bool
    texts: Mapping[str, str]


@signed_in
async def home(request: web.Request, visit: Visit) -> web.Response:
    """Show every contract of the subscriber, with what is missing, and the last entries."""
    return await _home(request, visit)


@signed_in
async def order(request: web.Request, visit: Visit) -> web.Response:
    """Order a top-up and lead on to where it is paid; a wrong amount is explained in its form."""
    form = await read_form(request, visit)
    number, text = form.get("contract", "").strip(), form.get("amount", "")
    async with reading(visit.cabinet.db) as tx:
        contract = await own_contract(tx, visit, number)
    if not contract.open:
        raise Conflict(_CLOSED)
    try:
        kopecks = topups.amount(text, visit.cabinet.amounts)
    except Invalid as error:
        ticked = saving.FIELD in form
        return await _home(request, visit, typed={number: text}, error=error, ticked=ticked)
    at, gateway = visit.cabinet.clock(), _gateway(visit, form)
    agreed = saving.agreed(request, visit, form, gateway)
    async with transaction(visit.cabinet.db) as tx:
        ordered = await topups.order(tx, number, kopecks, at, gateway, agreed)
    return see_other(_pay_address(request, visit, ordered))


@signed_in
async def show(request: web.Request, visit: Visit) -> web.Response:
    """Show one top-up: where the provider sends the payer back to."""
    ordered, said = await _look(request, visit)
    return pages.render(
        request,
        "topup.html",
        by=next((by for by, gateway in BY.items() if gateway == ordered.gateway), None),
        pays_under=visit.cabinet.public_url,
        saves=visit.cabinet.saves and ordered.gateway == topups.CARD,
        ordered=ordered,
        said=said,
        poll_seconds=visit.cabinet.poll_seconds,
        csrf=visit.csrf,
    )


@signed_in
async def status(request: web.Request, visit: Visit) -> web.Response:
    """Tell the waiting page what it should say now."""
    _, said = await _look(request, visit)
    answer: dict[str, Any] = {
        "state": said.state,
        "final": said.final,
        "title": f"{said.texts['title']} · Saldo",
        "texts": said.texts,
    }
    return web.json_response(answer)


@signed_in
async def pay(request: web.Request, visit: Visit) -> web.Response:
    """Lead back to the payment of an order that still waits."""
    ordered, said = await _look(request, visit)
    if said.state != "waiting":
        return see_other(pages.address(request, "topup", id=str(ordered.order_id)))
    return see_other(_pay_address(request, visit, ordered))


def _gateway(visit: Visit, form: Mapping[str, str]) -> str:
    """Return who takes the top-up; whoever is not deployed takes none."""
    offered = visit.cabinet.gateways
    wanted = BY.get(form.get("by", ""))
    return wanted if wanted is not None and wanted in offered else offered[0]


async def _home(
    request: web.Request,
    visit: Visit,
    typed: Mapping[str, str] | None = None,
    error: Invalid | None = None,
    ticked: bool = False,
) -> web.Response:
    async with reading(visit.cabinet.db) as tx:
        mine = await contracts.of_subscriber(tx, visit.reader.id)
        # The contract somebody signed in with is the one they came for.
        mine.sort(key=lambda contract: contract.number != visit.session.contract)
        entries = await history.entries(tx, mine, None, ENTRIES_MAX)
    wrong = error.fields[0].text if error is not None else None
    return pages.render(
        request,
        "home.html",
        status=200 if error is None else error.status,
        pays_under=visit.cabinet.public_url,
        contracts=mine,
        entries=entries,
        ways=[by for by, gateway in BY.items() if gateway in visit.cabinet.gateways],
        suggested_kopecks=visit.cabinet.suggested_kopecks,
        typed_amounts=typed or {},
        errors=dict.fromkeys(typed or {}, wrong),
        saves=visit.cabinet.saves,
        ticked=ticked,
        has_autopay=links.AUTOPAY.audience in visit.cabinet.services,
        has_messages=links.MESSAGES.audience in visit.cabinet.services,
        timezone=visit.reader.timezone,
        csrf=visit.csrf,
    )


async def _look(request: web.Request, visit: Visit) -> tuple[Topup, Said]:
    """Return a top-up of this subscriber and what there is to say; raises NotFound for others'."""
    async with reading(visit.cabinet.db) as tx:
        ordered = await topups.find(tx, UUID(request.match_info["id"]))
        if ordered is None:
            raise NotFound(_NO_TOPUP)
        contract = await own_contract(tx, visit, ordered.contract, _NO_TOPUP)
        outcome = await topups.outcome(tx, ordered, visit.cabinet.clock())
    return ordered, _said(request, outcome, contract)


def _said(request: web.Request, outcome: Outcome, contract: Contract) -> Said:
    t, language = pages.translate(request), pages.language(request)
    state, received = outcome.state, pages.money(outcome.received_kopecks, language)
    missing = contract.missing_kopecks if state == "credited" else 0
    texts = {
        "title": t(f"title_{state}", amount=received),
        "note": t(f"note_{state}"),
        "balance": pages.money(contract.balance_kopecks, language),
        "missing": t("still_missing", amount=pages.money(missing, language)) if missing else "",
    }
    return Said(state, state in _FINAL, texts)


def _pay_address(request: web.Request, visit: Visit, ordered: Topup) -> str:
    cabinet = visit.cabinet
    back = pages.address(request, "topup", id=str(ordered.order_id))
    return topup_links.pay_address(
        cabinet.signer,
        ordered,
        f"{cabinet.public_url}{back}",
        cabinet.clock(),
        asks=cabinet.saves,
    )
