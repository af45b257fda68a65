"""Signing in and out of the cabinet.

An unknown contract takes the time of a wrong password, so nobody learns which numbers exist.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_network
from typing import Final

import structlog
from aiohttp import hdrs, web

from core_billing import attempts, contracts, sessions
from core_billing.contracts import Login
from core_billing.web.device import device
from core_billing.web.visit import (
    CABINET,
    Cabinet,
    Visit,
    del_cookie,
    read_form,
    see_other,
    set_cookie,
    signed_in,
    token_of,
)
from shared.client import client_address
from shared.db import reading, transaction
from shared.web import csrf, forms, pages

CHECKS: Final = web.AppKey("password_checks", asyncio.Semaphore)
CHECKS_AT_ONCE: Final = 2
"""Each check of a password takes tens of milliseconds of a core, and 19 MiB."""
CONTRACT_LENGTH_MAX: Final = 64
PASSWORD_LENGTH_MAX: Final = 256

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed into the sign-in form; the password is never shown again."""

    contract: str = ""
    password: str = ""
    next: str = ""


async def show(request: web.Request) -> web.Response:
    """Show the sign-in form."""
    return _form(request, Typed(next=request.query.get("next", "")))


async def enter(request: web.Request) -> web.Response:
    """Check the contract and the password and begin a session, at most so often."""
    cabinet = request.app[CABINET]
    csrf.check_origin(request, cabinet.public_url)
    form = await forms.read(request)
    typed = Typed(form.get("contract", "").strip(), form.get("password", ""), form.get("next", ""))
    if not typed.contract or not typed.password:
        missing = "password" if typed.contract else "contract"
        return _form(request, typed, status=422, problem=f"enter_{missing}", wrong=missing)
    who = attempts.keys(cabinet.signer, typed.contract, _address(request, cabinet))
    async with transaction(cabinet.db) as tx:
        wait = await attempts.count(tx, who, cabinet.limits, cabinet.clock())
    if wait:
        _log.warning("sign_in.limited")
        return _limited(request, typed, wait)
    login = await _check(request, cabinet, typed)
    if login is None:
        _log.info("sign_in.refused")
        return _form(request, typed, status=401, problem="wrong_sign_in")
    return await _begin(request, cabinet, typed, login, who)


@signed_in
async def leave(request: web.Request, visit: Visit) -> web.Response:
    """End the session and show the sign-in form."""
    await read_form(request, visit)
    async with transaction(visit.cabinet.db) as tx:
        await sessions.end(tx, visit.token)
    response = see_other(pages.address(request, "login"))
    del_cookie(response, visit.cabinet)
    return response


async def _check(request: web.Request, cabinet: Cabinet, typed: Typed) -> Login | None:
    """Return whose contract it is where the password is right."""
    if len(typed.contract) > CONTRACT_LENGTH_MAX or len(typed.password) > PASSWORD_LENGTH_MAX:
        return None
    async with reading(cabinet.db) as tx:
        login = await contracts.login(tx, typed.contract)
    kept = login.password_hash if login is not None else None
    async with request.app[CHECKS]:
        right = await asyncio.to_thread(contracts.check_password, kept, typed.password)
    return login if right else None


async def _begin(
    request: web.Request, cabinet: Cabinet, typed: Typed, login: Login, who: attempts.Keys
) -> web.Response:
    at = cabinet.clock()
    seen_as = device(request.headers.get(hdrs.USER_AGENT, ""))
    async with transaction(cabinet.db) as tx:
        await attempts.forgive(tx, who)
        token = await sessions.start(
            tx, login.subscriber_id, login.number, seen_as, at, replaces=token_of(request)
        )
    _log.info("sign_in.done")
    response = see_other(_local(request, typed.next))
    set_cookie(response, cabinet, token)
    return response


def _local(request: web.Request, wish: str) -> str:
    """Return the page to go on to: one of the cabinet's own, whatever was asked for."""
    home = pages.address(request, "home")
    own = re.fullmatch(rf"{re.escape(home)}[0-9A-Za-z/_-]{{0,200}}", wish, re.ASCII)
    return wish if own else home


def _address(request: web.Request, cabinet: Cabinet) -> str:
    address = client_address(request, cabinet.trusted_proxies)
    if isinstance(address, IPv6Address):
        # A home has a whole network of these; one address of it is no limit to anybody.
        return str(ip_network((address, 64), strict=False))
    return str(address)


def _form(
    request: web.Request, typed: Typed, *, status: int = 200, problem: str = "", wrong: str = ""
) -> web.Response:
    t = pages.translate(request)
    return pages.render(
        request,
        "login.html",
        status=status,
        contract=typed.contract[:CONTRACT_LENGTH_MAX],
        next=typed.next,
        problem=t(problem) if problem else "",
        wrong=wrong,
    )


def _limited(request: web.Request, typed: Typed, wait_seconds: int) -> web.Response:
    t = pages.translate(request)
    response = pages.render(
        request,
        "login.html",
        status=429,
        contract=typed.contract[:CONTRACT_LENGTH_MAX],
        next=typed.next,
        problem=t("too_many_sign_ins", minutes=-(-wait_seconds // 60)),
        wrong="",
    )
    response.headers[hdrs.RETRY_AFTER] = str(wait_seconds)
    return response
