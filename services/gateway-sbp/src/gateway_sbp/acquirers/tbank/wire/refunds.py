"""Refunds, which the bank does not know apart: what was sent is compared with what has changed.

`Cancel` of a payment by SBP knows no idempotency, whatever `ExternalRequestId` it carries. So none
is sent twice: how the payment stood before it, and how it stands now, tell what came of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import orjson

from gateway_sbp.acquirers.tbank.wire.payments import (
    CONFIRMED,
    PARTIAL,
    REFUNDED,
    REFUNDING,
    rest,
    status_of,
)
from gateway_sbp.acquirers.tbank.wire.receipts import receipt
from gateway_sbp.acquirers.tbank.wire.words import Unreadable, text
from shared.gateway.provider import ProviderRefund, RefundOrder, Status
from shared.money import RUB

PARKED_AFTER: Final = timedelta(minutes=10)
"""After its sending, before a refund that nobody knows the end of is given to a person."""
REFUSED: Final = "REFUSED"

_BETWEEN: Final = ":"
_NO_CODE: Final = frozenset({"", "0"})


class State(StrEnum):
    """How far a refund of ours has come."""

    SENT = "sent"
    """It may have left us, and there was no answer."""
    TAKEN = "taken"
    """The bank has taken it and works on it."""
    PARKED = "parked"
    """It stayed without an answer for too long: a person says what came of it."""
    DONE = "done"
    REFUSED = "refused"

    @property
    def final(self) -> bool:
        """Say whether its end is known."""
        return self in (State.DONE, State.REFUSED)


@dataclass(frozen=True, slots=True)
class Sent:
    """A refund as it was sent, and how its payment stood immediately before."""

    refund_id: str
    """Our id, 32 hexadecimal digits; of one made without us the payment and what it left."""
    payment: str
    amount_kopecks: int
    baseline_kopecks: int
    """The amount that the payment showed, which may be what was left or what was paid."""
    baseline_status: str
    sent_at: datetime
    state: State
    answer: str = ""
    """The bank's last word about it: a status, or the code of an error."""
    answered_at: datetime | None = None


def refund_request(order: RefundOrder, terminal: str) -> bytes:
    """Return what `Cancel` is asked; a part that goes back has a receipt of its own."""
    body: dict[str, Any] = {
        "TerminalKey": terminal,
        "PaymentId": order.provider_payment_id,
        "Amount": order.amount_kopecks,
        "ExternalRequestId": order.refund_id.hex,
    }
    if order.receipt is not None:
        body["Receipt"] = receipt(order.receipt)
    return orjson.dumps(body)


def answered(row: Sent, said: Any) -> State:
    """Return what the answer to `Cancel` means; raises Unreadable for one about another payment."""
    if said.get("PaymentId") not in (None, row.payment):
        raise Unreadable("another payment")
    return State.DONE if status_of(said) in (PARTIAL, REFUNDED) else State.TAKEN


def judge(row: Sent, said: Any, code: str, original_kopecks: int) -> State:
    """Return how far a refund has come, from how its payment stands; unchanged where untold.

    `code` is the `QrCancelCode` of `GetQrState`. Raises Unreadable.
    """
    word, left = status_of(said), rest(said)
    failed = code not in _NO_CODE and _was_under_way(row)
    if word == REFUNDED:
        return State.DONE
    if word == PARTIAL:
        return _of_a_part(row, left, original_kopecks, failed=failed)
    if word == CONFIRMED and failed:
        return State.REFUSED
    return row.state


def needs_code(row: Sent, said: Any) -> bool:
    """Say whether it takes a `QrCancelCode` to tell what came of a refund."""
    word = status_of(said)
    same = word == PARTIAL == row.baseline_status and rest(said) == row.baseline_kopecks
    return _was_under_way(row) and (word == CONFIRMED or same)


def unsure(said: Any) -> bool:
    """Say whether a payment that tells no end shows not even that a refund goes on."""
    return status_of(said) not in REFUNDING


def refund(row: Sent) -> ProviderRefund:
    """Return a refund that the bank has taken or whose end is known.

    Raises ValueError for one that nobody knows about.
    """
    statuses = {
        State.TAKEN: Status.PENDING,
        State.DONE: Status.SUCCEEDED,
        State.REFUSED: Status.CANCELED,
    }
    if row.state not in statuses:
        raise ValueError(f"nobody knows what came of the refund {row.refund_id}")
    return ProviderRefund(
        id=row.refund_id,
        provider_payment_id=row.payment,
        status=statuses[row.state],
        said=row.answer or str(row.state),
        amount_kopecks=row.amount_kopecks,
        currency=RUB,
        created_at=row.answered_at or row.sent_at,
        reason=(row.answer or REFUSED) if row.state is State.REFUSED else "",
        refund_id=None if _BETWEEN in row.refund_id else UUID(row.refund_id),
    )


def stray(said: Any, payment: str, kopecks: int, rest_kopecks: int, at: datetime) -> Sent:
    """Return a refund that was made without us; what is left of its payment names it."""
    word = status_of(said)
    name = f"{payment}{_BETWEEN}{rest_kopecks}"
    before = rest_kopecks + kopecks
    return Sent(name, payment, kopecks, before, word, at, State.DONE, word, at)


def cancel_code(said: Any) -> str:
    """Return why the bank could not send money back, which is empty where it could."""
    return text(said, "QrCancelCode", 20)


def _was_under_way(row: Sent) -> bool:
    """Say whether the bank was at it; else an error that it shows may be that of another one."""
    return row.state is State.TAKEN or row.answer in REFUNDING


def _of_a_part(row: Sent, left: int | None, original_kopecks: int, *, failed: bool) -> State:
    if left is not None and left == row.baseline_kopecks - row.amount_kopecks:
        return State.DONE
    if left != row.baseline_kopecks:
        # More or less has gone than we have asked for: only the bank's yes makes it ours.
        more = left is None or left < row.baseline_kopecks - row.amount_kopecks
        return State.DONE if row.state is State.TAKEN and more else row.state
    if row.baseline_status == CONFIRMED:
        # The bank shows what was paid, not what is left. Nothing had gone back before.
        return State.DONE
    if failed:
        return State.REFUSED
    shows_paid = row.baseline_kopecks >= original_kopecks
    return State.DONE if row.state is State.TAKEN and shows_paid else row.state
