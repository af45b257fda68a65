"""SMSC.ru's counter: the account, what was sent, and what it must go wrong with next."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from simulators import message
from simulators.clock import MINUTE, SandboxClock
from simulators.message import Message
from simulators.settings import SandboxSettings
from simulators.smsc import parts, phone
from simulators.smsc.errors import Refused
from simulators.store import Store

PRICE = 350
"""Kopecks for one part."""
MESSAGE_ID = re.compile(r"[A-Za-z0-9._-]{1,40}")
LARGEST_NUMBER = 2_147_483_647
SENDER = re.compile(r"[A-Za-z0-9 ._-]{1,11}|\d{1,15}")
TIME = re.compile(r"\d{10}|\d{1,2}-\d{1,2}|0\d{9,10}|\+\d{1,4}")
LARGEST_SCRIPT = 1_000


@dataclass(slots=True)
class Desk:
    """One client's account at SMSC.ru."""

    settings: SandboxSettings
    store: Store
    clock: SandboxClock
    balance: int
    script: deque[int] = field(default_factory=lambda: deque(maxlen=LARGEST_SCRIPT))
    """Error codes for the next requests, 0 for none."""
    numbered: int = 0


DESK: web.AppKey[Desk] = web.AppKey("smsc-desk", Desk)


@dataclass(frozen=True, slots=True)
class Sent:
    """What `/sys/send.php` did: the message's id, its parts, its price in kopecks."""

    id: str
    parts: int
    cost: int


def authorise(desk: Desk, form: Mapping[str, str]) -> None:
    """Check login and password (or its MD5, as SMSC's libraries send it), or the API key."""
    settings = desk.settings
    if "apikey" in form:
        allowed = _same(form["apikey"], settings.smsc_apikey)
    else:
        digest = hashlib.md5(settings.smsc_password.encode(), usedforsecurity=False).hexdigest()
        given = form.get("psw", "")
        known = _same(given, settings.smsc_password) or _same(given, digest)
        allowed = known and _same(form.get("login", ""), settings.smsc_login)
    if not allowed:
        raise Refused(2)


def send(desk: Desk, form: Mapping[str, str]) -> Sent:
    """Send one text to one or several numbers. Raises Refused.

    SMSC refuses an identical request within a minute (error 9). A later message of the same id it
    takes and charges, for ids need not be unique there; here such a one is parked, so that a test
    can count it.
    """
    text = form.get("mes", "")
    numbers = phone.split(form.get("phones", ""))
    if not text or len(text) > parts.LONGEST or not numbers:
        raise Refused(1)
    message_id = _id(desk, form.get("id"))
    _scripted(desk, message_id)
    if form.get("time") and not TIME.fullmatch(form["time"]):
        raise Refused(5)
    sender = form.get("sender", "")
    if sender and not SENDER.fullmatch(sender):
        raise Refused(6, message_id)
    recipients = [phone.normal(each) for each in numbers]
    known = [each for each in recipients if each is not None]
    if len(known) < len(recipients):
        raise Refused(7, message_id)
    return _accept(desk, message_id, sender or "SMSC.RU", known, text)


def price(form: Mapping[str, str]) -> Sent:
    """Return what a text would cost, without sending it (`cost=1`)."""
    numbers = phone.split(form.get("phones", ""))
    count = parts.count(form.get("mes", "")) * len(numbers)
    return Sent("", count, count * PRICE)


def _accept(desk: Desk, message_id: str, sender: str, recipients: list[str], text: str) -> Sent:
    count = parts.count(text)
    cost = count * len(recipients) * PRICE
    if cost > desk.balance:
        raise Refused(3, message_id)
    now = desk.clock.now()
    repeated = False
    with desk.store.transaction():
        for recipient in recipients:
            before = message.last_named(desk.store, message_id, recipient)
            repeated = repeated or (
                before is not None and before.text == text and before.received_at > now - MINUTE
            )
            message.add(
                desk.store,
                Message(
                    channel="sms",
                    sender=sender,
                    recipient=recipient,
                    text=text,
                    received_at=now,
                    provider_id=message_id,
                    parts=count,
                    parked=before is not None,
                ),
            )
    if repeated:
        raise Refused(9)
    desk.balance -= cost
    return Sent(message_id, count * len(recipients), cost)


def _id(desk: Desk, given: str | None) -> str:
    if not given or given == "0":
        desk.numbered += 1
        return str(desk.numbered)
    if not MESSAGE_ID.fullmatch(given) or (given.isdecimal() and int(given) > LARGEST_NUMBER):
        raise Refused(1)
    return given


def _scripted(desk: Desk, message_id: str) -> None:
    code = desk.script.popleft() if desk.script else 0
    if code:
        raise Refused(code, message_id)


def _same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode(), known.encode())
