"""What an account makes of a callback: its own header in any case, its own key, its own name."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gateway_sbp.acquirer import Proven
from gateway_sbp.acquirers.raiffeisen.wire.signature import Signed, sign
from sbp_books import MERCHANT, PAPER, SHOP
from shared.gateway.provider import Forged, Kind

KEY = "sim-secret-key-000000000001"
AT = "2026-02-03T14:05:06+03:00"
BODY = orjson.dumps(
    {
        "transactionId": 900_000_000_001,
        "qrId": PAPER,
        "sbpMerchantId": MERCHANT,
        "amount": orjson.Fragment(b"350.5"),
        "currency": "RUB",
        "transactionDate": AT,
        "paymentStatus": "SUCCESS",
        "order": "C-100245",
    }
)
SIGNATURE = sign(KEY, Signed("350.5", MERCHANT, "C-100245", "SUCCESS", AT))


@pytest.mark.parametrize(
    "header",
    ["X-Api-Signature-SHA256", "x-api-signature-sha256", "X-API-SIGNATURE-SHA256"],
)
def test_the_header_has_any_case(at: Any, header: str) -> None:
    nudge = at.raiffeisen.hear({"Host": "pay.example.org", header: SIGNATURE}, BODY)
    assert nudge is not None
    assert isinstance(nudge.proof, Proven)
    assert (nudge.shop, nudge.proof.payment.shop, nudge.proof.order) == (SHOP, SHOP, "C-100245")


@pytest.mark.parametrize("headers", [{}, {"X-Signature": SIGNATURE}, {"Authorization": SIGNATURE}])
def test_no_other_header_holds_it(at: Any, headers: dict[str, str]) -> None:
    with pytest.raises(Forged):
        at.raiffeisen.hear(headers, BODY)


def test_another_account_s_callback_is_not_ours(at: Any) -> None:
    other = BODY.replace(MERCHANT.encode(), b"MA0000000001")
    signature = sign(KEY, Signed("350.5", "MA0000000001", "C-100245", "SUCCESS", AT))
    with pytest.raises(Forged):
        at.raiffeisen.hear({"X-Api-Signature-SHA256": signature}, other)


def test_a_binding_s_event_is_about_this_account(at: Any) -> None:
    said = {"event": "subscription", "subscription": {"id": "sub-1", "status": "SUBSCRIBED"}}
    nudge = at.raiffeisen.hear({}, orjson.dumps(said))
    assert (nudge.shop, nudge.kind, nudge.provider_payment_id) == (SHOP, Kind.METHOD, "sub-1")
    assert at.raiffeisen.hear({}, orjson.dumps({"event": "unheard of"})) is None


def test_of_what_cannot_be_read_no_payer_is_kept(at: Any) -> None:
    kept = at.raiffeisen.masked(orjson.dumps({"order": "c-1", "phone": "0079000000012"}))
    assert orjson.loads(kept) == {"order": "c-1"}
