"""Callbacks: what is signed is told from what is only said. Source: the bank's "Callback".

The transaction and the code are not signed. A code for one payment is asked about, so what is said
of it is a nudge. A code on paper is paid many times and the bank has no address that lists its
payments: there the signature is the authority. Which payments those are the signed order tells, and
of orders in a form that is not ours the code itself: NSPK's ids of codes that stay begin with `AS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

import orjson

from gateway_sbp import exact
from gateway_sbp.acquirer import Proven
from gateway_sbp.acquirers.raiffeisen.wire.codes import METHOD
from gateway_sbp.acquirers.raiffeisen.wire.signature import Signed, genuine
from gateway_sbp.acquirers.raiffeisen.wire.words import (
    ANY_ORDER,
    ID,
    QR_ID,
    SUCCESS,
    moment,
    payment_id,
    shop_name,
    text,
    whole_text,
)
from shared.gateway.provider import Forged, Kind, Malformed, Nudge, ProviderPayment, Status
from shared.money import RUB

PAPER: Final = ("c-", "h-")
"""How the orders of codes on paper begin: with the contract's number, or with a hash of it."""
STAYING: Final = "AS"
PAYMENT: Final = "payment"
_TOO_LONG: Final = 65
"""More than any id has: what is cut off there is another's."""
_SIGNED: Final = ("amount", "sbpMerchantId", "order", "paymentStatus", "transactionDate")
_KEPT: Final = ("paymentStatus", "currency", "transactionDate", "createDate", "qrId", "order")

Key = Callable[[str], str | None]
"""Returns the secret of a merchant; None for one that is not ours."""


def callback(body: bytes, signature: str, key: Key, *, test: bool) -> Nudge | None:
    """Read a callback: None for one that is about nothing of ours.

    Raises Forged for a signature that is not the bank's, Malformed for what no bank would send.
    """
    said = _object(body)
    texts = [said.get(name) for name in _SIGNED]
    whole = all(isinstance(each, str) for each in texts)
    # A payment mostly has no event; one that names it, or an empty one, is a payment all the same.
    if "event" in said and not (whole and said["event"] in (None, PAYMENT)):
        return _told_of_a_binding(said)
    if not whole:
        raise Malformed(f"expected {', '.join(_SIGNED)}")
    signed = Signed(*map(str, texts))
    secret = key(signed.merchant)
    if secret is None or not genuine(secret, signed, signature):
        raise Forged
    if not ANY_ORDER.fullmatch(signed.order):
        raise Malformed("an order that nobody can write down")
    shop = shop_name(signed.merchant)
    found, ours = text(said, "qrId", _TOO_LONG), payment_id(signed.order)
    if ours is None and (signed.order.startswith(PAPER) or found.startswith(STAYING)):
        return _paper(said, signed, shop, test=test)
    if not QR_ID.fullmatch(found):
        raise Malformed("a code's id of another form")
    claims = Status.SUCCEEDED if signed.status == SUCCESS else Status.PENDING
    event = f"payment.{signed.status.lower()[:40]}"
    return Nudge(event, shop, found, ours, claims, kept=_kept(said))


def paper_id(shop: str, transaction: str) -> UUID:
    """Return our id of a payment by a code on paper: the same each time it is told."""
    return uuid5(NAMESPACE_URL, f"sbp:{shop}:{transaction}")


def _told_of_a_binding(said: dict[str, Any]) -> Nudge | None:
    # The bank signs nothing here: it only has the binding asked about.
    about = said.get("subscription")
    if said["event"] != "subscription" or not isinstance(about, dict):
        return None
    token = text(about, "id", _TOO_LONG)
    if not ID.fullmatch(token):
        raise Malformed("a subscription without an id")
    return Nudge("subscription", "", token, None, Status.PENDING, Kind.METHOD)


def _paper(said: dict[str, Any], signed: Signed, shop: str, *, test: bool) -> Nudge | None:
    if signed.status != SUCCESS:
        return None
    transaction = said.get("transactionId")
    try:
        number, amount = str(exact.whole(transaction)), exact.kopecks(signed.amount)
    except ValueError:
        raise Malformed("a transaction or an amount that is no number") from None
    paid_at = moment(signed.moment)
    if paid_at is None or not amount:
        raise Malformed("a payment without a date or a sum")
    ours = paper_id(shop, number)
    proof = ProviderPayment(
        id=number,
        shop=shop,
        status=Status.SUCCEEDED,
        said=signed.status,
        amount_kopecks=amount,
        currency=whole_text(said, "currency") or RUB,
        test=test,
        created_at=paid_at,
        paid_at=paid_at,
        method=METHOD,
        payment_id=ours,
    )
    code = text(said, "qrId", _TOO_LONG)
    proven = Proven(signed.order, code if QR_ID.fullmatch(code) else "", proof)
    event = "payment.success"
    return Nudge(event, shop, number, ours, Status.SUCCEEDED, kept=_kept(said), proof=proven)


def _object(body: bytes) -> dict[str, Any]:
    try:
        said = exact.read(body)
    except ValueError:
        raise Malformed("not JSON") from None
    if not isinstance(said, dict):
        raise Malformed("not an object")
    return said


def _kept(said: dict[str, Any]) -> bytes:
    kept = {name: whole_text(said, name) for name in _KEPT if isinstance(said.get(name), str)}
    return orjson.dumps(kept | {"amount": whole_text(said, "amount", 32)})
