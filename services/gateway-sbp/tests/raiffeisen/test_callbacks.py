"""What a callback is taken for: proven by its signature, a nudge to ask, or nothing of ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from gateway_sbp import exact
from gateway_sbp.acquirer import Proven
from gateway_sbp.acquirers.raiffeisen.wire import callbacks
from gateway_sbp.acquirers.raiffeisen.wire.signature import Signed, sign
from shared.gateway.provider import Forged, Kind, Malformed, Nudge, Status

KEY = "sim-secret-key-000000000001"
MERCHANT = "MA0000099999"
SHOP = f"raiffeisen:{MERCHANT}"
PAPER = "AS1000SIMULATEDQRID0000000000001"
CODE = "AD1000SIMULATEDQRID0000000000001"
OURS = UUID("0f9c0000000040008000000000000001")
AT = "2026-02-03T14:05:06.123456+03:00"
MOMENT = datetime(2026, 2, 3, 11, 5, 6, 123_456, tzinfo=UTC)
FIELDS = ("amount", "sbpMerchantId", "order", "paymentStatus", "transactionDate")


def said(**changes: Any) -> dict[str, Any]:
    """Return a payment as the bank tells it."""
    payment = {
        "transactionId": 900_000_000_001,
        "qrId": PAPER,
        "sbpMerchantId": MERCHANT,
        "merchantId": 9_999_001,
        "amount": orjson.Fragment(b"350.5"),
        "currency": "RUB",
        "transactionDate": AT,
        "paymentStatus": "SUCCESS",
        "additionalInfo": "",
        "order": "c-100245",
        "createDate": "2026-01-15T09:00:00+03:00",
    }
    return {**payment, **changes}


def hear(body: dict[str, Any], amount: str | None = None, key: str = KEY) -> Nudge | None:
    """Return what a callback is taken for that the bank has signed; `amount` as it signs it."""
    raw = orjson.dumps(body)
    read = exact.read(raw)
    signed = Signed(*(str(read[name]) for name in FIELDS))
    signed = signed._replace(amount=amount or exact.canonical(signed.amount))
    return heard(raw, sign(key, signed))


def heard(raw: bytes, signature: str) -> Nudge | None:
    secret = {MERCHANT: KEY}.get
    return callbacks.callback(raw, signature, secret, test=False)


def proven(nudge: Nudge | None) -> Proven:
    assert nudge is not None
    assert isinstance(nudge.proof, Proven)
    return nudge.proof


def test_a_payment_by_a_code_on_paper_is_proven() -> None:
    nudge = hear(said())
    proof = proven(nudge)
    payment = proof.payment
    assert nudge is not None
    assert (nudge.shop, nudge.provider_payment_id) == (SHOP, "900000000001")
    assert (proof.order, proof.qr_id, payment.id) == ("c-100245", PAPER, "900000000001")
    assert (payment.status, payment.amount_kopecks, payment.currency) == (
        Status.SUCCEEDED,
        35_050,
        "RUB",
    )
    assert (payment.paid_at, payment.test, payment.shop) == (MOMENT, False, SHOP)
    assert payment.payment_id == callbacks.paper_id(SHOP, "900000000001")


@pytest.mark.parametrize(
    ("order", "qr_id"),
    [
        ("c-100245", PAPER),
        ("c-100245", CODE),
        ("c-100245", ""),
        ("h-0f9c0000000040008000000000000001", CODE),
        ("C-100245", PAPER),
        ("100245", PAPER),
        ("top-0001", PAPER),
        ("0F9C0000000040008000000000000001", PAPER),
    ],
)
def test_proven_are_our_orders_for_paper_and_codes_that_stay(order: str, qr_id: str) -> None:
    assert proven(hear(said(order=order, qrId=qr_id))).order == order


@pytest.mark.parametrize(
    ("order", "qr_id", "ours"),
    [
        (OURS.hex, CODE, OURS),
        (OURS.hex, PAPER, OURS),
        (f"a{OURS.hex}", CODE, OURS),
        (f"a{OURS.hex}", PAPER, OURS),
        ("C-100245", CODE, None),
        ("top-0001", CODE, None),
        (f"b{OURS.hex}", CODE, None),
    ],
)
def test_everything_else_is_asked_about(order: str, qr_id: str, ours: UUID | None) -> None:
    """The code is not signed: an order of a payment of ours is never believed for its sake."""
    nudge = hear(said(order=order, qrId=qr_id))
    assert nudge is not None
    assert (nudge.proof, nudge.payment_id, nudge.claims) == (None, ours, Status.SUCCEEDED)
    assert (nudge.provider_payment_id, nudge.kind) == (qr_id, Kind.PAYMENT)


@pytest.mark.parametrize("status", ["IN_PROGRESS", "DECLINED", "NO_INFO", "SUCCES", "success", "Я"])
def test_a_word_that_is_not_success_is_no_money(status: str) -> None:
    assert hear(said(paymentStatus=status)) is None
    nudge = hear(said(paymentStatus=status, order=OURS.hex, qrId=CODE))
    assert nudge is not None
    assert (nudge.claims, nudge.proof) == (Status.PENDING, None)


@pytest.mark.parametrize(
    ("written", "signed", "kopecks"),
    [
        (b"350.5", "350.5", 35_050),
        (b"350.50", "350.5", 35_050),
        (b"350.50", "350.50", 35_050),
        (b'"350.50"', "350.5", 35_050),
        (b"1000", "1000", 100_000),
        (b"1E+3", "1000", 100_000),
        (b"1E+3", "1E+3", 100_000),
        (b"0.01", "0.01", 1),
        (b"12500.5", "12500.5", 1_250_050),
    ],
)
def test_the_text_of_the_number(written: bytes, signed: str, kopecks: int) -> None:
    nudge = hear(said(amount=orjson.Fragment(written)), signed)
    assert proven(nudge).payment.amount_kopecks == kopecks


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": orjson.Fragment(b"3500.5")},
        {"amount": orjson.Fragment(b"350.51")},
        {"order": "c-100246"},
        {"paymentStatus": "IN_PROGRESS"},
        {"transactionDate": "2026-02-03T14:05:07.123456+03:00"},
        {"transactionDate": "2026-02-03T11:05:06.123456+00:00"},
        {"sbpMerchantId": "MA0000000001"},
        {"sbpMerchantId": MERCHANT + " "},
    ],
)
def test_what_is_changed_after_signing_is_refused(changes: dict[str, Any]) -> None:
    raw = orjson.dumps(said(**changes))
    genuine = Signed("350.5", MERCHANT, "c-100245", "SUCCESS", AT)
    with pytest.raises(Forged):
        heard(raw, sign(KEY, genuine))


@pytest.mark.parametrize("signature", ["", "0" * 64, "ключ"])
def test_a_signature_that_is_none(signature: str) -> None:
    with pytest.raises(Forged):
        heard(orjson.dumps(said()), signature)


def test_another_key_is_not_ours() -> None:
    with pytest.raises(Forged):
        hear(said(), key="sim-secret-key-000000000002")


@pytest.mark.parametrize("more", [{"additionalInfo": None}, {"additionalInfo": ""}, {"extra": {}}])
@pytest.mark.parametrize("new", [{}, {"new": [1, {"a": None}], "amountOfFee": 1.4}])
def test_what_is_not_signed_may_be_anything(more: dict[str, Any], new: dict[str, Any]) -> None:
    assert proven(hear(said(**more, **new))).payment.amount_kopecks == 35_050


@pytest.mark.parametrize("digits", range(7))
def test_fractions_of_a_second(digits: int) -> None:
    fraction = f".{'123456'[:digits]}" if digits else ""
    at = f"2026-02-03T14:05:06{fraction}+03:00"
    micros = int(f"{'123456'[:digits]:0<6}")
    whole = MOMENT.replace(microsecond=0) + timedelta(microseconds=micros)
    assert proven(hear(said(transactionDate=at))).payment.paid_at == whole


@pytest.mark.parametrize("at", ["2026-02-03T11:05:06.123456Z", "2026-02-03T14:05:06.123456"])
def test_other_ways_to_write_the_moment(at: str) -> None:
    """Without an offset it is the bank's own time, Moscow's."""
    assert proven(hear(said(transactionDate=at))).payment.paid_at == MOMENT


@pytest.mark.parametrize("number", [900_000_000_001, "900000000001", "0900000000001"])
def test_a_transaction_is_a_number_however_it_is_written(number: Any) -> None:
    assert proven(hear(said(transactionId=number))).payment.id == "900000000001"


@pytest.mark.parametrize(
    "changes",
    [
        {"transactionId": None},
        {"transactionId": "A1"},
        {"transactionId": True},
        {"transactionId": 1.5},
        {"transactionId": -1},
        {"transactionDate": "yesterday"},
        {"transactionDate": "0001-01-01T00:00:00+03:00"},
        {"amount": orjson.Fragment(b"0")},
        {"amount": orjson.Fragment(b"0.001")},
        {"amount": orjson.Fragment(b"-5")},
        {"order": ""},
        {"order": "c-1|SUCCESS"},
        {"order": "c-1\n"},
        {"order": "c-" + "1" * 63},
        {"order": OURS.hex, "qrId": "../../orders"},
        {"order": OURS.hex, "qrId": "A" * 65},
        {"order": OURS.hex, "qrId": None},
        {"order": OURS.hex, "qrId": 5},
    ],
)
def test_what_no_bank_would_send_is_not_taken_though_it_is_signed(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        hear(said(**changes))


@pytest.mark.parametrize(
    "raw",
    [
        *(b"", b"[]", b'"text"', b"null", b"{}", b"\xff", b'{"amount":NaN}'),
        orjson.dumps({"event": None, "amount": 1})[:-1],
    ],
)
def test_garbage(raw: bytes) -> None:
    with pytest.raises(Malformed):
        heard(raw, "0" * 64)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", [None, True, [], {}])
def test_a_signed_field_that_is_no_text(field: str, value: Any) -> None:
    with pytest.raises(Malformed):
        heard(orjson.dumps(said(**{field: value})), "0" * 64)


def test_half_a_character_is_refused_like_any_other_forgery() -> None:
    raw = orjson.dumps(said(order="HALF")).replace(b"HALF", rb"\ud800")
    with pytest.raises(Forged):
        heard(raw, "0" * 64)


def test_what_is_kept_names_no_payer() -> None:
    nudge = hear(said(additionalInfo="Иванов", payer="0079******12", order=OURS.hex))
    assert nudge is not None
    kept = orjson.loads(nudge.kept)
    assert set(kept) == {
        *("amount", "createDate", "currency", "order"),
        *("paymentStatus", "qrId", "transactionDate"),
    }
    assert kept["amount"] == "350.5"


class TestBindings:
    """The bank signs nothing there, so that nothing of it is believed."""

    def event(self, **changes: Any) -> bytes:
        about = {"id": "sub-100245", "bank": "Bank", "status": "SUBSCRIBED", "qr": {"id": PAPER}}
        return orjson.dumps({"event": "subscription", "subscription": {**about, **changes}})

    @pytest.mark.parametrize("status", ["SUBSCRIBED", "UNSUBSCRIBED", "INACTIVE", None, 7])
    def test_whatever_it_claims_it_is_only_asked_about(self, status: Any) -> None:
        nudge = heard(self.event(status=status), "")
        assert nudge is not None
        assert (nudge.kind, nudge.provider_payment_id) == (Kind.METHOD, "sub-100245")
        assert (nudge.claims, nudge.proof, nudge.kept) == (Status.PENDING, None, b"")

    @pytest.mark.parametrize("found", [None, "", True, "../..", "я", "x" * 65])
    def test_one_without_an_id(self, found: Any) -> None:
        with pytest.raises(Malformed):
            heard(self.event(id=found), "")

    @pytest.mark.parametrize(
        "body",
        [
            {"event": "refund"},
            {"event": None},
            {"event": "subscription"},
            {"event": "subscription", "subscription": []},
            {"event": "PAYMENT", "data": {"amount": 5}},
            {**said(), "event": "payment"},
        ],
    )
    def test_an_event_of_another_kind_is_nothing_of_ours(self, body: dict[str, Any]) -> None:
        body.pop("amount", None)
        assert heard(orjson.dumps(body), "") is None
