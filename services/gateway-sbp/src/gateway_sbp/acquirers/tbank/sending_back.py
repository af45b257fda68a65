"""Sending money back through T-Bank: once, although the bank would do it as often as it is asked.

The row and how the payment stood are committed before `Cancel` leaves. What got no answer is never
sent again: the payment is asked about until it shows what came of it, or a person is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import orjson

from gateway_sbp.acquirers.tbank import refund_rows, standing
from gateway_sbp.acquirers.tbank.terminal import Terminal, read
from gateway_sbp.acquirers.tbank.wire import payments, refunds, words
from gateway_sbp.acquirers.tbank.wire.refunds import PARKED_AFTER, Sent, State
from shared.db import reading
from shared.gateway.answer import Answer
from shared.gateway.provider import (
    Failure,
    Missing,
    ProviderRefund,
    RefundPage,
    Refused,
    Throttled,
    Unclear,
)

_BUSY: Final = Unclear("another refund is under way", unsent=True)
_UNKNOWN: Final = Unclear("nobody knows what came of the refund")
_NOBODY_KNOWS: Final = (State.SENT, State.PARKED)
_NO_METHOD: Final = Unclear("http_404")
"""Not every terminal answers to `GetQrState`: there the payment alone tells."""


async def create(terminal: Terminal, request: bytes) -> ProviderRefund | Failure:
    """Send money back, or tell what came of it where that was done before."""
    asked = orjson.loads(request)
    row = await refund_rows.find(terminal.db, terminal.shop, asked["ExternalRequestId"])
    return await _first(terminal, asked) if row is None else await _stands(terminal, row)


async def fetch(terminal: Terminal, refund_id: str) -> ProviderRefund | Missing | Failure:
    """Tell how a refund stands."""
    row = await refund_rows.find(terminal.db, terminal.shop, refund_id)
    return Missing() if row is None else await _stands(terminal, row)


async def listed(terminal: Terminal, payment: str) -> RefundPage | Failure:
    """Return the refunds of a payment: ours, and one for what else the bank has sent back.

    There is no list while nobody knows what came of one of ours: it must be taken neither for made
    nor for unmade.
    """
    async with reading(terminal.db) as tx:
        rows = await refund_rows.of_payment(tx, terminal.shop, payment)
    said = await terminal.state(payment)
    if not isinstance(said, Answer):
        return Unclear("missing") if isinstance(said, Missing) else said
    looked = [await _look(terminal, row, said) for row in rows]
    failure = next((one for one in looked if isinstance(one, Failure)), None)
    if failure is not None:
        return failure
    known = [one for one in looked if isinstance(one, Sent)]
    if any(row.state in _NOBODY_KNOWS for row in known):
        return _UNKNOWN
    if all(row.state.final for row in known):
        stray = await _stray(terminal, payment, said)
        if isinstance(stray, Failure):
            return stray
        if stray is not None:
            if not await refund_rows.begin(terminal.db, terminal.shop, stray, known):
                return _BUSY
            known.append(stray)
    known.sort(key=lambda row: (row.sent_at, row.refund_id), reverse=True)
    return RefundPage([refunds.refund(row) for row in known], None)


async def _first(terminal: Terminal, asked: dict[str, Any]) -> ProviderRefund | Failure:
    """Send a refund that has never been sent."""
    payment = asked["PaymentId"]
    async with reading(terminal.db) as tx:
        before = await refund_rows.of_payment(tx, terminal.shop, payment)
    if not all(row.state.final for row in before):
        return _BUSY
    new = await _new(terminal, asked)
    if not isinstance(new, Sent):
        return new
    if not await refund_rows.begin(terminal.db, terminal.shop, new, before):
        return _BUSY
    outcome = await terminal.do("Cancel", asked)
    if isinstance(outcome, Throttled) or (isinstance(outcome, Unclear) and outcome.unsent):
        await refund_rows.forget(terminal.db, terminal.shop, new)
        return outcome
    if isinstance(outcome, Refused):
        await _put(terminal, replace(new, state=State.REFUSED, answer=outcome.code))
        return outcome
    state = read(lambda said: refunds.answered(new, said), outcome)
    if not isinstance(outcome, Answer) or not isinstance(state, State):
        return state if isinstance(state, Failure) else _UNKNOWN
    word = payments.status_of(outcome.value)
    return refunds.refund(await _put(terminal, replace(new, state=state, answer=word)))


async def _new(terminal: Terminal, asked: dict[str, Any]) -> Sent | Failure:
    """Return what is about to be sent, beside how its payment stands now."""
    payment = asked["PaymentId"]
    said = await terminal.state(payment)
    if not isinstance(said, Answer):
        return Unclear("missing", unsent=True) if isinstance(said, Missing) else said
    word, left = words.text(said.value, "Status"), read(payments.rest, said)
    if isinstance(left, Failure):
        return left
    if word in payments.REFUNDING:
        return _BUSY
    if word not in (payments.CONFIRMED, payments.PARTIAL) or not left:
        return Refused(words.NOT_PAID, word) if word in payments.NOTHING_LEFT else _BUSY
    amount, at = asked["Amount"], terminal.clock()
    return Sent(asked["ExternalRequestId"], payment, amount, left, word, at, State.SENT)


async def _stands(terminal: Terminal, row: Sent) -> ProviderRefund | Failure:
    """Tell how a refund stands that was sent, asking the bank where its end is not known."""
    if not row.state.final:
        said = await terminal.state(row.payment)
        looked = await _look(terminal, row, said) if isinstance(said, Answer) else said
        if not isinstance(looked, Sent):
            if row.state is State.SENT:
                await _overdue(terminal, row)
            return Unclear("missing") if isinstance(looked, Missing) else looked
        row = looked
    return _UNKNOWN if row.state in _NOBODY_KNOWS else refunds.refund(row)


async def _look(terminal: Terminal, row: Sent, said: Answer) -> Sent | Failure:
    """Judge a refund by how its payment stands, and write down what that tells."""
    if row.state.final:
        return row
    asks = read(lambda value: refunds.needs_code(row, value), said)
    code = await _cancel_code(terminal, row) if asks is True else ""
    if isinstance(code, Failure):
        return code
    ours = await standing.known(terminal, row.payment)
    whole = row.baseline_kopecks if ours is None else ours.amount_kopecks
    state = read(lambda value: refunds.judge(row, value, code, whole), said)
    if isinstance(state, Failure):
        return state
    word = payments.status_of(said.value)
    answer = code if state is State.REFUSED and code else word
    if state is not row.state or (word in payments.REFUNDING and answer != row.answer):
        return await _put(terminal, replace(row, state=state, answer=answer))
    if refunds.unsure(said.value):
        return await _overdue(terminal, row)
    return row


async def _cancel_code(terminal: Terminal, row: Sent) -> str | Failure:
    """Ask why a refund may have come to nothing; empty where the bank knows no reason."""
    found = await terminal.ask("GetQrState", PaymentId=row.payment)
    if isinstance(found, Missing | Refused) or found == _NO_METHOD:
        return ""
    return read(refunds.cancel_code, found)


async def _overdue(terminal: Terminal, row: Sent) -> Sent:
    """Give a refund to a person that has been without an answer for too long."""
    late = terminal.clock() - row.sent_at > PARKED_AFTER
    if row.state in (State.SENT, State.TAKEN) and late:
        return await refund_rows.park(terminal.db, terminal.shop, row)
    return row


async def _stray(terminal: Terminal, payment: str, said: Answer) -> Sent | Failure | None:
    """Return a refund of what was sent back beyond the refunds of a payment that we know."""
    if words.text(said.value, "Status") not in (payments.PARTIAL, payments.REFUNDED):
        return None
    ours = await standing.known(terminal, payment)
    whole = read(lambda value: payments.original(value, ours), said)
    if isinstance(whole, Failure):
        return whole
    known = 0 if ours is None else ours.returned_kopecks
    back = payments.returned(said.value, ours, whole)
    if back <= known:
        return None
    left, at = whole - back, terminal.clock()
    return refunds.stray(said.value, payment, back - known, left, at)


async def _put(terminal: Terminal, row: Sent) -> Sent:
    answered = terminal.clock() if row.state.final else None
    return await refund_rows.put(terminal.db, terminal.shop, replace(row, answered_at=answered))
