"""Notifications: which are the bank's, and what they have asked about."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson
import pytest

from gateway_sbp.acquirers.tbank.wire.notices import notice
from gateway_sbp.acquirers.tbank.wire.token import sealed
from shared.gateway.provider import Forged, Kind, Malformed, Nudge, Status

TERMINAL, PASSWORD = "1700000000001DEMO", "SimPassw0rd"
SHOP = f"tbank:{TERMINAL}"
OURS = UUID("0d0e0f00-0000-4000-8000-000000000001")
KEY = "9f0c0000-0000-4000-8000-000000000001"
PAYMENT = {
    "TerminalKey": TERMINAL,
    "OrderId": OURS.hex,
    "Success": True,
    "Status": "CONFIRMED",
    "PaymentId": 4_000_000_001,
    "ErrorCode": "0",
    "Amount": 35_050,
    "Data": {"Phone": "+79001234567"},
}
BINDING = {
    "TerminalKey": TERMINAL,
    "RequestKey": KEY,
    "Success": True,
    "Status": "ACTIVE",
    "AccountToken": "tok_sim_0001",
    "BankMemberId": "100000000111",
    "BankMemberName": "Sim Bank",
    "ErrorCode": "0",
    "NotificationType": "LINKACCOUNT",
}


def heard(said: dict[str, Any]) -> Nudge:
    """Return what a signed notification comes to."""
    found = notice(sealed(said, PASSWORD), TERMINAL, PASSWORD)
    assert found is not None
    return found


def test_money_is_claimed() -> None:
    found = heard(PAYMENT)

    assert (found.shop, found.provider_payment_id) == (SHOP, "4000000001")
    assert (found.payment_id, found.claims, found.kind) == (OURS, Status.SUCCEEDED, Kind.PAYMENT)


@pytest.mark.parametrize("success", ["true", "True", True])
def test_success_may_be_a_text(success: Any) -> None:
    assert heard({**PAYMENT, "Success": success}).claims is Status.SUCCEEDED


@pytest.mark.parametrize("success", ["false", False, None, 1])
def test_a_confirmation_without_success_claims_nothing(success: Any) -> None:
    assert heard({**PAYMENT, "Success": success}).claims is Status.PENDING


WORDS = (
    *("AUTHORIZED", "REJECTED", "DEADLINE_EXPIRED", "CANCELED", "FORM_SHOWED"),
    *("REFUNDING", "ASYNC_REFUNDING", "PARTIAL_REFUNDED", "REFUNDED", "A_NEW_WORD"),
)


@pytest.mark.parametrize("word", WORDS)
def test_any_other_word_is_asked_about(word: str) -> None:
    found = heard({**PAYMENT, "Status": word})

    assert (found.claims, found.kind) == (Status.PENDING, Kind.PAYMENT)


def test_authorized_and_confirmed_are_two_events() -> None:
    assert heard({**PAYMENT, "Status": "AUTHORIZED"}).event != heard(PAYMENT).event


def test_two_parts_that_go_back_are_two_events() -> None:
    parts = [{**PAYMENT, "Status": "PARTIAL_REFUNDED", "Amount": left} for left in (200, 100)]

    assert len({heard(part).event for part in parts}) == 2


def test_an_order_of_somebody_else_is_asked_about() -> None:
    assert heard({**PAYMENT, "OrderId": "top-0001"}).payment_id is None


@pytest.mark.parametrize("status", ["ACTIVE", "INACITVE", "PROCCESING", "REJECTED", "NEW"])
@pytest.mark.parametrize("kind", ["LINKACCOUNT", "QR"])
def test_a_binding_is_asked_about(status: str, kind: str) -> None:
    found = heard({**BINDING, "Status": status, "NotificationType": kind})

    assert (found.kind, found.provider_payment_id, found.shop) == (Kind.METHOD, KEY, SHOP)
    assert found.claims is Status.PENDING


def test_what_opens_an_account_is_not_kept() -> None:
    assert b"tok_sim_0001" not in repr(heard(BINDING)).encode()
    kept = orjson.loads(heard({**PAYMENT, "Pan": "2200", "AccountToken": "tok"}).kept)
    assert kept["Status"] == "CONFIRMED"
    assert not {"Token", "Pan", "AccountToken", "Data"} & set(kept)


def test_what_is_about_nothing_of_ours() -> None:
    body = sealed({"TerminalKey": TERMINAL, "Status": "HELLO"}, PASSWORD)

    assert notice(body, TERMINAL, PASSWORD) is None


@pytest.mark.parametrize("said", [PAYMENT, BINDING])
def test_a_wrong_password_or_a_foreign_terminal_is_forged(said: dict[str, Any]) -> None:
    for body in (
        sealed(said, "another"),
        sealed({**said, "TerminalKey": "another"}, PASSWORD),
        orjson.dumps(said),
        orjson.dumps({**orjson.loads(sealed(said, PASSWORD)), "Status": "CONFIRMED2"}),
        orjson.dumps({**orjson.loads(sealed(said, PASSWORD)), "More": 1}),
    ):
        with pytest.raises(Forged):
            notice(body, TERMINAL, PASSWORD)


@pytest.mark.parametrize("body", [b"", b"x", b"[]", b"1", b"null", b"\xff", b"[" * 100_000])
def test_what_is_no_notification(body: bytes) -> None:
    with pytest.raises(Malformed):
        notice(body, TERMINAL, PASSWORD)


@pytest.mark.parametrize("change", [{"PaymentId": "../1"}, {"PaymentId": "1" * 21}])
def test_a_signed_payment_without_sense(change: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        heard({**PAYMENT, **change})


@pytest.mark.parametrize("key", ["../x", "", "x" * 65, ["x"]])
def test_a_signed_binding_without_sense(key: Any) -> None:
    with pytest.raises(Malformed):
        heard({**BINDING, "RequestKey": key})
