"""The control page: for people what the control calls are for programs, by buttons.

Plain HTML. A page elsewhere may not press its buttons: browsers say where a form comes from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web

from simulators import web as pages
from simulators.control import Mistake
from simulators.record import load
from simulators.yookassa import delivery, lifecycle, method, payer, payment, refunds, script
from simulators.yookassa.api import provider_of
from simulators.yookassa.cards import DECLINES, Refusal
from simulators.yookassa.errors import ApiError
from simulators.yookassa.faults import CALLS, KINDS
from simulators.yookassa.payment import Payment
from simulators.yookassa.provider import Provider
from simulators.yookassa.sweep import sweep

SHOWN = 20
FAR = 366 * 24 * 3_600
STEPS = {"1 мин": 60, "10 мин": 600, "1 ч": 3_600, "1 день": 86_400, "7 дней": 604_800}
MOSCOW = ZoneInfo("Europe/Moscow")

Form = Any


async def show(request: web.Request) -> web.Response:
    """`GET /`: the page."""
    return _page(request)


async def press(request: web.Request) -> web.StreamResponse:
    """`POST /`: one of its buttons, named by `do`."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise Mistake("this button is pressed on its own page", 403)
    form = await request.post()
    act = _ACTS.get(str(form.get("do")))
    if act is None:
        raise Mistake("there is no such button")
    try:
        act(provider_of(request), form)
    except (Mistake, ApiError, ValueError) as error:
        return _page(request, mistake=str(error))
    # Back by another request, so that a reload presses nothing again.
    raise web.HTTPSeeOther(request.path)


def _page(request: web.Request, mistake: str | None = None) -> web.Response:
    provider = provider_of(request)
    latest = "ORDER BY created_at DESC, id DESC LIMIT ?"
    found = provider.store.all(f"SELECT * FROM payment {latest}", SHOWN)
    return pages.page(
        request,
        "control.html",
        status=200 if mistake is None else 409,
        mistake=mistake,
        now=_moment(provider.clock.now()),
        steps=STEPS,
        faults=provider.faults.faults,
        kinds=KINDS,
        calls=CALLS,
        mischief=[(each.name, getattr(provider.mischief, each.name)) for each in _NUMBERS],
        payments=[load(Payment, row) for row in found],
        methods=[
            (each, script.scripted(provider.store, f"method:{each.id}"))
            for each in method.latest(provider.store, SHOWN)
        ],
        declines=DECLINES,
        checkout=provider.checkout,
        deliveries=provider.store.all(f"SELECT * FROM delivery {latest}", SHOWN),
        moment=_moment,
    )


def _advance(provider: Provider, form: Form) -> None:
    seconds = int(form["seconds"])
    if seconds > FAR:
        raise ValueError("at most a year at once")
    provider.clock.advance(seconds * 1_000)
    sweep(provider)
    provider.bell.set()


def _add_fault(provider: Provider, form: Form) -> None:
    wish: dict[str, Any] = {"kind": form["kind"], "calls": [form["call"]] if form["call"] else []}
    if form["times"]:
        wish["times"] = int(form["times"])
    chance = float(form["probability"] or 1)
    if not 0 < chance <= 1:
        raise ValueError("a probability lies above 0 and not above 1")
    provider.faults.add([wish | {"probability": chance}])


def _clear_faults(provider: Provider, _: Form) -> None:
    provider.faults.faults.clear()


def _set_mischief(provider: Provider, form: Form) -> None:
    said: dict[str, Any] = {each.name: float(form[each.name] or 0) for each in _NUMBERS}
    if any(value < 0 for value in said.values()):
        raise ValueError("numbers not less than 0")
    provider.mischief = delivery.Mischief(
        **said | {name: int(said[name]) for name in ("delay", "jitter")}
    )


def _pay(provider: Provider, form: Form) -> None:
    current = _payment(provider, form)
    kinds = payer.payable(provider, current)
    if not kinds:
        raise Mistake("this payment cannot be paid by anything")
    payer.attempt(provider, current, payer.Wish(method=kinds[0]))


def _cancel(provider: Provider, form: Form) -> None:
    current = _payment(provider, form)
    if current.status not in {"pending", "waiting_for_capture"}:
        raise Mistake(f"the payment is {current.status} already")
    lifecycle.cancel(provider, current, Refusal("payment_network", "general_decline"))


def _refund(provider: Provider, form: Form) -> None:
    paid = _payment(provider, form)
    left = paid.amount_kopecks - paid.refunded_kopecks
    refunds.start(provider, paid, left, description="Возврат из личного кабинета")


def _script(provider: Provider, form: Form) -> None:
    """Let the next charges of one saved method be refused; no times at all: let them pass."""
    reason, times = str(form["reason"]), int(form["times"])
    if reason not in DECLINES or not 0 <= times <= script.LIMIT:
        raise ValueError(f"one of {', '.join(DECLINES)}, at most {script.LIMIT} times")
    kept = _method(provider, form)
    script.write(provider.store, f"method:{kept.id}", [script.outcome(reason)] * times)


def _withdraw(provider: Provider, form: Form) -> None:
    """Let the owner take the consent back in their bank: the shop hears of it at the next charge.

    It is the charge that makes the method inactive, and there is no event.
    """
    kept = _method(provider, form)
    script.write(provider.store, f"method:{kept.id}", [script.outcome("permission_revoked")])


def _method(provider: Provider, form: Form) -> method.Method:
    found = method.find(provider.store, str(form["id"]), str(form["shop_id"]))
    if found is None or found.status != "active":
        raise Mistake("no such method, or it is not active")
    return found


def _hasten(provider: Provider, form: Form) -> None:
    delivery.hasten(provider.store, provider.clock.now(), everything=bool(form.get("all")))
    provider.bell.set()


_ACTS: dict[str, Callable[[Provider, Form], None]] = {
    "advance": _advance,
    "add_fault": _add_fault,
    "clear_faults": _clear_faults,
    "mischief": _set_mischief,
    "pay": _pay,
    "cancel": _cancel,
    "refund": _refund,
    "script": _script,
    "withdraw": _withdraw,
    "hasten": _hasten,
}
_NUMBERS = [each for each in fields(delivery.Mischief) if each.name != "forge_from_outside"]

ROUTES = [web.get("", show), web.get("/", show), web.post("/", press)]


def _payment(provider: Provider, form: Form) -> Payment:
    found = payment.find(provider.store, str(form["id"]))
    if found is None:
        raise Mistake("no such payment")
    return found


def _moment(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds // 1_000, UTC).astimezone(MOSCOW)
    return f"{moment:%d.%m.%Y %H:%M:%S}"
