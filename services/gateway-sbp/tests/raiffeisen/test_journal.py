"""What the journal keeps: enough to explain a payment, and nothing that names a payer or opens."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson
import pytest

from doubles import NOW
from gateway_sbp.acquirers.raiffeisen import journal
from shared.gateway.client import Exchange, Heard

CODE = "AD1000SIMULATEDQRID0000000000001"
OURS = UUID("0f9c0000000040008000000000000001")


def entry(method: str, path: str, sent: Any = None, said: Any = None) -> Any:
    body = None if sent is None else orjson.dumps(sent)
    heard = Heard(200, b"" if said is None else orjson.dumps(said))
    one = Exchange(NOW, "raiffeisen:MA1", method, path, "answer", 0.1, body, heard)
    return journal.entry(one)


def test_a_payment_is_found_by_its_code_and_its_order() -> None:
    said = {"qrId": CODE, "order": OURS.hex, "paymentStatus": "SUCCESS", "amount": 350.5}
    kept = entry("GET", f"/sbp/v1/qr/{CODE}/payment-info", None, said)
    assert (CODE in kept, OURS in kept) == (True, True)
    assert "GET /sbp/v1/qr/{id}/payment-info" in kept
    assert any('"paymentStatus":"SUCCESS"' in str(part) for part in kept)


@pytest.mark.parametrize(
    ("path", "hidden"),
    [
        (f"/sbp/v2/qrs/{CODE}", "/sbp/v2/qrs/{id}"),
        ("/sbp/v1/refund/rf-1", "/sbp/v1/refund/{id}"),
        ("/sbp/v1/subscriptions/sub-1", "/sbp/v1/subscriptions/{id}"),
        ("/sbp/v1/subscriptions/sub-1/orders/a1", "/sbp/v1/subscriptions/{id}/orders/{id}"),
        ("/fiscal/v1/receipts/sell/1", "/fiscal/v1/receipts/sell/{id}"),
        ("/fiscal/v1/receipts/refund/1", "/fiscal/v1/receipts/refund/{id}"),
    ],
)
def test_no_path_names_anything(path: str, hidden: str) -> None:
    assert f"GET {hidden}" in entry("GET", path)


def test_what_charges_and_what_names_a_payer_is_nowhere() -> None:
    sent = {
        "id": "sub-100245",
        "subscription": "sub-100245",
        "additionalInfo": "Иванов",
        "client": {"email": "user@example.com"},
        "items": [{"name": "Аванс"}],
    }
    said = {**sent, "payload": "https://qr.nspk.ru/AD1", "phone": "79161234567", "status": "NEW"}
    kept = repr(entry("POST", "/sbp/v1/subscriptions/sub-100245/orders", sent, said))
    for word in ("sub-100245", "Иванов", "user@example.com", "Аванс", "nspk", "79161234567"):
        assert word not in kept, word
    assert "NEW" in kept


def test_what_could_not_be_read_is_kept_by_its_named_fields_alone() -> None:
    body = orjson.dumps({"order": "c-1", "phone": "79161234567", "amount": [1]})
    assert orjson.loads(journal.masked(body)) == {"order": "c-1"}
    for garbage in (b"", b"[]", b"\xff", b"{"):
        assert journal.masked(garbage) == b""


def test_half_a_character_is_kept_as_none() -> None:
    assert orjson.loads(journal.masked(rb'{"order":"a\ud800b"}')) == {"order": "a?b"}
