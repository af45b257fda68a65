"""What the journal keeps: nothing by which an account could be charged or a person found."""

from __future__ import annotations

from uuid import UUID

import orjson
import pytest

from doubles import NOW
from gateway_sbp.acquirers.tbank import journal
from shared.gateway.client import Exchange, Heard

OURS = UUID("0d0e0f00-0000-4000-8000-000000000001")
SECRETS = {
    "Token": "0" * 64,
    "AccountToken": "tok_sim_0001",
    "RequestKey": "9f0c0000-0000-4000-8000-000000000001",
    "Pan": "220000******0000",
    "RebillId": "777",
    "Receipt": {"Email": "ivan@example.ru", "Phone": "+79161234567"},
    "Data": {"Phone": "+79161234567"},
    "AField": "of next year",
}
PAYMENT = {"PaymentId": 4_000_000_001, "OrderId": f"a{OURS.hex}", "Status": "NEW", "Amount": 35_050}
WORDS = ("tok_sim", "9f0c", "220000", "777", "ivan", "7916", "next year", "000000000000000000")


def test_named_fields_are_kept_and_no_others() -> None:
    sent, said = orjson.dumps({**PAYMENT, **SECRETS}), orjson.dumps({**SECRETS, **PAYMENT})
    one = Exchange(NOW, "tbank:T", "POST", "/Init", "answer", 0.5, sent, Heard(200, said))

    entry = journal.entry(one)
    assert (entry.call, entry.provider_payment_id) == ("POST /Init", "4000000001")
    assert (entry.payment_id, entry.status, entry.micros) == (OURS, 200, 500_000)
    for kept in (entry.sent, entry.said):
        assert orjson.loads(kept or "")["Status"] == "NEW"
        assert orjson.loads(kept or "")["Amount"] == "35050"
        assert not [word for word in WORDS if word in (kept or "")]


def test_an_exchange_without_an_answer() -> None:
    one = Exchange(NOW, "tbank:T", "POST", "/Init", "fault", 0.5, None, Heard(None, b"", "fault"))

    entry = journal.entry(one)
    assert (entry.provider_payment_id, entry.payment_id, entry.sent, entry.said) == (None,) * 4


@pytest.mark.parametrize("body", [b"", b"x", b"[]", b"\xff", b"[" * 100_000])
def test_of_garbage_nothing_is_kept(body: bytes) -> None:
    assert journal.masked(body) == b""


def test_of_a_forged_notification_the_named_fields_are_kept() -> None:
    kept = journal.masked(orjson.dumps({**PAYMENT, **SECRETS})).decode()

    assert "4000000001" in kept
    assert not [word for word in WORDS if word in kept]
