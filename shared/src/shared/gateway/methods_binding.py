"""Binding a card or account without a payment: asked for once, polled until it is confirmed.

The row, the key and the request's exact bytes are committed before the first byte leaves. No
money moves, so a request that stays unclear is given up when its link would have died; nobody
was ever led to it. A callback only has a binding asked about sooner.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

import orjson
import structlog
from sqlalchemy import and_, case, null, update

from shared.api import IDEMPOTENCY_CONFLICT
from shared.db import Tx, raise_signal, reading, transaction
from shared.errors import Text, Unavailable, invalid
from shared.gateway import charging, contacts, methods, methods_work
from shared.gateway.consent import Consent
from shared.gateway.gateway import METHODS, Gateway
from shared.gateway.method import MethodStatus
from shared.gateway.methods import payment_method
from shared.gateway.methods_rules import Method
from shared.gateway.methods_saving import not_saved
from shared.gateway.methods_work import Lease

_PAUSED: Final = Text(
    "saving payment methods is paused for this shop: pay without saving, or come later",
    "сохранение способов оплаты в этом магазине приостановлено: оплатите без него или позже",
)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Wish:
    """A method that somebody wants bound, checked."""

    contract: str
    kind: str
    return_url: str
    consent: Consent
    correlation_id: str
    contact: dict[str, str] | None = None
    caller: str | None = None
    caller_key: str | None = None

    def digest(self) -> bytes:
        """Return 16 bytes that differ where two requests under one key differ."""
        consent = [self.consent.version, self.consent.address]
        said = [self.contract, self.kind, self.return_url, consent, self.contact]
        body = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
        return hashlib.blake2b(body, digest_size=16).digest()


async def begin(gateway: Gateway, shop: str, wish: Wish, wait: timedelta) -> Method:
    """Return the binding of this wish at a shop; waits for the provider at most so long.

    A repeated key gets its first binding as it stands now. Raises Conflict where the key stood for
    another wish, Invalid where the shop does not save such methods, Unavailable while it may not.
    """
    if not gateway.terms[shop].saves:
        raise not_saved("kind")
    kinds = gateway.keepers[shop].kinds
    if wish.kind not in kinds:
        listed = ", ".join(sorted(kinds))
        raise invalid("kind", f"expected one of {listed}", f"ожидается одно из {listed}")
    contacts.require(gateway.terms[shop].receipts, wish.contact)
    async with transaction(gateway.db) as tx:
        before = await _before(tx, wish)
        if before is not None:
            return before
        if await charging.paused(tx, shop, gateway.clock()) is not None:
            raise Unavailable(_PAUSED)
        new = _method(gateway, shop, wish)
        # Without a free hand the row is written all the same, and the loop sends it.
        hand = gateway.bindings.free > 0
        lease = await _write(tx, gateway, wish, new, hand)
        if lease is None:
            # Somebody else was faster with the same key, and has committed by now.
            before = await _before(tx, wish)
            if before is None:
                raise RuntimeError("a binding can be neither written nor found")
            return before
        raise_signal(tx, METHODS)
    if not hand:
        return new
    task = gateway.bindings.spawn(methods_work.work(gateway, lease))
    await asyncio.wait({task}, timeout=wait.total_seconds())
    async with reading(gateway.db) as tx:
        return await methods.find(tx, new.id) or new


async def nudge(gateway: Gateway, token: str) -> bool:
    """Have a method asked about now, because its provider claims to know more of it.

    A binding may have been confirmed, and an active method revoked in the payer's own bank.
    Whatever is claimed about one that has ended or was removed does nothing.
    """
    c, active = payment_method.c, str(MethodStatus.ACTIVE)
    waiting = and_(
        c.token_hash.in_(gateway.vault.fingerprints(token)),
        c.status.in_([str(MethodStatus.PENDING), active]),
    )
    # An active method is asked about anew each time, whatever is being answered at this moment; a
    # binding goes on with its pauses.
    anew = {
        "attempts": case((c.status == active, 0), else_=c.attempts),
        "lease_token": case((c.status == active, null()), else_=c.lease_token),
        "leased_until": case((c.status == active, null()), else_=c.leased_until),
    }
    async with transaction(gateway.db) as tx:
        now = update(payment_method).where(waiting).values(due_at=gateway.clock(), **anew)
        woken = (await tx.execute(now)).rowcount > 0
        if woken:
            raise_signal(tx, METHODS)
    return woken


async def _before(tx: Tx, wish: Wish) -> Method | None:
    if wish.caller is None or wish.caller_key is None:
        return None
    asked = await methods.find_asked(tx, wish.caller, wish.caller_key)
    if asked is None:
        return None
    method, digest = asked
    if digest != wish.digest():
        raise IDEMPOTENCY_CONFLICT()
    return method


def _method(gateway: Gateway, shop: str, wish: Wish) -> Method:
    return Method(
        id=uuid4(),
        shop=shop,
        contract=wish.contract,
        status=MethodStatus.CREATING,
        consent=wish.consent,
        correlation_id=wish.correlation_id,
        created_at=gateway.clock(),
        kind=wish.kind,
    )


async def _write(tx: Tx, gateway: Gateway, wish: Wish, new: Method, hand: bool) -> Lease | None:
    request = gateway.seal(gateway.keepers[new.shop].binding(wish.kind, wish.return_url))
    lease = Lease(new, uuid4(), 1, uuid4().hex, request)
    extra: dict[str, Any] = {
        "key": lease.key,
        "request": request,
        "contact": contacts.seal(gateway.vault, wish.contact),
        "caller": wish.caller if wish.caller_key is not None else None,
        "caller_key": wish.caller_key,
        "caller_digest": wish.digest(),
        "first_sent_at": new.created_at,
        "due_at": new.created_at,
    }
    if hand:
        until = new.created_at + gateway.timing.create_lease
        extra |= {"attempts": 1, "lease_token": lease.token, "leased_until": until}
    return lease if await methods.insert(tx, new, extra) else None
