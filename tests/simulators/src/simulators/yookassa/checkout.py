"""The pages on which a payer pays or binds a card, and the calls that do the same."""

from __future__ import annotations

import io
from dataclasses import replace

import segno
from aiohttp import web

from simulators import control
from simulators import web as pages
from simulators.control import Mistake
from simulators.yookassa import cards, charges, means, method, payer, payment
from simulators.yookassa.api import provider_of
from simulators.yookassa.method import Method
from simulators.yookassa.payer import Wish, attempt, wish
from simulators.yookassa.payment import Payment
from simulators.yookassa.provider import Provider
from simulators.yookassa.wire import method_object, payment_object

GROUPS = [
    (reason, [card for card in cards.REFUSED if card.refusal == refusal])
    for refusal in dict.fromkeys(card.refusal for card in cards.REFUSED)
    if refusal is not None
    for reason in [cards.HINTS[refusal.reason]]
]


async def show(request: web.Request) -> web.Response:
    """`GET /checkout/payments/v2/contract?orderId=<payment id>`: the page where the payer pays."""
    current = payment.find(provider_of(request).store, request.query.get("orderId", ""))
    if current is None:
        return pages.page(request, "gone.html", status=404, what="Платёж не найден")
    return _page(request, current)


async def pay(request: web.Request) -> web.StreamResponse:
    """`POST /payments/{id}/pay`: the page's buttons (form), or a test (JSON).

    JSON: `{"card"?, "method"?, "save"?, "keep_pending"?, "refuse"?}` → the Payment object. A card
    that the table refuses makes the payment canceled with the table's party and reason; with
    `"keep_pending": true` it stays pending, as on the page. 404 unknown, 409 not pending, 400 no
    test card.
    """
    provider = provider_of(request)
    current = payment.find(provider.store, request.match_info["id"])
    if current is None:
        return web.json_response({"error": "no such payment"}, status=404)
    if request.content_type == "application/json":
        done = attempt(provider, current, wish(await control.read(request)))
        return web.json_response(payment_object(done))
    return await _pay_by_form(request, provider, current)


async def show_binding(request: web.Request) -> web.Response:
    """`GET /checkout/methods/{id}`: the page where a payer binds a card without paying."""
    found = _binding(request)
    if found is None:
        return pages.page(request, "gone.html", status=404, what="Ссылка не найдена")
    return_url = (found.confirmation or {}).get("return_url")
    return pages.page(request, "binding.html", leads_to=return_url, binding=found)


async def bind(request: web.Request) -> web.StreamResponse:
    """`POST /methods/{id}/bind`: confirm a binding with a test card; form or JSON `{"card"?}`."""
    provider = provider_of(request)
    found = _binding(request)
    if found is None or found.status != "pending":
        return web.json_response({"error": "nothing to confirm"}, status=409 if found else 404)
    by_json = request.content_type == "application/json"
    form = await request.post() if not by_json else await control.read(request)
    card = cards.find(str(form.get("card") or cards.PAYING[0].number))
    if card is None:
        return web.json_response({"error": "not a test card"}, status=400)
    done = _bound(provider, found, card)
    if by_json:
        return web.json_response(method_object(done))
    raise web.HTTPSeeOther((found.confirmation or {}).get("return_url") or provider.home)


def _bound(provider: Provider, found: Method, card: cards.Card) -> Method:
    if card.refusal:
        # There is no event for a failed binding; the shop has to look.
        failed = replace(found, status="inactive", confirmation=None, confirm_by=None)
        method.save(provider.store, failed)
        return failed
    used = means.by_card(card) if found.type == "bank_card" else means.by_type(found.type)
    done = replace(
        found,
        status="active",
        saved=True,
        title=used.title,
        card=used.card,
        confirmation=None,
        confirm_by=None,
    )
    with provider.store.transaction():
        method.save(provider.store, done)
        provider.announce(done.shop_id, "payment_method.active", method_object(done))
    return done


async def _pay_by_form(
    request: web.Request, provider: Provider, current: Payment
) -> web.StreamResponse:
    form = await request.post()
    tried = Wish(
        card=str(form.get("test_card") or form.get("card") or ""),
        method=str(form.get("method") or "") or None,
        save="save" in form,
        keep_pending=provider.shops[current.shop_id].retry_on_page and "refuse" not in form,
        refuse="general_decline" if "refuse" in form else None,
    )
    try:
        current = attempt(provider, current, tried)
    except Mistake as error:
        fresh = payment.find(provider.store, current.id) or current
        return _page(request, fresh, status=error.status, mistake=str(error))
    return_url = (current.confirmation or {}).get("return_url")
    if current.status == "pending" or not return_url:
        # Back to the page, which knows why the attempt failed: a reload must not try again.
        raise web.HTTPSeeOther(provider.checkout(current.id))
    raise web.HTTPSeeOther(return_url)


def _page(
    request: web.Request, current: Payment, *, status: int = 200, mistake: str | None = None
) -> web.Response:
    shop = provider_of(request).shops[current.shop_id]
    return_url = (current.confirmation or {}).get("return_url")
    kinds = payer.payable(provider_of(request), current)
    return pages.page(
        request,
        "pay.html",
        leads_to=return_url,
        status=status,
        payment=current,
        shop=shop,
        return_url=return_url,
        kinds=kinds,
        titles=means.TITLES,
        code=_code(current) if "sbp" in kinds else None,
        banks=means.BANKS,
        offers_saving=shop.recurring and not current.save_method,
        card=cards.PAYING[0].number,
        paying=cards.PAYING,
        refused=GROUPS,
        reason=cards.HINTS.get(current.attempt_reason or "", current.attempt_reason),
        mistake=mistake,
    )


def _code(current: Payment) -> str:
    """Return the QR code that the page of SBP shows on a computer, as markup."""
    drawn = io.BytesIO()
    address = charges.code_address(current.id)
    segno.make_qr(address, error="m").save(
        drawn, kind="svg", xmldecl=False, svgns=False, nl=False, omitsize=True, svgclass="code"
    )
    return drawn.getvalue().decode()


def _binding(request: web.Request) -> Method | None:
    provider = provider_of(request)
    for shop in provider.shops:
        if found := method.find(provider.store, request.match_info["id"], shop):
            return found
    return None
